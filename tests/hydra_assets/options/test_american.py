"""American options on futures against high-precision prices, and what holds of every one of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.american import (
    FINE,
    STANDARD,
    Accuracy,
    american_price,
    european_put,
    exercise_boundary,
    put_premium,
    put_price,
)
from hydra_assets.options.black76 import Floats, price

# Zero cost of carry; a high-precision fixed point on which two implementations agree to 9e-9; T = days / 365:
# call, F, K, r, sigma, days, price.
ON_FUTURE = [
    (False, 100, 100, 0.05, 0.25, 365, 9.5694452989),
    (False, 80, 80, 0.05, 0.3, 91, 4.7272499892),
    (False, 80, 90, 0.05, 0.3, 91, 11.4627576215),
    (True, 80, 70, 0.05, 0.3, 91, 11.0487934333),
    (False, 80, 100, 0.05, 0.35, 182, 21.8574464419),
    (True, 80, 60, 0.05, 0.35, 182, 20.7473115717),
    (False, 350, 420, 0.045, 0.4, 120, 79.8132063303),
    (True, 100, 80, 0.08, 0.2, 730, 21.4324387243),
]
# E. G. Haug, "The Complete Guide to Option Pricing Formulas" (1998), p. 24, calls struck at 100, r = q = 0.10; exact
# values, not the approximations printed there: T, sigma, F, price.
HAUG = [
    (0.1, 0.15, 90, 0.0204985),
    (0.1, 0.15, 100, 1.8764534),
    (0.1, 0.15, 110, 10.0105275),
    (0.1, 0.25, 90, 0.3152602),
    (0.1, 0.25, 100, 3.1269025),
    (0.1, 0.25, 110, 10.3966651),
    (0.1, 0.35, 90, 0.9482388),
    (0.1, 0.35, 100, 4.3765725),
    (0.1, 0.35, 110, 11.1725985),
    (0.5, 0.15, 90, 0.8114081),
    (0.5, 0.15, 100, 4.0685009),
    (0.5, 0.15, 110, 10.8107875),
    (0.5, 0.25, 90, 2.7224575),
    (0.5, 0.25, 100, 6.7752809),
    (0.5, 0.25, 110, 13.0014543),
    (0.5, 0.35, 90, 4.9738268),
    (0.5, 0.35, 100, 9.473752),
    (0.5, 0.35, 110, 15.5390927),
]
ACCURACIES = pytest.mark.parametrize(("accuracy", "tolerance"), [(STANDARD, 2e-9), (FINE, 2e-10)])
log_forwards = st.floats(-2.0, 2.0)
total_vols = st.floats(0.002, 3.0)
rates = st.floats(1e-9, 1.0)


def one(*numbers: float) -> list[Floats]:
    return [np.array([number]) for number in numbers]


@ACCURACIES
def test_prices_on_futures(accuracy: Accuracy, tolerance: float) -> None:
    call, f, k, r, sigma, days, expected = (np.array(column) for column in zip(*ON_FUTURE, strict=True))
    years = days / 365
    got = american_price(f, k, sigma * np.sqrt(years), r * years, call, accuracy)
    assert np.max(np.abs(got - expected) / k) < tolerance


@ACCURACIES
def test_prices_of_the_published_contracts(accuracy: Accuracy, tolerance: float) -> None:
    years, sigma, f, expected = (np.array(column) for column in zip(*HAUG, strict=True))
    got = american_price(f, np.full_like(f, 100), sigma * np.sqrt(years), 0.1 * years, np.full(18, True), accuracy)
    # Printed to seven digits.
    assert np.max(np.abs(got - expected)) < 5.5e-8 + 100 * tolerance


def test_the_premium_of_the_first_contract() -> None:
    total_vol, rate_time = one(0.25, 0.05)
    european = 100 * np.exp(-rate_time) * european_put(np.zeros(1), total_vol)
    assert european[0] == pytest.approx(9.4624925962, abs=1e-10)
    boundary = exercise_boundary(total_vol, rate_time)
    assert 100 * put_premium(np.zeros(1), total_vol, rate_time, boundary)[0] == pytest.approx(0.1069527, abs=1e-7)


def test_the_value_meets_immediate_exercise_at_the_boundary_smoothly() -> None:
    total_vol, rate_time = (a.ravel() for a in np.meshgrid([0.003, 0.05, 0.4, 1.5], [1e-6, 1e-3, 0.05, 0.3, 1.0]))
    boundary = exercise_boundary(total_vol, rate_time, FINE)[0]
    at = boundary + 1e-9 * total_vol
    held = put_price(at, total_vol, rate_time, FINE)
    assert np.max(np.abs(held + np.expm1(at)) / total_vol) < 1e-9
    # One deviation is the unit of the slope; exercise has slope -e^l.
    step = 1e-3 * total_vol
    slope = (put_price(at + step, total_vol, rate_time, FINE) - held) / np.expm1(step) / np.exp(at)
    assert np.max(np.abs(slope + 1.0)) < 0.01


def test_the_boundary_nears_the_perpetual_one() -> None:
    # Merton (1973): B/K = g/(1 + g), g = sqrt(1/4 + 2r/sigma^2) - 1/2. Here 40 years at sigma = 0.4, r = 0.5.
    gamma = np.sqrt(0.25 + 2 * 0.5 / 0.16) - 0.5
    boundary = exercise_boundary(*one(0.4 * np.sqrt(40), 0.5 * 40), FINE)
    assert np.exp(boundary[0, 0]) == pytest.approx(gamma / (1 + gamma), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(log_forwards, total_vols, rates)
def test_bounds_and_symmetry(log_forward: float, total_vol: float, rate_time: float) -> None:
    f, k, s, r = one(100.0, 100.0 * np.exp(-log_forward), total_vol, rate_time)
    put = american_price(f, k, s, r, np.array([False]))
    assert american_price(k, f, s, r, np.array([True])) == pytest.approx(put, rel=1e-12, abs=1e-12)
    european = np.exp(-r) * price(f, k, s, np.array([False]))
    floor = np.maximum(np.maximum(k - f, 0), european)
    assert put >= floor - 1e-9 * k
    assert put <= np.exp(r) * european + 1e-9 * k
    assert american_price(3 * f, 3 * k, s, r, np.array([False])) == pytest.approx(3 * put, rel=1e-9, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(log_forwards, total_vols, rates)
def test_rises_with_volatility_and_with_the_strike(log_forward: float, total_vol: float, rate_time: float) -> None:
    more_vol = put_price(np.full(6, log_forward), total_vol * np.linspace(1, 2, 6), np.full(6, rate_time))
    assert np.diff(more_vol).min() >= -1e-9
    spread = np.linspace(-0.5, 0.5, 11) * min(total_vol, 1.0)
    strikes = np.exp(spread)
    chain = strikes * put_price(log_forward - spread, np.full(11, total_vol), np.full(11, rate_time))
    slopes = np.diff(chain) / np.diff(strikes)
    assert slopes.min() >= -1e-7
    assert slopes.max() <= 1 + 1e-7
    assert np.diff(slopes).min() >= -1e-6


@pytest.mark.parametrize("rate_time", [0.0, -1e-12, -0.02, -0.5])
def test_nothing_is_earned_without_a_positive_rate(rate_time: float) -> None:
    f, k, s = np.full(5, 100.0), np.array([60.0, 90.0, 100.0, 110.0, 160.0]), np.full(5, 0.3)
    for call in (True, False):
        american = american_price(f, k, s, np.full(5, rate_time), np.full(5, call))
        assert american == pytest.approx(np.exp(-rate_time) * price(f, k, s, np.full(5, call)), rel=1e-14)


def test_extremes_are_finite_and_within_their_bounds() -> None:
    log_forward, total_vol, rate_time = (
        a.ravel()
        for a in np.meshgrid(
            [-5.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 5.0],
            [1e-9, 1e-6, 1e-4, 10.0, 40.0],
            [-2.0, 0.0, 1e-300, 1e-15, 1e-6, 0.05, 5.0, 50.0],
        )
    )
    value = put_price(log_forward, total_vol, rate_time)
    assert np.isfinite(value).all()
    earning = rate_time > 0
    assert (value[earning] >= np.maximum(-np.expm1(log_forward[earning]), 0) - 1e-12).all()
    assert (value[earning] <= 1 + 1e-12).all()


def test_a_price_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(7)
    n = 300
    log_forward, total_vol, rate_time = rng.normal(0, 0.2, n), rng.uniform(0.01, 1, n), rng.uniform(-0.01, 0.2, n)
    together = put_price(log_forward, total_vol, rate_time)
    for i in (0, 1, 127, 128, 299):
        one_row = slice(i, i + 1)
        assert put_price(log_forward[one_row], total_vol[one_row], rate_time[one_row])[0] == together[i]
    some = np.array([5, 250, 17])
    assert (put_price(log_forward[some], total_vol[some], rate_time[some]) == together[some]).all()


def test_no_contract_gives_no_price() -> None:
    none = np.empty(0)
    assert american_price(none, none, none, none, none.astype(bool)).shape == (0,)
