"""Black-76 prices against published and 50-digit values, and the identities between its parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.options.black76 import (
    log_ratio,
    normalised_call,
    normalised_call_gap,
    normalised_vega,
    price,
    price_over_vega,
)

# Published examples at high precision: F, K, T, r, sigma, call, discounted price.
BLACK_76 = [
    (80.0, 80.0, 0.25, 0.05, 0.3, True, 4.723409866352691),
    (80.0, 95.0, 0.25, 0.05, 0.3, True, 0.8075338684235474),
    (80.0, 60.0, 0.25, 0.05, 0.35, False, 0.25002733430455015),
    (350.0, 500.0, 0.08, 0.03, 0.4, True, 0.010403135730095523),
]
# F N(d1) - K N(d2) at 60 digits, rounded once: F, K, sigma sqrt(T), call, price.
EXACT = [
    (80.0, 80.0, 0.15, True, 4.782823048463162),
    (80.0, 95.0, 0.15, True, 0.8176913940549339),
    (80.0, 60.0, 0.175, False, 0.2531722910129338),
    (17.56, 16.5, 0.04, False, 0.01751509926900223),
    (350.0, 500.0, 0.113, True, 0.010270401158437395),
    (4.25, 4.3, 0.0195, True, 0.014065023825081107),
    (4.25, 4.3, 0.0205, True, 0.01550220982458617),
    (100.0, 100.0, 0.0005, True, 0.0199471138122892),
    (100.0, 100.25, 0.0005, True, 2.767427305082177e-09),
    (100.0, 99.7, 0.0005, False, 7.374041513978993e-12),
    (100.0, 110.0, 0.02, True, 3.842200013048371e-07),
    (100.0, 1100.0, 0.4, True, 2.1038267336688574e-08),
    (100.0, 9.0, 0.4, False, 1.6236888439139447e-09),
    (100.0, 36000.0, 1.0, True, 5.370902260966634e-07),
    (100.0, 0.3, 1.0, False, 2.492045014333323e-09),
    (100.0, 10000000.0, 2.0, True, 2.7806629896522946e-05),
    (100.0, 30000.0, 4.0, True, 62.513504403694604),
    (100.0, 100.0, 4.0, True, 95.44997361036415),
    (100.0, 120.0, 5.6, True, 99.44044638362998),
    (100.0, 1e-08, 4.0, False, 4.250048181431501e-13),
    (100.0, 2.5e16, 5.6, True, 0.055650302585334745),
]


@pytest.mark.parametrize(("f", "k", "t", "r", "sigma", "call", "expected"), BLACK_76)
def test_price_matches_published_values(
    f: float, k: float, t: float, r: float, sigma: float, call: bool, expected: float
) -> None:
    value = price(np.array(f), np.array(k), np.array(sigma * np.sqrt(t)), np.array(call)) * np.exp(-r * t)
    assert value == pytest.approx(expected, rel=1e-13, abs=0.0)


@pytest.mark.parametrize(("f", "k", "s", "call", "expected"), EXACT)
def test_price_matches_exact_values(f: float, k: float, s: float, call: bool, expected: float) -> None:
    value = price(np.array(f), np.array(k), np.array(s), np.array(call))
    assert value == pytest.approx(expected, rel=3e-13, abs=0.0)


def test_without_volatility_the_price_is_intrinsic() -> None:
    strikes = np.array([90.0, 100.0, 110.0])
    assert price(np.full(3, 100.0), strikes, np.zeros(3), np.ones(3, dtype=bool)).tolist() == [10.0, 0.0, 0.0]
    assert price(np.full(3, 100.0), strikes, np.zeros(3), np.zeros(3, dtype=bool)).tolist() == [0.0, 0.0, 10.0]


def test_with_endless_volatility_the_price_is_its_upper_bound() -> None:
    value = price(np.array(100.0), np.array(90.0), np.array([75.0, 500.0]), np.array(True))
    assert value == pytest.approx([100.0, 100.0], rel=1e-14, abs=0.0)


def test_a_missing_volatility_gives_a_missing_price() -> None:
    assert np.isnan(normalised_call(np.array([-1.0, 0.0]), np.full(2, np.nan))).all()


def test_series_and_closed_form_meet() -> None:
    # The two sides of the switch at s = 0.02 lie 1e-12 apart in s, hence in b / b' to first order.
    h = -np.linspace(0.0, 8.0, 33)
    below, above = 0.02 * (1.0 - 5e-13), 0.02 * (1.0 + 5e-13)
    left = price_over_vega(h * below, np.full(33, below))
    right = price_over_vega(h * above, np.full(33, above))
    assert right / left == pytest.approx(np.ones(33), rel=1e-11)


@given(st.floats(-40.0, 0.0), st.floats(1e-6, 9.0))
def test_price_and_its_gap_make_the_upper_bound(x: float, beyond: float) -> None:
    a = np.array([x])
    b = np.sqrt(-2.0 * a) + beyond
    total = normalised_call(a, b) + normalised_call_gap(a, b)
    assert total[0] == pytest.approx(np.exp(0.5 * x), rel=1e-12, abs=0.0)


@given(st.floats(-6.0, 6.0), st.floats(0.01, 4.0))
def test_put_call_parity(d: float, s: float) -> None:
    forward, strike, total = np.array(100.0), np.array(100.0 * np.exp(d * s)), np.array(s)
    difference = price(forward, strike, total, np.array(True)) - price(forward, strike, total, np.array(False))
    assert difference == pytest.approx(forward - strike, abs=1e-13 * (forward + strike))


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(0.01, 4.0), st.booleans())
def test_a_call_is_the_put_with_forward_and_strike_exchanged(f: float, k: float, s: float, call: bool) -> None:
    a, b, total = np.array(f), np.array(k), np.array(s)
    assert price(a, b, total, np.array(call)) == price(b, a, total, np.array(not call))


def test_vega_is_the_slope_of_the_price() -> None:
    x, s, h = np.array([-0.7, -0.1, 0.0]), np.array([0.5, 0.2, 0.3]), 1e-6
    slope = (normalised_call(x, s + h) - normalised_call(x, s - h)) / (2 * h)
    assert normalised_vega(x, s) == pytest.approx(slope, rel=1e-8)


def test_log_ratio_keeps_its_digits_near_the_money_and_its_range_far_from_it() -> None:
    # ln(1 + 2^-40) = 2^-40 - 2^-81 + ...
    assert log_ratio(np.array(1.0), np.array(1.0 + 2.0**-40)) == 2.0**-40 - 2.0**-81
    assert log_ratio(np.array([1e300]), np.array([1e-300])) == pytest.approx(600.0 * np.log(10.0), rel=1e-15)
    assert log_ratio(np.array([3.0]), np.array([2.0])) == log_ratio(np.array([2.0]), np.array([3.0]))
