from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.options.grades import (
    GRADES,
    UNGRADED,
    Evidence,
    Grade,
    GradeReason,
    grade,
    permitted,
    tails_flagged,
    usable,
)
from hydra_assets.options.moments import COLUMN, Statistic

GOOD = {
    "strikes": 24,
    "z_min": -2.1,
    "z_max": 2.2,
    "z_nearest": 0.05,
    "half_spread": 0.03,
    "fitted": True,
    "rmse": 0.4,
    "down_weighted": 0.1,
    "mass_residual": 1e-9,
    "martingale_residual": -1e-9,
    "sd_disagreement": 0.02,
}


def evidence(*rows: dict[str, object]) -> Evidence:
    return Evidence(**{f.name: np.array([{**GOOD, **row}[f.name] for row in rows]) for f in fields(Evidence)})


CASES: list[tuple[dict[str, object], Grade | None, str]] = [
    ({}, Grade.A, ""),
    ({"strikes": 20, "z_min": -2.0, "z_max": 2.0, "half_spread": 0.05}, Grade.A, ""),
    ({"strikes": 19}, Grade.B, "few_strikes"),
    ({"z_max": 1.99}, Grade.B, "narrow"),
    ({"half_spread": 0.051}, Grade.B, "wide_spreads"),
    ({"half_spread": np.nan}, Grade.B, "wide_spreads"),
    ({"strikes": 12, "z_min": -1.6, "z_max": 1.6}, Grade.B, "few_strikes,narrow"),
    ({"strikes": 11, "half_spread": 0.5}, Grade.C, "few_strikes"),
    ({"z_min": -1.59}, Grade.C, "narrow"),
    ({"strikes": 8, "z_min": -1.2, "z_max": 1.2}, Grade.C, "few_strikes,narrow"),
    ({"strikes": 7}, Grade.D, "few_strikes"),
    ({"z_max": 1.19}, Grade.D, "narrow"),
    ({"z_min": 0.1}, Grade.D, "one_sided"),
    ({"strikes": 5, "z_min": 0.1}, Grade.D, "few_strikes,one_sided"),
    ({"strikes": 4}, Grade.E, "few_strikes"),
    ({"strikes": 1, "z_min": 0.1, "z_max": 0.1, "z_nearest": 0.1}, Grade.E, "few_strikes"),
    ({"strikes": 4, "z_nearest": 0.6}, None, "far_from_money"),
    ({"strikes": 9, "z_min": 0.7, "z_nearest": 0.7}, None, "far_from_money"),
    ({"strikes": 0, "z_min": np.nan, "z_max": np.nan, "z_nearest": np.nan, "fitted": False}, None, "no_quotes"),
    ({"fitted": False}, None, "not_fitted"),
    ({"rmse": 1.51}, Grade.B, "poor_fit"),
    ({"rmse": 1.5, "down_weighted": 0.3, "sd_disagreement": 0.1}, Grade.A, ""),
    ({"down_weighted": 0.31}, Grade.B, "stale_quotes"),
    ({"mass_residual": -2e-6}, Grade.B, "mass"),
    ({"mass_residual": np.nan}, Grade.B, "mass"),
    ({"martingale_residual": 2e-6}, Grade.B, "martingale"),
    ({"sd_disagreement": 0.11}, Grade.B, "models_disagree"),
    ({"sd_disagreement": 0.2, "rmse": 3.0}, Grade.B, "poor_fit,models_disagree"),
    ({"strikes": 10, "sd_disagreement": 0.2}, Grade.D, "few_strikes,models_disagree"),
    ({"strikes": 3, "rmse": 2.0}, None, "few_strikes,poor_fit"),
]


@pytest.mark.parametrize(("change", "want", "reasons"), CASES)
def test_a_slice_has_its_grade_and_its_reasons(change: dict[str, object], want: Grade | None, reasons: str) -> None:
    graded = grade(evidence(change))
    assert graded.labels() == [want]
    assert graded.reason_codes() == [reasons]


def test_a_batch_is_its_slices() -> None:
    graded = grade(evidence(*(change for change, _, _ in CASES)))
    assert graded.labels() == [want for _, want, _ in CASES]
    assert graded.reason_codes() == [reasons for _, _, reasons in CASES]
    one = evidence({})
    none = grade(Evidence(**{f.name: getattr(one, f.name)[:0] for f in fields(Evidence)}))
    assert (none.labels(), none.reason_codes()) == ([], [])


def test_each_reason_occurs() -> None:
    seen = {reason for _, _, reasons in CASES for reason in reasons.split(",") if reason}
    assert seen == {str(reason) for reason in GradeReason}


@given(
    strikes=st.integers(0, 40),
    more=st.integers(0, 10),
    reach=st.floats(0.0, 3.0),
    further=st.floats(0.0, 1.0),
    rmse=st.floats(0.0, 3.0),
)
def test_more_strikes_further_out_never_cost_a_grade(
    strikes: int, more: int, reach: float, further: float, rmse: float
) -> None:
    thin = {"strikes": strikes, "z_min": -reach, "z_max": reach, "rmse": rmse}
    rich = {"strikes": strikes + more, "z_min": -reach - further, "z_max": reach + further, "rmse": rmse}
    worse, better = grade(evidence(thin, rich)).code
    assert better <= worse


def test_what_each_grade_may_say() -> None:
    allowed = permitted(np.arange(UNGRADED + 1, dtype=np.int8))
    says = {
        name: "".join(str(g) for g, row in zip([*GRADES, "-"], allowed[:, c], strict=True) if row)
        for name, c in COLUMN.items()
    }
    assert says[Statistic.KURT] == "AB"
    assert says[Statistic.SD] == says[Statistic.SKEW] == says[Statistic.TILT] == says[Statistic.Q10] == "ABC"
    assert says[Statistic.Q01] == "ABC"
    assert says[Statistic.RISK_REVERSAL_TOTAL_VOL] == "ABCD"
    assert says[Statistic.BUTTERFLY_TOTAL_VOL] == "ABC"
    assert says[Statistic.ATM_TOTAL_VOL] == "ABCDE"
    codes = np.arange(UNGRADED + 1, dtype=np.int8)
    assert tails_flagged(codes).tolist() == [False, False, True, False, False, False]
    assert usable(codes).tolist() == [True, True, True, False, False, False]
