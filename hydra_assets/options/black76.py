"""Black (1976) on a forward, in normalised form, to full relative accuracy from 1e-10 to 40 of total volatility.

With x = ln(F/K) <= 0 and total volatility s = sigma sqrt(T), the undiscounted call over sqrt(F K) is

    b(x, s) = e^(x/2) N(h + t) - e^(-x/2) N(h - t),   h = x/s,  t = s/2                    (1)
            = b'(x, s) * (Y(h + t) - Y(h - t)),       Y = N / n,  b' = e^(-(h^2 + t^2)/2) / sqrt(2 pi)   (2)

with Y(z) = sqrt(pi/2) erfcx(-z / sqrt 2). Form (2) keeps its relative accuracy far out of the money where (1) cancels.
For small t the difference in (2) is an odd series in t. Source: P. Jaeckel, "Let's Be Rational", Wilmott, January 2015,
equations 2.1-2.4 and section 6.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx

Floats = NDArray[np.float64]
SQRT_2 = np.sqrt(2.0)
SQRT_2PI = np.sqrt(2.0 * np.pi)
_SQRT_HALF_PI = np.sqrt(0.5 * np.pi)
_SMALL_TOTAL_VOL = 0.02
"""Below it the two terms of (2) share most of their digits, and the series is exact with four terms."""
_SATURATED = 36.0
"""From h + t on, N(h + t) is one and e^((h + t)^2 / 2) nears overflow."""


def price_over_vega(x: Floats, s: Floats) -> Floats:
    """Return b / b' = Y(h + t) - Y(h - t), ``x <= 0`` and ``s > 0``; any shape, broadcast.

    Infinite where h + t is beyond the exponent's range (a total volatility above 70).
    """
    h, t = x / s, 0.5 * s
    ratio: Floats = np.asarray(_SQRT_HALF_PI * (erfcx((-1.0 / SQRT_2) * (h + t)) - erfcx((-1.0 / SQRT_2) * (h - t))))
    small = np.broadcast_to(s < _SMALL_TOTAL_VOL, ratio.shape)
    if small.any():
        ratio[small] = _series(np.broadcast_to(h, ratio.shape)[small], np.broadcast_to(t, ratio.shape)[small])
    return ratio


def _series(h: Floats, t: Floats) -> Floats:
    """Y(h + t) - Y(h - t) = 2 sum of t^n Y^(n)(h) / n! over odd n; Y' = 1 + h Y and Y^(n+1) = n Y^(n-1) + h Y^(n)."""
    y = _SQRT_HALF_PI * erfcx((-1.0 / SQRT_2) * h)
    y1 = 1.0 + h * y
    y2 = y + h * y1
    y3 = 2.0 * y1 + h * y2
    y4 = 3.0 * y2 + h * y3
    y5 = 4.0 * y3 + h * y4
    y6 = 5.0 * y4 + h * y5
    y7 = 6.0 * y5 + h * y6
    tt = t * t
    total: Floats = 2.0 * t * (y1 + tt / 6.0 * (y3 + tt / 20.0 * (y5 + tt / 42.0 * y7)))
    return total


def normalised_call(x: Floats, s: Floats) -> Floats:
    """Return b(x, s) for out-of-the-money calls, ``x <= 0`` and ``s >= 0``; any shape, broadcast."""
    with np.errstate(all="ignore"):
        value = normalised_vega(x, s) * price_over_vega(x, s)
        value = np.where(x / s + 0.5 * s < _SATURATED, value, np.exp(0.5 * x))
    # No volatility, no time value; a NaN volatility stays one.
    return np.where((s == 0.0) | np.isnan(s), s * 0.0, value)


def normalised_call_gap(x: Floats, s: Floats) -> Floats:
    """Return e^(x/2) - b(x, s), the distance to the call's upper bound, without cancellation; ``s^2 >= 2|x|``.

    Below that volatility the plain difference keeps its digits, and this form may overflow. It is b' (M(h + t) +
    M(t - h)) with Mills' ratio M(z) = N(-z) / n(z) = sqrt(pi/2) erfcx(z / sqrt 2).
    """
    h, t = x / s, 0.5 * s
    gap: Floats = normalised_vega(x, s) * _SQRT_HALF_PI * (erfcx((h + t) / SQRT_2) + erfcx((t - h) / SQRT_2))
    return gap


def normalised_vega(x: Floats, s: Floats) -> Floats:
    """Return b' = db/ds = e^(-(h^2 + t^2)/2) / sqrt(2 pi), ``s > 0``."""
    h, t = x / s, 0.5 * s
    vega: Floats = np.exp(-0.5 * (h * h + t * t)) / SQRT_2PI
    return vega


def log_ratio(forward: Floats, strike: Floats) -> Floats:
    """Return |ln(F/K)| of positive prices, accurate to the last digits also where F and K nearly agree."""
    low = np.minimum(forward, strike)
    # The difference of two near prices is exact; their quotient is not.
    with np.errstate(over="ignore"):
        near = (np.maximum(forward, strike) - low) / low
    far = near > 1e300
    ratio: Floats = np.log1p(near)
    if np.any(far):
        ratio = np.where(far, np.abs(np.log(forward) - np.log(strike)), ratio)
    return ratio


def price(forward: Floats, strike: Floats, total_vol: Floats, is_call: NDArray[np.bool_]) -> Floats:
    """Undiscounted European price in units of the forward; arrays broadcast against each other.

    The in-the-money leg is intrinsic value plus the out-of-the-money one (put-call parity). A total volatility of zero
    gives the intrinsic value.
    """
    otm = np.sqrt(forward) * np.sqrt(strike) * normalised_call(-log_ratio(forward, strike), total_vol)
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    value: Floats = intrinsic + otm
    return value
