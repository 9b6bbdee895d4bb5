"""Intervals on a probability: inductive Venn–Abers pairs, and a band that covers the true probability.

Both are fitted to out-of-fold predictions and assume no more of the model than that a higher score never means a lower
chance. They answer two questions. The *pair* [p0, p1] is what isotonic calibration says if the new label turns out 0,
and if 1: one of the two is calibrated exactly, in any finite sample (Vovk and Petej 2014, theorem 1). Its width is the
weight of one label and so no error of estimation. The *band* [lower, upper] holds the true chance at the given score
with a stated probability.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betaincinv

from hydra_assets.models.artefact import array_of, numbers, opened, sealed
from hydra_assets.models.calibration import OutOfFold, grouped
from hydra_assets.models.protocol import Floats, ModelError, ModelReason, checked_probability

SCORE_STEP = 1e-3
"""Scores are rounded to this. Any fixed score keeps the guarantee; a tenth of a point of probability is far below what
a few thousand labels can tell apart, and it bounds the table."""
LEVEL = 0.9
MAX_STEPS = 200
"""Fifty halvings alone are the precision of a double; about ten steps are usual."""
ROUNDING = 1e-13
"""Steps below it go to and fro between neighbouring corners of one line."""
MIN_ROWS = 50
"""Independent labels below which there is no interval to speak of: Clopper and Pearson's is then ±14 points."""


@dataclass(frozen=True, slots=True)
class Interval:
    """``[n]`` each: the Venn–Abers pair, the single probability that it gives, and the band at the fitted level."""

    p0: Floats
    p1: Floats
    lower: Floats
    upper: Floats

    @property
    def probability(self) -> Floats:
        """p1 / (1 − p0 + p1): the value with the least regret in log loss between both (Vovk et al. 2015, eq. 2)."""
        return self.p1 / (1.0 - self.p0 + self.p1)


@dataclass(frozen=True, slots=True)
class VennAbers:
    """Tables ``[2m + 1]`` over ``score`` ``[m]``: position 2i is the gap before ``score[i]``, 2i + 1 the score itself.

    ``level`` is the chance with which [lower, upper] holds the true probability of one score.
    """

    score: Floats
    p0: Floats
    p1: Floats
    lower: Floats
    upper: Floats
    level: float
    rows: int

    def interval(self, probability: Floats) -> Interval:
        """Interval of uncalibrated probabilities ``[n]``, as the model gives them."""
        s = rounded(checked_probability(probability))
        left = np.searchsorted(self.score, s, side="left")
        at = 2 * left + (np.append(self.score, np.nan)[left] == s)
        return Interval(self.p0[at], self.p1[at], self.lower[at], self.upper[at])

    def to_json(self) -> str:
        """Write the artefact."""
        content: dict[str, Any] = {name: numbers(getattr(self, name)) for name in _TABLES}
        return sealed("venn_abers", {**content, "level": self.level, "rows": self.rows})

    @staticmethod
    def from_json(text: str, sha256: str | None = None) -> "VennAbers":
        """Read the artefact; ModelError where it is damaged."""
        kind, data = opened(text, sha256)
        if kind != "venn_abers":
            raise ModelError(ModelReason.UNKNOWN_KIND, "kind", f"{kind!r} is no interval")
        score, p0, p1, lower, upper = (array_of(data[name]) for name in _TABLES)
        return VennAbers(score, p0, p1, lower, upper, data["level"], data["rows"])


_TABLES = ("score", "p0", "p1", "lower", "upper")


def rounded(probability: Floats) -> Floats:
    """Scores as the tables hold them."""
    return np.rint(probability / SCORE_STEP) * SCORE_STEP


def venn_abers(rows: OutOfFold, level: float = LEVEL) -> VennAbers:
    """Fit both intervals; ModelError below ``MIN_ROWS`` independent labels.

    A row counts as 1 / overlap of a label, in the pair as in the band: where the same move is in ten labels, the new
    one is worth ten of them.
    """
    if rows.independent_rows < MIN_ROWS:
        detail = f"{rows.independent_rows:.0f} independent labels, {MIN_ROWS} are needed"
        raise ModelError(ModelReason.TOO_FEW_ROWS, "probability", detail)
    counted = (rows.weights > 0.0).astype(np.float64) / rows.overlap
    score, mean, weight = grouped(rounded(rows.probability), rows.target, counted)
    x = np.concatenate([[0.0], np.cumsum(weight)])
    y = np.concatenate([[0.0], np.cumsum(weight * mean)])
    pair = [_with_one_more(x, y, label) for label in (0.0, 1.0)]
    lower, upper = _band(x, y, level)
    return VennAbers(score, pair[0], pair[1], lower, upper, level, len(rows.probability))


def _ends(m: int) -> tuple[np.ndarray[Any, np.dtype[np.int64]], np.ndarray[Any, np.dtype[np.int64]]]:
    """Cumulated points left of and right of each position ``[2m + 1]``: both i in a gap, i and i + 1 at a score."""
    position = np.arange(2 * m + 1)
    return position // 2, (position + 1) // 2


def _with_one_more(x: Floats, y: Floats, label: float) -> Floats:
    """Isotonic value of one more row with ``label`` at every position, ``[2m + 1]``.

    The value is the slope of the greatest convex minorant of the cumulated (weight, ones) at the new row. That row
    moves all points right of it by (1, label), so the minorant crosses there on the common tangent of the left points
    L and the right points R: the slope t at which min over L of (y − t x) equals min over R of (y + label − t (x + 1)).
    Their difference rises in t and is piecewise linear: Newton's method between shrinking bounds ends at the root
    itself, as soon as it is on the root's own piece.
    """
    left, right = _ends(len(x) - 1)
    columns = np.arange(len(x))
    not_left = np.where(columns <= left[:, None], 0.0, np.inf)
    not_right = np.where(columns >= right[:, None], 0.0, np.inf)
    # Isotonic regression without the new row is near, and saves half the steps.
    fit = isotonic_regression(np.diff(y) / np.diff(x), weights=np.diff(x)).x
    t: Floats = np.append(fit, fit[-1])[left]
    low, high = np.zeros(len(left)), np.ones(len(left))
    for step in range(MAX_STEPS):
        height = y - t[:, None] * x
        lowest_left = (height + not_left).argmin(axis=1)
        lowest_right = (height + not_right).argmin(axis=1)
        rise = y[lowest_right] + label - y[lowest_left]
        run = x[lowest_right] + 1.0 - x[lowest_left]
        slope: Floats = rise / run
        if np.abs(slope - t).max() < ROUNDING:
            return slope
        low, high = np.where(slope > t, t, low), np.where(slope < t, t, high)
        # Every fourth step halves what Newton has left open, so that it cannot go round in circles.
        inside = (slope >= low) & (slope <= high) & (step % 4 < 3)
        t = np.where(inside | (slope == t), slope, 0.5 * (low + high))
    return t


def _band(x: Floats, y: Floats, level: float) -> tuple[Floats, Floats]:
    """Bounds ``[2m + 1]`` on the true chance at each position.

    With a chance that never falls, rows at or below a score have on average at most its chance, so a lower confidence
    bound of Clopper and Pearson for the rows of any window that ends there bounds it from below, and one that starts
    there from above. Windows of about 2^k independent rows are tried, each at a level divided by how many there are
    (Bonferroni), and the tightest is taken. Where both cross, the chance does fall with the score; the bounds are then
    exchanged, which is wide rather than wrong.
    """
    left, right = _ends(len(x) - 1)
    total = x[-1]
    sizes = [2.0**k for k in range(3, int(np.log2(max(total, 8.0))) + 1)]
    # Both sides, every size: the chance that any window misses is at most 1 − level at one position.
    each = (1.0 - level) / (2.0 * len(sizes))
    lower, upper = np.zeros(len(left)), np.ones(len(left))
    for size in sizes:
        # A position at a score takes its own rows into both windows.
        end = np.where(right > left, right, left)
        start = np.searchsorted(x, x[end] - size + 1e-9, side="right") - 1
        whole = start >= 0
        rows, ones = x[end] - x[np.maximum(start, 0)], y[end] - y[np.maximum(start, 0)]
        bound = np.where(ones > 0.0, betaincinv(np.maximum(ones, 1e-300), rows - ones + 1.0, each), 0.0)
        lower = np.where(whole, np.maximum(lower, bound), lower)
        begin = np.where(right > left, left, right)
        stop = np.searchsorted(x, x[begin] + size - 1e-9, side="left")
        whole = stop < len(x)
        stop = np.minimum(stop, len(x) - 1)
        rows, ones = x[stop] - x[begin], y[stop] - y[begin]
        bound = np.where(rows > ones, betaincinv(ones + 1.0, np.maximum(rows - ones, 1e-300), 1.0 - each), 1.0)
        upper = np.where(whole, np.minimum(upper, bound), upper)
    return np.minimum(lower, upper), np.maximum(lower, upper)
