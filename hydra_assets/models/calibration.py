"""Calibration of probabilities on out-of-fold predictions, and how well calibrated probabilities are."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.special import expit, logit

from hydra_assets.models.artefact import array_of, numbers, opened, sealed
from hydra_assets.models.map_logistic import map_logistic
from hydra_assets.models.protocol import Floats, ModelError, ModelReason, checked_probability, checked_target

ISOTONIC_ROWS = 1000
"""Independent labels from which isotonic regression is at least as good as Platt's two parameters; below it overfits
(Niculescu-Mizil and Caruana 2005, figure 7: the curves cross at about 1000)."""
MIN_ROWS = 50
"""Independent labels below which even two parameters are noise: the standard error of Platt's intercept alone is
2 / sqrt(50) = 0.28 in log-odds, 7 points of probability."""
PROBABILITY_FLOOR = 1e-6
INTERCEPT_SD = 0.1
"""In log-odds, 2.5 points of probability: markets do not rise much more often in one year than in the next."""
SLOPE_SD = 0.5
"""A model that is twice too sure of itself, or half as sure as it may be, is two standard deviations off. Without it
the slope of a few hundred independent labels of a weak signal is noise of its own size: at a spread of 0.2 log-odds its
standard error is 0.35 with 800 of them. docs/studies/recipes.md compares."""


class Method(StrEnum):
    """How a calibrator was fitted."""

    IDENTITY = "identity"
    """Too few rows or one class: probabilities are left as they are."""
    PLATT = "platt"
    ISOTONIC = "isotonic"


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Predictions by models that had not seen the row, refused where they had.

    ``probability``, ``target`` and ``weights`` are ``[n]``; ``decided`` is each row's session and ``trained_until`` the
    session at which the last label that its model was trained on ended, both ``[n]`` dates. ``overlap`` is the mean
    number of rows that share a label window (1 for labels that do not overlap; about the horizon times the correlated
    markets): n / overlap rows count as independent.
    """

    probability: Floats
    target: Floats
    weights: Floats
    decided: NDArray[np.datetime64]
    trained_until: NDArray[np.datetime64]
    overlap: float = 1.0

    def __post_init__(self) -> None:
        n = len(self.probability)
        checked_probability(self.probability)
        checked_target(self.target, self.weights, n)
        for name in ("decided", "trained_until"):
            if getattr(self, name).shape != (n,):
                raise ModelError(ModelReason.SHAPE, name, f"shape {getattr(self, name).shape} for {n} rows")
        # A missing date compares as False, so it is refused as well.
        seen = ~(self.trained_until < self.decided)
        if seen.any():
            row = int(seen.argmax())
            detail = f"row {row} of {self.decided[row]} is by a model trained until {self.trained_until[row]}"
            raise ModelError(ModelReason.NOT_OUT_OF_FOLD, "trained_until", detail)
        if not self.overlap >= 1.0:
            raise ModelError(ModelReason.SHAPE, "overlap", f"{self.overlap}, at least 1 is meant")

    @property
    def independent_rows(self) -> float:
        """Weighted rows that count as independent."""
        return float((self.weights > 0.0).sum()) / self.overlap


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A map of probabilities that never falls: Platt's ``a + b log-odds``, or interpolation of ``x`` to ``y``."""

    method: Method
    rows: int
    independent_rows: float
    a: float = 0.0
    b: float = 1.0
    x: Floats = field(default_factory=lambda: np.empty(0))
    y: Floats = field(default_factory=lambda: np.empty(0))

    def __call__(self, probability: Floats) -> Floats:
        """Calibrate ``[n]``; a missing probability is refused."""
        p = checked_probability(probability)
        match self.method:
            case Method.ISOTONIC:
                return np.interp(p, self.x, self.y)
            case Method.PLATT:
                return np.asarray(expit(self.a + self.b * log_odds(p)), dtype=np.float64)
        return p

    def to_json(self) -> str:
        """Write the artefact."""
        content: dict[str, Any] = {
            "method": str(self.method),
            "rows": self.rows,
            "independent_rows": self.independent_rows,
            "a": self.a,
            "b": self.b,
            "x": numbers(self.x),
            "y": numbers(self.y),
        }
        return sealed("calibrator", content)

    @staticmethod
    def from_json(text: str, sha256: str | None = None) -> "Calibrator":
        """Read the artefact; ModelError where it is damaged."""
        kind, data = opened(text, sha256)
        if kind != "calibrator":
            raise ModelError(ModelReason.UNKNOWN_KIND, "kind", f"{kind!r} is no calibrator")
        method, x, y = Method(data["method"]), array_of(data["x"]), array_of(data["y"])
        return Calibrator(method, data["rows"], data["independent_rows"], data["a"], data["b"], x, y)


def calibrate(rows: OutOfFold) -> Calibrator:
    """Fit a calibrator, its form by how many independent labels there are."""
    n, independent = len(rows.probability), rows.independent_rows
    if independent < MIN_ROWS or np.unique(rows.target[rows.weights > 0.0]).size < 2:
        return Calibrator(Method.IDENTITY, n, independent)
    if independent < ISOTONIC_ROWS:
        # Weights in units of independent labels, which the priors are set against.
        weights = rows.weights * (independent / np.sum(rows.weights))
        a, b = platt(rows.probability, rows.target, weights)
        return Calibrator(Method.PLATT, n, independent, a, b)
    x, y = isotonic(rows.probability, rows.target, rows.weights)
    # Isotonic ends are runs of one class; a certainty cannot be learned from n labels (rule of succession).
    floor = 1.0 / (independent + 2.0)
    return Calibrator(Method.ISOTONIC, n, independent, x=x, y=np.clip(y, floor, 1.0 - floor))


def log_odds(probability: Floats) -> Floats:
    """Log-odds ``[n]``, finite for probabilities of 0 and 1 too."""
    return np.asarray(logit(np.clip(probability, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)), dtype=np.float64)


def platt(probability: Floats, target: Floats, weights: Floats) -> tuple[float, float]:
    """Intercept and slope in log-odds (Platt 1999), the mode under priors that the model knew what it said.

    With c the mean log-odds of the probabilities, the calibrated log-odds are c + i + s (x - c), i of mean 0 and
    standard deviation ``INTERCEPT_SD``, s of mean 1 and ``SLOPE_SD``. A slope below zero is set to zero: calibration
    shrinks a signal that does not hold and never turns it round. Weights count independent labels.
    """
    counted = weights > 0.0
    x, target, weights = log_odds(probability[counted]), target[counted], weights[counted]
    centre = float(np.average(x, weights=weights))
    design = np.stack([np.ones_like(x), x - centre], axis=1)
    precision = np.array([INTERCEPT_SD**-2, SLOPE_SD**-2])
    shift, slope = map_logistic(design, target, weights, np.full(len(x), centre), np.array([0.0, 1.0]), precision)
    if slope < 0.0:
        alone = design[:, :1], target, weights, np.full(len(x), centre)
        shift, slope = map_logistic(*alone, np.zeros(1), precision[:1])[0], 0.0
    return float(centre + shift - slope * centre), float(slope)


def grouped(score: Floats, target: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Distinct scores ``[m]``, the weighted mean target of each, and its weight; rows without weight are left out."""
    counted = weights > 0.0
    x, where = np.unique(score[counted], return_inverse=True)
    weight = np.bincount(where, weights[counted], minlength=len(x)).astype(np.float64)
    return x, np.bincount(where, (weights * target)[counted], minlength=len(x)) / weight, weight


def isotonic(probability: Floats, target: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Corners of the rising step function nearest to the targets (pool adjacent violators), to interpolate between."""
    x, mean, weight = grouped(probability, target, weights)
    y = np.asarray(isotonic_regression(mean, weights=weight).x, dtype=np.float64)
    # Only the first and last point of a level matter to interpolation.
    corner = np.ones(len(x), dtype=np.bool_)
    corner[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return x[corner], y[corner]


def brier(probability: Floats, target: Floats, weights: Floats | None = None) -> float:
    """Brier score, Σ w (p − y)² / Σ w; 0.25 is what an even chance scores, and lower is better."""
    p = checked_probability(probability)
    w = np.ones_like(p) if weights is None else weights
    checked_target(target, w, len(p))
    return float(np.sum(w * (p - target) ** 2) / np.sum(w))


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """One bin of a calibration curve: mean prediction, share of ones with its standard error, and rows."""

    predicted: float
    observed: float
    standard_error: float
    rows: int


def calibration_curve(probability: Floats, target: Floats, bins: int = 10) -> Sequence[CurvePoint]:
    """Points of bins with equally many rows, in rising order; equal probabilities stay in one bin.

    The standard error is that of independent labels: multiply it by the root of the overlap where they do.
    """
    p = checked_probability(probability)
    checked_target(target, np.ones_like(p), len(p))
    order = np.argsort(p, kind="stable")
    # A run of equal values goes where its first row falls.
    first = np.searchsorted(p[order], p[order], side="left")
    group = first * bins // max(len(p), 1)
    found = []
    for index in np.unique(group):
        rows = order[group == index]
        share = float(target[rows].mean())
        error = float(np.sqrt(share * (1.0 - share) / len(rows)))
        found.append(CurvePoint(float(p[rows].mean()), share, error, len(rows)))
    return found
