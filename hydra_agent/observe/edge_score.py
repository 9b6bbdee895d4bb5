"""The champion's edge by what it claims: every probability says how far a price should move, and prices answer daily.

P(up) of a label of h sessions beside its base rate claims a mean of mu standard deviations a session,

    mu = (logit p - logit base) / (1.6 sqrt(h)),   x_t = return of session t over its volatility,

with 1.6 between logits and probits. Were the claims right, y_t = sum over markets of mu x would have mean
q_t = sum mu^2 and variance v q_t (v above 1, for markets move together); were they right with the other sign, mean
-q_t. Page's CUSUM of the log-likelihood ratio of the two,

    S_t = max(0, S_{t-1} - 2 y_t / v),   run length (e^b - b - 1) / I to a false alarm at S > b,   I = 2 q / v,

needs no estimate of what was earned in a walk-forward, which two years know to +-0.7 of annual Sharpe ratio, and sees
what trading leaves out: sessions without a position, costs, whole lots. On the benchmark's worlds claims are right on
average (a ratio of 1.00) and y has a Sharpe ratio of 1.4 where the net profit has 0.9, so a flip is seen in half the
time (``python -m hydra_agent.healbench.budgets``).
"""

from dataclasses import dataclass

import numpy as np

from hydra_agent.observe.signals import Floats
from hydra_agent.view import GroupView, Walk
from hydra_assets.models.calibration import log_odds
from hydra_assets.stats.detectors.edge import reflected

LOGIT_OF_PROBIT = 1.6
ENTRY_LAG = 2
"""A decision of session t is filled in t + 1 and earns from t + 2 on."""
LARGEST_MOVE = 5.0
"""Standard deviations to which a session's return is held: one crash is no evidence on an edge."""
RATIO_PRIOR, PRIOR_SESSIONS, MOST_RATIO = 1.25, 126, 4.0
"""v before anything was seen, and the sessions it counts for; 1.12 to 1.32 on the benchmark's worlds."""
LEAST_INFORMATION = 2.0 * 0.04**2
"""A session. 0.04 standard deviations are 0.6 of annual Sharpe ratio: who claims less cannot be told from nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class EdgeScore:
    """Claims of a walk and what prices answered, ``[T]`` each; zero where nothing was claimed."""

    score: Floats
    """y."""
    claimed: Floats
    """q."""
    ratio: Floats
    """v as known before the session."""

    @property
    def statistic(self) -> Floats:
        """S."""
        return reflected((-2.0 * self.score / self.ratio)[:, None])[:, 0]

    def threshold(self, sessions_between_alarms: float) -> Floats:
        """B ``[T]`` for a run length, by the information claimed so far."""
        seen = np.cumsum(self.claimed > 0.0)
        rate = 2.0 * np.cumsum(self.claimed) / self.ratio / np.maximum(seen, 1)
        wanted = sessions_between_alarms * np.maximum(rate, LEAST_INFORMATION)
        grid = np.linspace(0.05, 20.0, 400)
        return np.asarray(np.interp(wanted, np.expm1(grid) - grid, grid))


def edge_score(view: GroupView, walk: Walk, since: int) -> EdgeScore:
    """Score of what a walk said from a row on; row t knows rows up to t alone."""
    horizon = walk.recipe.horizon_sessions
    rows = len(walk.probability)
    claim = (log_odds(walk.probability) - log_odds(walk.base)) / (LOGIT_OF_PROBIT * np.sqrt(horizon))
    claim = np.where(np.isfinite(claim), claim, 0.0)
    claim[:since] = 0.0
    held = np.zeros_like(claim)
    # Decisions of neighbouring sessions hold at once, each its share of the horizon.
    for k in range(ENTRY_LAG, min(ENTRY_LAG + horizon, rows)):
        held[k:] += claim[: rows - k] / horizon
    market = view.market
    moved = np.zeros_like(held)
    with np.errstate(invalid="ignore", divide="ignore"):
        units = market.held_change[1:rows] / (
            market.settle[: rows - 1] * market.terms.multiplier * market.sigma_daily[: rows - 1]
        )
    moved[1:] = np.where(np.isfinite(units), np.clip(units, -LARGEST_MOVE, LARGEST_MOVE), 0.0)
    # A session without a return answers nothing, so nothing counts as claimed for it.
    held[1:][~np.isfinite(units)] = 0.0
    score, claimed = (held * moved).sum(axis=1), (held**2).sum(axis=1)
    return EdgeScore(score, claimed, _ratio(score, claimed))


def _ratio(score: Floats, claimed: Floats) -> Floats:
    """Variance of the score over that of independent markets, from the rows before each."""
    squares, total = np.cumsum(score**2), np.cumsum(claimed)
    seen = np.maximum(np.cumsum(claimed > 0.0), 1)
    prior = PRIOR_SESSIONS * total / seen
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (squares + RATIO_PRIOR * prior) / (total + prior)
    out = np.full(len(score), RATIO_PRIOR)
    out[1:] = np.where(np.isfinite(found), np.clip(found, 1.0, MOST_RATIO), RATIO_PRIOR)[:-1]
    return out
