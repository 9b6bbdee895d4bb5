"""Calibration by earlier folds: only what was known at the fold's training, and the base rate by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.models.calibration import MIN_ROWS, Method
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import RECALIBRATED, learned, recalibrated
from tests.support.groups import SEEING, day, group

GROUP = group(400)
RAW = out_of_fold(GROUP.features, GROUP.labels, SEEING).predictions
FOUND = recalibrated(RAW, GROUP.labels, SEEING)
FIXED = (pl.col("label_kind") == "fixed_horizon") & (pl.col("label_reason") == "ok")


def known_until(last: int) -> pl.DataFrame:
    return GROUP.labels.filter(FIXED & (pl.col("session") <= day(last)))


def share_of_rises(rows: pl.DataFrame) -> float:
    return float((rows["label_class"] == "up").mean())


def test_below_the_minimum_probabilities_stay_as_they_are() -> None:
    # Fold 0 has no fold before it, fold 1 is trained to session 139: 34 sessions were predicted, 28 have an outcome.
    # Two markets over overlapping windows of five sessions: 56 labels count as some twelve, far below fifty.
    for fold in (0, 1):
        part = FOUND.filter(fold=fold)
        assert part["calibration"].unique().to_list() == [str(Method.IDENTITY)]
        assert part["probability_up"].to_list() == part["probability_raw"].to_list()
        assert part["probability_lower"].null_count() == part["probability_upper"].null_count() == part.height
    methods = FOUND.group_by("fold", maintain_order=True).agg(pl.col("calibration").unique())["calibration"].to_list()
    # Once there is enough, there always is.
    named = [method for [method] in methods]
    assert named == sorted(named)
    assert set(named) == {"identity", "platt"}
    there = FOUND.filter(calibration="platt")
    assert (there["probability_lower"] <= there["probability_upper"]).all()
    assert there["probability_lower"].null_count() == 0
    assert there["probability_up"].is_between(0.0, 1.0, closed="none").all()


def test_without_calibration_the_base_rate_is_the_share_of_all_known_rises() -> None:
    # Fold 0 is trained to session 99 and knows the outcomes of decisions 18 to 93, none of them predicted.
    known = known_until(99)
    assert known.height == 2 * 76
    assert FOUND.filter(fold=0)["base_rate"].unique().to_list() == [share_of_rises(known)]
    assert FOUND.filter(fold=1)["base_rate"].unique().to_list() == [share_of_rises(known_until(139))]


def test_with_calibration_it_is_the_share_of_rises_that_was_learned_from() -> None:
    fold = FOUND.filter(calibration="platt")["fold"].min()
    assert isinstance(fold, int)
    until = 99 + 40 * fold
    rows = RAW.join(
        known_until(until).select("market", pl.col("decision_session").alias("session"), "label_class"),
        on=["market", "session"],
    )
    seen = learned(RAW, GROUP.labels, SEEING, day(until))
    assert seen.calibrator.rows == rows.height == 2 * (until - 6 - 106 + 1)
    base = seen.base_rate
    assert base is not None
    assert FOUND.filter(fold=fold)["base_rate"].unique().to_list() == [base]
    assert base == pytest.approx(float(seen.calibrator(rows["probability_raw"].to_numpy()).mean()), abs=0.0)
    # Platt's smoothed targets at n independent labels: (N+ (N+ + 1)/(N+ + 2) + N- / (N- + 2)) / n.
    n = seen.calibrator.independent_rows
    assert n >= MIN_ROWS
    ones = n * share_of_rises(rows)
    smoothed = (ones * (ones + 1) / (ones + 2) + (n - ones) / (n - ones + 2)) / n
    assert base == pytest.approx(smoothed, abs=1e-9)
    assert base == pytest.approx(share_of_rises(rows), abs=0.01)
    assert base != share_of_rises(known_until(until))


@pytest.mark.parametrize("fold", range(8))
def test_a_fold_is_calibrated_by_outcomes_known_at_its_training(fold: int) -> None:
    until = 99 + 40 * fold
    later = pl.col("session") > day(until)
    flip = pl.when(pl.col("label_class") == "up").then(pl.lit("down")).otherwise(pl.lit("up"))
    flipped = GROUP.labels.with_columns(pl.when(later).then(flip).otherwise("label_class").alias("label_class"))
    other = recalibrated(RAW, flipped, SEEING)
    kept = pl.col("fold") <= fold
    assert FOUND.filter(kept).equals(other.filter(kept))
    assert FOUND.filter(kept).equals(recalibrated(RAW, GROUP.labels.filter(~later), SEEING).filter(kept))
    # The outcomes known at the cutoff itself do count.
    at = (pl.col("session") == day(until)) & (pl.col("market") == "SIM_HE")
    own = GROUP.labels.with_columns(pl.when(at).then(flip).otherwise("label_class").alias("label_class"))
    assert FOUND.filter(fold=fold)["base_rate"][0] != recalibrated(RAW, own, SEEING).filter(fold=fold)["base_rate"][0]


@given(st.integers(106, 399))
def test_later_sessions_change_no_earlier_row(last: int) -> None:
    known = pl.col("session") <= day(last)
    assert recalibrated(RAW.filter(known), GROUP.labels.filter(known), SEEING).equals(FOUND.filter(known))


def test_a_fold_without_a_model_has_nothing_to_calibrate() -> None:
    empty = pl.col("fold") == 3
    holes = RAW.with_columns(pl.when(empty).then(None).otherwise("probability_raw").alias("probability_raw"))
    found = recalibrated(holes, GROUP.labels, SEEING)
    assert found.filter(empty)["probability_up"].null_count() == found.filter(empty).height
    assert found.filter(empty)["probability_lower"].null_count() == found.filter(empty).height
    assert found.filter(fold=4)["probability_up"].null_count() == 0
    # The calibrator of a later fold counts the rows of the others only.
    assert learned(holes, GROUP.labels, SEEING, day(259)).calibrator.rows == 2 * (226 - 106)


def test_nothing_known_is_no_base_rate() -> None:
    none = learned(RAW, GROUP.labels, SEEING, day(10))
    assert (none.base_rate, none.interval, none.calibrator.method) == (None, None, Method.IDENTITY)
    found = recalibrated(RAW, GROUP.labels.head(0), SEEING)
    assert found["base_rate"].null_count() == found.height
    assert found["probability_up"].equals(found["probability_raw"].rename("probability_up"))


def test_no_predictions_have_the_columns_all_the_same() -> None:
    empty = recalibrated(RAW.head(0), GROUP.labels, SEEING)
    assert empty.schema == FOUND.schema
    assert set(RECALIBRATED) <= set(empty.columns)


def test_calibration_never_turns_a_signal_round() -> None:
    turned = RAW.with_columns((1.0 - pl.col("probability_raw")).alias("probability_raw"))
    found = learned(turned, GROUP.labels, SEEING, day(399))
    assert found.calibrator.b == 0.0
    flat = found.calibrator(np.array([0.1, 0.5, 0.9]))
    assert flat.tolist() == [flat[0]] * 3
    assert flat[0] == pytest.approx(found.base_rate)
