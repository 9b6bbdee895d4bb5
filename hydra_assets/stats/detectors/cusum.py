"""Two-sided CUSUM of standardised values.

    S+_t = max(0, S+_{t-1} + z_t - k),   S-_t = max(0, S-_{t-1} - z_t - k),   statistic max(S+_t, S-_t)

k is half the shift, in standard deviations, that it is quickest for. Values are held to ±clip first: volatility comes
in clusters, and unbounded values would need a threshold twice as high for the same rate of false alarms
(docs/studies/detectors.md). Source: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import DetectorTrack, watched

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cusum:
    """Two-sided CUSUM; with ``restart`` both sums begin again after a session above it, without it they go on."""

    k: float = 0.5
    clip: float = 2.0
    restart: float | None = None

    @property
    def name(self) -> str:
        """Name under which thresholds are kept; the restart is the threshold's own affair."""
        return f"cusum(k={self.k:g}, clip={self.clip:g})"

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """Statistic of ``[T]`` or ``[T, K]`` values, in standard deviations of the reference's held values."""
        return watched(values, reference, self._statistic)

    def _statistic(self, z: Floats, reference: Reference) -> Floats:
        held = reference.bounded(z, self.clip)
        steps = np.stack([held - self.k, -held - self.k], axis=1)
        total = np.zeros(steps.shape[1:])
        for step in steps:
            np.maximum(np.add(total, step, out=step), 0.0, out=step)
            total = step
            if self.restart is not None:
                total = np.where(step.max(axis=0) > self.restart, 0.0, step)
        out: Floats = steps.max(axis=1)
        return out
