"""Known risk-neutral densities: a mixture of two lognormals with mean F, and the option prices they imply.

With weight p on the minor component, means F m1 and F m2 and log variances s1^2 and s2^2,

    E[S] = p F m1 + (1 - p) F m2 = F,        Var[ln S] = w.

The minor component is wider (:data:`SD_RATIO`) and shifted by d standard deviations, ln m1 = d sqrt(w), so d is the
asymmetry: d > 0 puts the long tail up. The other numbers follow from the two equations above. Variance between the
components is at most 3/4 of w; beyond it the rest is floored, which no d in [-1.1, 1.1] reaches for sqrt(w) <= 0.6.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

MINOR_WEIGHT = 0.25
SD_RATIO = 1.3
MAX_SHIFT = 1.1
_VOL_STEPS = 6


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two-lognormal densities in units of the forward, all arrays of one shape."""

    mean_minor: Array
    mean_major: Array
    sd_minor: Array
    sd_major: Array

    def take(self, index: NDArray[np.int64]) -> "Mixture":
        """Densities at flat positions, e.g. one per quote."""
        return Mixture(self.mean_minor[index], self.mean_major[index], self.sd_minor[index], self.sd_major[index])


def mixture(variance: Array, shift: Array) -> Mixture:
    """Densities with total log variance w and asymmetry d, any shape."""
    p, sd = MINOR_WEIGHT, np.sqrt(variance)
    minor = np.exp(np.clip(shift, -MAX_SHIFT, MAX_SHIFT) * sd)
    major = (1 - p * minor) / (1 - p)
    # Log means of the components sit half a log variance below ln m: two passes settle the distance between them.
    sd_major = sd
    for _ in range(3):
        between = np.log(minor / major) - 0.5 * (SD_RATIO**2 - 1) * sd_major**2
        inside = np.maximum(variance - p * (1 - p) * between**2, 0.25 * variance)
        sd_major = np.sqrt(inside / (1 - p + p * SD_RATIO**2))
    return Mixture(minor, major, SD_RATIO * sd_major, sd_major)


def call_value(density: Mixture, moneyness: Array) -> Array:
    """Undiscounted calls in units of the forward at strikes K/F; shapes broadcast."""
    p = MINOR_WEIGHT
    return p * black(density.mean_minor, moneyness, density.sd_minor) + (1 - p) * black(
        density.mean_major, moneyness, density.sd_major
    )


def log_density(density: Mixture, log_return: Array) -> Array:
    """Density of ln(S/F); shapes broadcast."""

    def normal(mean: Array, sd: Array) -> Array:
        z = (log_return - np.log(mean) + 0.5 * sd**2) / sd
        return np.asarray(np.exp(-0.5 * z**2) / (sd * np.sqrt(2 * np.pi)))

    return MINOR_WEIGHT * normal(density.mean_minor, density.sd_minor) + (1 - MINOR_WEIGHT) * normal(
        density.mean_major, density.sd_major
    )


def black(forward: Array, strike: Array, s: Array) -> Array:
    """Undiscounted Black call with total volatility s (Black, J. Financial Economics 3, 1976)."""
    d1 = np.log(forward / strike) / s + 0.5 * s
    return np.asarray(forward * ndtr(d1) - strike * ndtr(d1 - s))


def implied_total_vol(call: Array, moneyness: Array, start: Array) -> Array:
    """Total volatility whose Black call (undiscounted, forward 1) is ``call``; Newton on the log of the cheaper leg.

    Good to 1e-10 wherever the out-of-the-money price is above 1e-12; below that ``start`` is kept, where the early
    exercise premium, for which it is used, is zero or all intrinsic.
    """
    other = call - (1 - moneyness)
    target = np.where(moneyness >= 1, call, other)
    usable = target > 1e-12
    safe = np.where(usable, target, 1.0)
    s = start.copy()
    log_m = np.log(moneyness)
    for _ in range(_VOL_STEPS):
        d1 = -log_m / s + 0.5 * s
        sign = np.where(moneyness >= 1, 1.0, -1.0)
        price = np.maximum(sign * (ndtr(sign * d1) - moneyness * ndtr(sign * (d1 - s))), 1e-300)
        vega = np.exp(-0.5 * d1**2) / np.sqrt(2 * np.pi)
        step = np.log(price / safe) * price / np.maximum(vega, 1e-300)
        s = np.clip(s - np.clip(step, -0.5 * s, s), 1e-4, 5.0)
    return np.where(usable, s, start)
