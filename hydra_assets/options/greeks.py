"""Black-76 price and the five Greeks of option flows, for European options on a future.

With s = sigma sqrt(T), d1 = ln(F/K)/s + s/2, d2 = d1 - s, n and N the normal density and distribution, and the discount
factor D = e^(-r T) where the premium is paid up front, 1 where it is margined like the future (then r does not enter):

    price  call D (F N(d1) - K N(d2)),  put D (K N(-d2) - F N(-d1))
    delta  d price / dF          call D N(d1),  put -D N(-d1)
    gamma  d2 price / dF2        D n(d1) / (F s)
    vega   d price / d sigma     D F n(d1) sqrt(T)
    vanna  d delta / d sigma     -D n(d1) d2 / sigma
    charm  -d delta / dT         D n(d1) d2 / (2 T) + r * delta

T is the time that is left, so charm is the change of delta as time passes, F and sigma held. Its r-term makes calls
and puts differ: charm_call - charm_put = r D (0 where the premium is margined); gamma, vega and vanna are the same for
both. Source: F. Black, "The pricing of commodity contracts", Journal of Financial Economics 3 (1976), differentiated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from hydra_assets.options.black76 import SQRT_2PI, Floats, log_ratio
from hydra_assets.options.black76 import price as undiscounted_price

CHUNK_OPTIONS = 4096
"""Options per pass: the temporaries stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class FlowGreeks:
    """Greeks of one option on one unit of the underlying, of the inputs' shape; F is in price units, T in years.

    All are NaN where an input is not finite, or F, K, sigma sqrt(T) or T is not positive (an expired option has no
    Greeks). Multiply by the contract's multiplier for currency.
    """

    delta: Floats
    """Price units per price unit of F: in (0, D) for calls, (-D, 0) for puts."""
    gamma: Floats
    """Delta per price unit of F."""
    vega: Floats
    """Price units per 1.00 of sigma; a vol point is a hundredth of it."""
    vanna: Floats
    """Delta per 1.00 of sigma; equally vega per price unit of F."""
    charm: Floats
    """Delta per year that passes; a calendar day is 1/365 of it."""


def flow_greeks(
    forward: ArrayLike,
    strike: ArrayLike,
    total_vol: ArrayLike,
    year_fraction: ArrayLike,
    rate: ArrayLike,
    is_call: ArrayLike,
    premium_upfront: ArrayLike,
) -> FlowGreeks:
    """Greeks at fixed sigma; any shape, broadcast.

    Parameters
    ----------
    forward, strike
        F and K in price units.
    total_vol
        sigma sqrt(T) at the strike.
    year_fraction
        T in years.
    rate
        Continuously compounded, per year; not read where ``premium_upfront`` is false, and may be NaN there.
    is_call, premium_upfront
        Booleans; ``premium_upfront`` false is a premium margined like the future.
    """
    numbers = forward, strike, total_vol, year_fraction, rate
    flags = is_call, premium_upfront
    shape = np.broadcast_shapes(*(np.shape(a) for a in (*numbers, *flags)))
    f, k, s, t, r = (np.broadcast_to(np.asarray(a, dtype=np.float64), shape).ravel() for a in numbers)
    call, upfront = (np.broadcast_to(np.asarray(a, dtype=np.bool_), shape).ravel() for a in flags)
    out = np.empty((5, len(f)))
    for i in range(0, len(f), CHUNK_OPTIONS):
        rows = slice(i, i + CHUNK_OPTIONS)
        _fill(out[:, rows], f[rows], k[rows], s[rows], t[rows], np.where(upfront[rows], r[rows], 0.0), call[rows])
    return FlowGreeks(*out.reshape(5, *shape))


def discounted_price(
    forward: ArrayLike,
    strike: ArrayLike,
    total_vol: ArrayLike,
    year_fraction: ArrayLike,
    rate: ArrayLike,
    is_call: ArrayLike,
    premium_upfront: ArrayLike,
) -> Floats:
    """Price in price units, arguments as of ``flow_greeks``; NaN under the same conditions."""
    f, k, s, t = (np.asarray(a, dtype=np.float64) for a in (forward, strike, total_vol, year_fraction))
    paid = np.where(np.asarray(premium_upfront, dtype=np.bool_), rate, 0.0)
    with np.errstate(all="ignore"):
        value = np.exp(-paid * t) * undiscounted_price(f, k, s, np.asarray(is_call, dtype=np.bool_))
        known = (f > 0.0) & (k > 0.0) & (s > 0.0) & (t > 0.0)
        return np.where(known & np.isfinite(f + k + s + t + paid), value, np.nan)


def _fill(out: Floats, f: Floats, k: Floats, s: Floats, t: Floats, r: Floats, call: NDArray[np.bool_]) -> None:
    """Write delta, gamma, vega, vanna and charm into the rows of ``out``, ``[5, n]``."""
    with np.errstate(all="ignore"):
        d1 = np.copysign(log_ratio(f, k), f - k) / s + 0.5 * s
        d2 = d1 - s
        discount = np.exp(-r * t)
        known = (f > 0.0) & (k > 0.0) & (s > 0.0) & (t > 0.0) & np.isfinite(f + k + s + t + r)
        discount = np.where(known, discount, np.nan)
        weight = discount * np.exp(-0.5 * d1 * d1) / SQRT_2PI
        side = np.where(call, 1.0, -1.0)
        root = np.sqrt(t)
        delta = side * discount * ndtr(side * d1)
        out[0] = delta
        out[1] = weight / (f * s)
        out[2] = weight * f * root
        out[3] = -weight * d2 * root / s
        out[4] = weight * d2 / (2.0 * t) + r * delta
