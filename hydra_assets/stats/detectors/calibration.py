"""Are the probabilities still right? Risk-adjusted Bernoulli CUSUMs in both directions.

    W_t = y_t ln R - ln(1 - p_t + R p_t),   S_t = max(0, S_{t-1} + W_t)

is the log-likelihood ratio of the odds being R times what was said, p_t/(1 - p_t), against their being right. One sum
runs with R = ``odds_ratio`` (things happen more often than said), one with its inverse; the statistic is the larger.
Source: S. H. Steiner, R. J. Cook, V. T. Farewell and T. Treasure, "Monitoring surgical performance using risk-adjusted
cumulative sum charts", Biostatistics 1 (2000), eq. (2.1)-(2.3).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.detectors.edge import reflected
from hydra_assets.stats.detectors.track import DetectorTrack, columns_of, pack, seen

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CalibrationCusum:
    """CUSUM for odds that have grown or shrunk by ``odds_ratio`` > 1."""

    odds_ratio: float = 2.0

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        return f"calibration(odds_ratio={self.odds_ratio:g})"

    def statistics(self, outcomes: ArrayLike, predicted: ArrayLike) -> DetectorTrack:
        """Statistic of ``[T]`` or ``[T, K]`` outcomes, 0 or 1, at the session that makes them known.

        ``predicted`` are the probabilities said of them before; where either is missing the session is left out.
        ValueError on other outcomes, on probabilities outside [0, 1] or on unequal shapes.
        """
        y, p = columns_of(outcomes), columns_of(predicted)
        if y.shape != p.shape:
            msg = f"{y.shape} outcomes of {p.shape} probabilities"
            raise ValueError(msg)
        if not (np.isnan(y) | (y == 0.0) | (y == 1.0)).all() or not (np.isnan(p) | ((p >= 0.0) & (p <= 1.0))).all():
            msg = "outcomes are 0 or 1 and probabilities lie in [0, 1]"
            raise ValueError(msg)
        packed_y = pack(np.where(np.isnan(p), np.nan, y))
        packed_p = pack(np.where(np.isnan(y), np.nan, p))
        more = reflected(_weights(packed_y.values, packed_p.values, self.odds_ratio))
        fewer = reflected(_weights(packed_y.values, packed_p.values, 1.0 / self.odds_ratio))
        found = packed_y.unpack(np.maximum(more, fewer))
        return DetectorTrack(found[:, 0] if np.ndim(outcomes) == 1 else found, seen(packed_y))


def _weights(y: Floats, p: Floats, odds_ratio: float) -> Floats:
    weights: Floats = y * np.log(odds_ratio) - np.log1p(p * (odds_ratio - 1.0))
    return weights
