"""Partition definitions: market x session, report week, experiment.

Look-back lives in the as-of reads, never in a partition mapping: a window mapping inside a multi-partition mapping
makes a long backfill several times slower.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

import dagster as dg
import numpy as np

from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import LAST_DATE, trading_days

MARKET, SESSION, GROUP = "market", "session", "group"
REPORT_WEEKS_START = "1986-01-06"
"""The Monday of the week of the first CFTC legacy report that is on file."""
EXPERIMENTS = dg.DynamicPartitionsDefinition(name="experiment")


def sessions_start(home: HomeConfig) -> date:
    """First weekday of a home's history."""
    day = home.history_start
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day


def common_holidays(calendars: Sequence[str], first: date, last: date) -> list[date]:
    """Weekdays in [first, last] on which no market of the home has a session."""
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    weekdays = days[np.is_busday(days)]
    open_somewhere = np.zeros(len(weekdays), dtype=bool)
    for calendar in set(calendars):
        open_somewhere |= np.isin(weekdays, trading_days(calendar))
    closed: list[date] = weekdays[~open_somewhere].tolist()
    return closed


class MarketSessions(dg.MultiPartitionsDefinition):
    """Market x session, whose whole list of keys is made once a day.

    Dagster asks for all keys at every check of a partitioned dataset, and makes them anew for each instant that it asks
    at: half a second for ten markets and fifteen years. The keys depend on the date alone.
    """

    def __init__(self, partitions_defs: Mapping[str, dg.PartitionsDefinition[str]]) -> None:
        super().__init__(partitions_defs)
        self._made: tuple[date, Sequence[dg.MultiPartitionKey]] | None = None

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[dg.MultiPartitionKey]:
        """All keys as of an instant."""
        with dg.partition_loading_context(current_time, dynamic_partitions_store) as context:
            day = context.effective_dt.astimezone(UTC).date()
            if self._made is None or self._made[0] != day:
                self._made = day, super().get_partition_keys()
            return self._made[1]


def market_session_partitions(home: HomeConfig, markets: Sequence[MarketSpec]) -> dg.MultiPartitionsDefinition:
    """Market x session of a home. Keys read ``MARKET|YYYY-MM-DD``; a range of keys is the product of both ranges.

    The session of today exists from midnight on, so that it can be materialised as soon as its cutoff has passed.
    Weekdays on which every market is closed are left out; a holiday of only some of them materialises empty.
    """
    return _partitions(sessions_start(home), tuple((m.symbol, m.calendar) for m in markets))


@lru_cache(maxsize=8)
def _partitions(start: date, markets: tuple[tuple[str, str], ...]) -> dg.MultiPartitionsDefinition:
    # One object for all assets: Dagster hashes a definition's exclusions again for each. And none beyond what Dagster's
    # own clock can ask for soon: it goes through the whole list for every key that it looks at.
    last = min(LAST_DATE, date(datetime.now(UTC).year + 1, 12, 31))
    holidays = common_holidays([calendar for _, calendar in markets], start, last)
    return MarketSessions(
        {
            MARKET: dg.StaticPartitionsDefinition([symbol for symbol, _ in markets]),
            SESSION: dg.TimeWindowPartitionsDefinition(
                start=start.isoformat(),
                fmt="%Y-%m-%d",
                cron_schedule="0 0 * * 1-5",
                exclusions=[np.datetime64(day, "s").item() for day in holidays],
                end_offset=1,
            ),
        }
    )


def group_session_partitions(home: HomeConfig, markets: Sequence[MarketSpec]) -> dg.MultiPartitionsDefinition:
    """Market group x session; keys read ``GROUP|YYYY-MM-DD``, sessions are those of ``market_session_partitions``."""
    sessions = market_session_partitions(home, markets).get_partitions_def_for_dimension(SESSION)
    return MarketSessions(
        {GROUP: dg.StaticPartitionsDefinition(sorted({market.group for market in markets})), SESSION: sessions}
    )


def markets_of_session() -> dg.MultiPartitionMapping:
    """For a group's session the same session of the markets."""
    return dg.MultiPartitionMapping(
        {
            MARKET: dg.DimensionPartitionMapping(GROUP, dg.AllPartitionMapping()),
            SESSION: dg.DimensionPartitionMapping(SESSION, dg.IdentityPartitionMapping()),
        }
    )


def group_of_session() -> dg.MultiPartitionMapping:
    """For a market's session the same session of the groups."""
    return dg.MultiPartitionMapping(
        {
            GROUP: dg.DimensionPartitionMapping(MARKET, dg.AllPartitionMapping()),
            SESSION: dg.DimensionPartitionMapping(SESSION, dg.IdentityPartitionMapping()),
        }
    )


def report_week_partitions() -> dg.TimeWindowPartitionsDefinition:
    """Report weeks, keyed by the Monday of the week that holds the report date."""
    return dg.TimeWindowPartitionsDefinition(
        start=REPORT_WEEKS_START, fmt="%Y-%m-%d", cron_schedule="0 0 * * 1", end_offset=1
    )
