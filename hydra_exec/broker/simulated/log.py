"""Where the simulated broker keeps its lines, so that its books outlive whoever trades with it. Pure."""

from collections.abc import Sequence
from typing import Protocol


class Store(Protocol):
    """One account's lines, in order. Only ever added to."""

    def load(self) -> Sequence[str]:
        """All lines."""
        ...

    def append(self, lines: Sequence[str], *, flush: bool = True) -> None:
        """Add lines, all or none; they outlive this process when it returns, and the machine's too if ``flush``."""
        ...


class MemoryStore:
    """Lines that live as long as this object does."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self.lines = list(lines)

    def load(self) -> Sequence[str]:
        """All lines."""
        return list(self.lines)

    def append(self, lines: Sequence[str], *, flush: bool = True) -> None:
        """Add lines; there is nothing to flush."""
        self.lines.extend(lines)
