"""Implied total volatility from normalised prices, all quotes at once, with a status per quote.

Each quote is reduced to its out-of-the-money leg, beta = price / sqrt(F K) at x = -|ln(F/K)|, and b(x, s) = beta is
solved for s by Halley steps kept inside a shrinking bracket. The objective follows the region, as in Jaeckel (2015),
section 4: 1/ln b below the inflection s_c = sqrt(2|x|), where ln b ~ -x^2/(2 s^2), and ln of the gap to the upper bound
above it, where the gap decays like a normal tail. A European price is taken; an American one carries an
early-exercise premium that is ignored here (a few thousandths of the volatility for out-of-the-money quotes of some
months, more for deep in-the-money ones, which the cleaning drops anyway).
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats, normalised_call, normalised_call_gap, normalised_vega

MAX_ITERATIONS = 60
TOLERANCE = 4.0e-16
S_MAX = 40.0


class IvStatus(IntEnum):
    """What became of one quote's inversion."""

    OK = 0
    INPUT_NOT_FINITE = 1
    INPUT_NOT_POSITIVE = 2
    """Forward, strike or time to expiry is zero or negative."""
    AT_OR_BELOW_INTRINSIC = 3
    """No time value is left: the volatility is zero or the quote is stale."""
    AT_OR_ABOVE_UPPER_BOUND = 4
    """A call at or above its forward, a put at or above its strike."""


@dataclass(frozen=True, slots=True)
class ImpliedVols:
    """Total volatilities sigma sqrt(T), NaN where the status is not OK, and the status; both of the inputs' shape."""

    total_vol: Floats
    status: NDArray[np.int8]


def implied_total_vol(price: Floats, forward: Floats, strike: Floats, is_call: NDArray[np.bool_]) -> ImpliedVols:
    """Invert undiscounted European prices, ``[n]`` each, in the unit of the forward. Never raises on a bad quote."""
    price, forward, strike = (np.asarray(a, dtype=np.float64) for a in (price, forward, strike))
    status = np.zeros(price.shape, dtype=np.int8)
    finite = np.isfinite(price) & np.isfinite(forward) & np.isfinite(strike)
    positive = (forward > 0.0) & (strike > 0.0)
    status[~finite] = IvStatus.INPUT_NOT_FINITE
    status[finite & ~positive] = IvStatus.INPUT_NOT_POSITIVE
    usable = finite & positive
    f, k = np.where(usable, forward, 1.0), np.where(usable, strike, 1.0)
    intrinsic = np.maximum(np.where(is_call, f - k, k - f), 0.0)
    beta = (np.where(usable, price, 0.0) - intrinsic) / np.sqrt(f * k)
    x = -np.abs(np.log(f / k))
    status[usable & (beta <= 0.0)] = IvStatus.AT_OR_BELOW_INTRINSIC
    status[usable & (beta >= np.exp(0.5 * x))] = IvStatus.AT_OR_ABOVE_UPPER_BOUND
    total = np.full(price.shape, np.nan)
    good = status == IvStatus.OK
    if good.any():
        total[good] = solve_normalised(x[good], beta[good])
    return ImpliedVols(total, status)


def solve_normalised(x: Floats, beta: Floats) -> Floats:
    """Solve b(x, s) = beta for s, ``[n]``; requires x <= 0 and 0 < beta < e^(x/2) (checked by the caller)."""
    s = np.sqrt(2.0 * np.abs(x))
    s = np.where(s > 1e-8, s, 1e-8)
    low_side = beta < normalised_call(x, s)
    lower, upper = np.where(low_side, 0.0, s), np.where(low_side, s, S_MAX)
    s = np.where(low_side, s, np.minimum(np.maximum(s, beta * np.sqrt(2.0 * np.pi)), S_MAX))
    log_beta = np.log(beta)
    gap_target = np.log(np.exp(0.5 * x) - beta)
    active = np.ones(x.shape, dtype=bool)
    for _ in range(MAX_ITERATIONS):
        i = np.flatnonzero(active)
        if not len(i):
            break
        step, above = _halley_step(x[i], s[i], low_side[i], log_beta[i], gap_target[i])
        upper[i] = np.where(above, s[i], upper[i])
        lower[i] = np.where(above, lower[i], s[i])
        proposal = s[i] + step
        outside = ~((proposal > lower[i]) & (proposal < upper[i]))
        proposal = np.where(outside, 0.5 * (lower[i] + upper[i]), proposal)
        converged = np.abs(proposal - s[i]) <= TOLERANCE * 4.0 * s[i]
        s[i] = proposal
        active[i] = ~converged
    return s


def _halley_step(
    x: Floats, s: Floats, low_side: NDArray[np.bool_], log_beta: Floats, gap_target: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """One Halley step on the region's objective, and whether b(x, s) is above its target."""
    b, gap = normalised_call(x, s), normalised_call_gap(x, s)
    tiny = np.finfo(np.float64).tiny
    b, gap = np.maximum(b, tiny), np.maximum(gap, tiny)
    vega = normalised_vega(x, s)
    curvature = x * x / s**3 - 0.25 * s
    with np.errstate(all="ignore"):
        log_b = np.log(b)
        slope_low = vega / b
        f_low = 1.0 / log_beta - 1.0 / log_b
        d_low = slope_low / log_b**2
        dd_low = curvature - slope_low - 2.0 * slope_low / log_b
        f_high = gap_target - np.log(gap)
        d_high = vega / gap
        dd_high = curvature + d_high
        f = np.where(low_side, f_low, f_high)
        newton = -f / np.where(low_side, d_low, d_high)
        halley = newton / np.maximum(1.0 + 0.5 * newton * np.where(low_side, dd_low, dd_high), 0.2)
    above = np.where(low_side, log_b > log_beta, f_high > 0.0)
    return np.where(np.isfinite(halley), halley, np.nan), above


def half_spread_in_vol(x: Floats, total_vol: Floats, half_spread_normalised: Floats) -> Floats:
    """Half-spread of total volatility from that of the normalised price, to first order: d s = d beta / b'(s)."""
    with np.errstate(divide="ignore"):
        width: Floats = half_spread_normalised / normalised_vega(x, total_vol)
    return width


__all__ = ["ImpliedVols", "IvStatus", "half_spread_in_vol", "implied_total_vol", "solve_normalised"]
