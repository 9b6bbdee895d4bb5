"""Composite fitness of a strategy over some sessions: six components in [0, 1], weighted.

    sharpe         L(SR)                                    SR annual, L(x) = 1 / (1 + e^-x)
    drawdown       1 / (1 + max drawdown / annual volatility)
    calibration    1 - 2 Brier, not below 0                 a coin is 1/2
    robustness     L(SR at twice the costs)
    slippage       L(annual net return / 10 %)              10 % is the volatility a strategy is sized to
    simplicity     1 / (1 + features / 30)

Every function is monotone and one half at the neutral point: no return, a drawdown as large as a year's volatility
(about what pure luck shows in a year), a coin's probabilities, thirty features. *Cash* is one half in everything: it
has neither risk nor model, and would otherwise win by simplicity and calm alone.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.special import expit

from hydra_assets.stats.performance import max_drawdown
from hydra_assets.stats.returns import SESSIONS_PER_YEAR, Floats, is_flat

REFERENCE_VOLATILITY = 0.10
HALF_SIMPLE = 30.0
"""Features at which simplicity is one half: about half of the feature dictionary."""
COST_MULTIPLE = 2.0


@dataclass(frozen=True, slots=True)
class Fitness:
    """Components in [0, 1]; the weights are the ones the gates are specified with and sum to one."""

    sharpe: float
    drawdown: float
    calibration: float
    robustness: float
    slippage: float
    simplicity: float

    @property
    def total(self) -> float:
        """Weighted sum."""
        return (
            0.25 * self.sharpe
            + 0.20 * self.drawdown
            + 0.15 * self.calibration
            + 0.15 * self.robustness
            + 0.15 * self.slippage
            + 0.10 * self.simplicity
        )


CASH = Fitness(0.5, 0.5, 0.5, 0.5, 0.5, 0.5)


def fitness(net_returns: Floats, costs: Floats, squared_errors: Floats, features: int) -> Fitness:
    """Fitness over ``[n]`` sessions.

    Parameters
    ----------
    net_returns, costs : ``[n]`` over capital, costs already taken off
    squared_errors : ``[n]`` mean of (p - y)^2 over the decisions of each session, NaN where none was due
    features : how many features the recipe uses

    Without one due decision calibration is unknown and counts as a coin's.
    """
    volatility = float(net_returns.std() * np.sqrt(SESSIONS_PER_YEAR))
    deepest = max_drawdown(net_returns)
    due = squared_errors[np.isfinite(squared_errors)]
    return Fitness(
        sharpe=float(expit(_ratio(net_returns))),
        drawdown=volatility / (volatility + deepest) if volatility + deepest > 0.0 else 0.5,
        calibration=max(0.0, 1.0 - 2.0 * float(due.mean())) if len(due) else 0.5,
        robustness=float(expit(_ratio(at_costs(net_returns, costs, COST_MULTIPLE)))),
        slippage=float(expit(net_returns.mean() * SESSIONS_PER_YEAR / REFERENCE_VOLATILITY)),
        simplicity=1.0 / (1.0 + features / HALF_SIMPLE),
    )


def at_costs(net_returns: Floats, costs: Floats, multiple: float) -> Floats:
    """Net returns had every cost been ``multiple`` times as high."""
    out: Floats = net_returns - (multiple - 1.0) * costs
    return out


def windows(sessions: int, count: int) -> tuple[slice, ...]:
    """``count`` disjoint windows of consecutive sessions that cover all, sizes differing by at most one."""
    edges = [round(i * sessions / count) for i in range(count + 1)]
    return tuple(slice(a, b) for a, b in pairwise(edges))


def _ratio(returns: Floats) -> float:
    """Annual Sharpe ratio; 0 for a window in which nothing was traded."""
    if is_flat(returns):
        return 0.0
    return float(returns.mean() / returns.std() * np.sqrt(SESSIONS_PER_YEAR))
