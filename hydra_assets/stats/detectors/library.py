"""KSWIN and ADWIN as river runs them, with a statistic in place of an alarm.

KSWIN compares the newest ``recent`` observations of a sliding window with as many drawn at random from the rest of it:
no reference is needed, and a change that has filled the window is forgotten. The statistic is -log10 of the exact
two-sided p-value: p = 2 sum_{j>=1} (-1)^{j-1} C(2n, n - j c) / C(2n, n) at a distance of c/n between two samples of n.
The draws depend on the seed and on how many observations there were, not on the values, and without a restart all
columns can be tested at once: equal to ``river.drift.KSWIN`` with ``alpha=0``, which never restarts.

ADWIN drops the older part of its window when the means differ by more than chance allows at a confidence delta. It has
no statistic but that decision, so one ADWIN runs per delta of a ladder; the statistic is -log10 of the strictest delta
that cut this session, 0 without a cut.

Sources: C. Raab, M. Heusinger and F.-M. Schleif, "Reactive soft prototype computing for concept drift streams",
Neurocomputing 416 (2020); B. V. Gnedenko and V. S. Korolyuk, "On the maximum discrepancy between two empirical
distributions" (1951); A. Bifet and R. Gavalda, "Learning from time-changing data with adaptive windowing", SDM 2007.
"""

import random
from dataclasses import dataclass
from functools import lru_cache
from math import comb, log10

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import DetectorTrack, watched

Floats = NDArray[np.float64]

DELTA_LADDER = (5e-2, 2e-2, 1e-2, 5e-3, 2e-3, 5e-4, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10)


@dataclass(frozen=True, slots=True)
class Kswin:
    """KSWIN over a window with ``recent`` observations held against as many older ones."""

    window: int = 100
    recent: int = 30
    seed: int = 20

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        return f"kswin(window={self.window}, recent={self.recent})"

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """-log10 p of ``[T]`` or ``[T, K]`` values; NaN until the window is full."""
        return watched(values, reference, self._statistic)

    def _statistic(self, z: Floats, _: Reference) -> Floats:
        out = np.full(z.shape, np.nan)
        draws, n, older = random.Random(self.seed), self.recent, self.window - self.recent  # noqa: S311 - river's own
        evidence = _evidence(n)
        for t in range(self.window - 1, len(z)):
            first = t - self.window + 1
            drawn = z[[first + r for r in draws.sample(range(older), n)]]
            out[t] = evidence[_steps_apart(drawn, z[t - n + 1 : t + 1])]
        return out


def _steps_apart(one: Floats, other: Floats) -> NDArray[np.int64]:
    """KS distance, in steps of 1/n, of two samples ``[n, K]`` of equal size: ``[K]`` integers."""
    both = np.concatenate([one, other])
    order = np.argsort(both, axis=0, kind="stable")
    ascending = np.take_along_axis(both, order, axis=0)
    walk = np.cumsum(np.where(order < len(one), 1, -1), axis=0)
    # Within a tie neither distribution function has taken its whole step yet.
    walk[:-1][ascending[1:] == ascending[:-1]] = 0
    apart: NDArray[np.int64] = np.abs(walk).max(axis=0)
    return apart


@lru_cache(maxsize=8)
def _evidence(n: int) -> Floats:
    """-log10 p at each distance 0/n, 1/n .. n/n."""
    all_walks = comb(2 * n, n)
    walks = [sum((-1) ** (j - 1) * comb(2 * n, n - j * c) for j in range(1, n // c + 1)) for c in range(1, n + 1)]
    evidence: Floats = -np.log10([1.0] + [2 * each / all_walks for each in walks])
    return evidence


@dataclass(frozen=True, slots=True)
class Adwin:
    """A ladder of ADWINs that look for a cut every ``clock`` observations; values are held to ±clip first."""

    deltas: tuple[float, ...] = DELTA_LADDER
    clock: int = 5
    clip: float = 2.0

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        return f"adwin(clock={self.clock}, clip={self.clip:g})"

    def statistics(self, values: ArrayLike, reference: Reference) -> DetectorTrack:
        """-log10 of the strictest delta that cut, ``[T]`` or ``[T, K]``."""
        return watched(values, reference, self._statistic)

    def _statistic(self, z: Floats, reference: Reference) -> Floats:
        from river.drift import ADWIN  # noqa: PLC0415 - a second of imports

        held = reference.bounded(z, self.clip)
        out = np.zeros(z.shape)
        for j in range(z.shape[1]):
            series = held[np.isfinite(held[:, j]), j].tolist()
            for delta in self.deltas:
                adwin = ADWIN(delta=delta, clock=self.clock)  # type: ignore[no-untyped-call]  # river's own
                for t, value in enumerate(series):
                    adwin.update(value)  # type: ignore[no-untyped-call]  # river's own
                    if adwin.drift_detected:
                        out[t, j] = max(out[t, j], -log10(delta))
        return out
