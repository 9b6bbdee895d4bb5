"""The whole road on moving data: vendor bytes to a filled order and a judged candidate, through three code locations.

Every assertion is about something that moves: a piece that returned a constant, or that nobody called, fails here.
"""

import os
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_agent.defs.hypotheses import FORCED_TAG
from hydra_agent.defs.jobs import HEALING_JOB, HYPOTHESES_JOB, WATCH_JOB, experiment_tags, group_range_tags
from hydra_assets.defs.downstream import downstream_runs
from hydra_assets.defs.jobs import DATASETS_JOB, range_tags
from hydra_assets.defs.predictions import PREDICTIONS_JOB
from hydra_assets.defs.resources import DatabaseResource, HomeResource
from hydra_assets.defs.training import snapshots_of
from hydra_assets.features.assemble import FEATURE_NAMES
from hydra_assets.lake import Lake
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import FIRST_RECIPES
from hydra_assets.models.trained import train
from hydra_assets.partitions import EXPERIMENTS
from hydra_assets.registry.champions import Cause, Record, crown
from hydra_assets.registry.mlflow_registry import MlflowRegistry
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.db import claim
from hydra_assets.state.execution_tables import fills, orders
from hydra_assets.state.promotions import current_champion
from hydra_assets.state.records import Promotion
from hydra_assets.state.tables import judgements, stress_reports
from hydra_assets.state.trial_ledger import TrialLedger
from hydra_console.bootstrap.variables import with_schema
from hydra_exec.config import SIMULATED_ACCOUNT
from hydra_exec.journal.journal import Journal
from hydra_exec.trading_log import home_id
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import engine_on

FIRST, LAST = date(2024, 3, 1), date(2025, 4, 11)
MARKETS = ["SIM_HE", "SIM_ZO"]
CROWNED = date(2024, 10, 1)
CHANGED_FROM = date(2025, 4, 2)
OPTION_ASSETS = (
    "clean_quotes",
    "implied_vols",
    "vol_surface",
    "implied_density",
    "implied_moments",
    "divergence",
    "feature_vector",
)
INTERVALS = ("mean", "sd", "skew", "atm_vol", "risk_reversal_25", "tilt")


@pytest.fixture
def pipeline(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    with engine_on(database_url) as engine, engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("mlflow", if_not_exists=True))
    with engine_on(database_url) as engine:
        claim(engine, "simulated")
    monkeypatch.setenv("HYDRA_NOW", "2025-04-12T12:00:00+00:00")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", with_schema(database_url, "mlflow"))
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(tmp_path / "mlflow"))
    config = {"kind": "simulated", "markets": MARKETS, "history_start": FIRST, "bootstrap_draws": 20}
    return make_pipeline(tmp_path / "home", config, database_url, monkeypatch)


def execute(
    pipeline: Pipeline, definitions: dg.Definitions, job: str, tags: dict[str, str], assets: tuple[str, ...] = ()
) -> None:
    result = definitions.resolve_job_def(job).execute_in_process(
        instance=pipeline.instance, tags=tags, asset_selection=[dg.AssetKey(name) for name in assets] or None
    )
    assert result.success


def test_from_vendor_bytes_to_a_filled_order_and_a_judged_candidate(pipeline: Pipeline) -> None:
    url = os.environ["HYDRA_POSTGRES_URL"]
    home, database = HomeResource(path=str(pipeline.home)), DatabaseResource(url=url)
    pipeline.bring_up(FIRST, LAST)
    for job, tags in downstream_runs(home.config, list(home.markets.values()), MARKETS, FIRST, LAST):
        execute(pipeline, pipeline.definitions, job, tags)
    sessions = {market: len(home.calendars[market].between(FIRST, LAST)) for market in MARKETS}
    every_feature_and_density_moves(pipeline.lake, sessions)
    the_signals_move(pipeline.lake, sessions)
    labels_are_what_became_of_decisions(pipeline.lake)
    the_options_engine_moves(pipeline.lake, sessions)
    nobody_passes_on_a_year(pipeline.lake, database.engine)
    crown_one(home, database)
    for job, tags in downstream_runs(home.config, list(home.markets.values()), MARKETS, FIRST, LAST):
        execute(pipeline, pipeline.definitions, job, tags)
    champion = the_champion_is_refitted_and_predicts(pipeline.lake, database.engine)
    outcomes_are_kept(pipeline.lake)
    the_judgements_are_on_record(database.engine)
    its_health_is_watched(pipeline)
    orders_are_filled_once(pipeline, database.engine)
    candidates_are_trained_and_judged(pipeline, champion, database)
    other_chains_give_other_predictions(pipeline)


def every_feature_and_density_moves(lake: Lake, sessions: dict[str, int]) -> None:
    features = lake.read("feature_vector")
    assert dict(features.group_by("market").len().iter_rows()) == sessions
    assert [
        (market, name)
        for market in MARKETS
        for name in FEATURE_NAMES
        if features.filter(market=market)[name].drop_nulls().n_unique() < (2 if name == "grade_rank" else 3)
    ] == []


def the_signals_move(lake: Lake, sessions: dict[str, int]) -> None:
    scores = lake.read("sentiment").filter(sentiment_reason="ok")
    assert scores.height > 0.9 * sum(sessions.values())
    assert scores["sentiment_score"].n_unique() > 0.9 * scores.height
    named = {name for names in scores["sentiment_sources"] for name in names.split(",")}
    assert named == {"cot", "headlines", "posts", "order_flow"}
    posts = lake.read("post_scores")
    assert dict(posts.group_by("market").len().iter_rows()) == sessions
    assert {"ok", "irrelevant"} <= set(posts["post_reason"])
    # A mean of texts that all fade alike moves when a post comes or goes: six sessions in ten have an opinion.
    assert posts["post_score"].drop_nulls().n_unique() > 0.6 * posts.height
    assert posts["post_copies"].sum() > 0
    assert lake.read("raw_posts")["author"].n_unique() > 5
    hours = lake.read("time_of_day_curve")
    assert dict(hours.group_by("market").len().iter_rows()) == sessions
    known = hours.filter(time_of_day_reason="ok")
    assert known.height > 0.9 * hours.height
    assert known["volume_shares"].n_unique() == known["variance_shares"].n_unique() == known.height
    divergence = lake.read("divergence")
    assert divergence["divergence_type"].n_unique() >= 4
    directions = divergence.filter(divergence_reason="ok")["divergence_direction"]
    assert set(directions) == {-1, 0, 1}
    # The crowd's own past is short in a year: its absence is said, and no score stands beside it.
    crowd = lake.read("cot_scores")
    assert {"ok", "short_history"} <= set(crowd["crowd_reason"])
    assert crowd.filter(pl.col("crowd_reason") != "ok")["crowd_score"].null_count() == crowd.height - len(
        crowd.filter(crowd_reason="ok")
    )


def labels_are_what_became_of_decisions(lake: Lake) -> None:
    labels = lake.read("labels").filter(market=MARKETS[0], label_kind="fixed_horizon", label_reason="ok")
    assert labels["decision_session"].n_unique() == labels.height > 200
    curve = lake.read("futures_curve", markets=[MARKETS[0]]).filter(role="front").sort("session")
    row = labels.row(100, named=True)
    days = curve["session"].to_list()
    decided = days.index(row["decision_session"])
    assert (row["entry_session"], row["session"]) == (days[decided + 1], days[decided + 6])
    earned = 1.0
    for r in curve["held_return"].to_list()[decided + 2 : decided + 7]:
        earned *= 1.0 + r
    assert row["label_return"] == pytest.approx(earned - 1.0, rel=1e-9)
    assert set(labels["label_class"]) == {"up", "down"}
    barriers = lake.read("labels").filter(label_kind="triple_barrier", label_reason="ok")
    assert set(barriers["label_barrier"]) == {"upper", "lower", "vertical"}
    regimes = lake.read("regimes")
    assert regimes.filter(regime_reason="short_history").height > 400
    known = regimes.filter(regime_reason="ok")
    assert known["regime_probability_stressed"].n_unique() > 0.9 * known.height > 20
    walked = lake.read("walk_forward")
    assert set(walked["fold_reason"]) == {"before_first_fold", "ok"}
    tested = walked.filter(fold_reason="ok")
    assert set(tested["strategy"]) == {"boosted", "logistic", "no_signal"}
    assert (tested["trained_until"] < tested["session"]).all()
    for name in ("boosted", "logistic"):
        own = tested.filter(strategy=name)
        assert own.height > 20
        assert own["probability_raw"].n_unique() > 0.5 * own.height
    assert tested.filter(strategy="no_signal")["probability_raw"].n_unique() == tested["fold"].n_unique()
    explained = lake.read("feature_contributions")
    assert set(explained["strategy"]) == {"boosted", "logistic"}
    assert explained.group_by("feature").agg(pl.col("contribution").abs().sum()).filter(contribution=0.0).height < 10
    replay = lake.read("replay_report")
    assert replay.filter(strategy="logistic")["position_lots"].n_unique() > 3
    # The account is the sum of its markets: every cent has one.
    money = replay.group_by("strategy", "session").agg(pl.col("net_money").sum(), pl.col("account_equity").first())
    for _, days in money.sort("session").group_by("strategy", maintain_order=True):
        earned = days["net_money"].cum_sum().to_numpy() + 1_000_000.0
        assert earned == pytest.approx(days["account_equity"].to_numpy(), abs=0.005)


def the_options_engine_moves(lake: Lake, sessions: dict[str, int]) -> None:
    quotes, listed = lake.read("clean_quotes"), lake.read("option_quotes")
    assert quotes.height == listed.height, "a quote was lost between the chain and its verdict"
    assert {"used", "in_the_money", "one_sided", "wide"} <= set(quotes["quote_reason"])
    vols = lake.read("implied_vols")
    assert vols.height == quotes.filter(quote_reason="used").height
    # American options of a thin market carry a premium, and all of it is positive.
    assert vols["early_exercise_premium"].min() > -1e-9
    assert vols["early_exercise_premium"].max() > 0.0
    density = lake.read("implied_density")
    body = density.filter(pl.col("density").is_not_null())
    assert set(body["grade"]) <= {"A", "B", "C"}
    assert body.height > 0.5 * density.height
    assert body["density"].list.len().unique().to_list() == [129]
    assert body["density"].list.min().min() >= 0.0
    assert body.select(pl.col("mass_residual", "martingale_residual").abs().max()).row(0) < (1e-6, 1e-6)
    assert body.select("tilt", "sd", "skew").n_unique() == body.height
    assert (body["quantiles"].list.diff(null_behavior="drop").list.min() > 0.0).all()
    moments = lake.read("implied_moments")
    tenors = moments.filter(pl.col("tenor").is_in(["30d", "60d", "90d"]))
    assert dict(tenors.group_by("market").len().iter_rows()) == {m: 3 * n for m, n in sessions.items()}
    whole = tenors.filter(moments_reason="ok")
    for name in INTERVALS:
        assert whole[f"{name}_se"].min() > 0.0, name
        assert (whole[f"{name}_lo"] < whole[name]).all(), name
        assert (whole[name] < whole[f"{name}_hi"]).all(), name
    flows = lake.read("greeks_flows")
    market = flows.filter(level="market", basis="open_interest")
    assert dict(market.group_by("market").len().iter_rows()) == sessions
    assert market["gex_unsigned_per_percent"].n_unique() > 0.9 * market.height
    real = lake.read("real_world_density")
    assert real.height == body.height
    assert set(real["real_world_reason"]) == {"too_few_expiries"}
    both = real.join(body, on=["market", "session", "expiry"], validate="1:1")
    assert both.height == real.height
    assert both.filter(pl.col("real_world_density") != pl.col("density")).is_empty()
    assert real.sort("session")["expiries_realised"].to_list()[-1] > 5
    gate = lake.read("density_gate")
    assert dict(gate.group_by("market").len().iter_rows()) == sessions
    assert gate.filter(gate_state="green").height > 0.8 * gate.height


def nobody_passes_on_a_year(lake: Lake, engine: sa.Engine) -> None:
    """Three months out of sample prove nothing: no champion is promoted, and everything downstream says so."""
    assert current_champion(engine, "sim") is None
    assert MlflowRegistry(os.environ["MLFLOW_TRACKING_URI"]).champion_alias("sim") is None
    assert set(lake.read("predictions")["prediction_reason"]) == {"no_champion"}
    assert lake.read("prediction_outcomes").is_empty()


def the_judgements_are_on_record(engine: sa.Engine) -> None:
    """Each training date says what it came to; a strategy of three months cannot be stressed, and that is said."""
    with engine.connect() as connection:
        codes = dict(connection.execute(sa.select(judgements.c.training_date, judgements.c.code)).all())
        stress = connection.execute(sa.select(stress_reports.c.strategy, stress_reports.c.stress_reason)).all()
    assert codes[date(2024, 10, 1)] == "no_evidence"
    assert codes[date(2025, 4, 1)] == "scheduled_refit"
    assert {row.strategy for row in stress} == {"boosted", "logistic"}
    assert {row.stress_reason for row in stress} <= {"too_few_sessions", "no_decision"}


def crown_one(home: HomeResource, database: DatabaseResource) -> None:
    """What a judged experiment would do: a recipe fitted to a training date's own snapshot becomes the champion."""
    snapshot = snapshots_of(home).get("sim", CROWNED)
    assert snapshot is not None
    model = train("boosted", FIRST_RECIPES["boosted"], snapshot, AS_IT_IS, thesis_green=False)
    registry = MlflowRegistry(os.environ["MLFLOW_TRACKING_URI"])
    crown(database.engine, registry, "sim", model, Record(), Cause("by_test", size_fraction=1.0))


def the_champion_is_refitted_and_predicts(lake: Lake, engine: sa.Engine) -> Promotion:
    champion = current_champion(engine, "sim")
    assert champion is not None
    assert champion.reason == "scheduled_refit"
    assert MlflowRegistry(os.environ["MLFLOW_TRACKING_URI"]).champion_alias("sim") == champion.version
    predictions = lake.read("predictions")
    without, predicted = (predictions.filter(prediction_reason=reason) for reason in ("no_champion", "ok"))
    assert without.height + predicted.height == predictions.height
    assert without["session"].max() < CROWNED <= predicted["session"].min()
    assert predicted["model_version"].n_unique() == 3
    assert predicted["probability_up"].n_unique() > 0.5 * predicted.height
    assert set(predicted["thesis_gate"]) == {"red"}
    return champion


def outcomes_are_kept(lake: Lake) -> None:
    outcomes, predictions = lake.read("prediction_outcomes"), lake.read("predictions")
    assert outcomes.height > 200
    assert (outcomes["session"] > outcomes["decision_session"]).all()
    made = predictions.rename({"session": "decision_session"})
    both = outcomes.join(made, on=["market", "decision_session"], suffix="_then", validate="1:1")
    assert both.height == outcomes.height
    assert both["probability_up"].equals(both["probability_up_then"])
    up = (both["label_class"] == "up").cast(pl.Float64)
    assert ((both["probability_up"] - up) ** 2).to_list() == pytest.approx(both["squared_error"].to_list())
    assert outcomes["feature_sha256"].n_unique() == outcomes.height


def orders_are_filled_once(pipeline: Pipeline, engine: sa.Engine) -> None:
    import hydra_exec.definitions as execution  # reads the home when it is imported

    definitions = execution.build_defs()
    [(job, tags)] = execution.cycle_runs(MARKETS, FIRST, LAST)
    execute(pipeline, definitions, job, tags)
    lake = pipeline.lake
    filled, ordered = lake.read("fills"), lake.read("orders").sort("order_ref")
    assert filled.height > 5
    assert set(filled["side"]) == {"BUY", "SELL"}
    assert filled["fill_price"].n_unique() > 3
    assert (filled["session"] > filled["ordered_session"]).all()
    assert lake.read("target_positions")["target_contracts"].n_unique() > 3
    signed = pl.when(side="BUY").then("quantity").otherwise(-pl.col("quantity")).sum()
    summed = {contract: n for contract, n in filled.group_by("contract").agg(signed).iter_rows() if n}
    held = dict(Journal(engine, SIMULATED_ACCOUNT, home_id(engine)).positions)
    assert held == summed
    assert max(map(abs, held.values()), default=0) <= 5
    for name in ("positions", "slippage_reconciliation", "daily_pnl"):
        event = pipeline.instance.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None
        assert event.asset_materialization is not None
        assert "picture" in event.asset_materialization.metadata, name
    before = count(engine)
    execute(pipeline, definitions, job, tags)
    journal = Journal(engine, SIMULATED_ACCOUNT, home_id(engine))
    assert (count(engine), dict(journal.positions)) == (before, held)
    assert journal.verdict().intact
    assert lake.read("orders").sort("order_ref").equals(ordered)


def its_health_is_watched(pipeline: Pipeline) -> None:
    import hydra_agent.definitions as agent  # reads the home when it is imported

    execute(pipeline, agent.build_defs(), WATCH_JOB, group_range_tags(["sim"], FIRST, LAST))
    predicted = pipeline.lake.read("predictions")
    diagnosis = pipeline.lake.read("diagnosis")
    keys = ["market", "session"]
    assert diagnosis.select(keys).sort(keys).equals(predicted.select(keys).sort(keys))
    reigned = diagnosis.join(predicted, on=keys, suffix="_said").filter(prediction_reason="ok")
    assert (reigned["size_fraction"] == 1.0).all(), "nobody said that it begins with less"
    assert (reigned["exposure"] > 0.0).mean() > 0.5
    assert (diagnosis.filter(champion_stage="none")["exposure"] == 0.0).all()
    health = pipeline.lake.read("champion_health")
    assert {"contract", "freshness", "activity", "regime"} <= set(health["health_family"])
    ages = health.filter(health_family="freshness", health_signal="reports")["health_statistic"].drop_nulls()
    assert ages.n_unique() > 3


def candidates_are_trained_and_judged(pipeline: Pipeline, champion: Promotion, database: DatabaseResource) -> None:
    import hydra_agent.definitions as agent

    definitions = agent.build_defs()
    execute(pipeline, definitions, HYPOTHESES_JOB, {"dagster/partition": f"sim|{LAST}", FORCED_TAG: "by_test"})
    keys = list(pipeline.instance.get_dynamic_partitions(str(EXPERIMENTS.name)))
    execute(pipeline, definitions, HEALING_JOB, experiment_tags(keys[:2]))
    entries = TrialLedger(database.engine, pipeline.home).verified("sim")
    assert [(entry.kind, entry.subject) for entry in entries] == [
        *((EntryKind.TRIAL, key) for key in keys[:2]),
        *((EntryKind.VERDICT, key) for key in keys[:2]),
    ]
    # A year less the hold-out is no year: nothing was tested, and the verdict says so.
    assert {entry.facts["code"] for entry in entries if entry.kind is EntryKind.VERDICT} == {"stopped"}
    assert current_champion(database.engine, "sim") == champion, "nobody is promoted past the gates"


def other_chains_give_other_predictions(pipeline: Pipeline) -> None:
    lake = pipeline.lake
    before = lake.read("predictions")
    quotes = lake.read("option_quotes", markets=["SIM_HE"], first=CHANGED_FROM)
    dearer = pl.when(right="C").then(1.1).otherwise(0.95)
    quotes = quotes.with_columns((pl.col(name) * dearer).alias(name) for name in ("bid", "ask", "settle"))
    lake.replace("option_quotes", "SIM_HE", CHANGED_FROM, LAST, quotes)
    tags = range_tags(["SIM_HE"], CHANGED_FROM, LAST)
    execute(pipeline, pipeline.definitions, DATASETS_JOB, tags, OPTION_ASSETS)
    execute(pipeline, pipeline.definitions, PREDICTIONS_JOB, tags)
    both = lake.read("predictions").join(before, on=["market", "session"], suffix="_before", validate="1:1")
    assert both.height == before.height
    moved = both.filter(pl.col("probability_up").ne_missing(pl.col("probability_up_before")))
    assert moved.height > 0
    assert moved["session"].min() >= CHANGED_FROM
    assert set(moved["market"]) == {"SIM_HE"}


def count(engine: sa.Engine) -> tuple[int, int]:
    with engine.connect() as connection:
        return tuple(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in (orders, fills))
