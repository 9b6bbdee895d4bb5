from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from pydantic import ValidationError

from hydra_assets.home import HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec, SourceBinding
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.base import Dataset, FetchRequest, ParseContext, Payload, SourceError, SourceSettings
from hydra_assets.sources.cftc.calendar import release_time
from hydra_assets.sources.simulated.source import SimulatedSource, world_of

from .sim_specs import HOGS, MARKETS, OATS

START, LAST = date(2025, 1, 2), date(2025, 12, 31)
SPRING = date(2025, 5, 30)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
CONTEXT = ParseContext(MARKETS, {symbol: calendar_of(spec) for symbol, spec in MARKETS.items()})
ALL = tuple(MARKETS.values())


def source(*, seed: int = 5, **world: str) -> SimulatedSource:
    home = HomeConfig(kind="simulated", markets=tuple(MARKETS), history_start=START, seed=seed)
    options: dict[str, dict[str, str]] = {"world": world} if world else {}
    binding = SourceBinding(source="simulated", datasets=tuple(Dataset), options=options)  # type: ignore[arg-type]
    return SimulatedSource(SourceSettings(Path(), home, Path(), dict.fromkeys(MARKETS, (binding,))))


def fetch(
    dataset: Dataset,
    markets: tuple[MarketSpec, ...] = ALL,
    first: date | None = None,
    last: date = LAST,
    now: datetime = LATER,
    by: SimulatedSource | None = None,
) -> list[Payload]:
    return list((by or source()).fetch(FetchRequest(dataset, markets, first, last, now)))


def lines(payloads: Iterable[Payload]) -> list[bytes]:
    """Lines of payloads without their headers, in order; reports, which stand newest first, by their date."""
    out: list[bytes] = []
    for p in payloads:
        own = p.content.splitlines()
        if p.dataset in {Dataset.HEADLINES, Dataset.POSTS}:
            out += own
        else:
            out += reversed(own[1:]) if p.dataset is Dataset.COT_REPORTS else own[1:]
    return out


@pytest.mark.parametrize("dataset", list(Dataset))
def test_every_row_is_accounted_for_and_none_is_refused(dataset: Dataset) -> None:
    payloads = fetch(dataset, last=SPRING)
    assert {p.meta["market"] for p in payloads} == set(MARKETS)
    assert len({p.name for p in payloads}) == len(payloads)
    for payload in payloads:
        result = source().parse(payload, CONTEXT)
        assert result.unaccounted() == []
        assert result.rejects.height == 0, result.rejects.head(3)
        assert result.notes == ()
        assert result.rows.height > 0
        assert result.rows["market"].unique().to_list() == [payload.meta["market"]]


@pytest.mark.parametrize("dataset", list(Dataset))
def test_any_window_gives_the_same_bytes(dataset: Dataset) -> None:
    """Session by session, by month, from the middle: always the lines of the one big window."""
    for spec in (HOGS, OATS):
        by_report: dict[tuple[str, ...], list[Payload]] = {}
        for payload in fetch(dataset, (spec,)):
            by_report.setdefault((payload.meta.get("family", ""), payload.meta.get("scope", "")), []).append(payload)
        sessions = calendar_of(spec).between(START, LAST)
        windows = [(d, d) for d in sessions[:12]] + [(sessions[12], sessions[140]), (sessions[141], LAST)]
        parts: dict[tuple[str, ...], list[Payload]] = {}
        for first, last in windows:
            for payload in fetch(dataset, (spec,), first, last):
                parts.setdefault((payload.meta.get("family", ""), payload.meta.get("scope", "")), []).append(payload)
        assert by_report.keys() == parts.keys()
        for key, whole in by_report.items():
            assert sorted(lines(whole)) == sorted(lines(parts[key]))
            if dataset is not Dataset.COT_REPORTS:
                assert lines(whole) == lines(parts[key])


@pytest.mark.parametrize("dataset", list(Dataset))
def test_nothing_is_delivered_before_it_is_known(dataset: Dataset) -> None:
    calendar = CONTEXT.calendars["SIM_HE"]
    for now in (
        datetime(2025, 3, 14, 19, 0, tzinfo=UTC),  # a Friday before settlement and before the CFTC's release
        datetime(2025, 3, 14, 22, 0, tzinfo=UTC),
        datetime(2025, 3, 16, 12, 0, tzinfo=UTC),
        datetime(2025, 10, 31, 23, 0, tzinfo=UTC),  # no reports during the lapse in appropriations
    ):
        found = [source().parse(p, CONTEXT).rows for p in fetch(dataset, (HOGS,), now=now)]
        rows = pl.concat(found)
        assert rows["known_at"].max() <= now  # type: ignore[operator]
        if dataset is Dataset.FUTURES_BARS:
            assert rows["event_session"].max() == calendar.latest_finished(now)
        if dataset is Dataset.COT_REPORTS and now.month == 10:
            assert rows["report_date"].max() == date(2025, 9, 23)


def test_a_window_holds_what_became_known_in_it() -> None:
    for dataset in Dataset:
        first, last = date(2025, 3, 3), date(2025, 3, 31)
        rows = pl.concat([source().parse(p, CONTEXT).rows for p in fetch(dataset, (HOGS,), first, last)])
        sessions = CONTEXT.calendars["SIM_HE"].session_for(rows["known_at"])
        assert sessions.is_between(first, last).all()
        if dataset is Dataset.COT_REPORTS:
            fridays = [date(2025, 3, day) for day in (7, 14, 21, 28)]
            assert sessions.unique().sort().to_list() == fridays
        else:
            whole = CONTEXT.calendars["SIM_HE"].between(first, last)
            assert sessions.n_unique() == len(whole) or dataset in {Dataset.HEADLINES, Dataset.POSTS}


def test_the_future_of_a_world_does_not_touch_its_past() -> None:
    """Two worlds that differ after session 120 only: every payload up to it is the same to the byte, then not."""
    calendar = CONTEXT.calendars["SIM_HE"]
    turn = calendar.between(START, LAST)[120]
    worlds = [{"edge.break_session": "120", "edge.after_break": value} for value in ("0", "-2")]
    for dataset in Dataset:
        until = [fetch(dataset, (HOGS,), last=turn, by=source(**w)) for w in worlds]
        assert [p.content for p in until[0]] == [p.content for p in until[1]]
        after = [fetch(dataset, (HOGS,), calendar.next_session(turn), by=source(**w)) for w in worlds]
        if dataset in {Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS}:
            assert [p.content for p in after[0]] != [p.content for p in after[1]]


def test_seed_and_start_make_the_world() -> None:
    one, two = (lines(fetch(Dataset.FUTURES_BARS, (HOGS,), by=source(seed=seed))) for seed in (1, 2))
    assert one != two
    assert one == lines(fetch(Dataset.FUTURES_BARS, (HOGS,), by=source(seed=1)))


def test_bars_are_consistent() -> None:
    rows = pl.concat([source().parse(p, CONTEXT).rows for p in fetch(Dataset.FUTURES_BARS)])
    price = rows.filter(pl.col("record") == "price")
    assert price["settle"].min() > 0  # type: ignore[operator]
    traded = price.drop_nulls("high")
    assert (traded["high"] >= traded.select(pl.max_horizontal("open", "settle")).to_series()).all()
    assert (traded["low"] <= traded.select(pl.min_horizontal("open", "settle")).to_series()).all()
    assert price["high"].null_count() < 0.1 * price.height
    for symbol, spec in MARKETS.items():
        ticks = price.filter(pl.col("market") == symbol)["settle"] / spec.tick
        assert (ticks - ticks.round()).abs().max() < 1e-6  # type: ignore[operator]
    activity = rows.filter(pl.col("record") == "activity").join(
        price, on=["market", "contract", "event_session"], suffix="_price"
    )
    assert (activity["known_at"] > activity["known_at_price"]).all()
    moves = price.sort("event_session").select(r=pl.col("settle").log().diff().over("contract")).drop_nulls()["r"]
    assert 0.05 < moves.std() * 252**0.5 < 0.6  # type: ignore[operator]
    assert moves.abs().max() < 0.3  # type: ignore[operator]


def test_chains_name_listed_underlyings() -> None:
    bars, chains = (
        pl.concat([source().parse(p, CONTEXT).rows for p in fetch(dataset, last=SPRING)])
        for dataset in (Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS)
    )
    assert chains["underlying_contract"].null_count() == 0
    keys = ["market", "event_session", "contract"]
    priced = bars.filter(pl.col("record") == "price").select(keys)
    quoted = chains.filter(pl.col("record") == "price").rename({"underlying_contract": "contract"})
    assert quoted.join(priced, on=keys, how="anti").height == 0
    assert chains.select("market", "option", "event_session", "record").is_duplicated().sum() == 0


def test_reports_come_out_by_the_release_calendar() -> None:
    rows = pl.concat([source().parse(p, CONTEXT).rows for p in fetch(Dataset.COT_REPORTS, (HOGS,))])
    kinds = rows.select("family", "scope").unique().sort("family", "scope").rows()
    assert kinds == [
        ("disaggregated", "combined"),
        ("disaggregated", "futures_only"),
        ("legacy", "futures_only"),
    ]
    released = rows.select("report_date", "known_at").unique().rows()
    assert all(known == release_time(day) for day, known in released)
    # The week of Independence Day, a Friday in 2025, came out on Monday.
    assert dict(released)[date(2025, 7, 1)] == datetime(2025, 7, 7, 19, 30, tzinfo=UTC)


def test_the_packaged_markets_run() -> None:
    specs = tuple(spec for spec in load_markets().values() if spec.simulated)
    assert len(specs) == 4
    home = HomeConfig(kind="simulated", markets=tuple(s.symbol for s in specs), history_start=START)
    packaged = SimulatedSource(SourceSettings(Path(), home, Path(), {s.symbol: s.sources for s in specs}))
    context = ParseContext({s.symbol: s for s in specs}, {s.symbol: calendar_of(s) for s in specs})
    for dataset in Dataset:
        payloads = list(packaged.fetch(FetchRequest(dataset, specs, None, date(2025, 3, 31), LATER)))
        results = [packaged.parse(p, context) for p in payloads]
        assert all(r.rejects.height == 0 and r.unaccounted() == [] for r in results)
        assert {m for r in results for m in r.rows["market"].unique()} == {s.symbol for s in specs}
    assert packaged.check().ok
    assert set(packaged.known_at_rules) == set(Dataset)


def test_a_real_market_is_refused() -> None:
    with pytest.raises(SourceError, match="not_simulated"):
        fetch(Dataset.FUTURES_BARS, (load_markets()["HE"],))


def test_worlds_by_dotted_key() -> None:
    world = world_of([{"edge.kind": "switching", "edge.break_session": "null", "rate": "0.01"}, None])
    assert (world.edge.kind, world.edge.break_session, world.rate) == ("switching", None, 0.01)
    with pytest.raises(ValidationError):
        world_of([{"edge.nonsense": "1"}])
