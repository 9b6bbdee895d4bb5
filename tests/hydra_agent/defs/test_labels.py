"""A candidate with another label and loss goes the whole way through Dagster, and everything follows its label."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from hydra_agent.defs import hypotheses, judging
from hydra_agent.defs.hypotheses import FORCED_TAG
from hydra_agent.defs.jobs import (
    HEALING_JOB,
    HYPOTHESES_JOB,
    PARTITION_TAG,
    PROMOTION_JOB,
    WATCH_JOB,
    experiment_tags,
    group_range_tags,
)
from hydra_agent.experiment.isolated import Run
from hydra_agent.heads.hypothesise import Hypotheses
from hydra_agent.judge.cycle import CycleVerdict
from hydra_agent.judge.holdout import HoldoutVerdict
from hydra_agent.past import VerdictCode
from hydra_agent.playbook.mutations import Horizon, Label, LossFunction, Mutation
from hydra_agent.playbook.proposal import Proposal
from hydra_assets.defs.jobs import RANGE_END, RANGE_START, range_tags
from hydra_assets.defs.models import MODEL, MODEL_JOB
from hydra_assets.defs.predictions import PREDICTIONS_JOB
from hydra_assets.defs.training import SNAPSHOT
from hydra_assets.labels.known import LabelKind
from hydra_assets.lake.snapshots import SnapshotStore
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC, Recipe
from hydra_assets.models.weights import Loss
from hydra_assets.partitions import EXPERIMENTS
from hydra_assets.registry.champions import Cause, PromotionReason, champions_of
from hydra_assets.state.chain import Entry, EntryKind
from hydra_assets.state.trial_ledger import TrialLedger
from tests.support.story import MARKETS, Story, make_story

pytestmark = pytest.mark.endurance

PLAIN = FIRST_RECIPES[LOGISTIC]
CROWNED_ROW, TRIED_ROW = 520, 700
CHANGES: tuple[tuple[Mutation, ...], ...] = (
    (Label(method="triple_barrier"), LossFunction(loss="return_weighted")),
    (Horizon(sessions=10),),
)
BARRIER = LabelKind.TRIPLE_BARRIER_5


@pytest.fixture
def story(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Story:
    made = make_story(tmp_path / "home", database_url, monkeypatch)
    proposals = [Proposal("structural", changes, "by test") for changes in CHANGES]
    chosen = tuple((proposal, proposal.recipe(PLAIN)) for proposal in proposals)
    monkeypatch.setattr(hypotheses, "hypothesise", lambda *_, **__: Hypotheses(chosen, ()))
    told = judging._code

    def forced(run: Run, verdict: CycleVerdict, opened: Mapping[str, HoldoutVerdict]) -> tuple[VerdictCode, str]:
        """The gates say what they say; the first candidate is promoted whatever it was."""
        code, message = told(run, verdict, opened)
        return (VerdictCode.PROMOTE if run.key.endswith(chosen[0][1].sha256[:10]) else code), message

    monkeypatch.setattr(judging, "_code", forced)
    return made


def test_a_champion_of_another_label_is_made_scored_refitted_and_taken_back(story: Story) -> None:
    days, plain = story.days, story.fit("logistic", PLAIN, story.days[CROWNED_ROW])
    story.crown(plain, Cause("by_test", size_fraction=1.0))
    now = days[TRIED_ROW]
    watched(story, days[TRIED_ROW - 9], now)
    keys = tried(story, now)
    recipe = promoted(story, keys[0], now)
    assert (recipe.label, recipe.loss) == (BARRIER, Loss.RETURN_WEIGHTED)
    refit_row = refitted(story, recipe)
    back_row = refit_row + 15
    watched(story, days[TRIED_ROW + 1], days[back_row])
    story.crown(plain, Cause(str(PromotionReason.ROLLED_BACK), "planted", days[back_row], 1.0))
    watched(story, days[back_row + 1], days[back_row + 15])
    each_session_says_what_it_foresees(story, now, days[back_row])
    each_is_scored_by_its_own_label(story)
    each_is_watched_under_its_own_reign(story, now)


def watched(story: Story, first: date, last: date) -> None:
    """Predictions with their outcomes, then the watch over them."""
    story.run(story.pipeline.definitions, PREDICTIONS_JOB, range_tags(list(MARKETS), first, last))
    story.run(story.agent, WATCH_JOB, group_range_tags(["sim"], first, last))


def ledger_of(story: Story) -> list[Entry]:
    return list(TrialLedger(story.engine(), story.pipeline.home).verified("sim"))


def tried(story: Story, now: date) -> list[str]:
    """Planned, trained in processes of their own, replayed and judged by every gate."""
    story.run(story.agent, HYPOTHESES_JOB, {PARTITION_TAG: f"sim|{now}", FORCED_TAG: "by test"})
    keys = list(story.pipeline.instance.get_dynamic_partitions(str(EXPERIMENTS.name)))
    assert len(keys) == len(CHANGES)
    story.run(story.agent, HEALING_JOB, experiment_tags(keys))
    verdicts = {e.subject: e.facts for e in ledger_of(story) if e.kind is EntryKind.VERDICT}
    trials = {e.subject: e for e in ledger_of(story) if e.kind is EntryKind.TRIAL}
    for key in keys:
        print(key, verdicts[key]["code"], [(g["gate"], g["status"], g["reason"]) for g in verdicts[key]["gates"]])
        assert trials[key].facts["run"] == "done"
        assert trials[key].series is not None
        assert verdicts[key]["sessions_judged"] > 200
        gates = {gate["gate"]: gate["status"] for gate in verdicts[key]["gates"]}
        # Data, and a walk that was purged and embargoed for the longest label of the cycle.
        assert gates["gate_1_data_contracts"] == gates["gate_2_out_of_sample"] == "passed"
    return keys


def promoted(story: Story, key: str, now: date) -> Recipe:
    """The promotion that follows a verdict: fitted to everything known, with labels of its own kind."""
    story.run(story.agent, PROMOTION_JOB, {PARTITION_TAG: f"sim|{now}"})
    champion = champions_of(story.engine(), story.registry, "sim")[-1]
    assert (champion.model.name, champion.after, champion.reason) == (key, now, PromotionReason.EXPERIMENT)
    return champion.model.recipe


def refitted(story: Story, recipe: Recipe) -> int:
    """A training date fits it again, to a snapshot with its own labels; the row that it decides on first.

    Not the next one: a quarter's outcomes are few, and there the fresh fits happen to do worse, whatever the label.
    """
    promoted_model = champions_of(story.engine(), story.registry, "sim")[-1].model
    partitions = story.pipeline.definitions.resolve_assets_def(MODEL).partitions_def
    assert partitions is not None
    dates = sorted({key.split("|")[1] for key in partitions.get_partition_keys()})
    day = next(d for d in map(date.fromisoformat, dates) if d > story.days[TRIED_ROW + 60])
    tags = {RANGE_START: f"sim|{day}", RANGE_END: f"sim|{day}"}
    job = story.pipeline.definitions.resolve_job_def(MODEL_JOB)
    for assets in ((SNAPSHOT,), (MODEL,)):
        chosen = job.get_subset(asset_selection={story.pipeline.definitions.resolve_assets_def(a).key for a in assets})
        quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
        assert chosen.execute_in_process(instance=story.pipeline.instance, tags=tags, run_config=quiet).success
    champion = champions_of(story.engine(), story.registry, "sim")[-1]
    assert champion.reason == PromotionReason.SCHEDULED_REFIT
    assert champion.model.recipe == recipe
    assert champion.model.cutoff == day - timedelta(days=1) > promoted_model.cutoff
    snapshots = SnapshotStore(story.pipeline.home / "snapshots")
    plain, own = snapshots.get("sim", day), snapshots.get("sim", day, BARRIER)
    assert plain is not None
    assert own is not None
    assert champion.model.snapshot_sha256 == own.sha256 != plain.sha256
    return next(row for row, session in enumerate(story.days) if session >= day)


def each_session_says_what_it_foresees(story: Story, promoted_at: date, taken_back_at: date) -> None:
    rows = story.pipeline.lake.read("predictions").filter(prediction_reason="ok")
    theirs = pl.col("session").is_between(promoted_at, taken_back_at, closed="right")
    assert set(rows.filter(theirs)["model_label"]) == {str(BARRIER)}
    assert rows.filter(theirs)["model_version"].n_unique() == 2
    assert set(rows.filter(~theirs)["model_label"]) == {"fixed_horizon"}
    assert rows.filter(~theirs)["session"].max() > taken_back_at


def each_is_scored_by_its_own_label(story: Story) -> None:
    lake = story.pipeline.lake
    scored, labels = lake.read("prediction_outcomes"), lake.read("labels").filter(label_reason="ok")
    said = lake.read("predictions").filter(prediction_reason="ok")
    said = said.rename({"session": "decision_session", "model_label": "label_kind"})
    last = lake.read("predictions")["session"].max()
    key = ["market", "decision_session", "label_kind"]
    due = said.join(labels, on=key, suffix="_label").filter(pl.col("session") <= last)
    both = scored.join(due, on=key, suffix="_due")
    assert len(both) == len(scored) == len(due) > 150
    # At its own label's exit, which a barrier may bring before the horizon's, and by its own outcome.
    assert (both["session"] == both["session_due"]).all()
    up = (both["label_class_due"] == "up").cast(pl.Float64)
    assert ((both["probability_up_due"] - up) ** 2 - both["squared_error"]).abs().max() < 1e-15
    sessions = {day: i for i, day in enumerate(story.days)}
    reach = {
        kind: {sessions[row[1]] - sessions[row[0]] for row in rows.select("decision_session", "session").rows()}
        for (kind,), rows in scored.partition_by("label_kind", as_dict=True).items()
    }
    assert reach["fixed_horizon"] == {6}
    assert max(reach[str(BARRIER)]) == 6 > min(reach[str(BARRIER)])


def each_is_watched_under_its_own_reign(story: Story, promoted_at: date) -> None:
    health = story.pipeline.lake.read("champion_health").filter(health_signal="odds")
    after = health.filter(pl.col("session") > promoted_at)
    assert after["model_version"].n_unique() >= 2
    # Outcomes of the barrier's champion are known while it reigns: the detector of its odds has something to say.
    assert after["health_statistic"].is_not_null().sum() > 20
    diagnosis = story.pipeline.lake.read("diagnosis").filter(pl.col("session") > promoted_at)
    assert "provisional" in set(diagnosis["champion_stage"])
