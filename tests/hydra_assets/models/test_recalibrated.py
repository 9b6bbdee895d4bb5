"""Calibration by earlier folds: only what was known at the fold's training, and the base rate by hand."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.models.calibration import MIN_ROWS, Method
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import AS_IT_IS, RECALIBRATED, learned, recalibrated
from tests.support.groups import BLIND, SEEING, day, group

GROUP = group(400)
RAW = out_of_fold(GROUP.features, GROUP.labels, SEEING).predictions
FOUND = recalibrated(RAW, GROUP.labels, SEEING)


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


def test_the_base_rate_of_the_training_rows_is_calibrated_like_the_probabilities() -> None:
    bases = RAW.group_by("fold", maintain_order=True).agg(pl.col("base_raw").unique())["base_raw"].to_list()
    for fold, [base] in enumerate(bases):
        part = FOUND.filter(fold=fold)
        seen = learned(RAW, GROUP.labels, SEEING, day(99 + 40 * fold))
        assert part["base_rate"].unique().to_list() == seen.calibrator(np.array([base])).tolist()
        assert part["calibration"].unique().to_list() == [str(seen.calibrator.method)]
        if part["calibration"][0] == "identity":
            assert part["base_rate"][0] == base


def test_a_calibrator_counts_the_outcomes_known_at_the_cutoff() -> None:
    # Decisions from session 106 on; the newest with an outcome is six sessions before the cutoff.
    for fold in range(1, 8):
        until = 99 + 40 * fold
        seen = learned(RAW, GROUP.labels, SEEING, day(until)).calibrator
        assert seen.rows == 2 * (until - 6 - 106 + 1)
        assert (seen.method is Method.IDENTITY) is (seen.independent_rows < MIN_ROWS)


def test_no_signal_stays_at_its_base_rate_however_it_is_calibrated() -> None:
    blind = out_of_fold(GROUP.features, GROUP.labels, BLIND).predictions
    found = recalibrated(blind, GROUP.labels, BLIND)
    assert set(found["calibration"]) == {"identity", "platt"}
    assert found["probability_up"].to_numpy() == pytest.approx(found["base_rate"].to_numpy(), abs=1e-12)


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
    if fold == 0:
        return
    # The outcomes known at the cutoff itself do count.
    at = (pl.col("session") == day(until)) & (pl.col("market") == "SIM_HE")
    own = GROUP.labels.with_columns(pl.when(at).then(flip).otherwise("label_class").alias("label_class"))
    before, after = (learned(RAW, labels, SEEING, day(until)).calibrator for labels in (GROUP.labels, own))
    assert before.rows == after.rows
    assert (before.a == after.a) is (before.method is Method.IDENTITY)


@settings(max_examples=25)
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
    assert found.filter(empty)["base_rate"].null_count() == found.filter(empty).height
    assert found.filter(fold=4)["probability_up"].null_count() == 0
    # The calibrator of a later fold counts the rows of the others only.
    assert learned(holes, GROUP.labels, SEEING, day(259)).calibrator.rows == 2 * (226 - 106)


def test_nothing_known_changes_nothing() -> None:
    assert learned(RAW, GROUP.labels, SEEING, day(10)) is AS_IT_IS
    found = recalibrated(RAW, GROUP.labels.head(0), SEEING)
    assert found["base_rate"].to_list() == RAW["base_raw"].to_list()
    assert found["probability_up"].to_list() == RAW["probability_raw"].to_list()


def test_no_predictions_have_the_columns_all_the_same() -> None:
    empty = recalibrated(RAW.head(0), GROUP.labels, SEEING)
    assert empty.schema == FOUND.schema
    assert set(RECALIBRATED) <= set(empty.columns)


def test_calibration_never_turns_a_signal_round() -> None:
    # Thrice as sure of the contrary, in log-odds: p^3 / (p^3 + q^3) for q = 1 - p.
    p = pl.col("probability_raw")
    contrary = (1.0 - p) ** 3 / (p**3 + (1.0 - p) ** 3)
    found = learned(RAW.with_columns(contrary.alias("probability_raw")), GROUP.labels, SEEING, day(399)).calibrator
    assert found.method is Method.PLATT
    assert found.b == 0.0
    flat = found(np.array([0.1, 0.5, 0.9]))
    assert flat.tolist() == [flat[0]] * 3
