"""The premium table against binomial trees, which are slow, simple and independent of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.sources.simulated.american import early_exercise_premium, exercise_boundary

TABLE_ERROR = 1e-5
"""Largest error of the premium, in strikes, that the module states."""


def tree_premium(forward: float, strike: float, s: float, rate_time: float, steps: int, *, call: bool) -> float:
    """American minus European in a Cox-Ross-Rubinstein tree of a future."""
    up = np.exp(s / np.sqrt(steps))
    p, discount = (1 - 1 / up) / (up - 1 / up), np.exp(-rate_time / steps)
    sign = 1 if call else -1
    prices = forward * up ** (steps - 2.0 * np.arange(steps + 1))
    american = european = np.maximum(sign * (prices - strike), 0)
    for i in range(steps - 1, -1, -1):
        prices = forward * up ** (i - 2.0 * np.arange(i + 1))
        european = discount * (p * european[:-1] + (1 - p) * european[1:])
        american = np.maximum(discount * (p * american[:-1] + (1 - p) * american[1:]), sign * (prices - strike))
    return float(american[0] - european[0])


@pytest.mark.parametrize(
    ("strike", "vol", "years", "rate"),
    [
        (100, 0.25, 0.25, 0.04),
        (120, 0.25, 0.25, 0.04),
        (80, 0.40, 0.60, 0.05),
        (105, 0.15, 0.10, 0.04),
        (103, 0.10, 0.05, 0.02),
        (130, 0.60, 1.00, 0.08),
        (140, 0.30, 0.50, 0.04),
        (101, 0.30, 0.01, 0.04),
    ],
)
@pytest.mark.parametrize("call", [True, False])
def test_table_agrees_with_trees(strike: float, vol: float, years: float, rate: float, call: bool) -> None:
    s = vol * np.sqrt(years)
    # Odd and even trees err to opposite sides.
    reference = np.mean([tree_premium(100, strike, s, rate * years, n, call=call) for n in (2000, 2001)])
    args = (np.array([x]) for x in (100.0, float(strike), s, rate * years))
    found = early_exercise_premium(*args, call=call)[0]
    assert abs(found - reference) < TABLE_ERROR * strike


def test_boundary_falls_with_time_and_meets_the_perpetual_one() -> None:
    z, h = exercise_boundary(np.array([0.01, 0.3, 8.0]), np.array([0.64, 0.64, 0.64]))
    boundary = np.exp(-np.sqrt(h))
    assert z[0] == 1
    assert z[-1] == 0
    assert np.all(np.diff(boundary[:2, ::-1], axis=1) < 0)
    gamma = 0.5 - np.sqrt(0.25 + 2 * 0.64)
    assert boundary[2, 0] == pytest.approx(gamma / (gamma - 1), rel=1e-3)


@given(
    moneyness=st.floats(-3, 3),
    s=st.floats(0.01, 0.8),
    rate_time=st.floats(1e-4, 0.05),
)
def test_put_call_symmetry_and_size(moneyness: float, s: float, rate_time: float) -> None:
    forward, strike = np.array([100.0]), np.array([100 * np.exp(moneyness * s)])
    total, carried = np.array([s]), np.array([rate_time])
    put = early_exercise_premium(forward, strike, total, carried, call=False)[0]
    call = early_exercise_premium(strike, forward, total, carried, call=True)[0]
    assert put == pytest.approx(call, abs=1e-9)
    assert 0 <= put <= strike[0] * -np.expm1(-rate_time) + TABLE_ERROR * strike[0]


def test_no_rate_no_premium() -> None:
    one = np.ones(3)
    strikes = np.array([80.0, 100.0, 120.0])
    assert np.all(early_exercise_premium(100 * one, strikes, 0.2 * one, 0 * one, call=False) == 0)
