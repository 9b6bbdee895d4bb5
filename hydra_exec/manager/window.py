"""The part of a session in which orders are worked, and how much of it has passed. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Window:
    """From one instant to another (UTC).

    Raises
    ------
    ValueError
        An instant is naive, or the end is not after the beginning.
    """

    opens_at: datetime
    closes_at: datetime

    def __post_init__(self) -> None:
        if self.opens_at.tzinfo is None or self.closes_at.tzinfo is None or self.closes_at <= self.opens_at:
            msg = f"no window: {self.opens_at} to {self.closes_at}"
            raise ValueError(msg)

    def share(self, at: datetime) -> float:
        """Share of the window that has passed: 0 at its beginning, 1 at its end, beyond them outside [0, 1]."""
        return (at - self.opens_at) / (self.closes_at - self.opens_at)

    def instant(self, share: float) -> datetime:
        """The instant at which a share of the window has passed."""
        return self.opens_at + share * (self.closes_at - self.opens_at)

    def part(self, start: float, end: float) -> "Window":
        """The window between two shares of this one."""
        return Window(self.instant(start), self.instant(end))
