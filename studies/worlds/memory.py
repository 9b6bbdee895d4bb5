"""How long the engine's errors last and how heavy their tails are, such that drawn errors are like the measured ones.

Normal scores, heavy tails, changing standard errors and cut grades all weaken an autocorrelation on its way from the
drawn normal numbers to a moment; and the engine's rare large errors come with large standard errors more often than a
rank correlation can say. So the drawn errors' own autocorrelations and size are measured, with other seeds, and the
parameters are moved until they are those of the engine.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydra_assets.sources.simulated.market import SimulatedMarket
from studies.worlds.calibration import MOMENTS, TAIL_LEVELS, Law, MarketCalibration
from studies.worlds.draws import draw
from studies.worlds.slices import Slices

Floats = NDArray[np.float64]
LAGS = (1, 5)
"""Sessions whose autocorrelations give the slow part and its decay."""
ROUNDS = 12
SEEDS = (901, 902, 903, 904, 905, 906)
STRETCH = (0.5, 5.0)
"""Bounds of the factor by which tails are stretched."""
_LEAST = 0.02


@dataclass(frozen=True, slots=True)
class Targets:
    """What the engine did: errors of the moments ``[n]`` about its line, and ranks of the slices' grades ``[n, m]``."""

    errors: dict[str, Floats]
    rank: NDArray[np.int64]


def autocorrelation(x: Floats, lag: int) -> float:
    """Of the pairs that are both there, about the mean of all."""
    apart = x - np.nanmean(x)
    now, then = apart[lag:], apart[:-lag]
    both = np.isfinite(now) & np.isfinite(then)
    spread = float(np.nanmean(apart**2))
    return float(np.mean(now[both] * then[both])) / spread if both.sum() > 2 and spread > 0.0 else 0.0


def memory_of(near: float, far: float) -> tuple[float, float]:
    """Share of the slow part and its decay from autocorrelations at ``LAGS``: r(k) = slow * decay^k."""
    near, far = max(near, _LEAST), max(far, _LEAST / 2)
    decay = float(np.clip((far / near) ** (1 / (LAGS[1] - LAGS[0])), 0.3, 0.985))
    return round(float(np.clip(near / decay, 0.0, 0.999)), 4), round(decay, 4)


def tuned(
    market: SimulatedMarket, slices: Slices, calibration: MarketCalibration, targets: Targets
) -> MarketCalibration:
    """Calibration with the memory of errors and grades that gives the targets' autocorrelations at ``LAGS``."""
    wanted = {name: [autocorrelation(targets.errors[name], lag) for lag in LAGS] for name in MOMENTS}
    asked = {name: [law.slow * law.decay**lag for lag in LAGS] for name, law in calibration.laws.items()}
    of_grades = _grade_memory(slices, targets.rank)
    asked_grades = [calibration.grades.slow * calibration.grades.decay**lag for lag in LAGS]
    common = calibration.grades.common
    stretch, start = dict.fromkeys(MOMENTS, 1.0), dict(calibration.laws)
    for _ in range(ROUNDS):
        others = [replace(market, path=replace(market.path, seed=seed)) for seed in SEEDS]
        drawn = [draw(other, slices, calibration) for other in others]
        for name in MOMENTS:
            have = [float(np.mean([autocorrelation(d.off[name], lag) for d in drawn])) for lag in LAGS]
            asked[name] = _moved(asked[name], wanted[name], have)
            size = float(np.mean([np.nanmean(d.off[name] ** 2) for d in drawn]))
            ratio = np.sqrt(float(np.nanmean(targets.errors[name] ** 2)) / size)
            stretch[name] = float(np.clip(stretch[name] * np.clip(ratio, 0.85, 1.2), *STRETCH))
        found = np.mean([_grade_memory(slices, d.rank) for d in drawn], axis=0).tolist()
        asked_grades = _moved(asked_grades, of_grades[:2], found[:2])
        common = _moved([common], of_grades[2:], found[2:])[0]
        slow, decay = memory_of(*asked_grades)
        grades = calibration.grades.model_copy(update={"slow": slow, "decay": decay, "common": round(common, 4)})
        laws = dict(calibration.laws)
        for name in MOMENTS:
            slow, decay = memory_of(*asked[name])
            laws[name] = Law(quantiles=_stretched(start[name], stretch[name]), slow=slow, decay=decay)
        calibration = calibration.model_copy(update={"grades": grades, "laws": laws})
    return calibration


def _stretched(law: Law, by: float) -> tuple[float, ...]:
    """Quantiles with those outside of 5 and 95 % moved away from these by a factor."""
    out, n = list(law.quantiles), len(law.quantiles)
    for k in range(TAIL_LEVELS):
        for at, from_ in ((k, TAIL_LEVELS), (n - 1 - k, n - 1 - TAIL_LEVELS)):
            out[at] = round(out[from_] + by * (out[at] - out[from_]), 6)
    return tuple(out)


def _moved(asked: list[float], wanted: list[float], have: list[float]) -> list[float]:
    """What to ask for next, by the ratio of what is wanted to what came out; at most a third at a time."""
    ratios = [max(w, _LEAST) / max(h, _LEAST) for w, h in zip(wanted, have, strict=True)]
    return [float(np.clip(a * np.clip(r, 0.75, 1.33), _LEAST / 2, 0.98)) for a, r in zip(asked, ratios, strict=True)]


def _grade_memory(slices: Slices, rank: NDArray[np.int64]) -> list[float]:
    """Autocorrelations of the ranks of one expiry at ``LAGS``, and the correlation of a session's expiries."""
    apart = np.where(slices.listed, rank - _usual(slices, rank), np.nan)
    count = int(slices.series.max()) + 1
    row, place = np.nonzero(slices.listed)
    table = np.full((len(rank), count), np.nan)
    table[row, slices.series[row, place]] = apart[row, place]
    spread = float(np.nanmean(table**2))
    out = [float(np.nanmean(table[lag:] * table[:-lag])) / spread for lag in LAGS]
    filled, listed = np.where(np.isfinite(apart), apart, 0.0), slices.listed.sum(axis=1)
    pairs = filled.sum(axis=1) ** 2 - (filled**2).sum(axis=1)
    return [*out, float(pairs.sum()) / float((listed * (listed - 1)).sum()) / spread]


def _usual(slices: Slices, rank: NDArray[np.int64]) -> Floats:
    """Mean rank at about the slice's width, ``[n, m]``: in half strike steps."""
    halves = np.where(slices.listed, np.minimum(2.0 * slices.width, 60.0), 0.0).astype(np.int64)
    total = np.bincount(halves[slices.listed], rank[slices.listed])
    counted = np.maximum(np.bincount(halves[slices.listed]), 1)
    return np.asarray((total / counted)[halves])
