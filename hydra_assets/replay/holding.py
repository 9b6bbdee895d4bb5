"""From probabilities to the shares that are held: Kelly against the base rate, each decision for its own horizon.

A decision is about the sessions of its label, so it is held for as long: the position of a session is the mean of the
last h decisions, h the label's horizon, and profit and label are about the same sessions (overlapping portfolios:
N. Jegadeesh and S. Titman, "Returns to buying winners and selling losers", Journal of Finance 48 (1993)). Besides, it
trades one h-th of what changing the whole position with every decision would.

The payoff of a win against a loss is the one at which no bet is worth taking at the base rate p0,

    b_long = (1 - p0) / p0,   b_short = 1 / b_long,

which says that the unconditional mean return is zero: over a few years it cannot be told from that (the standard error
of a Sharpe ratio over five years is 0.45), while skewed returns rise in less or more than half of all cases.
"""

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.sizing import signed_kelly

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def neutral_shares(probability: Floats, base_rate: Floats) -> Floats:
    """Signed Kelly shares of probabilities against their base rate, any shape; NaN where either is missing.

    >>> neutral_shares(np.array([0.6, 0.5, 0.3]), np.array([0.5, 0.5, 0.4])).round(12).tolist()
    [0.2, 0.0, -0.25]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        payoff = (1.0 - base_rate) / base_rate
        shares = signed_kelly(probability, None, payoff, 1.0 / payoff)
    return np.where((base_rate > 0.0) & (base_rate < 1.0), shares, np.nan)


def over_horizon(shares: Floats, traded: Flags, horizon: int) -> Floats:
    """Mean of each market's last ``horizon`` decisions, ``[session, market]``.

    Sessions that the market did not trade are no decisions and are passed over; a missing decision within the window is
    a position of zero. NaN where the session itself has none.

    Raises
    ------
    ValueError
        A horizon below one, or shapes that differ.
    """
    if horizon < 1 or shares.shape != traded.shape:
        msg = f"a horizon of {horizon} sessions over shares {shares.shape} and sessions {traded.shape}"
        raise ValueError(msg)
    out = np.full_like(shares, np.nan)
    for market in range(shares.shape[1]):
        rows = np.flatnonzero(traded[:, market])
        own = shares[rows, market]
        padded = np.concatenate([np.zeros(horizon - 1), np.where(np.isfinite(own), own, 0.0)])
        mean = np.lib.stride_tricks.sliding_window_view(padded, horizon).sum(axis=1) / horizon if len(rows) else own
        out[rows, market] = np.where(np.isfinite(own), mean, np.nan)
    return out
