import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.stats.performance import (
    CapacityReason,
    capacity,
    cost_share,
    max_drawdown,
    performance,
    performance_by_regime,
    performances,
    turnover,
)
from hydra_assets.stats.returns import ReturnsReason

SIX = np.array([0.02, -0.01, -0.02, 0.00, 0.04, -0.01])


def test_six_returns_by_hand():
    # sum 0.02, mean 1/300; equity 2, 1, -1, -1, 3, 2 %: deepest fall 3 % (2 to -1)
    # downside: (1 + 4 + 1) e-4 / 6 = 1e-4, root 0.01; annual return 0.84; hits 2 of 5 with a result
    # variance: (4 + 1 + 4 + 0 + 16 + 1) e-4 / 6 - 1/9e-4 = (26/6 - 1/9) e-4 = 38/9 e-4
    found = performance(SIX, costs=np.full(6, 0.005), minimum=6)
    assert found.reason is ReturnsReason.OK
    assert found.annual_return == pytest.approx(0.84)
    assert found.annual_volatility == pytest.approx(0.01 * np.sqrt(38.0 / 9.0 * 252.0))
    assert found.max_drawdown == pytest.approx(0.03)
    assert found.calmar == pytest.approx(28.0)
    assert found.sortino == pytest.approx(np.sqrt(252.0) / 3.0)
    assert found.hit_rate == pytest.approx(0.4)
    # costs 0.03 of a gross 0.05
    assert found.cost_share == pytest.approx(0.6)
    assert found.turnover is None
    assert found.sharpe is not None
    assert found.metrics("c_")["c_sharpe"] == pytest.approx(np.sqrt(252.0 / 38.0))
    assert "c_turnover" not in found.metrics("c_")


def test_first_loss_is_a_drawdown():
    assert max_drawdown(np.array([-0.01, -0.01, 0.05])) == pytest.approx(0.02)
    assert max_drawdown(np.array([0.01, 0.02])) == 0.0


def test_figures_that_do_not_exist():
    rising = performance(0.01 + 0.001 * np.sin(np.arange(30.0)))
    assert (rising.sortino, rising.calmar, rising.max_drawdown, rising.hit_rate) == (None, None, 0.0, 1.0)
    assert cost_share(np.full(3, -0.02), np.full(3, 0.01)) is None


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (SIX, ReturnsReason.TOO_FEW_SESSIONS),
        (np.zeros(40), ReturnsReason.CONSTANT_RETURNS),
        (np.r_[np.tile(SIX, 6), np.nan], ReturnsReason.MISSING_RETURN),
    ],
)
def test_unusable_returns_leave_figures_missing(series, reason):
    found = performance(series)
    assert (found.reason, found.sharpe, found.max_drawdown) == (reason, None, None)
    assert found.metrics() == {"sessions": float(len(series))}


def test_one_bad_candidate_does_not_hide_the_rest():
    good = np.tile(SIX, 6)
    bad = np.where(np.arange(36) == 3, np.nan, good)
    first, second = performances(np.stack([bad, good]))
    assert first.reason is ReturnsReason.MISSING_RETURN
    assert second == performance(good)


def test_by_regime():
    returns, regimes = np.tile(SIX, 8), np.repeat([0, 1, 0], [20, 10, 18])
    found = performance_by_regime(returns, regimes)
    assert set(found) == {0, 1}
    assert found[0] == performance(np.r_[returns[:20], returns[30:]])
    assert found[1].reason is ReturnsReason.TOO_FEW_SESSIONS
    with pytest.raises(ValueError, match="regimes"):
        performance_by_regime(returns, regimes[:-1])


def test_bad_costs():
    for costs in (np.full(6, -0.001), np.full(6, np.nan), np.zeros(5)):
        with pytest.raises(ValueError, match="costs"):
            cost_share(SIX, costs)


def test_turnover_by_hand():
    # trades 1, 0, 2, 1 in four sessions: mean 1 a day
    assert turnover([1.0, 1.0, -1.0, 0.0]) == pytest.approx(252.0)
    # a second market that trades 0.5 once adds 0.5/4
    assert turnover(np.array([[1.0, 0.0], [1.0, 0.5], [-1.0, 0.5], [0.0, 0.5]])) == pytest.approx(1.125 * 252.0)
    with pytest.raises(ValueError, match="missing"):
        turnover([1.0, np.nan])


def test_capacity_by_hand():
    # gross 0.1 s against costs 0.05 s^1.5: break-even where s = 4; best at s = (0.1/0.075)^2 = 1.78
    sizes = np.linspace(0.01, 6.0, 600)
    found = capacity(sizes, 0.1, 0.05 * sizes**1.5)
    assert found.reason is CapacityReason.OK
    assert found.break_even == pytest.approx(4.0, abs=1e-3)
    assert found.best == pytest.approx(16.0 / 9.0, abs=0.01)
    # between 1 (net 0.05) and 2 (net -0.05) in the middle
    assert capacity([1.0, 2.0], 0.1, [0.05, 0.25]).break_even == pytest.approx(1.5)
    assert capacity([1.0, 2.0], 0.1, [0.01, 0.03]).reason is CapacityReason.BEYOND_CURVE
    assert capacity([1.0, 2.0], 0.1, [0.2, 0.4]).reason is CapacityReason.NO_EDGE
    for sizes, costs in (([1.0, 1.0], [0.1, 0.1]), ([0.0, 1.0], [0.1, 0.1]), ([1.0], [np.nan]), ([], [])):
        with pytest.raises(ValueError, match="sizes"):
            capacity(sizes, 0.1, costs)


@given(st.integers(0, 2**32 - 1))
def test_drawdown_bounds(seed):
    returns = np.random.default_rng(seed).standard_normal(50)
    deepest = max_drawdown(returns)
    pairs = [returns[a:b].sum() for a in range(50) for b in range(a + 1, 51)]
    assert deepest == pytest.approx(max(0.0, -min(pairs)))
