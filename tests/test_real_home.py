"""A home on real files through Dagster: every row accounted for, every known defect handled, every instant honest."""

import gzip
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.defs.jobs import DATASETS_JOB, REPORTS_JOB, range_tags, week_tags
from hydra_assets.lake.asof import as_of
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.detect import detect_sources
from hydra_assets.state.db import connect
from hydra_assets.state.tables import payload_reasons, payloads
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import TestServer

DATA = os.environ.get("HYDRA_REAL_DATA")
pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not DATA, reason="HYDRA_REAL_DATA does not name the folder of real files"),
]
ROOT = Path(DATA or ".")
SPANS = {
    "BTC": (date(2026, 7, 6), date(2026, 7, 31)),
    "ETH": (date(2026, 7, 6), date(2026, 7, 31)),
    "DC": (date(2012, 1, 3), date(2012, 1, 3)),
    "NG": (date(2020, 10, 15), date(2020, 10, 16)),
    **dict.fromkeys(("EH", "HE", "LE", "ZC", "ZO", "ZR"), (date(2012, 1, 3), date(2012, 3, 30))),
}
NOW = "2026-11-20T23:45:00+00:00"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, postgres_server: TestServer) -> Iterator[Pipeline]:
    specs = load_markets()
    detected = detect_sources(ROOT, [specs[symbol] for symbol in SPANS])
    config = {
        "kind": "real",
        "markets": sorted(SPANS),
        "history_start": date(2012, 1, 3),
        "history_end": date(2026, 7, 31),
        "data": str(ROOT),
        "spans": {m: {"first": first, "last": last} for m, (first, last) in SPANS.items()},
        "bindings": {m: [b.model_dump(mode="json") for b in bound] for m, bound in detected.bindings.items()},
    }
    with pytest.MonkeyPatch.context() as patch, postgres_server.database() as url:
        patch.setenv("HYDRA_NOW", NOW)
        pipeline = make_pipeline(tmp_path_factory.mktemp("real"), config, url, patch)
        assert pipeline.run(REPORTS_JOB, week_tags(date(2009, 1, 5), date(2026, 7, 31)), fail=False).success
        for market, (first, last) in SPANS.items():
            outcome = pipeline.run(DATASETS_JOB, range_tags([market], first, last), fail=False)
            assert outcome.success, market
        yield pipeline


@pytest.fixture
def ledger(home: Pipeline) -> pl.DataFrame:
    with connect(home.database_url).connect() as connection:
        rows = connection.execute(sa.select(payloads)).mappings().all()
    return pl.DataFrame([{k: v for k, v in row.items() if k != "notes"} for row in rows], infer_schema_length=None)


def data_rows(path: Path) -> int:
    """Rows of a file counted by hand: lines without the header, of every member of an archive."""

    def lines(content: bytes, header: int) -> int:
        return max(sum(1 for line in content.splitlines() if line.strip()) - header, 0)

    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return sum(lines(archive.read(name), 0) for name in archive.namelist())
    if path.suffix == ".xlsx":
        return sum(sheet.height for sheet in pl.read_excel(path, sheet_id=0).values())
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return lines(content, 1)


def test_every_row_of_every_file_is_accounted_for(ledger: pl.DataFrame) -> None:
    parts = sum((pl.col(f"rows_{n}") for n in ("loaded", "superseded", "quarantined", "set_aside")), start=pl.lit(0))
    table = ledger.select(
        "name",
        "dataset",
        "source",
        "state",
        "rows_total",
        "rows_loaded",
        "rows_quarantined",
        "rows_set_aside",
        "rows_superseded",
        parts.alias("sum"),
    )
    print(table.sort("dataset", "name"))
    assert set(table["state"]) <= {"parsed", "unchanged"}
    assert table.filter(pl.col("sum") != pl.col("rows_total")).is_empty()
    assert table.filter((pl.col("state") == "parsed") & (pl.col("rows_total") == 0)).is_empty()
    by_hand = {
        name: data_rows(ROOT / name)
        for name in (
            "cot/disagg_fut_2021/f_year.txt",
            "cot/legacy_comb_2026/annualof.txt",
            "cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx",
            "prices/pysystemtrade/multiple_prices_csv/LEANHOG.csv",
            "prices/pysystemtrade/multiple_prices_csv/OATIES.csv",
            "prices/schwartz97/live_cattle.csv.gz",
            "options/crypto_daily/deribit/2026-07-04.csv",
            "options/crypto_daily/okx/2026-07-09.csv",
            "options/henryhub/henry_hub_european_options.2020-10-15.csv",
        )
    }
    for name, count in by_hand.items():
        mine = ledger.filter(pl.col("name").is_in([name, name.rsplit("/", 1)[1]]) & (pl.col("state") == "parsed"))
        print(f"{name}: {count} rows by hand, {mine['rows_total'].to_list()} in the ledger")
        assert mine.height >= 1
        assert set(mine["rows_total"]) == {count}


def test_the_archive_holds_every_delivery(home: Pipeline, ledger: pl.DataFrame) -> None:
    from hydra_assets.lake.archive import Archive

    archive = Archive(home.home / "archive")
    digests = ledger["sha256"].unique().to_list()
    assert all(archive.path(digest).exists() for digest in digests)
    print(f"{len(digests)} payloads archived")


def test_replaying_the_vintages_gives_at_each_instant_only_what_was_public(home: Pipeline) -> None:
    rows = home.lake.read("raw_cot_reports").filter(
        (pl.col("family") == "legacy")
        & (pl.col("scope") == "futures_only")
        & (pl.col("report_date") >= date(2025, 1, 1))
        & (pl.col("category") == "noncommercial")
        & (pl.col("report_date") < date(2025, 3, 1))
    )
    vintages = sorted((ROOT / "cot/legacy_fut_vintages_2025").glob("annual.asof_*.txt"))
    codes = {c.code: s.symbol for s in load_markets().values() if s.symbol in SPANS for c in s.cftc_codes}
    assert len(vintages) == 5
    for file in vintages:
        stamp = datetime.strptime(file.name[12:32], "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
        raw = pl.read_csv(file, infer_schema=False)
        code, day, long = (raw[c].str.strip_chars() for c in (raw.columns[3], raw.columns[2], raw.columns[8]))
        public = {
            (codes[c], date.fromisoformat(d)): float(n) for c, d, n in zip(code, day, long, strict=True) if c in codes
        }
        seen = as_of(rows, stamp, ("market", "report_date", "category"))
        got = {(r["market"], r["report_date"]): r["long_contracts"] for r in seen.iter_rows(named=True)}
        print(f"{file.name}: {len(public)} rows public, {len(got)} seen")
        assert got == public
        assert not [key for key in public if key[0] == "ZO"]


def test_oats_drop_out_of_the_report_and_come_back(home: Pipeline) -> None:
    combined = home.lake.read("raw_cot_reports").filter(
        (pl.col("scope") == "combined") & (pl.col("report_date") >= date(2026, 1, 1)) & (pl.col("market") == "ZO")
    )
    assert combined["report_date"].n_unique() == 4


def test_suppressed_trader_counts_are_missing_and_ethanol_has_no_reports(home: Pipeline) -> None:
    reports = home.lake.read("raw_cot_reports")
    disaggregated = reports.filter((pl.col("family") == "disaggregated") & (pl.col("report_date").dt.year() == 2021))
    assert disaggregated["report_date"].n_unique() == 11
    thin = disaggregated.filter(pl.col("market").is_in(["ZO", "ZR"]))
    assert thin["traders_long"].null_count() > 0
    assert (thin["traders_long"].drop_nulls() > 0).all()
    assert "EH" not in set(reports["market"])


def test_the_milk_chain_and_its_parity_forward(home: Pipeline) -> None:
    quotes = home.lake.read("option_quotes", markets=["DC"])
    assert quotes["session"].unique().to_list() == [date(2012, 1, 3)]
    assert quotes["strike"].n_unique() == 55
    assert quotes.height == 84
    no_bid = quotes["bid"].is_null() | (quotes["bid"] == 0)
    assert no_bid.mean() == pytest.approx(0.35, abs=0.02)
    two_sided = quotes.filter((pl.col("bid") > 0) & (pl.col("ask") > 0))
    sides = [two_sided.filter(pl.col("right") == r).select("strike", "bid", "ask") for r in "CP"]
    pairs = sides[0].join(sides[1], on="strike", suffix="_put")
    assert pairs.height == 22
    pairs = pairs.with_columns(
        (pl.col("ask") - pl.col("bid") + pl.col("ask_put") - pl.col("bid_put")).alias("width"),
        (pl.col("strike") + (pl.col("bid") + pl.col("ask") - pl.col("bid_put") - pl.col("ask_put")) / 2).alias(
            "forward"
        ),
    )
    forward = pairs.sort("width").head(5)["forward"].median()
    settle = quotes["underlying_settle"].unique().to_list()
    print(f"parity forward {forward}, futures close {settle}")
    assert forward == pytest.approx(17.57, abs=0.02)
    assert settle == [17.56]
    assert quotes["open_interest"].null_count() == quotes.height


def test_the_second_daily_milk_row_is_not_a_quote(home: Pipeline) -> None:
    with connect(home.database_url).connect() as connection:
        reasons = connection.execute(
            sa.select(payloads.c.name, payload_reasons.c.reason, payload_reasons.c.rows)
            .join(payload_reasons, payload_reasons.c.payload_id == payloads.c.id)
            .where(payloads.c.source == "csv:lean", payloads.c.dataset == "raw_option_chains")
            .where(payload_reasons.c.disposition == "quarantined")
        ).all()
    print(reasons)
    assert [row.rows for row in reasons] == [12]
    chain = home.lake.read("raw_option_chains", markets=["DC"])
    assert chain["event_session"].unique().to_list() == [date(2012, 1, 3)]


def test_crypto_chains_are_in_dollars_and_weekends_fall_to_monday(home: Pipeline) -> None:
    for market in ("BTC", "ETH"):
        chain = home.lake.read("raw_option_chains", markets=[market]).filter(pl.col("record") == "price")
        days = chain.filter(pl.col("source") == "csv:deribit")["event_time"].dt.date().n_unique()
        assert days == 28, market
        calendar = calendar_of(load_markets()[market])
        assert chain["session"].equals(
            calendar.session_for(chain["known_at"]).clip(SPANS[market][0], None).rename("session")
        )
        quotes = home.lake.read("option_quotes", markets=[market])
        near = quotes.filter((pl.col("right") == "C") & (pl.col("underlying_price") > 0) & pl.col("ask").is_not_null())
        assert (near["ask"] <= near["underlying_price"] * 1.02).mean() > 0.95
        assert near["vendor_iv"].drop_nulls().median() == pytest.approx(0.5, abs=0.4)


def test_henry_hub_strikes_are_dollars_and_nothing_is_quoted(home: Pipeline) -> None:
    board = home.lake.read("raw_option_chains", markets=["NG"]).filter(pl.col("record") == "price")
    assert board["bid"].null_count() == board.height
    assert board.height > 15_000
    assert board["strike"].max() <= 100
    assert board["settle"].null_count() == 0


def test_a_daily_file_gives_daily_closes_only(home: Pipeline) -> None:
    hogs = home.lake.read("raw_futures_bars", markets=["HE"]).filter(pl.col("source") == "csv:pysystemtrade")
    assert hogs.select("contract", "event_session").is_duplicated().sum() == 0
    curve = home.lake.read("futures_curve", markets=["HE"])
    assert curve["session"].n_unique() > 55
    held = curve["held_return"].drop_nulls()
    assert held.len() > 50
    assert held.abs().max() < 0.15


def test_a_second_cycle_changes_nothing(home: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_NOW", NOW)
    before = home.hashes()
    first, last = SPANS["ETH"]
    assert home.run(DATASETS_JOB, range_tags(["ETH"], first, last), fail=False).success
    assert home.run(REPORTS_JOB, week_tags(date(2025, 1, 6), date(2026, 3, 9)), fail=False).success
    assert home.hashes().equals(before)
