import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.stats.fitness import CASH, Fitness, at_costs, fitness, windows

NONE_DUE = np.full(4, np.nan)


def test_weights():
    each = [Fitness(*np.eye(6)[i]).total for i in range(6)]
    assert each == pytest.approx([0.25, 0.20, 0.15, 0.15, 0.15, 0.10])
    assert sum(each) == pytest.approx(1.0)
    assert CASH.total == pytest.approx(0.5)


def test_four_sessions_by_hand():
    # mean 0, sd 0.01 sqrt(5) = 0.0223607, annual volatility 0.354965; equity 1, 4, 1, 0 %: drawdown 4 %
    #   drawdown 0.354965/0.394965 = 0.898725
    # twice the costs: mean -0.0001, ratio -0.0001/0.0223607 sqrt(252) = -0.0709930, L = 0.482259
    # total 0.25/2 + 0.2 0.898725 + 0.15 0.6 + 0.15 0.482259 + 0.15/2 + 0.1/2 = 0.592084
    returns = np.array([0.01, 0.03, -0.03, -0.01])
    found = fitness(returns, np.full(4, 0.0001), np.array([0.2, np.nan, 0.3, 0.1]), features=30)
    assert found.sharpe == pytest.approx(0.5)
    assert found.drawdown == pytest.approx(0.898725, abs=1e-6)
    assert found.calibration == pytest.approx(0.6)
    assert found.robustness == pytest.approx(0.482259, abs=1e-6)
    assert found.slippage == pytest.approx(0.5)
    assert found.simplicity == pytest.approx(0.5)
    assert found.total == pytest.approx(0.592084, abs=1e-6)


def test_mean_return_by_hand():
    # 0.0005 a day is 12.6 % a year: L(1.26) = 0.779026
    returns = np.array([0.0105, 0.0305, -0.0295, -0.0095])
    assert fitness(returns, np.zeros(4), NONE_DUE, 0).slippage == pytest.approx(1.0 / (1.0 + np.exp(-1.26)))
    assert fitness(returns, np.zeros(4), NONE_DUE, 90).simplicity == pytest.approx(0.25)


def test_a_window_without_a_trade_is_cash_but_for_the_model():
    idle = fitness(np.zeros(4), np.zeros(4), NONE_DUE, features=30)
    assert idle == CASH


def test_worse_than_any_coin_is_zero_and_not_below():
    assert fitness(np.zeros(4), np.zeros(4), np.full(4, 0.9), 30).calibration == 0.0


def test_useless_strategy_is_less_fit_than_cash_and_a_good_one_fitter():
    random = np.random.default_rng(3)
    noise = 0.0063 * random.standard_normal((200, 252))
    noise -= noise.mean(axis=1, keepdims=True)
    errors = np.full(252, 0.25)
    useless = np.mean([fitness(row, np.full(252, 1e-5), errors, 30).total for row in noise])
    good = np.mean([fitness(row + 0.0063 / np.sqrt(252.0), np.full(252, 1e-5), errors, 30).total for row in noise])
    assert useless < 0.5 + 0.02
    assert good > 0.55


@given(st.integers(0, 2**32 - 1), st.floats(1e-5, 1e-2))
def test_bounds_and_direction(seed, step):
    random = np.random.default_rng(seed)
    returns, costs = 0.01 * random.standard_normal(60), 0.001 * random.random(60)
    errors = random.random(60)
    low, high = fitness(returns, costs, errors, 40), fitness(returns + step, costs, errors, 40)
    assert all(0.0 <= getattr(low, name) <= 1.0 for name in Fitness.__slots__)
    assert high.total > low.total
    assert fitness(returns, costs, errors, 39).total > low.total
    assert fitness(returns, 2.0 * costs, errors, 40).robustness < low.robustness


def test_costs_by_hand():
    assert at_costs(np.array([0.01, 0.02]), np.array([0.001, 0.0]), 3.0) == pytest.approx([0.008, 0.02])


@given(st.integers(5, 3000), st.integers(1, 5))
def test_windows_cover_all_once(sessions, count):
    spans = windows(sessions, count)
    assert np.concatenate([np.arange(sessions)[s] for s in spans]).tolist() == list(range(sessions))
    sizes = [s.stop - s.start for s in spans]
    assert max(sizes) - min(sizes) <= 1
