"""Walk-forward predictions: whole, out of fold, blind to what comes later, better than chance where there is more."""

from datetime import timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest

from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.factory import FOLDS_PER_EDGES, ModelSpec
from hydra_assets.models.labelled import calendar_of, labelled_rows
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.out_of_fold import CONTRIBUTION_SCHEMA, SCHEMA, OutOfFoldRun, out_of_fold
from hydra_assets.models.protocol import ModelError, ModelReason
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.weights import Loss, average_uniqueness
from tests.support.groups import NAMES, Group, day, group

N = 400
FIRST = 106
"""First tested session: 100 of training, then six of embargo."""
BELIEVED = {"tilt": 0.1}
KINDS: dict[str, ModelSpec] = {
    "boosted": LightGbm(trees=5),
    "believing": LightGbm(trees=5, prior=BELIEVED),
    "logistic": Logistic(prior=BELIEVED),
    "base_rate": BaseRate(),
}
GROUP = group(N)


def recipe(kind: str = "logistic", **changes: object) -> Recipe:
    base = Recipe(features=NAMES, model=KINDS[kind], first_train_sessions=100, refit_sessions=20)
    return base.model_copy(update=changes)


def walk(of: Group, kind: str = "logistic", explain_from: int | None = None, **changes: object) -> OutOfFoldRun:
    return out_of_fold(of.features, of.labels, recipe(kind, **changes), explain_from)


@cache
def whole(kind: str) -> OutOfFoldRun:
    return walk(GROUP, kind, explain_from=0)


def test_every_session_after_the_first_training_is_predicted_once_and_out_of_fold() -> None:
    found = whole("logistic").predictions
    assert dict(found.schema) == SCHEMA
    assert found.height == found.select("market", "session").n_unique() == 2 * (N - FIRST)
    assert found.select("session", "market").equals(found.select("session", "market").sort("session", "market"))
    # The newest session is predicted without a label.
    assert (found["session"].min(), found["session"].max()) == (day(FIRST), day(N - 1))
    # 294 sessions by 20, the last fold with the 14 that have come.
    assert found.group_by("fold", maintain_order=True).len()["len"].to_list() == [40] * 14 + [28]
    # Six sessions of embargo lie between: a fold that starts at s is trained to s - 7.
    firsts = found.group_by("fold").agg(pl.col("session").min(), pl.col("trained_until").unique())
    assert firsts["trained_until"].list.len().max() == 1
    assert ((firsts["session"] - firsts["trained_until"].list.first()) == timedelta(days=7)).all()
    # The first volatility is known at session 18; labels of sessions 18 to 93 had ended by session 99.
    assert found["training_rows"][0] == 2 * (93 - 18 + 1)
    assert found["training_rows"][-1] == found["training_rows"][0] + 14 * 2 * 20
    assert found["fold_reason"].unique().to_list() == ["ok"]
    assert found["probability_raw"].null_count() == 0


def test_the_base_rate_is_the_share_of_rises_among_the_fold_s_training_rows() -> None:
    rows = labelled_rows(GROUP.features, GROUP.labels, (), LabelKind.FIXED_HORIZON)
    for until, of_fold in ((99, 0), (179, 4)):
        trained = rows.filter(pl.col("exit_session") <= day(until))
        weights = average_uniqueness(trained, calendar_of(rows))
        up = (trained["label_class"] == "up").to_numpy()
        [base] = whole("boosted").predictions.filter(fold=of_fold)["base_raw"].unique().to_list()
        assert base == pytest.approx(weights[up].sum() / weights.sum(), rel=1e-12)
    # The blind model says nothing else.
    blind = whole("base_rate").predictions
    assert blind["probability_raw"].to_numpy() == pytest.approx(blind["base_raw"].to_numpy(), rel=1e-12)


def test_a_rolling_window_trains_on_its_sessions_only() -> None:
    found = walk(GROUP, window_sessions=90).predictions
    # The newest 90 sessions up to the cutoff; the last six decisions of them have no label yet.
    assert found["training_rows"].unique().sort().to_list() == [2 * (93 - 18 + 1), 2 * (90 - 6)]
    early = pl.col("session") <= day(20)
    moved = GROUP.features.with_columns(pl.when(early).then(9.0).otherwise("tilt").alias("tilt"))
    other = out_of_fold(moved, GROUP.labels, recipe(window_sessions=90)).predictions
    assert found.filter(pl.col("fold") > 0).equals(other.filter(pl.col("fold") > 0))
    assert not found.filter(fold=0).equals(other.filter(fold=0))


def test_a_signal_beats_the_base_rate_and_its_absence_does_not() -> None:
    def brier(of: Group, kind: str) -> float:
        out = walk(of, kind).predictions
        done = out.join(labelled_rows(of.features, of.labels, (), LabelKind.FIXED_HORIZON), on=["market", "session"])
        done = done.drop_nulls("label_class")
        return float(np.mean((done["probability_raw"].to_numpy() - (done["label_class"] == "up").to_numpy()) ** 2))

    blind = group(N, edge=0.0)
    figures = {kind: (brier(GROUP, kind), brier(blind, kind)) for kind in KINDS}
    print(f"Brier with and without an edge: {figures}")
    for kind in ("boosted", "believing", "logistic"):
        assert figures[kind][0] < 0.95 * figures["base_rate"][0]
        assert figures[kind][1] > 0.97 * figures["base_rate"][1]


# Fold 12 starts at session 346 and takes new bin edges: cuts before, at and after that border, and within a fold.
CUTS = [FIRST - 1, FIRST, 200, 345, 346, 347, 380, N - 2]


@pytest.mark.parametrize("kind", list(KINDS))
def test_later_sessions_change_no_earlier_row(kind: str) -> None:
    assert FIRST + FOLDS_PER_EDGES * 20 == 346
    late = whole(kind)
    for last in CUTS:
        early = walk(GROUP.until(day(last)), kind, explain_from=0)
        known = pl.col("session") <= day(last)
        assert early.predictions.height == 2 * (last - FIRST + 1)
        assert late.predictions.filter(known).equals(early.predictions)
        assert late.contributions.filter(known).equals(early.contributions)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("last", [180, 345, 350])
def test_a_changed_future_changes_no_earlier_row(kind: str, last: int) -> None:
    rng = np.random.default_rng(last)
    later = pl.col("session") > day(last)
    n = len(GROUP.features)
    # Other values, gaps and a range far beyond the one the bins have seen.
    tilt = pl.when(later).then(pl.Series(1e6 * rng.standard_normal(n))).otherwise("tilt").alias("tilt")
    carry = pl.when(later).then(None).otherwise("carry").alias("carry")
    labels = GROUP.labels.with_columns(pl.when(later).then(pl.lit("up")).otherwise("label_class").alias("label_class"))
    other = out_of_fold(GROUP.features.with_columns(tilt, carry), labels, recipe(kind))
    known = pl.col("session") <= day(last)
    kept = whole(kind).predictions
    assert kept.filter(known).equals(other.predictions.filter(known))
    assert not kept.filter(~known).equals(other.predictions.filter(~known))


@pytest.mark.parametrize("label", [kind for kind in LabelKind if kind is not LabelKind.FIXED_HORIZON])
def test_every_label_and_loss_knows_its_own_past_alone(label: LabelKind) -> None:
    changes = {"label": label, "loss": Loss.RETURN_WEIGHTED}
    found = walk(GROUP, **changes).predictions
    reach = SPECS[label].reach_sessions
    # The embargo is the label's own reach, so no training label ends within it.
    assert found["session"].min() == day(100 + reach)
    firsts = found.group_by("fold").agg(pl.col("session").min(), pl.col("trained_until").first())
    assert ((firsts["session"] - firsts["trained_until"]) == timedelta(days=reach + 1)).all()
    known = pl.col("session") <= day(250)
    assert walk(GROUP.until(day(250)), **changes).predictions.equals(found.filter(known))
    later = pl.col("session") > day(250)
    labels = GROUP.labels.with_columns(
        pl.when(later).then(9.0 * pl.col("label_return")).otherwise("label_return").alias("label_return"),
        pl.when(later).then(pl.lit("up")).otherwise("label_class").alias("label_class"),
    )
    other = out_of_fold(GROUP.features, labels, recipe(**changes)).predictions
    assert other.filter(known).equals(found.filter(known))
    assert not other.equals(found)
    # Neither the label nor the loss is without effect.
    for plain in ({"label": label}, {"loss": Loss.RETURN_WEIGHTED}):
        both = found.join(walk(GROUP, **plain).predictions, on=["market", "session"], suffix="_plain")
        assert (both["probability_raw"] - both["probability_raw_plain"]).abs().max() > 1e-4


def test_a_fold_that_cannot_be_trained_says_why() -> None:
    found = walk(GROUP, model=Logistic(min_rows=300)).predictions
    by_fold = found.group_by("fold", maintain_order=True).agg(
        pl.col("fold_reason").unique().first(),
        pl.col("training_rows").first(),
        pl.col("probability_raw").null_count().alias("gaps"),
        pl.len(),
    )
    # 152, 192, 232, 272 rows are too few, 312 are enough.
    assert by_fold["training_rows"].to_list()[:5] == [152, 192, 232, 272, 312]
    assert by_fold["fold_reason"].to_list() == ["too_few_rows"] * 4 + ["ok"] * 11
    assert by_fold.filter(fold_reason="too_few_rows").select((pl.col("gaps") == pl.col("len")).all()).item()
    assert by_fold.filter(fold_reason="ok")["gaps"].sum() == 0


@pytest.mark.parametrize("kind", list(KINDS))
def test_bad_training_rows_have_their_reasons(kind: str) -> None:
    up = GROUP.labels.with_columns(pl.lit("up").alias("label_class"))
    assert set(out_of_fold(GROUP.features, up, recipe(kind)).predictions["fold_reason"]) == {"one_class"}
    flat = GROUP.features.with_columns(pl.lit(1.0).alias("tilt"), pl.lit(None, pl.Float64).alias("carry"))
    assert set(out_of_fold(flat, GROUP.labels, recipe(kind)).predictions["fold_reason"]) == {"no_usable_feature"}
    none = out_of_fold(GROUP.features, GROUP.labels.head(0), recipe(kind)).predictions
    assert set(none["fold_reason"]) == {"too_few_rows"}
    assert set(none["training_rows"]) == {0}
    assert none["probability_raw"].null_count() == none["base_raw"].null_count() == none.height == 2 * (N - FIRST)


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("at", [50, N - 1])
def test_an_infinite_feature_is_refused_by_name_and_empties_no_other_fold(kind: str, at: int) -> None:
    last = (pl.col("session") == day(at)) & (pl.col("market") == "SIM_HE")
    broken = GROUP.features.with_columns(pl.when(last).then(np.inf).otherwise("tilt").alias("tilt"))
    with pytest.raises(ModelError, match="tilt") as refused:
        out_of_fold(broken, GROUP.labels, recipe(kind))
    assert refused.value.reason is ModelReason.INFINITE_FEATURE


def test_too_few_sessions_are_no_folds() -> None:
    run = walk(GROUP.until(day(FIRST - 1)), explain_from=0)
    assert (run.predictions.height, dict(run.predictions.schema)) == (0, SCHEMA)
    assert (run.contributions.height, dict(run.contributions.schema)) == (0, CONTRIBUTION_SCHEMA)
    assert run.shap == {}
    nothing = out_of_fold(GROUP.features.head(0), GROUP.labels.head(0), recipe())
    assert nothing.predictions.height == 0


@pytest.mark.parametrize("kind", ["boosted", "believing", "logistic"])
def test_contributions_and_the_expectation_sum_to_the_log_odds(kind: str) -> None:
    run = whole(kind)
    assert dict(run.contributions.schema) == CONTRIBUTION_SCHEMA
    assert run.contributions.height == 2 * run.predictions.height
    added = run.contributions.group_by("market", "session", "fold").agg(pl.col("contribution").sum())
    rows = run.predictions.join(added, on=["market", "session", "fold"], validate="1:1")
    p = rows["probability_raw"].to_numpy()
    rest = rows.with_columns(pl.Series("rest", np.log(p / (1.0 - p)) - rows["contribution"].to_numpy()))
    # What is left is the expectation, one number for each fold.
    spread = rest.group_by("fold").agg((pl.col("rest").max() - pl.col("rest").min()).alias("spread"))
    assert spread.height == 15
    assert spread["spread"].max() < 1e-9
    assert rest["rest"].n_unique() > 1


def test_shap_is_of_the_fold_s_own_test_rows() -> None:
    run = whole("boosted")
    assert list(run.shap) == list(range(15))
    for fold, values in run.shap.items():
        own = run.contributions.filter(fold=fold)
        assert values.feature_names == NAMES
        for j, name in enumerate(NAMES):
            wanted = np.abs(own.filter(feature=name)["contribution"].to_numpy()).mean()
            assert values.mean_abs[j] == pytest.approx(wanted, rel=1e-12)
    # More tilt means a rise, as the group is made.
    assert np.median([values.direction[0] for values in run.shap.values()]) > 0.5


def test_explanations_start_where_they_are_asked_for() -> None:
    run = walk(GROUP, explain_from=13)
    assert run.contributions["fold"].unique().sort().to_list() == [13, 14]
    assert list(run.shap) == [13, 14]
    assert run.contributions.equals(whole("logistic").contributions.filter(pl.col("fold") >= 13))
    assert run.predictions.equals(whole("logistic").predictions)
    assert walk(GROUP).contributions.is_empty()
    assert whole("base_rate").contributions.is_empty()
    assert whole("base_rate").shap == {}
