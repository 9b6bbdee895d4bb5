"""Real corn through the whole road: what is absent says so, nothing is promoted on two years, and nothing is traded."""

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.defs.downstream import downstream_runs
from hydra_assets.defs.jobs import DATASETS_JOB, REPORTS_JOB, range_tags, week_tags
from hydra_assets.defs.models import MODEL_JOB
from hydra_assets.defs.resources import DatabaseResource, HomeResource
from hydra_assets.evaluation.thesis_check import THESIS_GATE
from hydra_assets.features.dictionary import Group, names_of
from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.detect import detect_sources
from hydra_assets.state.promotions import current_champion
from hydra_assets.state.tables import judgements
from hydra_console.bootstrap.variables import with_schema
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import TestServer, engine_on

DATA = os.environ.get("HYDRA_REAL_DATA")
pytestmark = [
    pytest.mark.endurance,
    pytest.mark.skipif(not DATA, reason="HYDRA_REAL_DATA does not name the folder of real files"),
]
ROOT = Path(DATA or ".")
FIRST, LAST = date(2009, 1, 2), date(2010, 4, 1)
"""A year to train on, a quarter to be tested on; the vendors' volumes go on until September 2010."""
EVENTS = "dagster._core.storage.event_log.in_memory.InMemoryEventLogStorage"
REPORTS = {
    "source": "cftc",
    "datasets": ["raw_cot_reports"],
    "options": {
        "files": ["cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx"],
        "scopes": {"cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx": "futures_only"},
    },
}
"""The other reports are of later years."""
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@pytest.fixture(scope="module")
def corn(tmp_path_factory: pytest.TempPathFactory, postgres_server: TestServer) -> Iterator[Pipeline]:
    detected = detect_sources(ROOT, [load_markets()["ZC"]])
    prices = [bound for bound in detected.bindings["ZC"] if bound.datasets == ("raw_futures_bars",)]
    config = {
        "kind": "real",
        "markets": ["ZC"],
        "history_start": FIRST,
        "history_end": LAST,
        "data": str(ROOT),
        "bindings": {"ZC": [bound.model_dump(mode="json") for bound in prices] + [REPORTS]},
    }
    root = tmp_path_factory.mktemp("real corn")
    with pytest.MonkeyPatch.context() as patch, postgres_server.database() as url:
        with engine_on(url) as engine, engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema("mlflow", if_not_exists=True))
        # Events of single partitions are not stored: nothing here looks at them, and they cost more than the rest.
        patch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
        patch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "1")
        patch.setattr(f"{EVENTS}.store_event_batch", lambda *_: None)
        patch.setenv("HYDRA_NOW", "2026-11-20T23:45:00+00:00")
        patch.setenv("MLFLOW_TRACKING_URI", with_schema(url, "mlflow"))
        patch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(root / "mlflow"))
        pipeline = make_pipeline(root / "home", config, url, patch)
        for job, tags in ((REPORTS_JOB, week_tags(FIRST, LAST)), (DATASETS_JOB, range_tags(["ZC"], FIRST, LAST))):
            assert execute(pipeline, pipeline.definitions, job, tags).success
        yield pipeline


def execute(
    pipeline: Pipeline, definitions: dg.Definitions, job: str, tags: dict[str, str]
) -> dg.ExecuteInProcessResult:
    """A job without Dagster's console, which costs more than the work where every partition has its lines."""
    return definitions.resolve_job_def(job).execute_in_process(instance=pipeline.instance, tags=tags, run_config=QUIET)


@pytest.fixture(scope="module")
def judged(corn: Pipeline) -> dict[str, dg.ExecuteInProcessResult]:
    """Models of all quarters, then predictions, then trading: what a cycle runs after the datasets."""
    home = HomeResource(path=str(corn.home))
    later = downstream_runs(home.config, list(home.markets.values()), ["ZC"], FIRST, LAST)
    runs = {job: execute(corn, corn.definitions, job, tags) for job, tags in later}
    import hydra_exec.definitions as execution  # reads the home when it is imported

    for job, tags in execution.cycle_runs(["ZC"], FIRST, LAST):
        runs[job] = execute(corn, execution.build_defs(), job, tags)
    assert all(run.success for run in runs.values())
    return runs


def test_without_chains_divergence_is_absent_and_says_so(corn: Pipeline) -> None:
    divergence, features = corn.lake.read("divergence"), corn.lake.read("feature_vector")
    assert divergence.height == features.height > 310
    assert set(divergence["divergence_reason"]) == {"no_options_view"}
    assert set(divergence["divergence_type"]) == {"absent"}
    assert divergence["divergence_z"].null_count() == divergence.height
    for group in (Group.OPTIONS, Group.FLOWS):
        for name in names_of(group):
            assert features[name].null_count() == features.height, name
    assert features["divergence_z"].null_count() == features.height
    assert features["features_missing"].str.contains("options:no_quotes").all()
    assert features["features_missing"].str.contains("divergence:no_options_view").all()
    # Positions and curve are there.
    for name in ("carry", "momentum_20", "momentum_60"):
        assert features[name].drop_nulls().n_unique() > 200, name
    assert features["crowd_score_z"].drop_nulls().n_unique() > 15


def test_the_recipes_are_walked_on_what_there_is_and_replayed_after_costs(corn: Pipeline) -> None:
    tested = corn.lake.read("walk_forward").filter(fold_reason="ok")
    assert set(tested["strategy"]) == {"boosted", "logistic", "no_signal"}
    for name in ("boosted", "logistic"):
        assert tested.filter(strategy=name)["probability_raw"].n_unique() > 15
    said = corn.lake.read("feature_contributions").group_by("feature").agg(pl.col("contribution").abs().sum())
    moved = set(said.filter(pl.col("contribution") > 0.0)["feature"])
    assert moved <= {"carry", "momentum_20", "momentum_60", "crowd_score_z", "producers_z"}
    assert "crowd_score_z" in moved
    replay = corn.lake.read("replay_report")
    traded = replay.filter(pl.col("fill_lots") != 0)
    assert traded.height > 0
    costs = ["spread_money", "fee_money", "impact_money", "roll_money"]
    assert (traded.select(pl.sum_horizontal(costs)).to_series() > 0.0).all()
    assert (
        replay.filter(strategy="no_signal")["position_lots"].to_list()
        == [0] * replay.filter(strategy="no_signal").height
    )


def test_nobody_is_promoted_and_nothing_is_traded(corn: Pipeline, judged: dict[str, dg.ExecuteInProcessResult]) -> None:
    database = DatabaseResource(url=corn.database_url)
    with database.engine.connect() as connection:
        rows = connection.execute(sa.select(judgements).order_by(judgements.c.training_date)).mappings().all()
    assert {row["model_group"] for row in rows} == {"grains"}
    assert rows[-1]["training_date"] == date(2010, 4, 1)
    assert rows[-1]["code"] == "none_passed"
    assert {gate["candidate"] for gate in rows[-1]["gates"]} == {"boosted", "logistic"}
    assert current_champion(database.engine, "grains") is None
    predictions = corn.lake.read("predictions")
    assert set(predictions["prediction_reason"]) == {"no_champion"}
    assert predictions["probability_up"].null_count() == predictions.height > 310
    targets = corn.lake.read("target_positions")
    assert set(targets["target_reason"]) == {"no_champion"}
    assert set(targets["target_contracts"]) == {0}
    assert corn.lake.read("orders").is_empty()
    assert corn.lake.read("fills").is_empty()


def test_on_a_real_home_the_thesis_gate_is_an_error(judged: dict[str, dg.ExecuteInProcessResult]) -> None:
    found = [e for e in judged[MODEL_JOB].get_asset_check_evaluations() if e.check_name == THESIS_GATE]
    assert [e.severity for e in found] == [dg.AssetCheckSeverity.ERROR]
    # Nobody trades without a champion: there is nothing to block, and it says so.
    assert [e.passed for e in found] == [True]
    assert "no champion: grains" in (found[0].description or "")
