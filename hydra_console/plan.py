"""What one cycle runs: which jobs, over which range of partitions.

A dataset is brought up from the newest session that is on record for each market; that session itself is computed
again, since what was late for it may have arrived. A market or dataset with nothing on record starts the history.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from hydra_assets.columns import DATASETS, RAW_COT_REPORTS, PartitionedBy
from hydra_assets.home import HomeConfig, HomeError
from hydra_assets.markets.sessions import SessionCalendar
from hydra_console.runner import JobRequest, load_location

CYCLE, WATCH = "cycle_runs", "watch_runs"
ASSETS, AGENT, EXEC = "hydra_assets.definitions", "hydra_agent.definitions", "hydra_exec.definitions"
REPORT_LOOK_BACK = timedelta(days=28)
"""Reports are asked for again over the last weeks: holidays and shutdowns publish them late."""
NOT_FINISHED = "not_finished"


@dataclass(frozen=True, slots=True)
class SessionRange:
    """Sessions of neighbouring markets, both ends included."""

    markets: tuple[str, ...]
    first: date
    last: date


def newest_finished(home: HomeConfig, calendars: Mapping[str, SessionCalendar], now: datetime) -> date:
    """The newest session of any market whose cutoff has passed, not after the home's end of history."""
    limit = home.history_end or date.max
    finished = []
    for calendar in calendars.values():
        session = calendar.latest_finished(now)
        finished.append(session if session <= limit else last_open({"": calendar}, limit))
    return max(finished)


def first_open(calendars: Mapping[str, SessionCalendar], day: date) -> date:
    """The first date from a day on at which a market trades: the partition keys' own first date there."""
    return min(day if calendar.is_session(day) else calendar.next_session(day) for calendar in calendars.values())


def last_open(calendars: Mapping[str, SessionCalendar], day: date) -> date:
    """The last date up to a day at which a market trades."""
    return max(day if calendar.is_session(day) else calendar.previous_session(day) for calendar in calendars.values())


def missing_range(
    home: HomeConfig,
    calendars: Mapping[str, SessionCalendar],
    content: pl.DataFrame,
    datasets: Sequence[str],
    now: datetime,
) -> SessionRange:
    """The range that brings every dataset of every market up to the newest finished session.

    ``content`` has the newest record of each partition (dataset, market, session, reason). HomeError where the
    history would begin after the newest finished session.
    """
    markets = tuple(calendars)
    last = newest_finished(home, calendars, now)
    if home.history_start > last:
        msg = f"history_start {home.history_start} lies after the newest finished session {last}"
        raise HomeError(msg)
    decided = content.filter(pl.col("reason").is_null() | (pl.col("reason") != NOT_FINISHED))
    newest = {
        (dataset, market): session
        for dataset, market, session in decided.group_by("dataset", "market")
        .agg(pl.col("session").max())
        .select("dataset", "market", "session")
        .iter_rows()
    }
    first = min(newest.get((dataset, market), home.history_start) for dataset in datasets for market in markets)
    return SessionRange(markets, min(first_open(calendars, max(first, home.history_start)), last), last)


def missing_ranges(
    home: HomeConfig,
    calendars: Mapping[str, SessionCalendar],
    content: pl.DataFrame,
    datasets: Sequence[str],
    now: datetime,
) -> list[SessionRange]:
    """``missing_range`` for each set of markets that share their span, in partition order of their first market."""
    return [
        missing_range(part, {m: calendars[m] for m in markets}, content, datasets, now)
        for part, markets in _by_span(home, list(calendars))
    ]


def chosen_ranges(
    home: HomeConfig,
    calendars: Mapping[str, SessionCalendar],
    markets: Sequence[str],
    first: date | None,
    last: date | None,
    now: datetime,
) -> list[SessionRange]:
    """A range that a person asked for, cut to each market's own span; HomeError where nothing is left."""
    if not home.spans:
        return [chosen_range(home, calendars, markets, first, last, now)]
    unknown = [market for market in markets if market not in calendars]
    if unknown:
        msg = f"no market {', '.join(unknown)} in this home; it has {', '.join(calendars)}"
        raise HomeError(msg)
    ranges = []
    for part, mine in _by_span(home, [m for m in calendars if not markets or m in markets]):
        chosen = {m: calendars[m] for m in mine}
        start = first_open(chosen, max(first or part.history_start, part.history_start))
        newest = newest_finished(part, chosen, now)
        end = last_open(chosen, min(last or newest, newest))
        if start <= end:
            ranges.append(SessionRange(mine, start, end))
    if not ranges:
        msg = "the range lies outside the spans of these markets (spans in home.yaml)"
        raise HomeError(msg)
    return ranges


def _by_span(home: HomeConfig, markets: Sequence[str]) -> list[tuple[HomeConfig, tuple[str, ...]]]:
    """The home as each set of markets with one span sees it."""
    groups: dict[tuple[date, date | None], list[str]] = {}
    for market in markets:
        groups.setdefault((home.first_session(market), home.last_session(market)), []).append(market)
    return [
        (home.model_copy(update={"history_start": first, "history_end": last}), tuple(group))
        for (first, last), group in groups.items()
    ]


def chosen_range(
    home: HomeConfig,
    calendars: Mapping[str, SessionCalendar],
    markets: Sequence[str],
    first: date | None,
    last: date | None,
    now: datetime,
) -> SessionRange:
    """A range that a person asked for; HomeError with one sentence where it cannot be."""
    unknown = [market for market in markets if market not in calendars]
    if unknown:
        msg = f"no market {', '.join(unknown)} in this home; it has {', '.join(calendars)}"
        raise HomeError(msg)
    chosen = {m: calendars[m] for m in calendars if m in markets} if markets else dict(calendars)
    newest = newest_finished(home, chosen, now)
    start, end = first or home.history_start, last or newest
    if start > end:
        msg = f"the range is empty: {start} lies after {end}"
        raise HomeError(msg)
    if start < home.history_start:
        msg = f"the home's history starts at {home.history_start} (history_start in home.yaml), not before"
        raise HomeError(msg)
    if end > newest:
        msg = f"{end} is not finished yet; the newest finished session is {newest}"
        raise HomeError(msg)
    opening = first_open(chosen, start)
    closing = last_open(chosen, end)
    if opening > closing:
        msg = f"no market has a session from {start} to {end}"
        raise HomeError(msg)
    return SessionRange(tuple(chosen), opening, closing)


def neighbours(chosen: Sequence[str], order: Sequence[str]) -> list[tuple[str, ...]]:
    """Blocks of markets that stand side by side in partition order: a range of keys holds all between its ends."""
    blocks: list[list[str]] = []
    for before, market in zip([None, *order], order, strict=False):
        if market in chosen:
            if before in chosen:
                blocks[-1].append(market)
            else:
                blocks.append([market])
    return [tuple(block) for block in blocks]


def dataset_requests(
    wanted: Sequence[SessionRange], order: Sequence[str], *, whole_history: bool, assets: Sequence[str] = ()
) -> list[JobRequest]:
    """Jobs of the datasets over ranges: reports first, then one run per range and block of neighbouring markets.

    ``assets`` narrows them; HomeError where one is no dataset of the home.
    """
    from hydra_assets.defs import jobs  # noqa: PLC0415  imports Dagster; the ranges above do without

    weekly = [name for name in assets if name == RAW_COT_REPORTS.name]
    daily = [name for name in assets if name not in weekly]
    unknown = sorted(set(daily) - set(session_datasets())) if daily else []
    if unknown:
        msg = f"no asset {', '.join(unknown)}; there are {', '.join([RAW_COT_REPORTS.name, *session_datasets()])}"
        raise HomeError(msg)
    first, last = min(part.first for part in wanted), max(part.last for part in wanted)
    weeks_first = first if whole_history else first - REPORT_LOOK_BACK
    requests = []
    if weekly or not assets:
        requests.append(JobRequest(ASSETS, jobs.REPORTS_JOB, jobs.week_tags(weeks_first, last)))
    if daily or not assets:
        requests += [
            JobRequest(ASSETS, jobs.DATASETS_JOB, jobs.range_tags(block, part.first, part.last), tuple(daily))
            for part in wanted
            for block in neighbours(part.markets, order)
        ]
    return requests


def session_datasets() -> list[str]:
    """Datasets per market and session that the datasets' job brings up."""
    from hydra_assets.defs.jobs import DATASETS_JOB  # noqa: PLC0415  as above

    job = load_location(ASSETS).defs.get_repository_def().get_job(DATASETS_JOB)
    return _per_session({key.to_user_string() for key in job.asset_layer.selected_asset_keys})


def later_datasets() -> list[str]:
    """Datasets per market and session that follow in a cycle: predictions, and all of trading."""
    keys = set()
    for module in (ASSETS, EXEC):
        graph = load_location(module).defs.resolve_asset_graph()
        keys |= {key.to_user_string() for key in graph.materializable_asset_keys}
    return _per_session(keys - set(session_datasets()))


def _per_session(keys: Set[str]) -> list[str]:
    return [
        name for name, spec in DATASETS.items() if name in keys and spec.partitioned_by is PartitionedBy.MARKET_SESSION
    ]


def later_requests(wanted: Sequence[SessionRange], order: Sequence[str]) -> Iterator[JobRequest]:
    """What follows the datasets in a cycle: models and predictions, the watch over them, trading, then healing.

    Lazy: a location is asked when its turn comes, since what it wants may depend on what ran before.
    """
    for module, runs in ((ASSETS, CYCLE), (AGENT, WATCH), (EXEC, CYCLE), (AGENT, CYCLE)):
        asked: list[JobRequest] = []
        for part in wanted:
            for block in neighbours(part.markets, order):
                for request in location_requests(module, runs, SessionRange(block, part.first, part.last)):
                    if request not in asked:
                        asked.append(request)
                        yield request


def location_requests(module: str, runs: str, wanted: SessionRange) -> Iterator[JobRequest]:
    """Jobs that another code location wants in a cycle, each asked for once those before it have run.

    It says so by functions ``watch_runs`` and ``cycle_runs`` of (markets, first, last) that give (job name, tags) in
    order; a location without one takes no part.
    """
    asked = getattr(load_location(module), runs, None)
    if asked is not None:
        for job, tags in asked(wanted.markets, wanted.first, wanted.last):
            yield JobRequest(module, job, tags)
