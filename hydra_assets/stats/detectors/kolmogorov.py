"""Two-sample Kolmogorov-Smirnov distance of a rolling window from the reference.

    statistic  sqrt(n m / (n + m)) sup_x |F_n(x) - G_m(x)|

with F of the last n = ``window`` observations and G of the m of the reference; tested every session, so its threshold
is not a quantile of Kolmogorov's law but comes from the table. The supremum is attained at an observation of the
window: with the window ascending, D+ = max_i (i/n - G(x_i)) and D- = max_i (G(x_i-) - (i-1)/n), ties included. Equal to
``scipy.stats.ks_2samp``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import DetectorTrack, watched

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Scaled distance of the last ``window`` observations from the reference."""

    window: int = 60

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        return f"ks(window={self.window})"

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """Scaled distance of ``[T]`` or ``[T, K]`` values; NaN until the window is full."""
        return watched(values, reference, self._statistic)

    def _statistic(self, z: Floats, reference: Reference) -> Floats:
        sample = reference.sample
        n = self.window
        out = np.full(z.shape, np.nan)
        if len(z) < n:
            return out
        i = np.arange(1, n + 1)
        for j in range(z.shape[1]):
            ascending = sample[np.isfinite(sample[:, j]), j]
            m = len(ascending)
            # Ranks are integers, which sort faster than floats and exactly alike on both sides of a tie.
            upto = np.searchsorted(ascending, z[:, j], side="right").astype(np.int32)
            below = np.searchsorted(ascending, z[:, j], side="left").astype(np.int32)
            above = np.sort(sliding_window_view(upto, n), axis=1)
            tied = not np.array_equal(upto, below)
            under = np.sort(sliding_window_view(below, n), axis=1) if tied else above
            distance = np.maximum((i * m - above * n).max(axis=1), (under * n - (i - 1) * m).max(axis=1))
            out[n - 1 :, j] = np.sqrt(n * m / (n + m)) * distance / (n * m)
        return out
