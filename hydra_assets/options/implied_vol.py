"""Implied total volatility from European prices, all quotes at once, with a status per quote.

Each quote is reduced to its out-of-the-money leg, beta = price / sqrt(F K) at x = -|ln(F/K)|, and b(x, s) = beta is
solved for s = sigma sqrt(T). The start (``_start``) is good to 1.2e-4 on the quotes of a market, so one Householder
step of fourth order on ln b reaches the last digits. What it does not settle takes a second; what that does not, prices
near a bound and total volatilities above three, goes to Halley steps inside a shrinking bracket, on objectives that
follow the region as in P. Jaeckel, "Let's Be Rational" (Wilmott, January 2015), section 4. A quote's result never
depends on its batch.

A price of an American option is taken as European here; the premium of early exercise is taken off before.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.options.black76 import (
    SQRT_2PI,
    Floats,
    log_ratio,
    normalised_call,
    normalised_call_gap,
    normalised_vega,
    price_over_vega,
)

CHUNK_QUOTES = 4096
"""Quotes per pass: the temporaries stay in the processor's cache."""
SETTLED = 3e-4
"""Size of a step, relative to the smaller of s and two, that leaves an error near 1e-15: from a start off by a fraction
e a step ends off by c e^4, c below 0.25 to s = 3 and below s^4 / 300 above (60-digit arithmetic, |x| <= 30 s)."""
MAX_ITERATIONS = 100
TOLERANCE = 1.6e-15
START = (
    (0.9998928, -0.23371226, -0.0485892, 0.12637296, 0.56586485, -0.40794661),
    (0.0415465, -0.04513852, 0.13696873, -0.40573156, 0.61644787, -0.31818081),
    (0.00432917, 0.00614937, -0.09365624, 0.27798868, -0.3469804, 0.14566116),
)
"""Powers of y in a row, of u by rows: the minimax fit of s/base over |x| <= 6 s, s <= 1.2; the test fits it again."""
_LARGEST_U = 1.6
_NOISE = 2.0 * np.finfo(np.float64).eps
_SMALLEST = np.finfo(np.float64).tiny
_LOG_SQRT_2PI = np.log(SQRT_2PI)


class IvStatus(IntEnum):
    """What became of one quote's inversion."""

    OK = 0
    INPUT_NOT_FINITE = 1
    INPUT_NOT_POSITIVE = 2
    """Forward or strike is zero or negative."""
    AT_OR_BELOW_INTRINSIC = 3
    """No time value is left beyond rounding, or the price is not positive: no volatility, or a stale quote."""
    AT_OR_ABOVE_UPPER_BOUND = 4
    """A call at or above its forward, a put at or above its strike."""


@dataclass(frozen=True, slots=True)
class ImpliedVols:
    """Total volatilities sigma sqrt(T), NaN where the status is not OK, and the status; both of the inputs' shape."""

    total_vol: Floats
    status: NDArray[np.int8]


def implied_total_vol(price: ArrayLike, forward: ArrayLike, strike: ArrayLike, is_call: ArrayLike) -> ImpliedVols:
    """Invert undiscounted European prices in the unit of the forward; any shape, broadcast.

    Never raises on a bad quote: every quote that has no volatility has a status that says why. In the money the time
    value is what is left of the price, and so are its digits: a quote of 20 with a time value of 1e-8 has eight less.
    """
    shape = np.broadcast_shapes(*(np.shape(a) for a in (price, forward, strike, is_call)))
    p, f, k = (np.broadcast_to(np.asarray(a, dtype=np.float64), shape).ravel() for a in (price, forward, strike))
    call = np.broadcast_to(np.asarray(is_call, dtype=np.bool_), shape).ravel()
    total, status = np.empty(len(p)), np.empty(len(p), dtype=np.int8)
    for i in range(0, len(p), CHUNK_QUOTES):
        rows = slice(i, i + CHUNK_QUOTES)
        total[rows], status[rows] = _invert(p[rows], f[rows], k[rows], call[rows])
    return ImpliedVols(total.reshape(shape), status.reshape(shape))


def _invert(p: Floats, f: Floats, k: Floats, call: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.int8]]:
    finite = np.isfinite(p) & np.isfinite(f) & np.isfinite(k)
    positive = (f > 0.0) & (k > 0.0)
    with np.errstate(all="ignore"):
        difference = f - k
        intrinsic = np.maximum(np.where(call, difference, -difference), 0.0)
        time_value = p - intrinsic
        # Of an out-of-the-money option any positive price is time value; in the money, rounding is not.
        none_left = ~(time_value > _NOISE * intrinsic)
        beta = time_value / (np.sqrt(f) * np.sqrt(k))
    status = np.select(
        [~finite, ~positive, none_left | (beta < _SMALLEST), time_value >= np.minimum(f, k)],
        [
            np.int8(IvStatus.INPUT_NOT_FINITE),
            np.int8(IvStatus.INPUT_NOT_POSITIVE),
            np.int8(IvStatus.AT_OR_BELOW_INTRINSIC),
            np.int8(IvStatus.AT_OR_ABOVE_UPPER_BOUND),
        ],
        np.int8(IvStatus.OK),
    ).astype(np.int8)
    good = status == IvStatus.OK
    if good.all():
        return _solve(-log_ratio(f, k), beta), status
    total = np.full(len(p), np.nan)
    total[good] = _solve(-log_ratio(f[good], k[good]), beta[good])
    return total, status


def solve_normalised(x: Floats, beta: Floats) -> Floats:
    """Solve b(x, s) = beta for s, ``[n]``; requires x <= 0 and 0 < beta < e^(x/2) (checked by the caller)."""
    parts = [_solve(x[i : i + CHUNK_QUOTES], beta[i : i + CHUNK_QUOTES]) for i in range(0, len(x), CHUNK_QUOTES)]
    return np.concatenate(parts) if parts else np.empty(0)


def _solve(x: Floats, beta: Floats) -> Floats:
    with np.errstate(all="ignore"):
        log_beta = np.log(beta)
        start = _start(x, beta)
        step = _householder_step(x, start, log_beta)
        s: Floats = start + step
        far = ~(np.abs(step) <= SETTLED * np.minimum(start, 2.0))
        if far.any():
            s[far] = _solve_far(x[far], beta[far], start[far], s[far])
    return s


def _solve_far(x: Floats, beta: Floats, start: Floats, first: Floats) -> Floats:
    step = _householder_step(x, first, np.log(beta))
    s: Floats = first + step
    rough = ~((np.abs(step) <= SETTLED * np.minimum(first, 2.0)) & (first > 0.0))
    if rough.any():
        s[rough] = _bracketed(x[rough], beta[rough], start[rough])
    return s


def _start(x: Floats, beta: Floats) -> Floats:
    """First guess of s: within 1.2e-4 for |x| <= 6 s and s <= 1.2, 5 % to s = 2, 14 % to s = 3.

    As s falls at fixed x/s, s L/|x| depends on L = ln(1 + |c|/beta)/2 alone, c = 2 sinh(x/2) being the forward's
    distance to the strike; it goes from sqrt(pi/2) at the money to sqrt(L)/2 far from it, hence the base
    |x|/L sqrt(pi/2 + L/4). A polynomial in y = L/(L + 3) and u = base^2 takes that to s; past ``_LARGEST_U`` a ratio in
    the shape of the at-the-money expansion s = base (1 + u/24 + ...) carries on.
    """
    a = np.maximum(-x, 1e-200)
    distance = 0.5 * np.log1p(2.0 * np.sinh(0.5 * a) / beta)
    base = a / distance * np.sqrt(0.5 * np.pi + 0.25 * distance)
    u = base * base
    y, v, w = distance / (distance + 3.0), np.minimum(u, _LARGEST_U), np.minimum(u, 6.0)
    c0, c1, c2 = (polynomial(y, c) for c in START)
    start: Floats = base * (c0 + v * (c1 + v * c2))
    start *= 1.0 + (w - v) / ((24.0 - 2.1 * w) * (1.0 + 0.04 * distance))
    return start


def polynomial(y: Floats, coefficients: tuple[float, ...]) -> Floats:
    """Value of a polynomial, lowest power first, by Horner's rule."""
    value = np.full_like(y, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value *= y
        value += c
    return value


def _householder_step(x: Floats, s: Floats, log_beta: Floats) -> Floats:
    """Third-order Householder step on ln b(x, s) - ln beta, from b''/b' = (h^2 - t^2)/s and its derivative."""
    h, t = x / s, 0.5 * s
    hh, tt = h * h, t * t
    ratio = price_over_vega(x, s)
    slope = 1.0 / ratio
    newton = (log_beta + 0.5 * (hh + tt) + _LOG_SQRT_2PI - np.log(ratio)) * ratio
    second = (hh - tt) / s - slope
    third = second * (second - slope) - (3.0 * hh / (s * s) + 0.25)
    step: Floats = newton * (1.0 + 0.5 * newton * second) / (1.0 + newton * (second + newton * third / 6.0))
    return step


def _bracketed(x: Floats, beta: Floats, start: Floats) -> Floats:
    """Solve by Halley steps inside a bracket: on 1/ln b below the inflection s_c = sqrt(2|x|), on ln(gap) above it."""
    inflection = np.maximum(np.sqrt(2.0 * np.abs(x)), 1e-8)
    low_side = beta < normalised_call(x, inflection)
    # At s_c + 40 the gap to the upper bound is below the smallest double: the root is always inside.
    lower, upper = np.where(low_side, 0.0, inflection), np.where(low_side, inflection, inflection + 40.0)
    s = np.where((start > lower) & (start < upper), start, np.where(low_side, inflection, inflection + 1e-3))
    log_beta = np.log(beta)
    gap_target = np.log(np.maximum(np.exp(0.5 * x) - beta, _SMALLEST))
    # A settled quote is not moved again: its volatility must not depend on the batch.
    active = np.arange(len(x))
    for _ in range(MAX_ITERATIONS):
        if not len(active):
            break
        i = active
        step, above = _halley_step(x[i], s[i], low_side[i], log_beta[i], gap_target[i])
        upper[i] = np.where(above, s[i], upper[i])
        lower[i] = np.where(above, lower[i], s[i])
        proposal = s[i] + step
        # Halving in ratio where the bracket spans magnitudes, else in difference.
        wide = (lower[i] > 0.0) & (upper[i] > 4.0 * lower[i])
        middle = np.where(wide, np.sqrt(lower[i] * upper[i]), 0.5 * (lower[i] + upper[i]))
        inside = (proposal > lower[i]) & (proposal < upper[i])
        small = np.abs(step) <= TOLERANCE * s[i]
        s[i] = np.where(small, s[i], np.where(inside, proposal, middle))
        narrow = upper[i] - lower[i] <= TOLERANCE * s[i]
        active = i[~(small | narrow)]
    return s


def _halley_step(
    x: Floats, s: Floats, low_side: NDArray[np.bool_], log_beta: Floats, gap_target: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """One Halley step on the region's objective, and whether b(x, s) is above its target; NaN where it has none."""
    ratio, vega = price_over_vega(x, s), normalised_vega(x, s)
    gap = np.maximum(normalised_call_gap(x, s), _SMALLEST)
    h, t = x / s, 0.5 * s
    curvature = (h * h - t * t) / s
    log_b = np.log(ratio) - 0.5 * (h * h + t * t) - _LOG_SQRT_2PI
    slope_low, slope_high = 1.0 / ratio, vega / gap
    newton_low = (1.0 - log_b / log_beta) * log_b * ratio
    newton_high = (np.log(gap) - gap_target) / slope_high
    newton = np.where(low_side, newton_low, newton_high)
    second = np.where(low_side, curvature - slope_low - 2.0 * slope_low / log_b, curvature + slope_high)
    halley = newton / np.maximum(1.0 + 0.5 * newton * second, 0.2)
    above = np.where(low_side, log_b > log_beta, np.log(gap) < gap_target)
    return np.where(np.isfinite(halley), halley, np.nan), above


def half_spread_in_vol(x: Floats, total_vol: Floats, half_spread_normalised: Floats) -> Floats:
    """Half-spread of total volatility from that of the normalised price, to first order: d s = d beta / b'(s)."""
    with np.errstate(divide="ignore"):
        width: Floats = half_spread_normalised / normalised_vega(x, total_vol)
    return width


__all__ = ["ImpliedVols", "IvStatus", "half_spread_in_vol", "implied_total_vol", "solve_normalised"]
