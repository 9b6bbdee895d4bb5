"""A model registry in memory, which can be down."""

from dataclasses import dataclass, field

from hydra_assets.registry.port import Entry, RegisteredVersion, RegistryError, VersionState


@dataclass
class MemoryRegistry:
    """``Registry`` without a store. ``down`` makes every call fail, ``mute`` those that set the alias."""

    entries: dict[str, list[Entry]] = field(default_factory=dict)
    states: dict[tuple[str, int], VersionState] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    down: bool = False
    mute: bool = False

    def _answer(self) -> None:
        if self.down:
            msg = "the model registry does not answer"
            raise RegistryError(msg)

    def register(self, group: str, entry: Entry, state: VersionState) -> RegisteredVersion:
        self._answer()
        known = self.entries.setdefault(group, [])
        for number, other in enumerate(known, start=1):
            if other.sha256 == entry.sha256:
                return RegisteredVersion(number, f"{group}/{number}")
        known.append(entry)
        self.states[group, len(known)] = state
        return RegisteredVersion(len(known), f"{group}/{len(known)}")

    def point_champion(self, group: str, version: int) -> bool:
        self._answer()
        if self.mute:
            msg = "the alias cannot be set"
            raise RegistryError(msg)
        before = self.aliases.get(group)
        if before == version:
            return False
        self.aliases[group] = version
        if before is not None:
            self.states[group, before] = VersionState.ARCHIVED
        return True

    def champion_alias(self, group: str) -> int | None:
        self._answer()
        return self.aliases.get(group)

    def load(self, uri: str) -> bytes:
        self._answer()
        group, _, number = uri.partition("/")
        try:
            return self.entries[group][int(number) - 1].artefact
        except LookupError as gone:
            msg = f"model artefact {uri} cannot be read"
            raise RegistryError(msg) from gone
