"""Implied volatility against published and 40-digit values, and as the inverse of the price."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.black76 import normalised_call, normalised_vega, price
from hydra_assets.options.implied_vol import IvStatus, implied_total_vol, solve_normalised

# Jaeckel's normalised price b(x, s) at 40 digits: (x, s, b).
NORMALISED = [
    (-1e-06, 0.001, 0.00039844246324998676),
    (-0.01, 0.02, 0.003955830277597866),
    (-0.1, 0.05, 0.0004244308308511871),
    (-1.0, 0.2, 1.064238912348798e-08),
    (-1.0, 0.1, 7.465397611568575e-26),
    (-5.0, 0.5, 3.624416711834472e-25),
    (-10.0, 2.0, 6.697655973516421e-08),
    (-16.0, 1.0, 3.5001061087397043e-59),
    (-0.5, 3.0, 0.6464013867332461),
    (-0.5, 6.0, 0.7761089366031675),
    (0.0, 0.4, 0.15851941887820606),
]
# Black (1976) at high precision: F, K, T, r, sigma, call, discounted price.
BLACK_76 = [
    (80.0, 80.0, 0.25, 0.05, 0.3, True, 4.723409866352691),
    (80.0, 95.0, 0.25, 0.05, 0.3, True, 0.8075338684235474),
    (80.0, 60.0, 0.25, 0.05, 0.35, False, 0.25002733430455015),
    (350.0, 500.0, 0.08, 0.03, 0.4, True, 0.010403135730095523),
]


@pytest.mark.parametrize(("x", "s", "beta"), NORMALISED)
def test_recovers_total_vol_from_reference_prices(x: float, s: float, beta: float) -> None:
    assert solve_normalised(np.array([x]), np.array([beta]))[0] == pytest.approx(s, rel=1e-12)


def test_recovers_total_vol_where_the_price_hardly_depends_on_it() -> None:
    # b(-0.001, 8) is within 6e-4 of its upper bound.
    assert solve_normalised(np.array([-0.001]), np.array([0.9994367824959496]))[0] == pytest.approx(8.0, rel=1e-11)


@pytest.mark.parametrize(("f", "k", "t", "r", "sigma", "call", "expected"), BLACK_76)
def test_price_matches_published_values(f, k, t, r, sigma, call, expected) -> None:
    value = price(np.array(f), np.array(k), np.array(sigma * np.sqrt(t)), np.array(call)) * np.exp(-r * t)
    assert value == pytest.approx(expected, rel=1e-13)


def test_published_example_in_the_money() -> None:
    # A call of 20 on 100 struck at 90 with 30 years to go has a volatility of 7.0117018 %.
    result = implied_total_vol(np.array([20.0]), np.array([100.0]), np.array([90.0]), np.array([True]))
    assert result.total_vol[0] / np.sqrt(30.0) == pytest.approx(0.07011701801482094, rel=1e-13)


def test_each_bad_quote_gets_its_status_and_the_good_one_survives() -> None:
    prices = np.array([np.nan, 5.0, 10.0, 9.0, 100.0, 12.0, 0.0])
    forwards = np.array([100.0, -1.0, 100.0, 100.0, 100.0, 100.0, 100.0])
    strikes = np.array([90.0, 90.0, 90.0, 90.0, 90.0, 90.0, 120.0])
    result = implied_total_vol(prices, forwards, strikes, np.ones(7, dtype=bool))
    assert [IvStatus(s) for s in result.status] == [
        IvStatus.INPUT_NOT_FINITE,
        IvStatus.INPUT_NOT_POSITIVE,
        IvStatus.AT_OR_BELOW_INTRINSIC,
        IvStatus.AT_OR_BELOW_INTRINSIC,
        IvStatus.AT_OR_ABOVE_UPPER_BOUND,
        IvStatus.OK,
        IvStatus.AT_OR_BELOW_INTRINSIC,
    ]
    assert np.isnan(result.total_vol).tolist() == [True, True, True, True, True, False, True]


@settings(max_examples=200, deadline=None)
@given(st.floats(-6.0, 6.0), st.floats(0.01, 4.0), st.booleans())
def test_inverts_the_price_of_any_strike_within_six_deviations(d: float, s: float, call: bool) -> None:
    forward, strike = np.array([100.0]), np.array([100.0 * np.exp(d * s)])
    total = solve_normalised(
        -np.abs(np.log(forward / strike)), normalised_call(-np.abs(np.log(forward / strike)), np.array([s]))
    )
    assert total[0] == pytest.approx(s, rel=1e-11)
    put_call = price(forward, strike, np.array([s]), np.array([True])) - price(
        forward, strike, np.array([s]), np.array([False])
    )
    assert put_call[0] == pytest.approx(forward[0] - strike[0], abs=1e-9 * strike[0])


def test_vega_is_the_slope_of_the_price() -> None:
    x, s, h = np.array([-0.7, -0.1, 0.0]), np.array([0.5, 0.2, 0.3]), 1e-6
    slope = (normalised_call(x, s + h) - normalised_call(x, s - h)) / (2 * h)
    assert normalised_vega(x, s) == pytest.approx(slope, rel=1e-6)
