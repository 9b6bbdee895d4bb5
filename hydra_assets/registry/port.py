"""What the pipeline asks of a model registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class RegistryError(Exception):
    """The registry does not answer or does not hold what was recorded; the message says what to do."""


class VersionState(StrEnum):
    """Tag ``state`` of a version; the champion is named by the alias besides."""

    CANDIDATE = "candidate"
    ARCHIVED = "archived"
    """Was the champion once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored of a version: the artefact with its digest, its configuration, figures, further files by name."""

    artefact: bytes
    sha256: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    attachments: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """One version of a group's model: its number and where its artefact is."""

    version: int
    uri: str


class Registry(Protocol):
    """Versions of models by group; the alias ``champion`` names at most one of a group."""

    def register(self, group: str, entry: Entry, state: VersionState) -> RegisteredVersion:
        """Store an entry as a version of the group; the same digest again gives the same version."""
        ...

    def point_champion(self, group: str, version: int) -> bool:
        """Make the alias ``champion`` name the version and archive the one before; False where it did already."""
        ...

    def champion_alias(self, group: str) -> int | None:
        """Version that the alias names, None where there is none."""
        ...

    def load(self, uri: str) -> bytes:
        """Bytes of an artefact; RegistryError where they are gone."""
        ...
