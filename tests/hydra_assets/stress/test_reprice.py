"""Prices that follow changed returns, by hand: 80 a unit, 400 in money for one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.stress.reprice import held_returns, with_returns
from tests.hydra_assets.replay.worlds import world

NAN = float("nan")


def test_returns_are_over_the_last_settle_that_there_was() -> None:
    """80 -> 84 is 5 %; 84 -> (closed) -> 79.8 is -5 % over two sessions; the first session has none."""
    market = world([80.0, 84.0, NAN, 79.8])
    np.testing.assert_allclose(held_returns(market)[:, 0], [NAN, 0.05, NAN, -0.05], rtol=1e-12)


def test_a_fall_moves_prices_after_it_and_the_variation_of_its_session() -> None:
    """80, 80, 80, 88 with -10 % put into session 2: 72, then +10 % of 72 is 7.2, so 79.2; variations -8, 7.2 times 400.

    Window of two: sigma^2 = 0.02^2 + 0.1^2 / 2 in sessions 2 and 3, which is 0.0054.
    """
    market = world([80.0, 80.0, 80.0, 88.0])
    returns = held_returns(market)
    returns[2] = -0.1
    moved = with_returns(market, returns, window=2)
    np.testing.assert_allclose(moved.settle[:, 0], [80.0, 80.0, 72.0, 79.2], rtol=1e-12)
    np.testing.assert_allclose(moved.held_change[1:, 0], [0.0, -3_200.0, 2_880.0], rtol=1e-9)
    np.testing.assert_allclose(moved.sigma_daily[:, 0], [0.02, 0.02, 0.0054**0.5, 0.0054**0.5], rtol=1e-12)


def test_volatility_is_what_it_was_once_the_window_has_passed() -> None:
    market = world([80.0] * 6)
    returns = held_returns(market)
    returns[2] = 0.1
    moved = with_returns(market, returns, window=2)
    assert moved.sigma_daily[[0, 1, 4, 5], 0].tolist() == [0.02] * 4


def test_a_change_of_contract_keeps_the_return() -> None:
    """On a roll the settle jumps to the new contract's 100 though the held one moved by 1: with nothing changed before,
    the return of 1 / 80 becomes 0.05 of 80 = 4 in price, 1,600 in money; the new contract is moved with it."""
    market = world([80.0, 100.0, 100.0], held_change=[0.0, 400.0, 0.0])
    returns = held_returns(market)
    returns[1] = 0.05
    moved = with_returns(market, returns, window=20)
    np.testing.assert_allclose(moved.held_change[1, 0], 1_600.0, rtol=1e-12)
    np.testing.assert_allclose(moved.settle[1:, 0], 100.0 * 1.05 / 1.0125, rtol=1e-12)


def test_a_change_comes_after_the_open_of_its_session() -> None:
    """-10 % in session 1: its own open of 81 stays, that of the session after is 0.9 * 81 = 72.9."""
    market = world([80.0] * 3, open=[81.0] * 3)
    moved = with_returns(market, np.array([[NAN], [-0.1], [NAN]]), window=20)
    assert moved.open is not None
    np.testing.assert_allclose(moved.open[:, 0], [81.0, 81.0, 72.9], rtol=1e-12)


def test_half_of_the_known_volatility_is_left_where_a_return_is_taken_away() -> None:
    """0.02^2 less the 0.1^2 of session 1 in a window of one is below zero: 0.01 stays."""
    market = world([80.0, 88.0, 88.0])
    moved = with_returns(market, np.array([[NAN], [0.0], [NAN]]), window=1)
    np.testing.assert_allclose(moved.sigma_daily[:, 0], [0.02, 0.01, 0.02], rtol=1e-12)


def test_a_price_does_not_reach_zero() -> None:
    market = world([80.0, 80.0])
    moved = with_returns(market, np.array([[NAN], [-3.0]]), window=20)
    np.testing.assert_allclose(moved.settle[:, 0], [80.0, 4.0], rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), at=st.integers(2, 38))
def test_what_is_not_changed_is_the_same_to_the_bit(seed: int, at: int) -> None:
    random = np.random.default_rng(seed)
    settle = 80.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, (40, 2)), axis=0))
    market = world(settle, open=settle * 1.001)
    own = held_returns(market)
    same = with_returns(market, own, window=20)
    for name in ("settle", "held_change", "sigma_daily", "open"):
        np.testing.assert_array_equal(getattr(same, name), getattr(market, name))
    own[at, 0] += 0.03
    moved = with_returns(market, own, window=20)
    for name in ("settle", "held_change", "sigma_daily", "open"):
        np.testing.assert_array_equal(getattr(moved, name)[:at], getattr(market, name)[:at])
        np.testing.assert_array_equal(getattr(moved, name)[:, 1], getattr(market, name)[:, 1])
    np.testing.assert_allclose(held_returns(moved)[:, 0], own[:, 0], rtol=1e-9, atol=1e-12)
