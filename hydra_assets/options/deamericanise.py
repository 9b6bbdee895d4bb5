"""European prices and total volatilities behind quotes of any exercise and margin style, a whole batch at once.

=========  =====================  ==========================================================================
exercise   premium                undiscounted European price
=========  =====================  ==========================================================================
European   paid up front          price e^(rT)
European   margined like futures  price
American   margined like futures  price: nothing is paid, so nothing is earned by exercising early (1)
American   paid up front          the European price of the volatility at which the American one is the quote
=========  =====================  ==========================================================================

For the last kind, in units of sqrt(F K) and with e(s) the undiscounted European price, solved for s is

    e(s) (1 + q(ln(F/K)/s, s, r T)) = price e^(rT),

q the early-exercise premium over the European price, from the table. The volatility of the quote taken as European is
an upper bound and the start; the first step keeps q, the following ones follow its secant. Where the table does not
hold (a hair above the exercise boundary, beyond its ranges), the exact pricer is solved inside a bracket. Below the
boundary every low volatility gives the same price, immediate exercise, and the quote says nothing.

Source of (1): D. Duffie and R. Stanton, "Pricing continuously resettled contingent claims", Journal of Economic
Dynamics and Control 16 (1992), 561-573.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.options.american import Bools, put_price
from hydra_assets.options.black76 import Floats, log_ratio, normalised_call, normalised_vega, price_over_vega
from hydra_assets.options.implied_vol import IvStatus, implied_total_vol, solve_normalised
from hydra_assets.options.premium_table import (
    EXCESS_RANGE,
    RATE_TIME_RANGE,
    TOTAL_VOL_RANGE,
    premium_table,
    rate_place,
)

CHUNK_QUOTES: Final = 16384
"""Quotes per pass: many share the last steps of the few, and the temporaries still stay near the processor."""
MIN_EXCESS: Final = 0.03
"""Deviations above the exercise boundary from which the table is used: nearer, the price hardly tells volatilities
apart, and the table's last digits matter."""
MIN_EXCESS_AT_NO_RATE: Final = 3.0
"""The same below the table's rates, whose lowest is then used: the premium is a millionth of the price at most."""
MAX_STEPS: Final = 12
SETTLED: Final = 1e-6
"""What the next secant step would move, relative to the total volatility; about the product of the last two."""
MAX_BRACKET_STEPS: Final = 80
EXACT_TOLERANCE: Final = 1e-12
MAX_TOTAL_VOL: Final = 40.0
MAX_RATE_TIME: Final = 50.0
"""r T beyond which a discount factor is no number to work with."""
_NOISE: Final = 2.0 * np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True)
class DeAmericanised:
    """What lies behind n quotes; all arrays of the inputs' shape.

    ``european_undiscounted`` is in the unit of the forward and ``total_vol`` is sigma sqrt(T); both are NaN where the
    status is not OK. ``exact`` marks the quotes for which the table did not hold and the pricer was solved.
    """

    european_undiscounted: Floats
    total_vol: Floats
    status: NDArray[np.int8]
    """``IvStatus``; AT_OR_BELOW_INTRINSIC of an American quote is at or below immediate exercise."""
    exact: Bools


def to_european(
    price: ArrayLike,
    forward: ArrayLike,
    strike: ArrayLike,
    rate: ArrayLike,
    years: ArrayLike,
    is_call: ArrayLike,
    american: ArrayLike,
    upfront: ArrayLike,
) -> DeAmericanised:
    """European prices of quotes of all kinds; any shape, broadcast.

    ``rate`` is continuously compounded, ``years`` are to expiry, ``upfront`` says that the premium is paid at once and
    not margined like a future. Never raises on a bad quote: it has a status that says why.
    """
    inputs = (price, forward, strike, rate, years, is_call, american, upfront)
    shape = np.broadcast_shapes(*(np.shape(a) for a in inputs))
    numbers = [np.broadcast_to(np.asarray(a, dtype=np.float64), shape).ravel() for a in inputs[:5]]
    flags = [np.broadcast_to(np.asarray(a, dtype=np.bool_), shape).ravel() for a in inputs[5:]]
    n = len(numbers[0])
    european, total, status, exact = np.empty(n), np.empty(n), np.empty(n, dtype=np.int8), np.empty(n, dtype=np.bool_)
    for start in range(0, n, CHUNK_QUOTES):
        i = slice(start, start + CHUNK_QUOTES)
        p, f, k, r, t = (a[i] for a in numbers)
        call, early, paid = (a[i] for a in flags)
        european[i], total[i], status[i], exact[i] = _convert(p, f, k, r, t, call, early & paid, paid)
    return DeAmericanised(european.reshape(shape), total.reshape(shape), status.reshape(shape), exact.reshape(shape))


def deamericanise(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, rate: ArrayLike, years: ArrayLike, is_call: ArrayLike
) -> DeAmericanised:
    """European prices of American quotes with the premium paid up front; as ``to_european``."""
    return to_european(price, forward, strike, rate, years, is_call, american=True, upfront=True)


_Converted = tuple[Floats, Floats, NDArray[np.int8], Bools]


def _convert(
    p: Floats, f: Floats, k: Floats, r: Floats, t: Floats, call: Bools, earning: Bools, paid: Bools
) -> _Converted:
    """One chunk of ``to_european``; ``earning`` are the quotes whose exercise could earn interest."""
    with np.errstate(all="ignore"):
        rate_time = r * t
        rate_time = np.where(np.abs(rate_time) <= MAX_RATE_TIME, rate_time, np.nan)
        early = earning & (rate_time > 0.0)
        undiscounted = np.where(paid, p * np.exp(rate_time), p)
    if early.all() and len(p):
        converted = _american(p, f, k, rate_time, call)
    else:
        plain = implied_total_vol(undiscounted, f, k, call)
        european = np.where(plain.status == IvStatus.OK, undiscounted, np.nan)
        converted = european, plain.total_vol, plain.status, np.zeros(len(p), dtype=np.bool_)
        i = np.flatnonzero(early)
        part = _american(p[i], f[i], k[i], rate_time[i], call[i])
        converted[0][i], converted[1][i], converted[2][i], converted[3][i] = part
    european, total, status, exact = converted
    # Time and rate are not seen by what was called above. NaN fails every comparison.
    status = np.where((t <= 0.0) & (status != IvStatus.INPUT_NOT_FINITE), np.int8(IvStatus.INPUT_NOT_POSITIVE), status)
    status = np.where(np.isfinite(rate_time) & np.isfinite(t), status, np.int8(IvStatus.INPUT_NOT_FINITE))
    bad = status != IvStatus.OK
    return np.where(bad, np.nan, european), np.where(bad, np.nan, total), status, exact & ~bad


def _american(p: Floats, f: Floats, k: Floats, rate_time: Floats, call: Bools) -> _Converted:
    """American quotes, premium up front, positive rates; forwards, strikes and prices as they come."""
    with np.errstate(all="ignore"):
        finite = np.isfinite(p) & np.isfinite(f) & np.isfinite(k)
        positive = (f > 0.0) & (k > 0.0)
        exercise = np.maximum(np.where(call, f - k, k - f), 0.0)
        none_left = ~(p - exercise > _NOISE * exercise)
        # A call is worth less than its forward, a put less than its strike.
        above = p >= np.where(call, f, k)
    status = np.select(
        [~finite, ~positive, none_left, above],
        [
            np.int8(IvStatus.INPUT_NOT_FINITE),
            np.int8(IvStatus.INPUT_NOT_POSITIVE),
            np.int8(IvStatus.AT_OR_BELOW_INTRINSIC),
            np.int8(IvStatus.AT_OR_ABOVE_UPPER_BOUND),
        ],
        np.int8(IvStatus.OK),
    ).astype(np.int8)
    european, total, exact = np.full(len(p), np.nan), np.full(len(p), np.nan), np.zeros(len(p), dtype=np.bool_)
    i = np.flatnonzero(status == IvStatus.OK)
    p, f, k, rate_time, call, exercise = p[i], f[i], k[i], rate_time[i], call[i], exercise[i]
    unit = np.sqrt(f) * np.sqrt(k)
    distance = log_ratio(f, k)
    # ln(F/K) of the put that the quote is, or that mirrors the call: positive out of the money.
    log_forward = np.where(exercise > 0.0, -distance, distance)
    s, sure = _by_table(log_forward, p / unit, exercise / unit, rate_time)
    rest = np.flatnonzero(~sure)
    if len(rest):
        base = np.where(call, f, k)[rest]
        s[rest] = _by_pricer(log_forward[rest], p[rest] / base, (p - exercise)[rest] / unit[rest], rate_time[rest])
    total[i], exact[i] = s, ~sure
    european[i] = exercise + unit * normalised_call(-distance, s)
    status[i] = np.where(np.isfinite(s), status[i], np.int8(IvStatus.AT_OR_ABOVE_UPPER_BOUND))
    return european, total, status, exact


def _by_table(log_forward: Floats, price: Floats, exercise: Floats, rate_time: Floats) -> tuple[Floats, Bools]:
    """Total volatilities by the table, and where they can be relied on; prices in units of sqrt(F K)."""
    x = -np.abs(log_forward)
    target = price * np.exp(rate_time)
    sure = (rate_time <= RATE_TIME_RANGE[1]) & (target - exercise < np.exp(0.5 * x))
    s = np.full(len(x), np.nan)
    active = np.flatnonzero(sure)
    if not len(active):
        return s, sure
    table, place = premium_table(), rate_place(rate_time)
    least = np.where(rate_time < RATE_TIME_RANGE[0], MIN_EXCESS_AT_NO_RATE, MIN_EXCESS)
    s[active] = solve_normalised(x[active], target[active] - exercise[active])
    # Where no premium is left, the start is the answer, and rounding may put it on either side.
    upper, lower = s * (1.0 + 1e-9), np.zeros(len(x))
    before_s, before_q, before_step = (np.full(len(x), np.nan) for _ in range(3))
    sure[:] = False
    for count in range(MAX_STEPS):
        i = active if len(active) < len(x) else slice(None)
        at, xi = s[i].copy(), x[i]
        q, excess = table.lookup_at(log_forward[i] / at, at, rate_time[i], place[i])
        vega = normalised_vega(xi, at)
        european = exercise[i] + vega * price_over_vega(xi, at)
        gap = np.where(excess < 0.0, exercise[i] - price[i], european * (1.0 + q) - target[i])
        slope = vega * (1.0 + q)
        if count:
            with np.errstate(all="ignore"):
                bend = (q - before_q[i]) / (at - before_s[i])
            slope += european * np.where(np.isfinite(bend), bend, 0.0)
        upper[i], lower[i] = np.where(gap > 0.0, at, upper[i]), np.where(gap > 0.0, lower[i], at)
        with np.errstate(all="ignore"):
            step = -gap / slope
        proposal = at + step
        inside = (proposal > lower[i]) & (proposal <= upper[i])
        solved = gap == 0.0
        s[i] = np.where(solved, at, np.where(inside, proposal, 0.5 * (lower[i] + upper[i])))
        if count:
            small = np.abs(step * before_step[i]) <= SETTLED * at * at * np.minimum(excess, 1.0)
        else:
            # Out of the money q moves like s or s^2, and the price bends like x^2/s^2: what this step has missed.
            small = np.abs(step) * (q + np.abs(step / at)) * (2.0 + (xi / at) ** 2) <= SETTLED * at
            small &= exercise[i] == 0.0
        done = solved | (inside & small)
        held = (excess >= least[i]) & (excess <= EXCESS_RANGE[1])
        held &= (at >= TOTAL_VOL_RANGE[0]) & (at <= TOTAL_VOL_RANGE[1])
        sure[i] = done & held
        before_s[i], before_q[i], before_step[i] = at, q, step
        active = active[~done]
        if not len(active):
            break
    return s, sure


def _by_pricer(log_forward: Floats, price: Floats, time_value: Floats, rate_time: Floats) -> Floats:
    """Total volatilities by the exact pricer, NaN where even the largest one is worth less; price over the strike.

    ``time_value`` is what the quote has over immediate exercise, in units of sqrt(F K): were it European and paid at
    expiry, its volatility would be a lower bound. Then T. R. Chandrupatla's method in ln s, which takes inverse
    quadratic steps inside a shrinking bracket: "A new hybrid quadratic/bisection algorithm", Advances in Engineering
    Software 28 (1997), 145-149.
    """
    low = solve_normalised(-np.abs(log_forward), time_value)
    high = np.minimum(1.5 * low, MAX_TOTAL_VOL)
    below = _miss(low, log_forward, price, rate_time)
    above = _miss(high, log_forward, price, rate_time)
    for _ in range(MAX_BRACKET_STEPS):
        i = np.flatnonzero((above < 0.0) & (high < MAX_TOTAL_VOL))
        if not len(i):
            break
        low[i], below[i] = high[i], above[i]
        high[i] = np.minimum(2.0 * high[i], MAX_TOTAL_VOL)
        above[i] = _miss(high[i], log_forward[i], price[i], rate_time[i])
    a, b, fa, fb = np.log(high), np.log(low), above, below
    s = np.where(fb >= 0.0, low, np.where(fa < 0.0, np.nan, high))
    active = np.flatnonzero((fb < 0.0) & (fa > 0.0))
    fraction = np.full(len(a), 0.5)
    for _ in range(MAX_BRACKET_STEPS):
        if not len(active):
            break
        i = active
        at = a[i] + fraction[i] * (b[i] - a[i])
        value = _miss(np.exp(at), log_forward[i], price[i], rate_time[i])
        same = np.sign(value) == np.sign(fa[i])
        # c is the point that leaves the pair; a the newest, b on the other side of the root.
        c, fc = np.where(same, a[i], b[i]), np.where(same, fa[i], fb[i])
        b[i], fb[i] = np.where(same, b[i], a[i]), np.where(same, fb[i], fa[i])
        a[i], fa[i] = at, value
        width = np.abs(b[i] - at)
        s[i] = np.exp(np.where(np.abs(value) < np.abs(fb[i]), at, b[i]))
        fraction[i] = _next_fraction((at, b[i], c), (value, fb[i], fc), 0.5 * EXACT_TOLERANCE / width)
        active = i[(value != 0.0) & (width > EXACT_TOLERANCE)]
    return s


def _miss(total_vol: Floats, log_forward: Floats, price: Floats, rate_time: Floats) -> Floats:
    value: Floats = put_price(log_forward, total_vol, rate_time) - price
    return value


def _next_fraction(
    points: tuple[Floats, Floats, Floats], values: tuple[Floats, Floats, Floats], least: Floats
) -> Floats:
    """Where from a to b to look next: inverse quadratic interpolation where that is safe, else the middle."""
    (a, b, c), (fa, fb, fc) = points, values
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi * phi < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        quadratic = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    fraction = np.where(safe & np.isfinite(quadratic), quadratic, 0.5)
    bounded: Floats = np.clip(fraction, np.minimum(least, 0.5), np.maximum(1.0 - least, 0.5))
    return bounded
