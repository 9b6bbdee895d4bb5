"""What `--now` runs: the sessions that can be traded already, or the orders that a real broker can work."""

from datetime import date, datetime, timedelta

import polars as pl

from hydra_assets.columns import DIAGNOSIS, PREDICTIONS
from hydra_assets.state.content import latest_content
from hydra_console.plan import CYCLE, EXEC, NOT_FINISHED, SessionRange, chosen_ranges, location_requests, neighbours
from hydra_console.runner import JobRequest
from hydra_exec.broker.port import BrokerKind
from hydra_exec.defs.account import AccountParts
from hydra_exec.defs.live import WORK_JOB
from hydra_exec.trading_log import last_traded

DECIDED_FROM = (PREDICTIONS.name, DIAGNOSIS.name)


def tradable(parts: AccountParts, now: datetime) -> list[date]:
    """Finished sessions that the account has not seen and every market of which is predicted and watched, in order.

    The account goes through a session once: one that is traded before it is predicted would be lost to it.
    """
    home = parts.home
    seen = last_traded(parts.database.engine, parts.config.account)
    first = home.config.history_start if seen is None else seen + timedelta(days=1)
    last = max(calendar.latest_finished(now) for calendar in home.calendars.values())
    if first > last:
        return []
    content = latest_content(parts.database.engine, datasets=DECIDED_FROM, first=first, last=last)
    there = content.filter(pl.col("reason").ne_missing(NOT_FINISHED))
    known = set(there.select("dataset", "market", "session").iter_rows())
    wanted = {(m, day) for m, days in parts.sessions(first, last).items() for day in days}
    missing = [day for m, day in wanted if any((name, m, day) not in known for name in DECIDED_FROM)]
    limit = min(missing, default=date.max)
    return sorted({day for _, day in wanted if day < limit})


def trade_requests(parts: AccountParts, now: datetime) -> list[JobRequest]:
    """Jobs that trade what can be traded now; none where the simulated account has seen all there is."""
    if parts.config.broker is not BrokerKind.SIMULATED:
        return [JobRequest(EXEC, WORK_JOB)]
    days, home = tradable(parts, now), parts.home
    if not days:
        return []
    ranges = chosen_ranges(home.config, home.calendars, [], days[0], days[-1], now)
    return [
        request
        for part in ranges
        for block in neighbours(part.markets, list(home.calendars))
        for request in location_requests(EXEC, CYCLE, SessionRange(block, part.first, part.last))
    ]
