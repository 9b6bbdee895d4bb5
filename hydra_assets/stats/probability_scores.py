"""How good were the probabilities? Brier score, its reliability and resolution, and the calibration curve.

    Brier = mean (p - y)^2 ~ reliability - resolution + uncertainty,
    reliability = sum_b n_b (p_b - y_b)^2 / n,  resolution = sum_b n_b (y_b - y)^2 / n,  uncertainty = y (1 - y),

with p_b and y_b the mean forecast and the mean outcome of bin b; equality holds up to the spread of forecasts within a
bin. Source: A. H. Murphy, "A new vector partition of the probability score", Journal of Applied Meteorology 12 (1973).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from hydra_assets.stats.returns import Floats

BINS = 10
COIN = 0.25
"""Brier score of always saying one half."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """The curve, ``[bins]`` each; mean forecast, share and interval are NaN in an empty bin."""

    edges: Floats
    """``[bins + 1]``; bins are closed on the left, the last on both sides."""
    counts: Floats
    forecast: Floats
    share_up: Floats
    lower: Floats
    upper: Floats
    """Wilson interval of the share, 95 %."""
    brier: float
    reliability: float
    resolution: float
    uncertainty: float


def brier(probability: ArrayLike, outcome: ArrayLike) -> float:
    """Mean squared error of ``[n]`` probabilities against ``[n]`` outcomes of 0 or 1."""
    p, y = _pairs(probability, outcome)
    return float(((p - y) ** 2).mean())


def calibration(probability: ArrayLike, outcome: ArrayLike, bins: int = BINS) -> Calibration:
    """Calibration curve of ``[n]`` probabilities in equal bins; ValueError on none, on a NaN or outside [0, 1]."""
    p, y = _pairs(probability, outcome)
    edges = np.linspace(0.0, 1.0, bins + 1)
    where = np.clip(np.searchsorted(edges, p, side="right") - 1, 0, bins - 1)
    n = np.bincount(where, minlength=bins).astype(np.float64)
    empty = np.full(bins, np.nan)
    forecast = np.divide(np.bincount(where, p, bins), n, out=empty.copy(), where=n > 0)
    share = np.divide(np.bincount(where, y, bins), n, out=empty.copy(), where=n > 0)
    z = float(ndtri(0.975))
    m = np.where(n > 0, n, np.nan)
    middle = (share + z * z / (2.0 * m)) / (1.0 + z * z / m)
    reach = z * np.sqrt(share * (1.0 - share) / m + z * z / (4.0 * m * m)) / (1.0 + z * z / m)
    base = float(y.mean())
    return Calibration(
        edges=edges,
        counts=n,
        forecast=forecast,
        share_up=share,
        lower=middle - reach,
        upper=middle + reach,
        brier=float(((p - y) ** 2).mean()),
        reliability=float(np.nansum(n * (forecast - share) ** 2) / len(p)),
        resolution=float(np.nansum(n * (share - base) ** 2) / len(p)),
        uncertainty=base * (1.0 - base),
    )


def _pairs(probability: ArrayLike, outcome: ArrayLike) -> tuple[Floats, Floats]:
    p = np.asarray(probability, dtype=np.float64)
    y = np.asarray(outcome, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        msg = f"{p.shape} probabilities of {y.shape} outcomes"
        raise ValueError(msg)
    # A NaN fails both comparisons.
    if not ((p >= 0.0) & (p <= 1.0)).all() or not np.isin(y, (0.0, 1.0)).all():
        msg = "probabilities lie in [0, 1] and outcomes are 0 or 1, none missing"
        raise ValueError(msg)
    return p, y
