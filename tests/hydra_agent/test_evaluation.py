"""A comparison of recipes on real fits: both trained to the cutoff, both judged on the decisions after it."""

import polars as pl
import pytest

from hydra_agent.evaluation import GroupData, evaluate, fit_recipe, judged_rows
from hydra_agent.judge import VerdictCode
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from tests.support.groups import day, group, spec

GROUP = group(420)
DATA = GroupData(GROUP.features, GROUP.labels)
CUTOFF = day(299)
SEEING, BLIND = (Recipe(features=(name,), model=Logistic()) for name in ("tilt", "carry"))


def test_the_recipe_that_sees_the_edge_beats_the_one_that_does_not() -> None:
    seeing, blind = (fit_recipe("candidate", recipe, DATA, CUTOFF) for recipe in (SEEING, BLIND))
    better = evaluate(seeing, BLIND, DATA, CUTOFF)
    assert better.code is VerdictCode.BETTER_ON_BOTH
    assert better.metrics["candidate_decisions"] == better.metrics["champion_decisions"] == 2 * (420 - 6 - 300)
    assert evaluate(blind, SEEING, DATA, CUTOFF).code is VerdictCode.WORSE_LOG_LOSS
    assert evaluate(seeing, SEEING, DATA, CUTOFF).code is VerdictCode.WORSE_LOG_LOSS
    assert evaluate(None, SEEING, DATA, CUTOFF).code is VerdictCode.NOT_TRAINABLE


def test_without_a_champion_the_figures_stand_alone() -> None:
    fitted = fit_recipe("candidate", SEEING, DATA, CUTOFF)
    assert evaluate(fitted, None, DATA, CUTOFF).code is VerdictCode.NO_CHAMPION
    # A champion that cannot be refitted to the cutoff is nothing to compare with either.
    wanting = SEEING.model_copy(update={"model": Logistic(min_rows=100_000)})
    assert fit_recipe("champion", wanting, DATA, CUTOFF) is None
    assert evaluate(fitted, wanting, DATA, CUTOFF).code is VerdictCode.NO_CHAMPION


def test_nothing_to_judge_on_is_said() -> None:
    fitted = fit_recipe("candidate", SEEING, DATA, CUTOFF)
    assert evaluate(fitted, SEEING, DATA, day(419)).metrics == {"candidate_decisions": 0.0}
    assert evaluate(fitted, SEEING, DATA, day(419)).code is VerdictCode.TOO_FEW_DECISIONS
    assert evaluate(fitted, SEEING, DATA, day(400)).code is VerdictCode.TOO_FEW_DECISIONS


def test_judged_sessions_overlap_no_label_that_was_trained_on() -> None:
    rows = judged_rows(DATA, SEEING, CUTOFF)
    assert (rows["session"].min(), rows["session"].max()) == (day(300), day(419 - 6))
    # The newest label of the training ended at the cutoff.
    fitted = fit_recipe("candidate", SEEING, DATA, CUTOFF)
    assert fitted is not None
    assert (fitted.cutoff, fitted.training_rows) == (CUTOFF, 2 * (299 - 6 - 18 + 1))
    assert fitted.recalibration is AS_IT_IS
    assert not fitted.thesis_green
    # Costs are the label's own: 0.6 ticks of 0.025 at 400 a point is 6, with 2.5 of fee 8.5, both twice.
    he = rows.filter(market="SIM_HE", session=day(350)).row(0, named=True)
    settle = GROUP.held.filter(market="SIM_HE", session=day(350))["settle"][0]
    assert spec("SIM_HE").round_trip_money == pytest.approx(17.0)
    assert he["label_cost"] == pytest.approx(17.0 / (settle * 400.0))


def test_what_comes_after_the_cutoff_trains_nobody() -> None:
    later = pl.col("session") > CUTOFF
    moved = GROUP.features.with_columns(pl.when(later).then(9.0).otherwise("tilt").alias("tilt"))
    own = fit_recipe("candidate", SEEING, DATA, CUTOFF)
    other = fit_recipe("candidate", SEEING, GroupData(moved, GROUP.labels.filter(~later)), CUTOFF)
    assert own is not None
    assert other is not None
    assert own.sha256 == other.sha256
