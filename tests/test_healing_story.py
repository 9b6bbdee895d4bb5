"""The loop's stories through Dagster, on a real database, a real registry and experiments in processes of their own."""

import json
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from hydra_agent.defs.jobs import HEALING_JOB, HYPOTHESES_JOB, PROMOTION_JOB, WATCH_JOB, group_range_tags
from hydra_assets.columns import FUTURES_CURVE
from hydra_assets.defs.jobs import range_tags
from hydra_assets.defs.predictions import PREDICTIONS_JOB
from hydra_assets.partitions import EXPERIMENTS
from hydra_assets.registry.champions import Cause, PromotionReason, champions_of
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.journal import JournalKind, JournalQuery, search
from hydra_assets.state.promotions import current_champion, stages_of
from hydra_assets.state.records import StageKind
from hydra_assets.state.trial_ledger import TrialLedger
from tests.support.story import (
    BELIEVER,
    BREAK_ROW,
    CONTRARIAN,
    CROWNED_ROW,
    MARKETS,
    TURNED,
    Story,
    make_story,
    story_tables,
)

HEALED_ROW = 1290
WATCHED_FROM = CROWNED_ROW - 5


@pytest.fixture
def story(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Story:
    return make_story(tmp_path / "home", database_url, monkeypatch)


@pytest.mark.endurance
def test_a_champion_degrades_is_healed_and_a_bad_successor_is_taken_back(story: Story) -> None:
    days = story.days
    story.crown(story.fit("believer", BELIEVER, days[CROWNED_ROW]), Cause("by_test", size_fraction=1.0))
    watched(story, days[WATCHED_FROM], days[HEALED_ROW])
    the_diagnosis_names_it(story, days[HEALED_ROW])
    keys = sensors_plan_and_train(story, days[HEALED_ROW])
    healed = the_better_one_is_promoted(story, keys, days[HEALED_ROW])
    the_next_session_is_predicted_by_it(story, healed, days[HEALED_ROW + 1])
    a_bad_champion_is_taken_back(story, healed)


def watched(story: Story, first: date, last: date) -> None:
    """Predictions, then the watch over them."""
    story.run(story.pipeline.definitions, PREDICTIONS_JOB, range_tags(list(MARKETS), first, last))
    story.run(story.agent, WATCH_JOB, group_range_tags(["sim"], first, last))


def the_diagnosis_names_it(story: Story, now: date) -> None:
    found = story.pipeline.lake.read("diagnosis").filter(market="SIM_HE").sort("session")
    healthy = found.filter(pl.col("session").is_between(story.days[CROWNED_ROW + 1], story.days[BREAK_ROW]))
    assert "halt" not in set(healthy["response"])
    assert healthy["exposure"].min() > 0.0
    newest = found.row(-1, named=True)
    print({name: newest[name] for name in ("session", "cause", "response", "exposure", "cause_confidence")})
    assert newest["session"] == now
    causes = [
        (cause["code"], round(cause["confidence"], 2), cause["message"]) for cause in json.loads(newest["causes"])
    ]
    print(*causes, sep="\n")
    assert newest["cause"] in {"edge_decay", "edge_reversed"}
    assert newest["response"] == "halt"
    assert newest["exposure"] < 1.0
    health = story.pipeline.lake.read("champion_health", first=now, last=now)
    assert set(health.filter(health_level="CRITICAL")["health_signal"]) == {"edge"}


def sensors_plan_and_train(story: Story, now: date) -> list[str]:
    """From the sensor that sees the diagnosis to trained candidates; each tick asks once."""
    [request] = tick(story, "health_to_healing")
    assert request.partition_key == f"sim|{now}"
    assert str(request.run_key).startswith(f"heal-sim|{now}-")
    result = story.run(story.agent, HYPOTHESES_JOB, {"dagster/partition": request.partition_key})
    [made] = result.asset_materializations_for_node("hypotheses")
    print({name: made.metadata[name].value for name in ("outcome", "message")})
    keys = list(story.pipeline.instance.get_dynamic_partitions(str(EXPERIMENTS.name)))
    assert len(keys) >= 8
    [plan] = tick(story, "plans_to_experiments")
    assert plan.run_key == f"experiments-sim.{now}"
    story.run(story.agent, HEALING_JOB, plan.tags)
    assert tick(story, "plans_to_experiments") == []
    return keys


def the_better_one_is_promoted(story: Story, keys: list[str], now: date) -> int:
    engine = story.engine()
    verdicts = {e.subject: e for _, e in search(engine, JournalQuery(kinds=(str(JournalKind.VERDICT),)))}
    assert set(verdicts) == set(keys)
    for key, entry in verdicts.items():
        print(key, entry.head, entry.mutation, entry.outcome, entry.message[:110])
    [winner] = [entry for entry in verdicts.values() if entry.outcome == "promote"]
    before = current_champion(engine, "sim")
    [request] = tick(story, "ledger_to_promotion")
    for _ in range(2):  # a run that is repeated finds its work done
        story.run(story.agent, PROMOTION_JOB, {"dagster/partition": request.partition_key})
    champion = current_champion(engine, "sim")
    assert before is not None
    assert champion is not None
    assert (champion.previous_version, champion.reason) == (before.version, PromotionReason.EXPERIMENT)
    assert story.registry.champion_alias("sim") == champion.version != before.version
    assert champion.effective_after == now
    model = champions_of(engine, story.registry, "sim")[-1].model
    assert model.name == winner.subject
    assert TURNED not in model.recipe.model.model_dump().get("prior", {}), "it no longer believes in what has turned"
    stage = stages_of(engine, "sim")[-1]
    assert (stage.stage, stage.size_fraction) == (StageKind.PROVISIONAL, 0.25)
    assert tick(story, "ledger_to_promotion") == []
    return champion.version


def the_next_session_is_predicted_by_it(story: Story, version: int, session: date) -> None:
    watched(story, session, session)
    predictions = story.pipeline.lake.read("predictions", first=session, last=session)
    assert set(predictions["model_version"]) == {version}
    diagnosis = story.pipeline.lake.read("diagnosis", first=session, last=session)
    assert set(diagnosis["champion_stage"]) == {"provisional"}
    assert set(diagnosis["exposure"]) == {0.25}


def a_bad_champion_is_taken_back(story: Story, healed: int) -> None:
    engine, days = story.engine(), story.days
    planted = story.fit("contrarian", CONTRARIAN, days[HEALED_ROW + 5])
    story.crown(planted, Cause(str(PromotionReason.EXPERIMENT), "planted", size_fraction=0.25))
    bad = current_champion(engine, "sim")
    assert bad is not None
    assert story.registry.champion_alias("sim") == bad.version != healed
    watched(story, days[HEALED_ROW + 2], days[-1])
    champion = current_champion(engine, "sim")
    assert champion is not None
    assert (champion.version, champion.reason) == (healed, PromotionReason.ROLLED_BACK)
    assert story.registry.champion_alias("sim") == healed
    ledger = TrialLedger(engine, story.pipeline.home)
    [back] = [entry for entry in ledger.verified("sim") if entry.kind is EntryKind.ROLLBACK]
    print(back.facts)
    assert back.facts["e_against"] >= 5.0
    assert (back.facts["version"], back.facts["to_version"]) == (bad.version, healed)


def test_a_unit_change_ends_in_a_block_and_no_experiment(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = dict(story_tables())
    row = HEALED_ROW
    story_days = tables["feature_vector"]["session"].unique().sort()
    broken = (pl.col("market") == "SIM_HE") & (pl.col("session") >= story_days[row])
    tables[FUTURES_CURVE.name] = tables[FUTURES_CURVE.name].with_columns(
        pl.when(broken).then(pl.col("settle") * 100.0).otherwise("settle").alias("settle")
    )
    story = make_story(tmp_path / "home", database_url, monkeypatch, tables)
    story.crown(story.fit("believer", BELIEVER, story.days[CROWNED_ROW]), Cause("by_test", size_fraction=1.0))
    now = story.days[row]
    watched(story, story.days[row - 3], now)
    found = story.pipeline.lake.read("diagnosis", first=now, last=now).sort("market")
    hogs, oats = found.row(0, named=True), found.row(1, named=True)
    assert (hogs["cause"], hogs["response"], hogs["exposure"]) == ("unit_change", "block", 0.0)
    assert oats["cause"] == "unit_change"
    before = story.pipeline.lake.read("diagnosis", last=story.days[row - 1])
    assert "unit_change" not in set(before["cause"])
    story.run(story.agent, HYPOTHESES_JOB, {"dagster/partition": f"sim|{now}"})
    assert story.pipeline.instance.get_dynamic_partitions(str(EXPERIMENTS.name)) == []
    assert tick(story, "plans_to_experiments") == []
    [entry] = [e for _, e in search(story.engine(), JournalQuery(kinds=(str(JournalKind.DIAGNOSIS),)))]
    assert (entry.outcome, entry.tags[0]) == ("block", "unit_change")


def tick(story: Story, name: str) -> list[dg.RunRequest]:
    """Run requests of one evaluation of a sensor."""
    sensor = story.agent.get_sensor_def(name)
    resources = {key: (story.agent.resources or {})[key] for key in sensor.required_resource_keys}
    context = dg.build_sensor_context(instance=story.pipeline.instance, definitions=story.agent, resources=resources)
    return list(sensor.evaluate_tick(context).run_requests or [])
