"""The window around the terminal's nightly restart, in which nothing is sent. Pure.

The restart is at a local time of the machine that the terminal runs on, so the window moves against UTC twice a year.
Where the clocks go back over it, the local time comes twice and either may be meant: both have their window. Where they
go forward over it, the restart is taken to be at the same distance from the midnight before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Blackout:
    """``margin`` before and after the restart, ends included."""

    at: time
    timezone: str
    margin: timedelta

    def end(self, now: datetime) -> datetime | None:
        """When the window that an instant lies in is over (UTC), None where it lies in none."""
        around = [end for start, end in self.windows(now) if start <= now <= end]
        return max(around) if around else None

    def windows(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Windows from the day before an instant to the day after the next, each with its start and end (UTC)."""
        zone = ZoneInfo(self.timezone)
        today = now.astimezone(zone).date()
        for days in (-1, 0, 1, 2):
            for fold in (0, 1):
                local = datetime.combine(today + days * _DAY, self.at.replace(fold=fold), zone)
                instant = local.astimezone(UTC)
                if fold and instant == local.replace(fold=0).astimezone(UTC):
                    continue
                if fold and instant.astimezone(zone).time() != self.at:
                    # A local time that does not exist; the other reading of it stands already.
                    continue
                yield instant - self.margin, instant + self.margin
