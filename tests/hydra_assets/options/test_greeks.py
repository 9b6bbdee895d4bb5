"""Greeks against decimal differentiation of the price, and the identities between them."""

from dataclasses import astuple
from decimal import Decimal, getcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.options.greeks import CHUNK_OPTIONS, FlowGreeks, discounted_price, flow_greeks

NAMES = ("delta", "gamma", "vega", "vanna", "charm")
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459")
# F, K, sigma, T, r
OPTIONS = [
    (80.0, 80.0, 0.30, 0.25, 0.05),
    (80.0, 95.0, 0.30, 0.25, 0.05),
    (80.0, 60.0, 0.35, 0.25, 0.05),
    (17.56, 17.25, 0.12, 0.04, -0.01),
    (350.0, 420.0, 0.40, 1.75, 0.08),
]


def normal(z: Decimal) -> Decimal:
    """N(z) by the everywhere convergent series z + z^3/3 + z^5/15 + ..., 50 digits."""
    term, total, n = z, z, 1
    while abs(term) > Decimal(10) ** -55:
        n += 2
        term *= z * z / n
        total += term
    return Decimal("0.5") + total * (-z * z / 2).exp() / (2 * PI).sqrt()


def exact_price(values: dict[str, Decimal], *, call: bool, upfront: bool) -> Decimal:
    f, k, sigma, t, r = (values[name] for name in ("F", "K", "sigma", "T", "r"))
    s = sigma * t.sqrt()
    d1 = (f / k).ln() / s + s / 2
    d2 = d1 - s
    side = 1 if call else -1
    value = side * (f * normal(side * d1) - k * normal(side * d2))
    return value * (-r * t).exp() if upfront else value


def slope(values: dict[str, Decimal], names: tuple[str, ...], *, call: bool, upfront: bool) -> Decimal:
    """Mixed central difference by each of ``names``, step 1e-12 of the variable at 60 digits: error near 1e-23."""
    if not names:
        return exact_price(values, call=call, upfront=upfront)
    first, rest = names[0], names[1:]
    step = values[first] * Decimal("1e-12")
    up = slope(values | {first: values[first] + step}, rest, call=call, upfront=upfront)
    down = slope(values | {first: values[first] - step}, rest, call=call, upfront=upfront)
    return (up - down) / (2 * step)


def greeks(f: float, k: float, sigma: float, t: float, r: float, *, call: bool, upfront: bool) -> FlowGreeks:
    return flow_greeks(f, k, sigma * np.sqrt(t), t, r, call, upfront)


@pytest.mark.parametrize("upfront", [True, False])
@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize("option", OPTIONS)
def test_price_and_greeks_are_the_derivatives_they_say(option: tuple[float, ...], call: bool, upfront: bool) -> None:
    getcontext().prec = 60
    values = {name: Decimal(v) for name, v in zip(("F", "K", "sigma", "T", "r"), option, strict=True)}
    f, k, sigma, t, r = option
    found = greeks(f, k, sigma, t, r, call=call, upfront=upfront)

    def derivative(*names: str) -> float:
        return float(slope(values, names, call=call, upfront=upfront))

    value = discounted_price(f, k, sigma * np.sqrt(t), t, r, call, upfront)
    assert value == pytest.approx(derivative(), rel=1e-13, abs=0.0)
    assert found.delta == pytest.approx(derivative("F"), rel=1e-13, abs=0.0)
    assert found.gamma == pytest.approx(derivative("F", "F"), rel=1e-12, abs=0.0)
    assert found.vega == pytest.approx(derivative("sigma"), rel=1e-12, abs=0.0)
    # Vanna and charm pass through zero: a part is relative to their larger terms.
    assert found.vanna == pytest.approx(derivative("F", "sigma"), rel=1e-12, abs=1e-14)
    assert found.charm == pytest.approx(-derivative("F", "T"), rel=1e-12, abs=1e-14)


def test_charm_of_a_call_exceeds_that_of_its_put_by_the_carry_of_the_discount() -> None:
    for f, k, sigma, t, r in OPTIONS:
        call, put = (greeks(f, k, sigma, t, r, call=side, upfront=True) for side in (True, False))
        assert call.charm - put.charm == pytest.approx(r * np.exp(-r * t), rel=1e-12)
        call, put = (greeks(f, k, sigma, t, r, call=side, upfront=False) for side in (True, False))
        assert call.charm - put.charm == pytest.approx(0.0, abs=1e-16)


def test_delta_of_an_option_out_of_the_money_decays_as_time_passes() -> None:
    # Signs by hand: a far call loses its delta with time, a deep one without rate nears 1.
    found = flow_greeks(100.0, np.array([130.0, 75.0]), 0.1, 0.25, 0.0, True, True)
    assert found.charm[0] < 0.0 < found.charm[1]
    assert found.vanna[0] > 0.0 > found.vanna[1]


def test_a_margined_premium_does_not_read_the_rate() -> None:
    found = flow_greeks(100.0, 110.0, 0.2, 0.5, [np.nan, 0.0, 0.3], True, False)
    for values in astuple(found):
        assert np.isfinite(values).all()
        assert len(set(values.tolist())) == 1


def test_what_has_no_greeks_is_missing_and_the_rest_stands() -> None:
    good = [100.0, 95.0, 0.1, 0.25, 0.05]
    bad = [(place, value) for place in range(5) for value in (np.nan, np.inf, 0.0, -1.0)]
    # A rate may be zero or negative.
    rows = [good] + [[*good[:i], value, *good[i + 1 :]] for i, value in bad if i < 4 or not np.isfinite(value)]
    f, k, s, t, r = np.array(rows).T
    with np.errstate(all="raise", under="ignore"):
        found = flow_greeks(f, k, s, t, r, True, True)
        prices = discounted_price(f, k, s, t, r, True, True)
    for values in (*astuple(found), prices):
        assert np.isfinite(values[0])
        assert np.isnan(values[1:]).all()


positive = st.floats(0.5, 500.0)
vols = st.floats(0.05, 1.5)


@given(positive, st.floats(-3.0, 3.0), vols, st.floats(0.01, 3.0), st.floats(-0.02, 0.15), st.booleans())
def test_put_call_identities(f: float, d: float, sigma: float, t: float, r: float, upfront: bool) -> None:
    k = f * np.exp(d * sigma * np.sqrt(t))
    call, put = (greeks(f, k, sigma, t, r, call=side, upfront=upfront) for side in (True, False))
    discount = np.exp(-r * t) if upfront else 1.0
    assert call.delta - put.delta == pytest.approx(discount, rel=1e-14)
    assert (call.gamma, call.vega, call.vanna) == (put.gamma, put.vega, put.vanna)
    carry = r * discount if upfront else 0.0
    assert call.charm - put.charm == pytest.approx(carry, abs=1e-13 * float(1.0 + np.abs(call.charm)))


@given(positive, st.floats(-3.0, 3.0), vols, st.floats(0.01, 3.0), st.booleans())
def test_put_call_symmetry(f: float, d: float, sigma: float, t: float, call: bool) -> None:
    # V_call(F, K) = V_put(K, F); gamma F^2 and vega are symmetric likewise.
    k = f * np.exp(d * sigma * np.sqrt(t))
    one = greeks(f, k, sigma, t, 0.03, call=call, upfront=True)
    other = greeks(k, f, sigma, t, 0.03, call=not call, upfront=True)
    assert one.gamma * f * f == pytest.approx(other.gamma * k * k, rel=1e-12)
    assert one.vega == pytest.approx(other.vega, rel=1e-12)


@given(positive, positive, vols, st.floats(0.01, 3.0), st.booleans(), st.integers(-6, 6))
def test_greeks_scale_with_the_price_unit(f: float, k: float, sigma: float, t: float, call: bool, power: int) -> None:
    c = 2.0**power
    one, scaled = (greeks(a, b, sigma, t, 0.04, call=call, upfront=True) for a, b in ((f, k), (c * f, c * k)))
    assert (scaled.delta, scaled.vanna, scaled.charm) == (one.delta, one.vanna, one.charm)
    assert (scaled.gamma * c, scaled.vega) == (one.gamma, one.vega * c)


@given(positive, st.floats(-3.0, 3.0), vols, st.floats(0.01, 3.0))
def test_gamma_and_vega_are_one_quantity(f: float, d: float, sigma: float, t: float) -> None:
    found = greeks(f, f * np.exp(d * sigma * np.sqrt(t)), sigma, t, 0.05, call=True, upfront=True)
    assert found.vega == pytest.approx(found.gamma * f * f * sigma * t, rel=1e-12)


def test_an_option_has_the_same_bits_in_every_batch() -> None:
    rng = np.random.default_rng(4)
    n = CHUNK_OPTIONS + 300
    f, s, t, r = rng.uniform(1, 500, n), rng.uniform(0.01, 1.5, n), rng.uniform(0.01, 3, n), rng.uniform(-0.01, 0.1, n)
    k, call, upfront = f * np.exp(rng.uniform(-3, 3, n) * s), rng.random(n) < 0.5, rng.random(n) < 0.5
    whole = flow_greeks(f, k, s, t, r, call, upfront)
    for rows in (*(slice(i, i + 1) for i in range(0, n, 151)), slice(n - 7, n), slice(11, 42)):
        part = flow_greeks(f[rows], k[rows], s[rows], t[rows], r[rows], call[rows], upfront[rows])
        for name in NAMES:
            assert getattr(part, name).tobytes() == getattr(whole, name)[rows].tobytes()


def test_shapes_broadcast_and_an_empty_batch_is_one() -> None:
    found = flow_greeks(100.0, np.array([[90.0], [110.0]]), 0.2, 0.5, 0.03, np.array([True, False, True]), True)
    assert found.charm.shape == (2, 3)
    assert flow_greeks(np.empty(0), 90.0, 0.2, 0.5, 0.03, True, True).delta.shape == (0,)
