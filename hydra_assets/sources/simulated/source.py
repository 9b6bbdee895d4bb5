"""The embedded market as a source: payloads in vendors' formats, read back by the vendors' own parsers.

Payloads. One per market and calendar quarter (CFTC reports: year of release, as the CFTC cuts its own files), holding
only sessions (releases) inside the window and finished by ``now``. The text of a session is the same in every payload
that holds it, whatever else the window asked for and whatever was generated before: a payload is a header and its
sessions' blocks one after another. A payload per session would cost a home's first run 25,000 parser calls, this way
300.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from itertools import groupby, pairwise

import numpy as np
import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar, calendar_of
from hydra_assets.sources.base import (
    Dataset,
    FetchRequest,
    ParseContext,
    ParseResult,
    Payload,
    PayloadState,
    SourceError,
    SourceHealth,
    SourceSettings,
)
from hydra_assets.sources.cftc.calendar import release_time
from hydra_assets.sources.cftc.layout import Family, Scope
from hydra_assets.sources.cftc.parse import parse_cot
from hydra_assets.sources.cftc.write import write_disaggregated, write_legacy
from hydra_assets.sources.cme_settlement import parse_settlement
from hydra_assets.sources.cme_settlement_writer import write_settlement
from hydra_assets.sources.csv_chains import parse_chain
from hydra_assets.sources.csv_intraday import parse_intraday
from hydra_assets.sources.csv_intraday_map import IntradayMap
from hydra_assets.sources.csv_maps import ChainMap, ColumnMap, read_map
from hydra_assets.sources.feeds import parse_headlines, parse_posts, write_headlines, write_posts
from hydra_assets.sources.simulated.chains import chain_rows
from hydra_assets.sources.simulated.curve import bars
from hydra_assets.sources.simulated.headlines import headline_rows
from hydra_assets.sources.simulated.intraday import intraday_rows
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.positions import cftc_code, is_reported, report_dates, report_rows
from hydra_assets.sources.simulated.posts import post_rows
from hydra_assets.sources.simulated.world import World

NAME = "simulated"
CHAIN_MAP = "sim_chain"
INTRADAY_MAP = "sim_intraday"
CHAIN_COLUMNS = (
    "date",
    "root",
    "contract_month",
    "strike",
    "right",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "settle",
    "volume",
    "open_interest",
)
"""Layout of the option chains, described by the packaged column map ``sim_chain``."""
REPORTS = (
    (Family.LEGACY, Scope.FUTURES_ONLY, "annual"),
    (Family.DISAGGREGATED, Scope.FUTURES_ONLY, "f_year"),
    (Family.DISAGGREGATED, Scope.COMBINED, "c_year"),
)
"""Reports that are published, with the name the CFTC gives each file."""


class SimulatedSource:
    """The default source. A binding's option ``world`` overrides the default world, key by key (``edge.sharpe: 0``)."""

    name = NAME
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.FUTURES_BARS: "Prices at settlement publication; volume and open interest one session later.",
        Dataset.INTRADAY_BARS: "A session's bars with its settlement.",
        Dataset.OPTION_CHAINS: "Quotes and settlements at settlement publication; volume and open interest one later.",
        Dataset.COT_REPORTS: "At the CFTC's own release calendar: Friday 15:30 New York, holidays and lapses included.",
        Dataset.HEADLINES: "Five minutes after publication, when the feed first carries them.",
        Dataset.POSTS: "Five minutes after publication, when the feed first carries them.",
    }

    def __init__(self, settings: SourceSettings) -> None:
        """Keep the seed, the world's first day and each market's world."""
        self._seed = settings.home.seed
        self._start = settings.home.history_start
        self._worlds = {
            symbol: world_of([binding.options.get("world") for binding in bindings])
            for symbol, bindings in settings.bindings.items()
        }

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """Payloads of the window, market by market, in order of time; nothing that is known after ``now``."""
        build = _BUILDERS[request.dataset]
        for spec in request.markets:
            if not spec.simulated:
                detail = f"{spec.symbol} is a real market; the embedded market delivers SIM_ markets only"
                raise SourceError("not_simulated", detail, state=PayloadState.UNREACHABLE)
            calendar = calendar_of(spec)
            first = max(request.first or self._start, self._start)
            last = min(request.last, _last_settled(calendar, request.now))
            if first > last:
                continue
            market = build_market(spec, self._worlds.get(spec.symbol, World()), self._seed, self._start, last)
            if market is None:
                continue
            for name, content, meta in build(market, first, request):
                yield Payload(
                    dataset=request.dataset,
                    source=NAME,
                    name=name,
                    content=content,
                    fetched_at=request.now,
                    meta={"market": spec.symbol, **meta},
                )

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """Canonical rows, by the parser of the vendor whose format the payload has."""
        return _PARSERS[payload.dataset](payload, context)

    def check(self) -> SourceHealth:
        """Nothing can be missing."""
        return SourceHealth(NAME, ok=True, reason="ok", detail=f"embedded market, seed {self._seed}")


def world_of(overrides: Sequence[object]) -> World:
    """The default world with overrides by dotted key; pydantic's ValidationError where one does not fit."""
    content = World().model_dump()
    for override in overrides:
        for key, value in (override if isinstance(override, dict) else {}).items():
            *above, last = key.split(".")
            place = content
            for part in above:
                place = place.setdefault(part, {})
            place[last] = None if value == "null" else value
    return World.model_validate(content)


_Built = Iterator[tuple[str, bytes, dict[str, str]]]


def _last_settled(calendar: SessionCalendar, now: datetime) -> date:
    """Newest session whose settlement is public."""
    day = calendar.previous_session(now.date() + timedelta(days=2))
    while calendar.at_local(day, calendar.settlement_published) > now:
        day = calendar.previous_session(day)
    return day


def _quarters(market: SimulatedMarket, first: date) -> Iterator[slice]:
    """Rows of the market's sessions from ``first`` on, quarter by quarter."""
    start = market.path.index(first)
    months = market.path.sessions[start:].astype("datetime64[M]").astype(np.int64)
    edges = np.flatnonzero(np.diff(months // 3)) + 1
    bounds = [start, *(start + edges).tolist(), start + len(months)]
    for low, high in pairwise(bounds):
        if high > low:
            yield slice(low, high)


def _name(market: SimulatedMarket, rows: slice, end: str) -> str:
    first, last = (market.path.sessions[i].item() for i in (rows.start, rows.stop - 1))
    return f"{market.path.spec.symbol.lower()}.{first:%Y%m%d}-{last:%Y%m%d}.{end}"


def _bars(market: SimulatedMarket, first: date, _: FetchRequest) -> _Built:
    exchange = market.path.spec.exchange
    for rows in _quarters(market, first):
        frame = bars(market.path, market.futures, market.curve, rows)
        yield _name(market, rows, "s.csv"), write_settlement(frame, exchange=exchange), {}


def _intraday(market: SimulatedMarket, first: date, _: FetchRequest) -> _Built:
    stamp = pl.col("bar_start").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    month = pl.col("contract_month").dt.strftime("%Y%m").alias("contract")
    values = ("open", "high", "low", "close", pl.col("volume").cast(pl.Int64))
    for rows in _quarters(market, first):
        frame = intraday_rows(market, rows)
        if frame.height:
            content = frame.select(stamp, "bar_minutes", month, *values).write_csv().encode()
            yield _name(market, rows, "intraday.csv"), content, {"map": INTRADAY_MAP}


def _chains(market: SimulatedMarket, first: date, _: FetchRequest) -> _Built:
    if market.series is None:
        return
    for rows in _quarters(market, first):
        frame = chain_rows(market.path, market.futures, market.series, market.curve, rows)
        content = write_chain(market.path.spec, frame)
        yield _name(market, rows, "chain.csv"), content, {"map": CHAIN_MAP}


def write_chain(spec: MarketSpec, frame: pl.DataFrame) -> bytes:
    """Chain rows as the CSV of the ``sim_chain`` map: per session its prices, then the activity of the one before."""
    absent = {
        "prices": ("volume", "open_interest"),
        "activity": ("bid", "ask", "bid_size", "ask_size", "settle"),
    }
    blank = {kind: [pl.lit(None, dtype=pl.Float64).alias(c) for c in names] for kind, names in absent.items()}
    numbered = frame.with_row_index("order")
    quoted = pl.any_horizontal(pl.col("bid", "ask", "settle").is_not_null())
    prices = numbered.filter(quoted).with_columns(*blank["prices"], date="session", part=pl.lit(0))
    activity = numbered.filter(pl.col("open_interest").is_not_null()).with_columns(
        *blank["activity"], date="previous_session", part=pl.lit(1)
    )
    rows = pl.concat([prices, activity]).sort("session", "part", "order")
    return rows.with_columns(root=pl.lit(spec.root)).select(CHAIN_COLUMNS).write_csv().encode()


def _headlines(market: SimulatedMarket, first: date, _: FetchRequest) -> _Built:
    for rows in _quarters(market, first):
        frame = headline_rows(market, rows)
        if frame.height:
            content = write_headlines(frame.select("title", "publisher", "url", "published", "first_seen"))
            yield _name(market, rows, "headlines.jsonl"), content, {}


def _posts(market: SimulatedMarket, first: date, _: FetchRequest) -> _Built:
    for rows in _quarters(market, first):
        frame = post_rows(market, rows)
        if frame.height:
            content = write_posts(frame.select("text", "author", "url", "published", "first_seen"))
            yield _name(market, rows, "posts.jsonl"), content, {}


def _reports(market: SimulatedMarket, first: date, request: FetchRequest) -> _Built:
    path = market.path
    calendar = calendar_of(path.spec)
    known = report_dates(path.sessions[0].item(), path.sessions[-1].item())
    known = [day for day in known if cftc_code(path, day) is not None and is_reported(path, day)]
    if not known:
        return
    instants = [release_time(day) for day in known]
    sessions = calendar.session_for(pl.Series(instants, dtype=pl.Datetime("us", "UTC"))).to_list()
    wanted = [
        (session, day)
        for session, day, instant in zip(sessions, known, instants, strict=True)
        if session is not None and first <= session <= request.last and instant <= request.now
    ]
    for year, group in groupby(sorted(wanted), key=lambda pair: pair[0].year):
        days = sorted(day for _, day in group)
        # The report before gives the changes their base, and is cut from the file again.
        before = [day for day in known if day < days[0]][-1:]
        for family, scope, file in REPORTS:
            frame = report_rows(path, market.futures, market.curve, before + days, family, scope)
            legacy = family is Family.LEGACY
            text = write_legacy(frame) if legacy else write_disaggregated(frame, scope)
            name = f"{path.spec.symbol.lower()}.{file}.{year}.{days[-1]:%Y%m%d}.txt"
            meta = {"family": str(family), "scope": str(scope)}
            yield name, _without_oldest(text, len(before), "\n" if legacy else "\r\n"), meta


def _without_oldest(text: bytes, count: int, end: str) -> bytes:
    """A report file, newest first, without its ``count`` last lines."""
    lines = text.decode().split(end)[:-1]
    return (end.join(lines[: len(lines) - count]) + end).encode()


@lru_cache(maxsize=2)
def _packaged(name: str) -> ColumnMap:
    return read_map(files("hydra_assets.sources") / "maps" / f"{name}.yaml")


def _parse_chain(payload: Payload, context: ParseContext) -> ParseResult:
    packaged = _packaged(CHAIN_MAP)
    if not isinstance(packaged, ChainMap):
        msg = f"the packaged map {CHAIN_MAP} describes no chain"
        raise TypeError(msg)
    return parse_chain(payload, context, packaged)


def _parse_intraday(payload: Payload, context: ParseContext) -> ParseResult:
    packaged = _packaged(INTRADAY_MAP)
    if not isinstance(packaged, IntradayMap):
        msg = f"the packaged map {INTRADAY_MAP} describes no intraday bars"
        raise TypeError(msg)
    return parse_intraday(payload, context, packaged)


_BUILDERS: Mapping[Dataset, Callable[[SimulatedMarket, date, FetchRequest], _Built]] = {
    Dataset.FUTURES_BARS: _bars,
    Dataset.INTRADAY_BARS: _intraday,
    Dataset.OPTION_CHAINS: _chains,
    Dataset.COT_REPORTS: _reports,
    Dataset.HEADLINES: _headlines,
    Dataset.POSTS: _posts,
}
_PARSERS: Mapping[Dataset, Callable[[Payload, ParseContext], ParseResult]] = {
    Dataset.FUTURES_BARS: parse_settlement,
    Dataset.INTRADAY_BARS: _parse_intraday,
    Dataset.OPTION_CHAINS: _parse_chain,
    Dataset.COT_REPORTS: parse_cot,
    Dataset.HEADLINES: parse_headlines,
    Dataset.POSTS: parse_posts,
}
