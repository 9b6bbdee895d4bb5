"""The frozen window that values are measured by: the training window of the model that reads them.

    z_t = (x_t - m) / s,   e_t = (z_t - phi z_{t-1} - a) / b

with m, s, phi, a and b of the reference alone. Features persist (AR 0.9 and more); a detector that takes neighbouring
sessions for independent would count one excursion many times, so the innovations e_t are watched, not the levels,
unless ``whiten`` is false. phi is the least-squares slope, by Kendall's correction for short samples, within ±0.99. The
first innovation after the reference is z itself, which has unit variance as well: nothing is assumed about how live
values join the reference.

Mean and standard deviation, not median and MAD: the MAD of a feature that is zero on most sessions is zero, and once
values are held within bounds the two are equally quick (docs/studies/detectors.md).

Source of the correction: M. G. Kendall, "Note on bias in the estimation of autocorrelation", Biometrika 41 (1954).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_REFERENCE = 100
"""Fewer observations leave the mean uncertain by more than a tenth of a standard deviation."""
_MAX_PHI = 0.99
_FLAT = 1e-12
"""A spread below this fraction of the largest value is rounding."""


class ReferenceReason(StrEnum):
    """Whether a column's reference can be measured by."""

    OK = "ok"
    SHORT = "short"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Frozen figures of K columns."""

    figures: Floats
    """``[5, K]``: m, s, phi (zero without whitening), a and b; NaN where the reason is not OK."""
    sample: Floats
    """``[R, K]`` the reference's own standardised observations, ascending in each column, NaN last."""
    reason: tuple[ReferenceReason, ...]

    @classmethod
    def fit(cls, training: ArrayLike, *, whiten: bool = True, minimum: int = MIN_REFERENCE) -> Self:
        """Figures of ``training`` ``[R]`` or ``[R, K]``; what is not finite is no observation."""
        raw: Floats = np.asarray(training, dtype=np.float64)
        columns = raw[:, None] if raw.ndim == 1 else raw
        k = columns.shape[1]
        figures = np.full((5, k), np.nan)
        sample = np.full(columns.shape, np.nan)
        reasons = []
        for j in range(k):
            x = columns[np.isfinite(columns[:, j]), j]
            if len(x) < max(minimum, 3):
                reasons.append(ReferenceReason.SHORT)
            elif np.ptp(x) <= _FLAT * np.abs(x).max():
                reasons.append(ReferenceReason.FLAT)
            else:
                reasons.append(ReferenceReason.OK)
                figures[:, j] = _figures(x, whiten)
                sample[: len(x), j] = np.sort(_standardised(x[:, None], figures[:, j : j + 1])[:, 0])
        return cls(figures, sample, tuple(reasons))

    @classmethod
    def known(cls, location: float = 0.0, scale: float = 1.0, phi: float = 0.0) -> Self:
        """Reference of one column whose figures are known rather than estimated; it has no sample."""
        figures = np.array([[location], [scale], [phi], [0.0], [(1.0 - phi * phi) ** 0.5]])
        return cls(figures, np.empty((0, 1)), (ReferenceReason.OK,))

    def take(self, columns: Flags) -> "Reference":
        """Keep the columns that are flagged, ``[K]``."""
        if columns.all():
            return self
        kept = tuple(r for r, stays in zip(self.reason, columns, strict=True) if stays)
        return Reference(self.figures[:, columns], self.sample[:, columns], kept)

    def standardised(self, values: Floats) -> Floats:
        """``[T, K]`` values whose NaN are all at the bottom, in units of the reference."""
        return _standardised(values, self.figures)

    def bounded(self, standardised: Floats, clip: float) -> Floats:
        """Hold ``[T, K]`` standardised values to ±clip and measure them by the reference's own held values.

        Without the second step a skewed feature, more of which is cut on one side, would drift for ever.
        """
        held = np.clip(standardised, -clip, clip)
        if not len(self.sample):
            return held
        out = np.empty_like(held)
        # One by one: a sum over rows of many columns adds in another order than one over a single column.
        for j, column in enumerate(self.sample.T):
            own = np.clip(column[np.isfinite(column)], -clip, clip)
            out[:, j] = (held[:, j] - own.mean()) / (own.std() or 1.0)
        return out


def _figures(x: Floats, whiten: bool) -> tuple[float, float, float, float, float]:
    m, s = float(x.mean()), float(x.std(ddof=1))
    if not whiten:
        return m, s, 0.0, 0.0, 1.0
    z = (x - m) / s
    raw = float((z[1:] * z[:-1]).sum() / (z[:-1] * z[:-1]).sum())
    phi = float(np.clip(raw + (1.0 + 3.0 * raw) / len(x), -_MAX_PHI, _MAX_PHI))
    e = z[1:] - phi * z[:-1]
    spread = float(e.std(ddof=1))
    # A series that its own past explains to the last digit has no innovations; its levels are watched.
    return (m, s, phi, float(e.mean()), spread) if spread > _FLAT else (m, s, 0.0, 0.0, 1.0)


def _standardised(values: Floats, figures: Floats) -> Floats:
    location, scale, phi, innovation_location, innovation_scale = figures
    z = (values - location) / scale
    out: Floats = z.copy()
    out[1:] = (z[1:] - phi * z[:-1] - innovation_location) / innovation_scale
    return out
