"""From probabilities to the shares that are held: Kelly against the base rate, each decision for its own horizon.

A decision is about the sessions of its label, so it is held for as long: the position of a session is the mean of the
last h decisions, h the label's horizon, and profit and label are about the same sessions (overlapping portfolios:
N. Jegadeesh and S. Titman, "Returns to buying winners and selling losers", Journal of Finance 48 (1993)). Besides, it
trades one h-th of what changing the whole position with every decision would.

The payoff of a win against a loss is the one at which no bet is worth taking at the base rate p0,

    b_long = (1 - p0) / p0,   b_short = 1 / b_long,

which says that the unconditional mean return is zero: over a few years it cannot be told from that (the standard error
of a Sharpe ratio over five years is 0.45), while skewed returns rise in less or more than half of all cases.

Each bet has to earn its own round trip. With c the cost of entry and exit over the mean absolute move of the horizon,
sqrt(2 / pi) sigma sqrt(h), a win pays 1 - c and a loss costs 1 + c, so the share falls by c, to zero where the edge is
smaller. Overlapping bets trade less than that; the rest is a margin of safety.

The sizing stakes a share against the move of ``SIZED_HORIZON`` sessions. A bet of another horizon h risks
sqrt(h / SIZED_HORIZON) times as much a lot, so its share is divided by that, and at most one: a label of more sessions
is not a larger position. Where a label has barriers, a decision is held until the settle after one was met
(``replay.barriers``).
"""

import numpy as np
from numpy.typing import NDArray

from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.replay.barriers import still_held
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.sizing import SizingConfig, signed_kelly

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
MEAN_ABSOLUTE = float(np.sqrt(2.0 / np.pi))
"""Mean absolute value of a standard normal."""
SIZED_HORIZON = SizingConfig().horizon_sessions


def held_shares(
    probability: Floats, base_rate: Floats, market: MarketArrays, horizon: int, barriers: TripleBarrier | None = None
) -> Floats:
    """Signed shares of the sizing that probabilities of a label are worth, held as the label is, ``[session, market]``.

    ``horizon`` is the label's; ``barriers`` are given where a position may be left before it.
    """
    worth = net_of_cost(neutral_shares(probability, base_rate), round_trip_share(market, horizon))
    worth = np.clip(worth * np.sqrt(SIZED_HORIZON / horizon), -1.0, 1.0)
    return over_horizon(worth, market.tradable, horizon, None if barriers is None else still_held(market, barriers))


def neutral_shares(probability: Floats, base_rate: Floats) -> Floats:
    """Signed Kelly shares of probabilities against their base rate, any shape; NaN where either is missing.

    >>> neutral_shares(np.array([0.6, 0.5, 0.3]), np.array([0.5, 0.5, 0.4])).round(12).tolist()
    [0.2, 0.0, -0.25]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        payoff = (1.0 - base_rate) / base_rate
        shares = signed_kelly(probability, None, payoff, 1.0 / payoff)
    return np.where((base_rate > 0.0) & (base_rate < 1.0), shares, np.nan)


def net_of_cost(shares: Floats, cost: Floats) -> Floats:
    """Shares less what the round trip takes from them, both ``[session, market]``; none is turned round.

    A missing cost is one that cannot be earned: no bet.

    >>> net_of_cost(np.array([0.2, -0.2, 0.05]), np.array([0.1, 0.1, 0.1])).round(12).tolist()
    [0.1, -0.1, 0.0]
    """
    left = np.maximum(np.abs(shares) - np.where(np.isfinite(cost), cost, np.inf), 0.0)
    return np.where(np.isnan(shares), np.nan, np.sign(shares) * left)


def round_trip_share(market: MarketArrays, horizon: int) -> Floats:
    """Cost of entry and exit of a lot over the mean absolute move of the horizon, ``[session, market]``.

    Half the spread and the fee, twice; impact depends on the size and is left out.
    """
    terms = market.terms
    money = 2.0 * (terms.half_spread_ticks * terms.tick * terms.multiplier + terms.fee_per_contract)
    with np.errstate(invalid="ignore", divide="ignore"):
        move = MEAN_ABSOLUTE * market.sigma_daily * market.settle * terms.multiplier * np.sqrt(horizon)
        share = money / move
    return np.where(move > 0.0, share, np.nan)


def over_horizon(shares: Floats, traded: Flags, horizon: int, held: Flags | None = None) -> Floats:
    """Mean of each market's last ``horizon`` decisions, ``[session, market]``.

    Sessions that the market did not trade are no decisions and are passed over; a missing decision within the window is
    a position of zero, and so is one that is no longer held (``held`` ``[horizon, session, market]`` by its age, as
    ``still_held`` makes it). NaN where the session itself has none.

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
        window = np.lib.stride_tricks.sliding_window_view(padded, horizon) if len(rows) else own[:, None]
        if held is not None:
            # A window begins with its oldest decision.
            window = window * held[::-1, rows, market].T
        mean = window.sum(axis=1) / horizon
        out[rows, market] = np.where(np.isfinite(own), mean, np.nan)
    return out
