"""Quotes as the robust fits take them: what is no quote is out, gaps are zeros, spreads are reciprocals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats
from hydra_assets.options.slices import Bools, SliceQuotes, row_sum

MAX_LOG_MONEYNESS = 20.0
LEAST_VARIANCE, MAX_VARIANCE = 1e-12, 400.0
"""Total variance of a quote: beyond, its price is a bound to the last digit."""
SHARPEST = 1e-10
"""Least half-spread, as a share of total variance."""


@dataclass(frozen=True, slots=True)
class Observations:
    """Quotes ready to fit, ``[n, m]``: zero wherever ``used`` is false, and 1/half_spread as ``inverse``.

    ``count`` is the quotes used and ``scale`` the root mean total variance, ``[n]``; ``constants`` is what else the
    model needs of a slice, ``[q, n]``.
    """

    k: Floats
    w: Floats
    inverse: Floats
    used: Bools
    count: Floats
    scale: Floats
    constants: Floats

    def take(self, rows: NDArray[np.intp] | slice) -> "Observations":
        """Some of the slices."""
        k, w, inverse = (values[rows] for values in (self.k, self.w, self.inverse))
        per_slice = self.count[rows], self.scale[rows], self.constants[:, rows]
        return Observations(k, w, inverse, self.used[rows], *per_slice)


def observations(quotes: SliceQuotes) -> Observations:
    """Drop from ``used`` what is no quote of an option (not a number, or off by orders); fill the gaps with zeros."""
    with np.errstate(invalid="ignore"):
        used = quotes.used & (np.abs(quotes.k) <= MAX_LOG_MONEYNESS)
        used &= (quotes.w >= LEAST_VARIANCE) & (quotes.w <= MAX_VARIANCE)
        used &= (quotes.half_spread >= SHARPEST * quotes.w) & (quotes.half_spread <= MAX_VARIANCE)
    k, w = np.where(used, quotes.k, 0.0), np.where(used, quotes.w, 0.0)
    inverse = np.where(used, 1.0 / np.where(used, quotes.half_spread, 1.0), 0.0)
    count = row_sum(used.astype(np.float64))
    scale = np.sqrt(np.maximum(row_sum(w) / np.maximum(count, 1.0), 1e-12))
    return Observations(k, w, inverse, used, count, scale, np.empty((0, len(k))))
