"""What the pipeline asks of a model registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class RegistryError(Exception):
    """The registry does not answer or does not hold what was recorded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a group's model: its number and where its artefact is."""

    version: int
    uri: str


class Registry(Protocol):
    """Versions of models by group; the alias ``champion`` names at most one of a group."""

    def register(
        self, group: str, artefact: bytes, sha256: str, parameters: Mapping[str, str], metrics: Mapping[str, float]
    ) -> RegisteredVersion:
        """Store an artefact as a version of the group; the same digest again gives the same version."""
        ...

    def point_champion(self, group: str, version: int) -> bool:
        """Make the alias ``champion`` name the version; False where it did already."""
        ...

    def champion_alias(self, group: str) -> int | None:
        """Version that the alias names, None where there is none."""
        ...

    def load(self, uri: str) -> bytes:
        """Bytes of an artefact; RegistryError where they are gone."""
        ...
