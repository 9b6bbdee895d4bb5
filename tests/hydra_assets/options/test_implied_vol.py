"""Implied volatility against published and high-precision values, and as the inverse of the price."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.black76 import normalised_call, normalised_vega, price
from hydra_assets.options.implied_vol import (
    CHUNK_QUOTES,
    IvStatus,
    half_spread_in_vol,
    implied_total_vol,
    solve_normalised,
)

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
# The price hardly depends on the volatility, or lies 1e-10 from zero.
CONDITIONING_LIMITED = [(-0.001, 8.0, 0.9994367824959496), (-1e-12, 1e-10, 3.939622273492284e-11)]
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
AWKWARD = [np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 5e-324, 1e-308, 1.0, 100.0, 1e308]


def one(p: float, f: float, k: float, call: bool) -> tuple[float, IvStatus]:
    result = implied_total_vol(p, f, k, call)
    return float(result.total_vol), IvStatus(int(result.status))


@pytest.mark.parametrize(("x", "s", "beta"), NORMALISED)
def test_recovers_total_vol_from_reference_prices(x: float, s: float, beta: float) -> None:
    assert solve_normalised(np.array([x]), np.array([beta]))[0] == pytest.approx(s, rel=1e-12, abs=0.0)


@pytest.mark.parametrize(("x", "s", "beta"), CONDITIONING_LIMITED)
def test_recovers_total_vol_at_the_ends_of_its_range(x: float, s: float, beta: float) -> None:
    assert solve_normalised(np.array([x]), np.array([beta]))[0] == pytest.approx(s, rel=1e-11, abs=0.0)


@pytest.mark.parametrize(("f", "k", "s", "call", "p"), EXACT)
def test_recovers_total_vol_from_exact_prices(f: float, k: float, s: float, call: bool, p: float) -> None:
    total, status = one(p, f, k, call)
    assert status is IvStatus.OK
    assert total == pytest.approx(s, rel=1e-12, abs=0.0)


def test_published_example_in_the_money() -> None:
    # A call of 20 on 100 struck at 90 with 30 years to go has a volatility of 7.0117018 %.
    total, status = one(20.0, 100.0, 90.0, call=True)
    assert status is IvStatus.OK
    assert total / np.sqrt(30.0) == pytest.approx(0.07011701801482094, rel=1e-13)


@pytest.mark.parametrize(
    ("p", "f", "k", "call", "expected"),
    [
        (np.nan, 100.0, 90.0, True, IvStatus.INPUT_NOT_FINITE),
        (12.0, np.nan, 90.0, True, IvStatus.INPUT_NOT_FINITE),
        (12.0, 100.0, np.inf, True, IvStatus.INPUT_NOT_FINITE),
        (-np.inf, 100.0, 90.0, True, IvStatus.INPUT_NOT_FINITE),
        (5.0, -1.0, 90.0, True, IvStatus.INPUT_NOT_POSITIVE),
        (5.0, 0.0, 90.0, True, IvStatus.INPUT_NOT_POSITIVE),
        (5.0, 100.0, 0.0, False, IvStatus.INPUT_NOT_POSITIVE),
        (10.0, 100.0, 90.0, True, IvStatus.AT_OR_BELOW_INTRINSIC),
        (9.0, 100.0, 90.0, True, IvStatus.AT_OR_BELOW_INTRINSIC),
        (0.0, 100.0, 120.0, True, IvStatus.AT_OR_BELOW_INTRINSIC),
        (-1.0, 100.0, 120.0, True, IvStatus.AT_OR_BELOW_INTRINSIC),
        (20.0, 100.0, 120.0, False, IvStatus.AT_OR_BELOW_INTRINSIC),
        # One unit in the last place over the intrinsic value is the rounding of a feed.
        (np.nextafter(10.0, 11.0), 100.0, 90.0, True, IvStatus.AT_OR_BELOW_INTRINSIC),
        (100.0, 100.0, 90.0, True, IvStatus.AT_OR_ABOVE_UPPER_BOUND),
        (90.0, 100.0, 90.0, False, IvStatus.AT_OR_ABOVE_UPPER_BOUND),
        (250.0, 100.0, 90.0, False, IvStatus.AT_OR_ABOVE_UPPER_BOUND),
        (12.0, 100.0, 90.0, True, IvStatus.OK),
    ],
)
def test_every_bad_quote_has_its_status(p: float, f: float, k: float, call: bool, expected: IvStatus) -> None:
    total, status = one(p, f, k, call)
    assert status is expected
    assert np.isnan(total) == (expected is not IvStatus.OK)


def test_bad_quotes_do_not_disturb_a_good_one() -> None:
    p, f, k = (a.ravel() for a in np.meshgrid(AWKWARD, AWKWARD, AWKWARD))
    p, f, k = np.append(p, 12.0), np.append(f, 100.0), np.append(k, 90.0)
    with np.errstate(all="raise", under="ignore"):
        result = implied_total_vol(p, f, k, np.ones(len(p), dtype=bool))
    ok = result.status == IvStatus.OK
    assert (np.isfinite(result.total_vol) == ok).all()
    assert (result.total_vol[ok] > 0.0).all()
    assert (result.total_vol[-1], IvStatus.OK) == one(12.0, 100.0, 90.0, call=True)


@settings(max_examples=300, deadline=None)
@given(st.floats(-6.0, 6.0), st.floats(0.0005, 8.0))
def test_inverts_the_price_of_any_strike_within_six_deviations(d: float, s: float) -> None:
    x = np.array([-abs(d * s)])
    assert solve_normalised(x, normalised_call(x, np.array([s])))[0] == pytest.approx(s, rel=1e-11, abs=0.0)


@settings(max_examples=300, deadline=None)
@given(st.floats(-290, 290), st.floats(-290, 290), st.floats(-12, -1e-9), st.booleans())
def test_any_price_between_the_bounds_has_a_volatility_that_gives_it_back(
    log_f: float, log_k: float, log_share: float, call: bool
) -> None:
    f, k = 10.0**log_f, 10.0**log_k
    # An out-of-the-money price as a share of its upper bound.
    p = min(f, k) * 10.0**log_share
    is_call = call if f == k else k > f
    total, status = one(p, f, k, is_call)
    if p / (np.sqrt(f) * np.sqrt(k)) < 2.3e-308:
        assert status is IvStatus.AT_OR_BELOW_INTRINSIC
        return
    assert status is IvStatus.OK
    back = price(np.array(f), np.array(k), np.array(total), np.array(is_call))
    assert back == pytest.approx(p, rel=3e-12, abs=0.0)


def test_put_and_call_of_one_price_have_one_volatility() -> None:
    p, f, k = np.array([3.0, 0.02]), np.array([100.0, 4.0]), np.array([100.0, 4.0])
    put, call = (implied_total_vol(p, f, k, np.full(2, side)).total_vol for side in (False, True))
    assert put.tolist() == call.tolist()


def test_scale_of_prices_does_not_matter() -> None:
    _, f, k, s, call = market(500)
    p = price(f, k, s, call)
    # A power of two scales without rounding.
    assert (implied_total_vol(p, f, k, call).total_vol == implied_total_vol(4 * p, 4 * f, 4 * k, call).total_vol).all()


def market(n: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(20)
    f, s = rng.uniform(1.0, 500.0, n), np.exp(rng.uniform(np.log(0.002), np.log(6.0), n))
    k = f * np.exp(rng.uniform(-5.0, 5.0, n) * s)
    return rng, f, k, s, k >= f


def test_a_quote_has_the_same_bits_in_every_batch() -> None:
    n = CHUNK_QUOTES + 700
    rng, f, k, s, call = market(n)
    p = price(f, k, s, call)
    p[::97] = np.nan
    whole = implied_total_vol(p, f, k, call)
    order = rng.permutation(n)
    mixed = implied_total_vol(p[order], f[order], k[order], call[order])
    assert (mixed.total_vol.view(np.int64) == whole.total_vol[order].view(np.int64)).all()
    for i in range(0, n, 83):
        alone = implied_total_vol(p[i : i + 1], f[i : i + 1], k[i : i + 1], call[i : i + 1])
        assert alone.total_vol.view(np.int64)[0] == whole.total_vol.view(np.int64)[i]
    for width in (2, 3, 7, 9, 31):
        part = implied_total_vol(p[-width:], f[-width:], k[-width:], call[-width:])
        assert (part.total_vol.view(np.int64) == whole.total_vol[-width:].view(np.int64)).all()


def test_shapes_broadcast_and_an_empty_batch_is_one() -> None:
    result = implied_total_vol(np.array([[5.0], [6.0]]), 100.0, np.array([95.0, 100.0, 105.0]), is_call=False)
    assert result.total_vol.shape == result.status.shape == (2, 3)
    # The put struck at 105 is worth 5 at least.
    assert result.status.tolist() == [[0, 0, int(IvStatus.AT_OR_BELOW_INTRINSIC)], [0, 0, 0]]
    assert implied_total_vol(np.empty(0), 100.0, 100.0, is_call=True).total_vol.shape == (0,)
    assert solve_normalised(np.empty(0), np.empty(0)).shape == (0,)


def test_half_spread_in_vol_is_first_order() -> None:
    x, s, half = np.array([-0.1]), np.array([0.2]), 1e-6
    beta = normalised_call(x, s)
    moved = solve_normalised(x, beta + half) - s
    assert half_spread_in_vol(x, s, np.array([half])) == pytest.approx(moved, rel=1e-4)
    assert half_spread_in_vol(x, s, normalised_vega(x, s)) == pytest.approx(1.0)
