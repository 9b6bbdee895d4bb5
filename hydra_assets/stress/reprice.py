"""The past with some of its returns changed: prices, variations and the known volatility follow.

With r the simple returns of the contract held and r' the ones it is given, prices are multiplied by

    g_t = g_{t-1} (1 + r'_t) / (1 + r_t),     variation'_t = g_t variation_t + (g_t - g_{t-1}) settle_{t-1} multiplier

which is r'_t times the price and multiplier of the session before. Where nothing is changed g stays what it was: one,
to the bit, before the first change. The volatility known at t is that of an equally weighted window of W sessions,

    sigma'_t^2 = sigma_t^2 + (1 / W) sum_{u = t-W+1}^{t} (r'_u^2 - r_u^2).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.market import MarketArrays

Floats = NDArray[np.float64]

LOWEST_RETURN = -0.95
"""A price that would lose more in a session loses this: multiplied prices stay above zero."""
LEAST_VOLATILITY = 0.5
"""Share of the known volatility that a change of returns leaves at least; it is an estimate, and not exactly theirs."""


def last_priced(market: MarketArrays) -> NDArray[np.int64]:
    """Latest session before each ``[session, market]`` with a usable price; -1 where there was none."""
    rows = np.where(market.priced, np.arange(len(market.days))[:, None], -1)
    out = np.full(rows.shape, -1, dtype=np.int64)
    out[1:] = np.maximum.accumulate(rows, axis=0)[:-1]
    return out


def held_returns(market: MarketArrays) -> Floats:
    """Variation of the contract carried in over its value at the last settle, ``[session, market]``; NaN where none."""
    before = last_priced(market)
    value = np.take_along_axis(market.settle, np.maximum(before, 0), axis=0) * market.terms.multiplier
    return np.asarray(np.where(market.priced & (before >= 0), market.held_change / value, np.nan))


def with_returns(market: MarketArrays, returns: Floats, window: int) -> MarketArrays:
    """Give the market these returns, ``[session, market]``; cells equal to ``held_returns`` or NaN are left alone.

    What happens in a session is taken to happen after its open.
    """
    own = held_returns(market)
    changed = np.isfinite(returns) & np.isfinite(own) & (returns != own)
    given = np.where(changed, np.maximum(returns, LOWEST_RETURN), own)
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = np.cumprod(np.where(changed, (1.0 + given) / (1.0 + own), 1.0), axis=0)
    growth_before = np.ones_like(growth)
    growth_before[1:] = growth[:-1]
    before = np.maximum(last_priced(market), 0)
    settle_before = np.take_along_axis(market.settle, before, axis=0)
    step = np.where(changed, (growth - growth_before) * settle_before * market.terms.multiplier, 0.0)
    extra = np.where(changed, given * given - own * own, 0.0)
    return replace(
        market,
        settle=growth * market.settle,
        held_change=growth * market.held_change + step,
        sigma_daily=_following(market.sigma_daily, extra, window),
        open=None if market.open is None else growth_before * market.open,
        high=None,
        low=None,
    )


def _following(sigma: Floats, extra: Floats, window: int) -> Floats:
    """Volatility with the mean over the window of extra squared returns; untouched where there are none."""
    total = np.zeros_like(extra)
    for lag in range(min(window, len(extra))):
        total[lag:] += extra[: len(extra) - lag]
    with np.errstate(invalid="ignore"):
        variance = np.maximum(sigma * sigma + total / window, (LEAST_VOLATILITY * sigma) ** 2)
        return np.asarray(np.where(total == 0.0, sigma, np.sqrt(variance)))
