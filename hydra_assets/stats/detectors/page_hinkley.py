"""Page-Hinkley test of river, two-sided, for many columns at once.

    d_t = z_t - mean(z_1..z_t),  U_t = a U_{t-1} + d_t - delta,  D_t = a D_{t-1} + d_t + delta
    statistic  max(U_t - min_{s<=t} U_s, max_{s<=t} D_s - D_t)

Its mean is its own, of everything seen so far, so the reference gives it the units only. Equal to
``river.drift.PageHinkley`` until the first detection, after which river starts again and this does not. Source: river
0.26; D. V. Hinkley, "Inference about the change-point from cumulative sum tests", Biometrika 58 (1971).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import DetectorTrack, watched

Floats = NDArray[np.float64]

_LEAST_MAXIMUM = -1.0
"""River's maximum starts here."""


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """Page-Hinkley with river's parameters, ``alpha`` the forgetting factor; values are held to ±clip first."""

    delta: float = 0.005
    alpha: float = 0.9999
    min_instances: int = 30
    clip: float = 2.0

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        numbers = f"delta={self.delta:g}, alpha={self.alpha:g}, from={self.min_instances}, clip={self.clip:g}"
        return f"page_hinkley({numbers})"

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """Statistic of ``[T]`` or ``[T, K]`` values; NaN before ``min_instances`` observations."""
        return watched(values, reference, self._statistic)

    def _statistic(self, z: Floats, reference: Reference) -> Floats:
        held = reference.bounded(z, self.clip)
        mean = np.cumsum(held, axis=0) / np.arange(1, len(held) + 1)[:, None]
        deviation = held - mean
        up = lfilter([1.0], [1.0, -self.alpha], deviation - self.delta, axis=0)
        down = lfilter([1.0], [1.0, -self.alpha], deviation + self.delta, axis=0)
        risen = up - np.minimum.accumulate(up, axis=0)
        fallen = np.maximum(np.maximum.accumulate(down, axis=0), _LEAST_MAXIMUM) - down
        out: Floats = np.maximum(risen, fallen)
        out[: self.min_instances - 1] = np.nan
        return out
