"""Point in time through Dagster: the same bytes again, batch equals one by one, the future changes no past."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import TestServer

FIRST, MIDDLE, LAST = date(2025, 6, 2), date(2025, 7, 11), date(2025, 7, 25)
CONFIG = {"kind": "simulated", "markets": ["SIM_HE", "SIM_ZO"], "history_start": FIRST}
NOW = "2025-07-26T12:00:00+00:00"
MakePipeline = Callable[..., Pipeline]


@pytest.fixture
def pipeline(tmp_path: Path, postgres_server: TestServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakePipeline]:
    monkeypatch.setenv("HYDRA_NOW", NOW)

    with ExitStack() as stack:

        def make(name: str, **changes: object) -> Pipeline:
            url = stack.enter_context(postgres_server.database())
            return make_pipeline(tmp_path / name, {**CONFIG, **changes}, url, monkeypatch)

        yield make


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory, postgres_server: TestServer) -> Iterator[Pipeline]:
    """The home as it should be, brought up once; whoever computes in it again leaves the same bytes."""
    with pytest.MonkeyPatch.context() as patch, postgres_server.database() as url:
        patch.setenv("HYDRA_NOW", NOW)
        made = make_pipeline(tmp_path_factory.mktemp("truth"), CONFIG, url, patch)
        made.bring_up(FIRST, LAST)
        yield made


def describe(hashes: pl.DataFrame) -> str:
    return f"{hashes.height} partitions of {hashes['dataset'].n_unique()} datasets"


def test_recomputing_any_range_gives_the_same_bytes(truth: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("HYDRA_NOW", NOW),
        ("HYDRA_HOME", str(truth.home)),
        ("HYDRA_POSTGRES_URL", truth.database_url),
    ):
        monkeypatch.setenv(name, value)
    before = truth.hashes()
    truth.bring_up(date(2025, 6, 16), date(2025, 6, 30))
    truth.bring_up(FIRST, LAST, ["SIM_ZO"])
    print(f"recomputed twice: {describe(before)} unchanged")
    assert before["dataset"].n_unique() >= 7
    assert truth.hashes().equals(before)


@pytest.mark.endurance
def test_session_by_session_equals_the_batch(truth: Pipeline, pipeline: MakePipeline) -> None:
    start = date(2025, 7, 23)
    expected = truth.hashes()
    steps = pipeline("steps")
    steps.bring_up(FIRST, date(2025, 7, 22))
    for session in calendar_of(load_markets()["SIM_HE"]).between(start, LAST):
        steps.bring_up(session, session)
    print(f"one by one from {start}: {describe(expected)} equal")
    assert steps.hashes().equals(expected)


def test_perturbing_what_comes_after_a_cutoff_changes_nothing_before_it(
    truth: Pipeline, pipeline: MakePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    perturbed = pipeline("perturbed")
    monkeypatch.setattr("hydra_assets.defs.raw.DatabaseLedger.parsed", lambda *_: {})
    _perturb_sources(perturbed, monkeypatch)
    perturbed.bring_up(FIRST, LAST)
    # A report week's rows may become known weeks later; of it, what was known by then must be the same.
    weekly = pl.col("dataset") == "raw_cot_reports"
    same, other = (home.hashes(MIDDLE).filter(~weekly) for home in (truth, perturbed))
    assert _known_reports(truth).equals(_known_reports(perturbed))
    after = truth.hashes().join(perturbed.hashes(), on=["dataset", "market", "session"], how="left", suffix="_other")
    changed = after.filter((pl.col("session") > MIDDLE) & (pl.col("sha256") != pl.col("sha256_other")))
    print(f"{describe(same)} up to {MIDDLE} unchanged; {changed.height} partitions after it changed")
    assert same.equals(other)
    assert set(changed["dataset"]) >= {
        "raw_futures_bars",
        "raw_intraday_bars",
        "raw_option_chains",
        "raw_cot_reports",
        "raw_headlines",
        "raw_posts",
        "headline_scores",
        "post_scores",
        "sentiment",
        "futures_curve",
        "time_of_day_curve",
        "cot_positions",
        "option_quotes",
    }


def _known_reports(pipeline: Pipeline) -> pl.DataFrame:
    reports = pipeline.lake.read("raw_cot_reports").drop("ingested_at", "payload_sha256")
    cutoff = calendar_of(load_markets()["SIM_HE"]).cutoff(MIDDLE)
    known = reports.filter(pl.col("known_at") <= cutoff)
    assert not known.is_empty()
    return known.sort(known.columns)


def _perturb_sources(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became known after the middle session's cutoff: numbers are scaled, headlines and posts rewritten."""
    from hydra_assets.sources.base import ParseContext, ParseResult, Payload
    from hydra_assets.sources.simulated.source import SimulatedSource

    parse = SimulatedSource.parse
    specs = load_markets()

    def later(self: SimulatedSource, payload: Payload, context: ParseContext) -> ParseResult:
        result = parse(self, payload, context)
        cutoff = max(calendar_of(specs[m]).cutoff(MIDDLE) for m in pipeline.markets)
        numbers = [
            n
            for n in ("high", "settle", "bid", "ask", "volume", "long_contracts", "open_interest")
            if n in result.rows.columns
        ]
        future = pl.col("known_at") > cutoff
        rows = result.rows.with_columns(pl.when(future).then(pl.col(n) * 1.07).otherwise(n).alias(n) for n in numbers)
        for text in {"title", "text"} & set(rows.columns):
            rows = rows.with_columns(pl.when(future).then(pl.lit("hogs and oats slump")).otherwise(text).alias(text))
        return ParseResult(rows, result.rejects, result.total_rows, result.notes)

    monkeypatch.setattr(SimulatedSource, "parse", later)
