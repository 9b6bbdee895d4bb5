"""Amendments: a base rate moved as far as outcomes bear, features masked and unmasked, and nothing of it twice."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit

from hydra_agent.amend import LEAST_OFFSET, MOST_MASKED, OFFSET_SD, amended, offset_of
from hydra_agent.respond import Response, ResponseCode
from hydra_assets.models.baseline import FittedBaseRate
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.trained import TrainedModel

FEATURES = ("carry", "slope", "tilt_z", "momentum_5")
RECIPE = Recipe(features=FEATURES)
MODEL = TrainedModel(
    "x", RECIPE, date(2024, 3, 31), "snapshot", 500, FittedBaseRate(FEATURES, {}, 0.5), AS_IT_IS, 0.5, False
)
SAID = np.full(100, 0.5)
RISING = np.where(np.arange(100) < 70, 1.0, 0.0)
RECALIBRATE = Response(ResponseCode.RECALIBRATE, recalibrate=True)


def masking(*names: str) -> Response:
    return Response(ResponseCode.MASK_FEATURE, masked=names)


def test_an_offset_is_the_mode_under_its_prior() -> None:
    # By hand: of 100 decisions at one half 70 rose, so 70 - 100 expit(b) = b / 0.09 has the solution.
    found = offset_of(RISING, SAID)
    assert 100.0 * expit(found) + found / OFFSET_SD**2 == pytest.approx(70.0, abs=1e-6)
    assert 0.5 < found < np.log(0.7 / 0.3)
    said = np.random.default_rng(1).uniform(0.05, 0.95, 200)
    up = (np.random.default_rng(2).random(200) < 0.4).astype(np.float64)

    def loss(offset: float) -> float:
        p = expit(np.log(said / (1.0 - said)) + offset)
        return float(-(up * np.log(p) + (1.0 - up) * np.log(1.0 - p)).sum() + offset**2 / (2.0 * OFFSET_SD**2))

    assert offset_of(up, said) == pytest.approx(minimize_scalar(loss, tol=1e-10).x, abs=1e-5)


def test_few_outcomes_move_little_and_none_nothing() -> None:
    assert offset_of(np.empty(0), np.empty(0)) == 0.0
    offsets = [offset_of(np.ones(n), np.full(n, 0.5)) for n in (1, 5, 20, 120)]
    assert offsets == sorted(offsets)
    assert 0.0 < offsets[0] < 0.05
    assert offset_of(np.array([1.0, 0.0]), np.array([0.5, 0.5])) == pytest.approx(0.0, abs=1e-12)


@given(
    said=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40),
    bits=st.integers(0, 2**40 - 1),
)
def test_offsets_are_finite_and_odd(said: list[float], bits: int) -> None:
    p = np.array(said)
    up = np.array([float(bits >> i & 1) for i in range(len(said))])
    found = offset_of(up, p)
    assert np.isfinite(found)
    assert offset_of(1.0 - up, 1.0 - p) == pytest.approx(-found, abs=1e-6)


def test_the_base_rate_is_moved_once_by_the_same_outcomes() -> None:
    moved = amended(MODEL, RECALIBRATE, RISING, SAID)
    assert moved is not None
    assert moved == replace(MODEL, offset=offset_of(RISING, SAID))
    # The next session asks again and has the same outcomes: what the fit said of them has not changed.
    assert amended(moved, RECALIBRATE, RISING, SAID) is None
    # And where nothing is asked for, the offset stays.
    assert amended(moved, Response(ResponseCode.NONE), 1.0 - RISING, SAID) is None


def test_the_offset_goes_back_when_the_base_rate_does() -> None:
    moved = replace(MODEL, offset=0.6)
    back = amended(moved, RECALIBRATE, np.tile([0.0, 1.0], 50), SAID)
    assert back is not None
    assert back.offset == pytest.approx(0.0, abs=1e-12)


def test_what_is_too_small_to_see_is_left() -> None:
    outcomes = np.tile([1.0, 0.0], 200)
    outcomes[0] = 0.0
    assert 0.0 < abs(offset_of(outcomes, np.full(400, 0.5))) < LEAST_OFFSET
    assert amended(MODEL, RECALIBRATE, outcomes, np.full(400, 0.5)) is None
    assert amended(MODEL, RECALIBRATE, np.empty(0), np.empty(0)) is None
    kept = replace(MODEL, offset=0.6)
    assert amended(kept, RECALIBRATE, np.empty(0), np.empty(0)) is None


def test_a_feature_is_masked_and_unmasked() -> None:
    one = amended(MODEL, masking("slope"), np.empty(0), np.empty(0))
    assert one == replace(MODEL, masked=("slope",))
    assert one is not None
    assert amended(one, masking("slope"), np.empty(0), np.empty(0)) is None
    assert amended(one, masking(), np.empty(0), np.empty(0)) == MODEL
    # Two causes may name it, in any order; what the recipe does not have cannot be masked.
    both = amended(MODEL, masking("slope", "carry", "slope", "atm_vol"), np.empty(0), np.empty(0))
    assert both == replace(MODEL, masked=("carry", "slope"))
    assert amended(MODEL, masking("atm_vol"), np.empty(0), np.empty(0)) is None


def test_of_many_features_the_surest_are_masked() -> None:
    named = ("tilt_z", "slope", "tilt_z", "momentum_5", "carry")
    found = amended(MODEL, masking(*named), np.empty(0), np.empty(0))
    assert found is not None
    assert found.masked == ("momentum_5", "slope", "tilt_z")
    assert len(found.masked) == MOST_MASKED


def test_both_at_once() -> None:
    both = replace(RECALIBRATE, masked=("carry",))
    found = amended(MODEL, both, RISING, SAID)
    assert found == replace(MODEL, masked=("carry",), offset=offset_of(RISING, SAID))
    assert found is not None
    assert found.sha256 != MODEL.sha256
    assert found.fitted is MODEL.fitted
