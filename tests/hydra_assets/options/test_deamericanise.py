"""Volatilities behind American quotes, and what becomes of every kind of quote."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.american import FINE, american_price, exercise_boundary
from hydra_assets.options.black76 import Floats, price
from hydra_assets.options.deamericanise import DeAmericanised, deamericanise, to_european
from hydra_assets.options.implied_vol import IvStatus, implied_total_vol

N = 1_500


@pytest.fixture(scope="module")
def market() -> dict[str, Floats]:
    """Volatilities of 10-120 %, a day to two years, rates to 10 %, four deviations either side; the pricer's prices."""
    rng = np.random.default_rng(3)
    vol, years = np.exp(rng.uniform(*np.log([0.1, 1.2]), N)), np.exp(rng.uniform(*np.log([1 / 365, 2.0]), N))
    rate, call, forward = rng.uniform(0, 0.1, N), rng.random(N) < 0.5, np.exp(rng.normal(4, 1, N))
    strike = forward * np.exp(rng.uniform(-4, 4, N) * vol * np.sqrt(years))
    quote = american_price(forward, strike, vol * np.sqrt(years), rate * years, call, FINE)
    columns = {"price": quote, "forward": forward, "strike": strike, "rate": rate, "years": years, "is_call": call}
    return {"vol": vol} | columns


@pytest.fixture(scope="module")
def solved(market: dict[str, Floats]) -> DeAmericanised:
    return deamericanise(**{name: column for name, column in market.items() if name != "vol"})


def exercise_value(market: dict[str, Floats]) -> Floats:
    sign = np.where(market["is_call"], 1.0, -1.0)
    return np.maximum(sign * (market["forward"] - market["strike"]), 0.0)


def test_volatilities_of_a_market_are_found(market: dict[str, Floats], solved: DeAmericanised) -> None:
    total_vol = market["vol"] * np.sqrt(market["years"])
    over_exercise = (market["price"] - exercise_value(market)) / market["forward"] / total_vol
    says_something = over_exercise > 1e-7
    assert says_something.mean() > 0.8
    assert (solved.status[says_something] == IvStatus.OK).all()
    error = np.abs(solved.total_vol - total_vol)[says_something] / np.sqrt(market["years"][says_something])
    assert error.max() <= 2e-5
    assert np.quantile(error, 0.99) <= 5e-6
    # Not by solving the pricer for every quote.
    assert solved.exact[says_something].mean() < 0.02


def test_quotes_at_immediate_exercise_say_nothing(market: dict[str, Floats], solved: DeAmericanised) -> None:
    at_exercise = market["price"] == exercise_value(market)
    assert at_exercise.sum() > 100
    assert (solved.status[at_exercise] == IvStatus.AT_OR_BELOW_INTRINSIC).all()
    assert np.isnan(solved.total_vol[at_exercise]).all()
    assert np.isnan(solved.european_undiscounted[at_exercise]).all()


def test_the_european_price_is_that_of_the_volatility(market: dict[str, Floats], solved: DeAmericanised) -> None:
    ok = solved.status == IvStatus.OK
    expected = price(market["forward"][ok], market["strike"][ok], solved.total_vol[ok], market["is_call"][ok] > 0)
    assert solved.european_undiscounted[ok] == pytest.approx(expected, rel=1e-12)


def test_deep_in_the_money_call() -> None:
    # As a European quote this one would have a volatility of 28.6 %.
    vol, years, rate = 0.25, 1.0, 0.05
    forward, strike = np.array([100.0]), np.array([76.0])
    quote = american_price(forward, strike, np.array([vol]), np.array([rate]), np.array([True]), FINE)
    assert quote[0] > 24.0
    naive = implied_total_vol(quote * np.exp(rate * years), forward, strike, np.array([True]))
    assert naive.total_vol[0] > vol + 0.02
    assert deamericanise(quote, forward, strike, rate, years, True).total_vol[0] == pytest.approx(vol, abs=2e-5)


@pytest.mark.parametrize("over_boundary", [0.001, 0.01, 0.029, 0.031])
def test_a_hair_above_the_boundary_the_pricer_is_solved(over_boundary: float) -> None:
    s, r = np.array([0.3]), np.array([0.04])
    forward = 100 * np.exp(exercise_boundary(s, r, FINE)[0] + over_boundary * s)
    quote = american_price(forward, np.array([100.0]), s, r, np.array([False]), FINE)
    result = deamericanise(quote, forward, 100.0, 0.04, 1.0, False)
    assert result.exact[0] == (over_boundary < 0.03)
    assert result.total_vol[0] == pytest.approx(0.3, abs=2e-5)


@settings(max_examples=60, deadline=None)
@given(st.floats(-3, 6), st.floats(1e-3, 4.0), st.floats(1e-9, 0.6), st.booleans())
def test_inverts_the_pricer_also_outside_the_table(x: float, s: float, rate: float, call: bool) -> None:
    forward, strike = np.array([80.0]), np.array([80.0 * np.exp((x if call else -x) * s)])
    total_vol, rate_time, is_call = np.array([s]), np.array([rate]), np.array([call])
    quote = american_price(forward, strike, total_vol, rate_time, is_call)
    result = deamericanise(quote, forward, strike, rate, 1.0, is_call)
    unit = forward if call else strike
    over = (quote - np.maximum((forward - strike) if call else (strike - forward), 0.0)) / unit
    if over[0] <= 0.0:
        assert result.status[0] == IvStatus.AT_OR_BELOW_INTRINSIC
        return
    assert result.status[0] in {IvStatus.OK, IvStatus.AT_OR_BELOW_INTRINSIC}
    if over[0] > 1e-6 * s and s < 3:
        again = american_price(forward, strike, result.total_vol, rate_time, is_call)
        assert again == pytest.approx(quote, rel=1e-6, abs=1e-8 * s * unit[0])
        assert result.total_vol[0] == pytest.approx(s, rel=1e-4)


def test_every_kind_in_one_batch() -> None:
    forward, strike, vol, rate, years = 90.0, np.array([80.0, 90.0, 100.0]), 0.3, 0.06, 0.7
    s = np.full(3, vol * np.sqrt(years))
    f, r, call = np.full(3, forward), np.full(3, rate * years), np.array([True, True, False])
    european = price(f, strike, s, call)
    kinds = [
        (european * np.exp(-r), False, True),
        (european, False, False),
        (european, True, False),
        (american_price(f, strike, s, r, call), True, True),
    ]
    prices, american, upfront = (np.array([kind[j] for kind in kinds]) for j in range(3))
    result = to_european(prices, forward, strike, rate, years, call, american[:, None], upfront[:, None])
    assert (result.status == IvStatus.OK).all()
    assert result.total_vol == pytest.approx(np.broadcast_to(s, (4, 3)), abs=1e-6)
    assert result.total_vol[:3] == pytest.approx(np.broadcast_to(s, (3, 3)), rel=1e-12)
    assert result.european_undiscounted == pytest.approx(np.broadcast_to(european, (4, 3)), abs=2e-5)


@pytest.mark.parametrize("rate", [0.0, -0.03])
def test_without_a_positive_rate_american_is_european(rate: float) -> None:
    f, k, call = np.full(3, 90.0), np.array([80.0, 90.0, 100.0]), np.array([True, True, False])
    quote = np.exp(-rate) * price(f, k, np.full(3, 0.3), call)
    result = deamericanise(quote, f, k, rate, 1.0, call)
    assert result.total_vol == pytest.approx(0.3, rel=1e-12)
    assert result.european_undiscounted == pytest.approx(quote * np.exp(rate), rel=1e-15)
    assert not result.exact.any()


@pytest.mark.parametrize("american", [True, False])
@pytest.mark.parametrize("upfront", [True, False])
def test_each_bad_quote_has_its_status_and_the_good_one_survives(american: bool, upfront: bool) -> None:
    cases = [
        # price, forward, strike, rate, years
        (12.0, 100.0, 90.0, 0.04, 0.5, IvStatus.OK),
        (np.nan, 100.0, 90.0, 0.04, 0.5, IvStatus.INPUT_NOT_FINITE),
        (12.0, np.inf, 90.0, 0.04, 0.5, IvStatus.INPUT_NOT_FINITE),
        (12.0, 100.0, np.nan, 0.04, 0.5, IvStatus.INPUT_NOT_FINITE),
        (12.0, 100.0, 90.0, np.nan, 0.5, IvStatus.INPUT_NOT_FINITE),
        (12.0, 100.0, 90.0, 0.04, np.nan, IvStatus.INPUT_NOT_FINITE),
        (12.0, 100.0, 90.0, 0.04, np.inf, IvStatus.INPUT_NOT_FINITE),
        # A rate in tenths of a percent, with two centuries to go.
        (12.0, 100.0, 90.0, 40.0, 200.0, IvStatus.INPUT_NOT_FINITE),
        (12.0, 0.0, 90.0, 0.04, 0.5, IvStatus.INPUT_NOT_POSITIVE),
        (12.0, 100.0, -90.0, 0.04, 0.5, IvStatus.INPUT_NOT_POSITIVE),
        (12.0, 100.0, 90.0, 0.04, 0.0, IvStatus.INPUT_NOT_POSITIVE),
        (12.0, 100.0, 90.0, 0.04, -0.5, IvStatus.INPUT_NOT_POSITIVE),
        (9.0, 100.0, 90.0, 0.04, 0.5, IvStatus.AT_OR_BELOW_INTRINSIC),
        (0.0, 100.0, 120.0, 0.04, 0.5, IvStatus.AT_OR_BELOW_INTRINSIC),
        (-1.0, 100.0, 120.0, 0.04, 0.5, IvStatus.AT_OR_BELOW_INTRINSIC),
        (100.0, 100.0, 90.0, 0.04, 0.5, IvStatus.AT_OR_ABOVE_UPPER_BOUND),
        (1e6, 100.0, 90.0, 0.04, 0.5, IvStatus.AT_OR_ABOVE_UPPER_BOUND),
    ]
    columns = [np.array(column) for column in zip(*cases, strict=True)]
    result = to_european(*columns[:5], True, american, upfront)
    assert [IvStatus(code) for code in result.status] == [case[-1] for case in cases]
    good = result.status == IvStatus.OK
    assert (np.isfinite(result.total_vol) == good).all()
    assert (np.isfinite(result.european_undiscounted) == good).all()


def test_a_quote_does_not_depend_on_its_batch(market: dict[str, Floats], solved: DeAmericanised) -> None:
    columns = {name: column for name, column in market.items() if name != "vol"}
    picked = np.r_[np.arange(0, N, 211), np.flatnonzero(solved.exact)[:2]]
    for rows in [*(np.array([i]) for i in picked), picked, picked[::-1], np.tile(np.arange(N), 4)]:
        part = deamericanise(**{name: column[rows] for name, column in columns.items()})
        assert (part.status == solved.status[rows]).all()
        assert np.array_equal(part.total_vol, solved.total_vol[rows], equal_nan=True)
        assert np.array_equal(part.european_undiscounted, solved.european_undiscounted[rows], equal_nan=True)
    # Beside quotes of other kinds.
    mixed = to_european(**columns, american=np.arange(N) % 2 == 0, upfront=True)
    assert np.array_equal(mixed.total_vol[::2], solved.total_vol[::2], equal_nan=True)


def test_no_quote_gives_no_answer() -> None:
    result = deamericanise([], [], [], [], [], [])
    assert result.total_vol.shape == result.european_undiscounted.shape == result.status.shape == (0,)
