"""Sessions and cutoffs: which trading dates a market has, and at which instant each is decided.

A session is an exchange trading date. Its cutoff is the UTC instant of the decision taken on it. A row belongs to
the first session whose cutoff is not before the row's ``known_at``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.markets.model import Cutoff, MarketSpec

FIRST_DATE = date(1968, 1, 1)
LAST_DATE = date(2032, 12, 31)
WEEKDAYS = "weekdays"
"""Calendar name of a market that trades every day and is decided from Monday to Friday (crypto)."""


@dataclass(frozen=True)
class SessionCalendar:
    """A market's sessions in order (``[n]`` dates) with their cutoffs (``[n]`` UTC microseconds)."""

    sessions: NDArray[np.datetime64]
    cutoffs: NDArray[np.datetime64]
    timezone: str
    settlement_published: time

    def is_session(self, day: date) -> bool:
        """Whether the exchange trades on that date."""
        i = int(np.searchsorted(self.sessions, np.datetime64(day, "D")))
        return i < len(self.sessions) and self.sessions[i] == np.datetime64(day, "D")

    def between(self, first: date, last: date) -> list[date]:
        """Sessions from first to last, both included."""
        lo = np.searchsorted(self.sessions, np.datetime64(first, "D"))
        hi = np.searchsorted(self.sessions, np.datetime64(last, "D"), side="right")
        return [d.item() for d in self.sessions[lo:hi]]

    def cutoff(self, session: date) -> datetime:
        """UTC cutoff of a session; KeyError where the date is none."""
        i = int(np.searchsorted(self.sessions, np.datetime64(session, "D")))
        if i >= len(self.sessions) or self.sessions[i] != np.datetime64(session, "D"):
            raise KeyError(session)
        return _aware(self.cutoffs[i])

    def session_for(self, known_at: pl.Series) -> pl.Series:
        """First session whose cutoff is not before each instant; ``[n]`` dates, null past the calendar."""
        instants = known_at.dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
        index = np.searchsorted(self.cutoffs, instants, side="left")
        inside = index < len(self.sessions)
        dates = self.sessions[np.where(inside, index, 0)].astype("datetime64[D]")
        out = pl.Series("session", dates).cast(pl.Date)
        return out.to_frame().select(pl.when(pl.Series(inside)).then(pl.col("session")))["session"]

    def latest_finished(self, now: datetime) -> date:
        """The newest session whose cutoff has passed."""
        index = int(np.searchsorted(self.cutoffs, np.datetime64(_naive(now), "us"), side="right")) - 1
        return _date(self.sessions[max(index, 0)])

    def next_session(self, day: date, n: int = 1) -> date:
        """The n-th session strictly after a date."""
        index = int(np.searchsorted(self.sessions, np.datetime64(day, "D"), side="right")) + n - 1
        return _date(self.sessions[index])

    def previous_session(self, day: date, n: int = 1) -> date:
        """The n-th session strictly before a date."""
        index = int(np.searchsorted(self.sessions, np.datetime64(day, "D"), side="left")) - n
        return _date(self.sessions[index])

    def at_local(self, day: date, local: time) -> datetime:
        """UTC instant of a local wall time in the market's zone on that date."""
        return datetime.combine(day, local, tzinfo=ZoneInfo(self.timezone)).astimezone(ZoneInfo("UTC"))

    def settlement_known_at(self, event_sessions: pl.Series) -> pl.Series:
        """UTC instants, ``[n]``, at which the settlements of trading dates are public."""
        return self._per_date(event_sessions, lambda day: self.at_local(day, self.settlement_published))

    def activity_known_at(self, event_sessions: pl.Series) -> pl.Series:
        """UTC instants, ``[n]``, at which cleared volume and open interest are public: one session later."""
        return self._per_date(
            event_sessions, lambda day: self.at_local(self.next_session(day), self.settlement_published)
        )

    def _per_date(self, days: pl.Series, rule: Callable[[date], datetime]) -> pl.Series:
        unique = days.drop_nulls().unique().to_list()
        instants = pl.DataFrame(
            {"day": unique, "instant": [rule(day) for day in unique]},
            schema={"day": pl.Date, "instant": pl.Datetime("us", "UTC")},
        )
        return days.alias("day").to_frame().join(instants, on="day", how="left", maintain_order="left")["instant"]


def _aware(value: np.datetime64) -> datetime:
    stamp: datetime = value.astype("datetime64[us]").item()
    return stamp.replace(tzinfo=ZoneInfo("UTC"))


def _naive(value: datetime) -> datetime:
    return value.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def _date(value: np.datetime64) -> date:
    day: date = value.astype("datetime64[D]").item()
    return day


@lru_cache(maxsize=64)
def trading_days(calendar: str) -> NDArray[np.datetime64]:
    """Trading dates of an exchange calendar, ``[n]``, from FIRST_DATE to LAST_DATE."""
    if calendar == WEEKDAYS:
        days = np.arange(np.datetime64(FIRST_DATE), np.datetime64(LAST_DATE) + 1)
        return days[np.is_busday(days)]
    import pandas_market_calendars as mcal  # noqa: PLC0415  slow to import; definitions load without it

    valid = mcal.get_calendar(calendar).valid_days(FIRST_DATE.isoformat(), LAST_DATE.isoformat())
    return np.asarray(valid.tz_localize(None).values.astype("datetime64[D]"))


@lru_cache(maxsize=64)
def session_calendar(calendar: str, timezone: str, cutoff: Cutoff, settlement_published: time) -> SessionCalendar:
    """Build a market's session calendar; cached, since one takes some tenths of a second."""
    days = trading_days(calendar)
    zone, utc = ZoneInfo(timezone), ZoneInfo("UTC")
    shift = timedelta(days=cutoff.day_offset)
    cutoffs = np.array(
        [
            datetime.combine(day + shift, cutoff.at, tzinfo=zone).astimezone(utc).replace(tzinfo=None)
            for day in days.tolist()
        ],
        dtype="datetime64[us]",
    )
    return SessionCalendar(days, cutoffs, timezone, settlement_published)


def calendar_of(spec: MarketSpec) -> SessionCalendar:
    """The session calendar of a market."""
    return session_calendar(spec.calendar, spec.timezone, spec.cutoff, spec.settlement_published)
