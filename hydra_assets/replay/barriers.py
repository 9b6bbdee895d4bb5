"""Which decisions of a triple-barrier label are still held: profit ends where the label ends.

A decision of session t is entered at the settle of t+1. Whether its return since then has met a barrier is seen at the
settle of a session s, so the decision of s no longer holds it, and the position is left at the settle of s+1: the exit
that ``labels.make`` gives the label (``exit_lag_sessions`` 1). Without this a label that ends after two sessions would
be paid for the ten of its horizon.
"""

import numpy as np
from numpy.typing import NDArray

from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.replay.market import MarketArrays

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
FIRST_EARNED = 2
"""A decision of session t earns the session t+2 first."""


def still_held(market: MarketArrays, label: TripleBarrier) -> Flags:
    """Whether the decision made k traded sessions before s is held by the decision of s, ``[k, s, market]``.

    k runs from 0 to the horizon less one; sessions that a market did not trade say nothing. Row s knows the settles up
    to s alone. Barriers stand at ``upper`` and ``lower`` times the volatility known at the decision.

    Raises
    ------
    ValueError
        A label that is left at the very settle that shows its barrier met: nobody can do that.
    """
    if label.exit_lag_sessions != 1:
        msg = "a position is left at the settle after its barrier was met at the earliest"
        raise ValueError(msg)
    horizon = label.horizon_sessions
    out = np.ones((horizon, *market.settle.shape), dtype=np.bool_)
    for j in range(market.settle.shape[1]):
        rows = np.flatnonzero(market.tradable[:, j])
        if not len(rows):
            continue
        sigma = market.sigma_daily[rows, j] * np.sqrt(horizon)
        earned = _returns(market, rows, j)
        n = len(rows)
        growth, met = np.ones(n), np.zeros(n, dtype=np.bool_)
        for k in range(FIRST_EARNED, min(horizon, n)):
            growth[: n - k] *= 1.0 + earned[k:]
            gain = growth[: n - k] - 1.0
            # A decision without a volatility has no label and meets nothing.
            met[: n - k] |= (gain >= label.upper * sigma[: n - k]) | (gain <= -label.lower * sigma[: n - k])
            out[k, rows[k:], j] = ~met[: n - k]
    return out


def _returns(market: MarketArrays, rows: NDArray[np.int64], column: int) -> Floats:
    """Return of the held contract over each traded session, ``[n]``; 0 where there is none."""
    settle = market.settle[rows, column] * market.terms.multiplier[column]
    out = np.zeros(len(rows))
    with np.errstate(invalid="ignore", divide="ignore"):
        out[1:] = market.held_change[rows[1:], column] / settle[:-1]
    return np.where(np.isfinite(out), out, 0.0)
