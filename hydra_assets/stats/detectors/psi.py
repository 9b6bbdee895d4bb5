"""Population stability index of a rolling window against the reference.

    PSI_t = sum_b (p_b - q_b) ln(p_b / q_b)

over bins cut at the reference's quantiles; p the shares of the last ``window`` observations, q those of the reference,
each with half an observation added to every bin, so that an empty one stays finite. Equal quantiles make one bin.
Without any drift its expectation is about (bins - 1)(1/n + 1/m), which is 0.19 for ten bins of 60 against 252: the
customary thresholds of 0.1 and 0.25 fire on noise. Source: B. Yurdakul and J. Naranjo, "Statistical properties of the
population stability index", Journal of Risk Model Validation 14 (2020).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import DetectorTrack, watched

Floats = NDArray[np.float64]

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Psi:
    """PSI over the last ``window`` observations in ``bins`` bins."""

    window: int = 60
    bins: int = 10

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        return f"psi(window={self.window}, bins={self.bins})"

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """PSI of ``[T]`` or ``[T, K]`` values; NaN until the window is full."""
        return watched(values, reference, self._statistic)

    def _statistic(self, z: Floats, reference: Reference) -> Floats:
        sample = reference.sample
        out = np.full(z.shape, np.nan)
        if len(z) < self.window:
            return out
        m = np.isfinite(sample).sum(axis=0)
        inner = np.nanquantile(sample, np.arange(1, self.bins) / self.bins, axis=0)
        repeated = np.zeros((self.bins, z.shape[1]), dtype=np.bool_)
        repeated[1:-1] = inner[1:] == inner[:-1]
        added = _HALF * (self.bins - repeated.sum(axis=0))
        psi = np.zeros((len(z) - self.window + 1, z.shape[1]))
        below_live, below_sample = np.zeros_like(psi), np.zeros(z.shape[1])
        for b in range(self.bins):
            last = b == self.bins - 1
            upto_live = np.full_like(psi, self.window) if last else _rolling(z <= inner[b], self.window)
            upto_sample = m.astype(np.float64) if last else (sample <= inner[b]).sum(axis=0).astype(np.float64)
            p = (upto_live - below_live + _HALF) / (self.window + added)
            q = (upto_sample - below_sample + _HALF) / (m + added)
            psi += np.where(repeated[b], 0.0, (p - q) * np.log(p / q))
            below_live, below_sample = upto_live, upto_sample
        out[self.window - 1 :] = psi
        return out


def _rolling(flags: NDArray[np.bool_], window: int) -> Floats:
    """How many of the last ``window`` rows are set, ``[T, K]`` to ``[T - window + 1, K]``."""
    total = np.cumsum(flags, axis=0, dtype=np.int32)
    out = total[window - 1 :].astype(np.float64)
    out[1:] -= total[:-window]
    return out
