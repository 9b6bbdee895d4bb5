"""The mode of a logistic posterior: where its gradient vanishes, and by hand where that can be done."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hydra_assets.models.map_logistic import map_logistic


def test_without_a_prior_a_constant_is_the_log_odds_of_the_share() -> None:
    y, w = np.array([1.0, 1.0, 0.0, 1.0]), np.array([1.0, 2.0, 2.0, 1.0])
    found = map_logistic(np.ones((4, 1)), y, w, np.zeros(4), np.zeros(1), np.zeros(1))
    # Four of six by weight.
    assert found[0] == pytest.approx(np.log(2.0))
    # An offset is what is there already.
    moved = map_logistic(np.ones((4, 1)), y, w, np.full(4, 0.3), np.zeros(1), np.zeros(1))
    assert moved[0] == pytest.approx(np.log(2.0) - 0.3)


def test_without_data_it_is_the_prior_and_with_much_of_either_that_one() -> None:
    x = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    y = np.array([1.0, 0.0, 0.0, 1.0])
    at = {
        strength: map_logistic(x, y, np.ones(4), np.zeros(4), np.array([0.7]), np.array([strength]))[0]
        for strength in (1e-9, 1.0, 1e9)
    }
    assert map_logistic(x, y, np.zeros(4), np.zeros(4), np.array([0.7]), np.array([1.0]))[0] == pytest.approx(0.7)
    assert at[1e9] == pytest.approx(0.7)
    free = map_logistic(x, y, np.ones(4), np.zeros(4), np.zeros(1), np.zeros(1))[0]
    assert at[1e-9] == pytest.approx(free, abs=1e-6)
    assert min(free, 0.7) < at[1.0] < max(free, 0.7)


def test_classes_that_a_feature_tells_apart_need_the_prior() -> None:
    # Without it the slope would have no end. With precision 1: 2 (1 - p) = b, p = expit(b).
    x, y = np.array([[1.0], [-1.0]]), np.array([1.0, 0.0])
    [b] = map_logistic(x, y, np.ones(2), np.zeros(2), np.zeros(1), np.ones(1))
    assert 2.0 * (1.0 - expit(b)) == pytest.approx(b)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.floats(0.0, 4.0))
def test_the_gradient_vanishes(seed: int, k: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    x, mean = size * rng.standard_normal((60, k)), rng.standard_normal(k)
    y, w = rng.random(60), rng.uniform(0.0, 2.0, 60)
    offset, precision = rng.standard_normal(60), rng.uniform(0.1, 50.0, k)
    b = map_logistic(x, y, w, offset, mean, precision)
    gradient = x.T @ (w * (expit(offset + x @ b) - y)) + precision * (b - mean)
    assert np.abs(gradient).max() < 1e-6
    again = map_logistic(x, y, w, offset, mean, precision)
    assert again.tobytes() == b.tobytes()


def test_shares_are_targets_too() -> None:
    [b] = map_logistic(np.ones((3, 1)), np.full(3, 0.2), np.ones(3), np.zeros(3), np.zeros(1), np.zeros(1))
    assert b == pytest.approx(logit(0.2))
