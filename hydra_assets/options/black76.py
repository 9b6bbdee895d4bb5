"""Black (1976) on a forward, in normalised form, accurate far out of the money.

With x = ln(F/K) and total volatility s = sigma sqrt(T), the undiscounted call over sqrt(F K) is

    b(x, s) = e^(x/2) N(x/s + s/2) - e^(-x/2) N(x/s - s/2)                                 (1)
            = e^(-(h^2 + t^2)/2) / 2 * (erfcx(-(h + t)/sqrt 2) - erfcx(-(h - t)/sqrt 2))   (2)

with h = x/s and t = s/2. Form (2) keeps its relative accuracy for x < 0 where (1) cancels. Source: P. Jaeckel,
"Let's Be Rational", Wilmott, January 2015, equations 2.1-2.4.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, ndtr

Floats = NDArray[np.float64]
SQRT_2 = np.sqrt(2.0)
SQRT_2PI = np.sqrt(2.0 * np.pi)


def normalised_call(x: Floats, s: Floats) -> Floats:
    """Return b(x, s) for out-of-the-money calls, ``x <= 0`` and ``s > 0``; any shape, broadcast."""
    h, t = x / s, 0.5 * s
    with np.errstate(over="ignore", invalid="ignore"):
        tails = 0.5 * np.exp(-0.5 * (h * h + t * t)) * (erfcx(-(h + t) / SQRT_2) - erfcx(-(h - t) / SQRT_2))
        plain = np.exp(0.5 * x) * ndtr(h + t) - np.exp(-0.5 * x) * ndtr(h - t)
    return np.where(h + t < 0.0, tails, plain)


def normalised_call_gap(x: Floats, s: Floats) -> Floats:
    """Return e^(x/2) - b(x, s), the distance to the call's upper bound, without cancellation."""
    h, t = x / s, 0.5 * s
    gap: Floats = np.exp(0.5 * x) * ndtr(-(h + t)) + np.exp(-0.5 * x) * ndtr(h - t)
    return gap


def normalised_vega(x: Floats, s: Floats) -> Floats:
    """Return db/ds = e^(-(h^2 + t^2)/2) / sqrt(2 pi)."""
    h, t = x / s, 0.5 * s
    vega: Floats = np.exp(-0.5 * (h * h + t * t)) / SQRT_2PI
    return vega


def price(forward: Floats, strike: Floats, total_vol: Floats, is_call: NDArray[np.bool_]) -> Floats:
    """Undiscounted European price in units of the forward; arrays broadcast against each other.

    The in-the-money leg is intrinsic value plus the out-of-the-money one (put-call parity).
    """
    x = np.log(forward / strike)
    otm = np.sqrt(forward * strike) * normalised_call(-np.abs(x), total_vol)
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    value: Floats = intrinsic + otm
    return value
