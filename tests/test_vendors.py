"""Vendors that misbehave, over real sockets and through Dagster: a named state, a check that says so, nothing lost.

A home has taken in four good sessions (and four good reports). Then the vendor does one of the things below; the run
asks for the range that a cycle asks for, the newest session on record and the new one.
"""

import io
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.columns import DATASETS
from hydra_assets.defs.checks import CHECKS, dataset_checks
from hydra_assets.defs.jobs import range_tags, week_tags
from hydra_assets.defs.ranges import Resources
from hydra_assets.defs.raw import ingest_window, raw_assets
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig, write_home
from hydra_assets.lake import Lake
from hydra_assets.lake.archive import Archive
from hydra_assets.lake.content_hash import partition_hashes
from hydra_assets.markets.loader import markets_of
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.cftc import Family, write_legacy
from hydra_assets.sources.cme_settlement import write_settlement
from hydra_assets.sources.http import HttpClient
from hydra_assets.state.tables import alerts, payloads
from tests.support.cot import weekly
from tests.support.postgres import TestServer, engine_on
from tests.support.vendor_server import (
    Reply,
    VendorServer,
    conditional,
    dropped,
    half,
    html,
    ok,
    status,
    truncated_zip,
    zero_length,
    zipped,
)

BARS, REPORTS = "raw_futures_bars", "raw_cot_reports"
MARKETS = ["HE", "ZC"]
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2025, 3, day) for day in (3, 4, 5, 6, 7))
NEXT_MONDAY = date(2025, 3, 10)
MONTHS = {"HE": (4, 5, 6, 7, 8, 10), "ZC": (3, 5, 7, 9, 12)}
FILE_ROWS = sum(len(months) for months in MONTHS.values())
CODES = ["002602", "054642"]
LATE = {"deliveries", "coverage"}


def contents(day: date, *, stamped: date | None = None, scale: float = 1.0) -> bytes:
    """The settlement file of a session, with the business date and the price level that the vendor says."""
    rows = [
        (
            market,
            date(2025, month, 1),
            date(2025, month, 14),
            stamped or day,
            scale * (80.0 + month + (day - MONDAY).days / 8),
            100 + day.day,
            1000 + day.day,
        )
        for place in range(6)
        for market, months in MONTHS.items()
        for month in months[place : place + 1]
    ]
    names = ["root", "contract_month", "last_trade", "session", "settle", "prev_volume", "prev_open_interest"]
    return write_settlement(pl.DataFrame(rows, schema=names, orient="row"))


def report(weeks: int, *, first: date = date(2025, 2, 4), without: date | None = None) -> bytes:
    """The year's text of the legacy report: so many weeks from the first as-of date on."""
    rows = weekly(Family.LEGACY, CODES, weeks, first)
    return write_legacy(rows.filter(pl.col("report_date") != without) if without else rows)


def edit(content: bytes, change: Callable[[pl.DataFrame], pl.DataFrame]) -> bytes:
    """A CSV file with its columns or rows changed."""
    frame = pl.read_csv(io.BytesIO(content), infer_schema=False)
    return change(frame).write_csv(quote_style="always").encode()


def cut_at_line_end(content: bytes, lines: int) -> bytes:
    return b"\n".join(content.split(b"\n")[:lines]) + b"\n"


@dataclass(frozen=True)
class Case:
    """What the vendor does, the state in which its delivery ends, the checks that fail."""

    what: str
    script: tuple[Reply, ...]
    state: str
    reason: str = ""
    failing: set[str] = field(default_factory=set)
    quarantine: dict[str, int] = field(default_factory=dict)
    """Quarantined rows by reason."""
    archived: bytes | None = None
    """Bytes that the archive holds; None where no whole reply came."""
    alerts: set[str] = field(default_factory=set)
    alike: bool = False
    """Whether the lake ends as if the vendor had done nothing wrong."""


GOOD, YESTERDAY = contents(FRIDAY), contents(THURSDAY)
UTF16, NEW_COLUMN = GOOD.decode().encode("utf-16"), edit(GOOD, lambda f: f.with_columns(pl.lit("x").alias("Basis")))
NO_SETTLE, NO_HIGH_BID = edit(GOOD, lambda f: f.drop("SettlePrice")), edit(GOOD, lambda f: f.drop("HighBid"))
SHUFFLED = edit(GOOD, lambda f: f.sample(fraction=1.0, shuffle=True, seed=3))
TIMES_100 = contents(FRIDAY, scale=100)
AHEAD, BEHIND = (contents(FRIDAY, stamped=day) for day in (NEXT_MONDAY, THURSDAY))
BROKEN_ZIP = zipped("settle.csv", GOOD)[: len(zipped("settle.csv", GOOD)) * 2 // 3]
MID_LINE, LINE_END = GOOD[: len(GOOD) // 2], cut_at_line_end(GOOD, 1 + FILE_ROWS // 2)
PAGE = html()

SETTLEMENTS = [
    Case("nothing wrong", (ok(GOOD),), "parsed", archived=GOOD, alike=True),
    Case("zero length", (zero_length(),), "empty", "zero_length", LATE, alerts={"delivery_empty"}),
    Case("HTML", (PAGE,), "unreadable", "html_instead_of_csv", LATE, archived=b"".join(PAGE.chunks)),
    Case("503, then fine", (status(503), ok(GOOD)), "parsed", archived=GOOD, alike=True),
    Case("503 for ever", (status(503),), "unreachable", "status_503", LATE, alerts={"delivery_unreachable"}),
    Case("truncated zip", (truncated_zip("settle.csv", GOOD),), "unreadable", "broken_zip", LATE, archived=BROKEN_ZIP),
    Case("yesterday's file", (ok(YESTERDAY),), "unchanged", "delivered_before", {"coverage"}, archived=YESTERDAY),
    Case("half a transfer", (half(GOOD),), "unreadable", "truncated", LATE),
    Case("half a stream", (dropped(GOOD),), "unreadable", "truncated", LATE),
    Case(
        "half a file, mid-line",
        (ok(MID_LINE),),
        "parsed",
        failing={"continuity", "quarantine_share"},
        quarantine={"ragged_row": 1},
        archived=MID_LINE,
    ),
    Case("half a file, line's end", (ok(LINE_END),), "parsed", failing={"continuity"}, archived=LINE_END),
    Case("wrong encoding", (ok(UTF16),), "unreadable", "wrong_encoding", LATE, archived=UTF16),
    Case("a new column", (ok(NEW_COLUMN),), "parsed", archived=NEW_COLUMN, alike=True),
    Case("a missing column", (ok(NO_SETTLE),), "unreadable", "missing_column", LATE, archived=NO_SETTLE),
    Case("a column less", (ok(NO_HIGH_BID),), "parsed", failing={"deliveries"}, archived=NO_HIGH_BID, alike=True),
    Case("shuffled rows", (ok(SHUFFLED),), "parsed", archived=SHUFFLED, alike=True),
    Case("100x prices", (ok(TIMES_100),), "parsed", failing={"price_jumps"}, archived=TIMES_100),
    Case(
        "clock a day ahead",
        (ok(AHEAD),),
        "parsed",
        failing={"coverage", "quarantine_share"},
        quarantine={"event_in_future": FILE_ROWS},
        archived=AHEAD,
    ),
    Case(
        "clock a day behind",
        (ok(BEHIND),),
        "parsed",
        failing={"coverage", "duplicates_and_restatements"},
        archived=BEHIND,
    ),
]

DUE, HELD = report(5), report(4)
NEW_NAME = DUE.replace(b'"CFTC Commodity Code (Quotes)"', b'"CFTC Commodity Code (Quotes)","Remarks"', 1)
NEW_FIELD = b"\n".join(line + b"," if i and line else line for i, line in enumerate(NEW_NAME.split(b"\n")))
NO_FIELD = DUE.replace(b"Open Interest (All)", b"Open Things (All)", 1)
MIXED = b"\n".join([*DUE.split(b"\n")[:1], *sorted(DUE.split(b"\n")[1:-1], reverse=True), b""])
WRONG_DAY = DUE.replace(b"2025-03-04", b"2025-03-05").replace(b"250304", b"250305")


@lru_cache
def archive_of(text: bytes) -> bytes:
    return zipped("annual.txt", text)


def cot(what: str, text: bytes, state: str, reason: str = "", failing: set[str] | None = None, **more: Any) -> Case:
    content = archive_of(text)
    return Case(what, (ok(content),), state, reason, failing or set(), archived=content, **more)


OVERDUE = {"deliveries", "freshness", "coverage"}
RELEASES = [
    cot("nothing wrong", DUE, "parsed", alike=True),
    Case("zero length", (zero_length(),), "empty", "zero_length", OVERDUE, alerts={"delivery_empty"}),
    Case("HTML", (PAGE,), "unreadable", "html_instead_of_data", OVERDUE, archived=b"".join(PAGE.chunks)),
    Case("503, then fine", (status(503), ok(archive_of(DUE))), "parsed", archived=archive_of(DUE), alike=True),
    Case("503 for ever", (status(503),), "unreachable", "status_503", OVERDUE, alerts={"delivery_unreachable"}),
    Case("truncated zip", (truncated_zip("annual.txt", DUE),), "unreadable", "truncated_archive", OVERDUE),
    cot("last week's file", HELD, "unchanged", "delivered_before", {"freshness", "coverage"}),
    cot("half a file", DUE[: len(DUE) // 2], "unreadable", "truncated", OVERDUE),
    cot("wrong encoding", DUE.decode().encode("utf-16"), "unreadable", "wrong_encoding", OVERDUE),
    cot("a new column", NEW_FIELD, "parsed", alike=True),
    cot("a missing column", NO_FIELD, "unreadable", "missing_column", OVERDUE),
    cot("shuffled rows", MIXED, "parsed", alike=True),
    cot(
        "a day off",
        WRONG_DAY,
        "parsed",
        failing={"quarantine_share", "freshness", "coverage"},
        quarantine={"unexpected_weekday": len(CODES)},
    ),
]


@dataclass(frozen=True)
class Home:
    """A home's directory and database, with the raw assets and their checks, which are the same for all copies."""

    path: Path
    database: str
    definitions: tuple[dg.AssetsDefinition | dg.AssetChecksDefinition, ...]

    @property
    def lake(self) -> Lake:
        return Lake(str(self.path / "lake"))

    def hashes(self, dataset: str, last: date | None = None) -> pl.DataFrame:
        hashed = partition_hashes(DATASETS[dataset], self.lake.read(dataset)).sort("market", "session")
        return hashed.filter(pl.col("session") <= last) if last else hashed

    def run(self, asset: str, first: date, last: date) -> dg.ExecuteInProcessResult:
        """One asset with its checks over a range."""
        return dg.materialize(
            list(self.definitions),
            selection=dg.AssetSelection.assets(asset),
            instance=dg.DagsterInstance.ephemeral(),
            resources={
                "home": HomeResource(path=str(self.path)),
                "lake": LakeResource(uri=str(self.path / "lake")),
                "database": DatabaseResource(url=self.database),
            },
            tags=week_tags(first, last) if asset == REPORTS else range_tags(MARKETS, first, last),
            raise_on_error=False,
        )


@dataclass
class Vendor:
    """A home over loopback servers, brought to a good state once and copied for each case."""

    server: VendorServer
    good: Home


@dataclass
class Outcome:
    """What a run left behind."""

    home: Home
    failing: dict[str, str]
    """Reason of each failed check."""
    success: bool
    engine: sa.Engine

    def deliveries(self, dataset: str) -> list[sa.Row[Any]]:
        query = sa.select(payloads).where(payloads.c.dataset == dataset).order_by(payloads.c.id)
        with self.engine.connect() as connection:
            return list(connection.execute(query))

    def alert_codes(self) -> set[str]:
        with self.engine.connect() as connection:
            return set(connection.scalars(sa.select(alerts.c.code)))


def config(server: VendorServer) -> dict[str, object]:
    settlement = {"source": "cme_settlement", "datasets": [BARS], "options": {"base_url": server.url("/settle")}}
    reports = {
        "source": "cftc",
        "datasets": [REPORTS],
        "options": {
            "archives": True,
            "first_year": 2025,
            "reports": ["legacy_futures_only"],
            "history_url": server.url("/history"),
            "site_url": server.url("/site"),
        },
    }
    return {
        "kind": "real",
        "markets": MARKETS,
        "history_start": MONDAY,
        "bindings": {market: [settlement, reports] for market in MARKETS},
    }


def settle_path(day: date) -> str:
    return f"/settle/cme.settle.{day:%Y%m%d}.s.csv"


YEAR_PATH = "/history/deacot2025.zip"


AFTER_THURSDAY, AFTER_FRIDAY = "2025-03-07T00:00:00+00:00", "2025-03-08T00:00:00+00:00"


@pytest.fixture(scope="module")
def vendor(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vendor]:
    with ExitStack() as stack:
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        monkeypatch.setitem(HttpClient.__init__.__kwdefaults__, "sleep", lambda _: None)
        server = stack.enter_context(VendorServer())
        url = stack.enter_context(postgres_server.database())
        for day in (MONDAY, TUESDAY, WEDNESDAY, THURSDAY):
            server.on(settle_path(day), ok(contents(day)))
        server.on(YEAR_PATH, ok(archive_of(HELD)))
        path = tmp_path_factory.mktemp("vendor") / "home"
        written = HomeConfig.model_validate(config(server))
        write_home(path, written)
        specs = list(markets_of(written, path).values())
        good = Home(path, url, (*raw_assets(written, specs), *dataset_checks([BARS, REPORTS])))
        monkeypatch.setenv("HYDRA_NOW", AFTER_THURSDAY)
        for asset, first in ((BARS, MONDAY), (REPORTS, date(2025, 2, 3))):
            result = good.run(asset, first, THURSDAY)
            assert result.success
            checks = result.get_asset_check_evaluations()
            assert len(checks) == len(CHECKS[asset])
            assert [c.check_name for c in checks if not c.passed] == []
        yield Vendor(server, good)


@pytest.fixture
def misbehave(
    vendor: Vendor, tmp_path: Path, postgres_server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Outcome]]:
    """Copies the good home, lets the vendor do its thing at a path, and runs an asset over a range."""
    with ExitStack() as stack:
        monkeypatch.setitem(HttpClient.__init__.__kwdefaults__, "sleep", lambda _: None)
        shutil.copytree(vendor.good.path, tmp_path / "home")
        name = sa.make_url(vendor.good.database).database or ""
        with engine_on(vendor.good.database) as engine, engine.connect() as connection:
            # A template may have no session but ours.
            others = "FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
            connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) {others}"), {"name": name})
        url = stack.enter_context(postgres_server.database(template=name))
        engine = stack.enter_context(engine_on(url))
        home = replace(vendor.good, path=tmp_path / "home", database=url)

        def act(asset: str, scripts: dict[str, tuple[Reply, ...]], first: date, last: date, now: str) -> Outcome:
            for path, script in scripts.items():
                vendor.server.on(path, *script)
            monkeypatch.setenv("HYDRA_NOW", now)
            result = home.run(asset, first, last)
            checks = result.get_asset_check_evaluations()
            failing = {e.check_name: str(e.metadata["reason"].value) for e in checks if not e.passed}
            return Outcome(home, failing, result.success, engine)

        yield act


def assert_nothing_lost(case: Case, dataset: str, outcome: Outcome, good: Home) -> None:
    """Archive, earlier rows, quarantine and accounts after a misbehaviour."""
    held = good.lake.read(dataset)
    archive = Archive(outcome.home.path / "archive")
    stored = {archive.load(d.sha256) for d in outcome.deliveries(dataset) if d.sha256}
    if case.archived is not None:
        assert case.archived in stored
    rows = outcome.home.lake.read(dataset)
    assert held.join(rows, on=held.columns, how="anti", nulls_equal=True).is_empty(), "an earlier row changed"
    before = good.hashes(dataset)
    newest = before["session"].max()
    assert isinstance(newest, date)
    assert outcome.home.hashes(dataset, newest).equals(before)
    for d in outcome.deliveries(dataset):
        assert d.rows_loaded + d.rows_superseded + d.rows_quarantined + d.rows_set_aside == d.rows_total
    quarantine = outcome.home.lake.read("quarantine").filter(pl.col("dataset") == dataset)
    assert dict(quarantine.group_by("reason").len().iter_rows()) == case.quarantine
    assert quarantine["raw"].null_count() == 0


def judge(case: Case, dataset: str, outcome: Outcome, good: Home) -> None:
    with engine_on(good.database) as engine:
        known = {d.id for d in Outcome(good, {}, True, engine).deliveries(dataset)}
    states = {(d.state, d.reason) for d in outcome.deliveries(dataset) if d.id not in known}
    assert (case.state, case.reason) in states, states
    assert set(outcome.failing) == case.failing, outcome.failing
    expected = case.alerts | {f"check_{reason}" for reason in outcome.failing.values()}
    expected |= {f"delivery_{case.state}"} & {"delivery_unreadable", "delivery_empty", "delivery_unreachable"}
    assert outcome.alert_codes() == expected
    assert bool(case.failing) == bool(expected)
    assert_nothing_lost(case, dataset, outcome, good)


@pytest.mark.parametrize("case", SETTLEMENTS, ids=[c.what for c in SETTLEMENTS])
def test_settlements(case: Case, misbehave: Callable[..., Outcome], vendor: Vendor) -> None:
    outcome = misbehave(BARS, {settle_path(FRIDAY): case.script}, THURSDAY, FRIDAY, AFTER_FRIDAY)
    judge(case, BARS, outcome, vendor.good)
    friday = outcome.home.lake.read(BARS).filter((pl.col("event_session") == FRIDAY) & (pl.col("record") == "price"))
    wanted = {f"{m}-2025-{k:02d}": 80.5 + k for m, months in MONTHS.items() for k in months}
    assert (dict(friday.select("contract", "settle").iter_rows()) == wanted) is case.alike
    # Only what poisons prices stops what comes after it in the same run.
    assert outcome.success is (case.what != "100x prices")


@pytest.mark.parametrize("case", RELEASES, ids=[c.what for c in RELEASES])
def test_reports(case: Case, misbehave: Callable[..., Outcome], vendor: Vendor) -> None:
    outcome = misbehave(REPORTS, {YEAR_PATH: case.script}, date(2025, 2, 10), FRIDAY, AFTER_FRIDAY)
    judge(case, REPORTS, outcome, vendor.good)
    newest = outcome.home.lake.read(REPORTS).filter(pl.col("report_date") == TUESDAY)
    assert (newest.height == 4 * len(CODES)) is case.alike


def test_the_vendor_recovers_and_the_next_run_makes_good(misbehave: Callable[..., Outcome]) -> None:
    path = settle_path(FRIDAY)
    failed = misbehave(BARS, {path: (PAGE,)}, THURSDAY, FRIDAY, AFTER_FRIDAY)
    assert set(failed.failing) == LATE
    again = misbehave(BARS, {path: (ok(GOOD),)}, THURSDAY, FRIDAY, AFTER_FRIDAY)
    assert again.failing == {}
    assert again.home.lake.read(BARS).filter(pl.col("event_session") == FRIDAY).height == FILE_ROWS


def test_100x_prices_are_corrected_by_a_later_file(misbehave: Callable[..., Outcome]) -> None:
    path = settle_path(FRIDAY)
    assert misbehave(BARS, {path: (ok(TIMES_100),)}, THURSDAY, FRIDAY, AFTER_FRIDAY).failing == {
        "price_jumps": "unit_change"
    }
    corrected = misbehave(BARS, {path: (ok(GOOD),)}, THURSDAY, FRIDAY, "2025-03-08T03:00:00+00:00")
    assert set(corrected.failing) <= {"duplicates_and_restatements"}
    prices = corrected.home.lake.read(BARS).filter(
        (pl.col("event_session") == FRIDAY) & (pl.col("record") == "price") & (pl.col("contract") == "HE-2025-04")
    )
    assert prices.sort("known_at")["settle"].to_list() == [8450.0, 84.5]


def test_a_week_of_settlements_that_is_missing(misbehave: Callable[..., Outcome]) -> None:
    week = [NEXT_MONDAY + timedelta(days=i) for i in range(5)]
    after = NEXT_MONDAY + timedelta(days=7)
    scripts: dict[str, tuple[Reply, ...]] = {settle_path(day): (status(404),) for day in week}
    scripts |= {settle_path(FRIDAY): (ok(GOOD),), settle_path(after): (ok(contents(after)),)}
    outcome = misbehave(BARS, scripts, THURSDAY, after, "2025-03-18T00:00:00+00:00")
    assert outcome.failing == {"coverage": "sessions_missing"}
    assert outcome.alert_codes() == {"check_sessions_missing"}
    with outcome.engine.connect() as connection:
        empty = connection.execute(
            sa.text("SELECT session, reason FROM hydra.partition_content_latest WHERE market = 'HE' AND row_count = 0")
        ).all()
    assert {(row.session, row.reason) for row in empty} >= {(day, "no_delivery") for day in week}


def test_a_week_in_which_a_vendor_has_nothing_at_all(misbehave: Callable[..., Outcome]) -> None:
    late = date(2025, 4, 7)
    outcome = misbehave(BARS, {}, late, late + timedelta(days=4), "2025-04-12T00:00:00+00:00")
    assert outcome.failing == {"freshness": "stale"}
    newest = outcome.deliveries(BARS)[-1]
    assert (newest.state, newest.reason, newest.sha256) == ("nothing_new", "no_payload", "")


def test_a_week_of_reports_that_is_missing(misbehave: Callable[..., Outcome]) -> None:
    gap = report(6, without=TUESDAY)
    scripts = {YEAR_PATH: (ok(archive_of(gap)),)}
    outcome = misbehave(REPORTS, scripts, date(2025, 2, 10), date(2025, 3, 14), "2025-03-15T00:00:00+00:00")
    assert outcome.failing == {"coverage": "sessions_missing"}
    assert outcome.alert_codes() == {"check_sessions_missing"}


def test_a_closed_day_alarms_nobody(misbehave: Callable[..., Outcome]) -> None:
    good_friday = date(2025, 4, 18)
    days = [date(2025, 4, day) for day in (14, 15, 16, 17, 21)]
    scripts = {settle_path(day): (ok(contents(day)),) for day in days}
    outcome = misbehave(BARS, scripts, days[0], days[-1], "2025-04-22T00:00:00+00:00")
    assert outcome.failing == {}
    assert outcome.alert_codes() == set()
    with outcome.engine.connect() as connection:
        query = "SELECT DISTINCT reason FROM hydra.partition_content WHERE session = :day"
        assert list(connection.scalars(sa.text(query), {"day": good_friday})) in ([], ["closed"])


def test_not_modified_after_a_run_that_died_between_download_and_lake_loses_nothing(
    misbehave: Callable[..., Outcome], vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = conditional(GOOD, '"7"', "Fri, 07 Mar 2025 23:10:00 GMT")
    path = settle_path(FRIDAY)
    with monkeypatch.context() as patch:
        patch.setattr("hydra_assets.lake.tables.Lake.append", lambda *_: (_ for _ in ()).throw(OSError("killed here")))
        died = misbehave(BARS, {path: (script,)}, THURSDAY, FRIDAY, AFTER_FRIDAY)
    assert not died.success
    outcome = misbehave(BARS, {path: (script,)}, THURSDAY, FRIDAY, AFTER_FRIDAY)
    asked = [r for r in vendor.server.requests if r.path == path]
    assert asked[-1].headers["if-none-match"] == '"7"'
    assert outcome.failing == {}
    assert outcome.home.lake.read(BARS).filter(pl.col("event_session") == FRIDAY).height == FILE_ROWS


def test_two_runs_that_read_one_file_at_once_write_its_rows_once(
    vendor: Vendor, misbehave: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.server.on(settle_path(FRIDAY), ok(GOOD))
    good = misbehave(BARS, {}, MONDAY, MONDAY, AFTER_THURSDAY).home
    monkeypatch.setenv("HYDRA_NOW", AFTER_FRIDAY)
    home, database = HomeResource(path=str(good.path)), DatabaseResource(url=good.database)
    resources = Resources(home, LakeResource(uri=str(good.path / "lake")), database)
    assert set(home.parse_context.calendars) == set(MARKETS)  # made beforehand, so that both start together
    with ThreadPoolExecutor() as pool:
        asked = [
            pool.submit(ingest_window, resources, Dataset.FUTURES_BARS, [market], FRIDAY, FRIDAY, market)
            for market in MARKETS
        ]
    states = [[d.state for d in future.result().deliveries if d.name.endswith("20250307.s.csv")] for future in asked]
    assert sorted(states) == [["parsed"], ["unchanged"]]
    rows = good.lake.read(BARS)
    assert rows.filter((pl.col("event_session") == FRIDAY) & (pl.col("record") == "price")).height == FILE_ROWS
    assert rows.select("contract", "event_session", "record").n_unique() == rows.height
