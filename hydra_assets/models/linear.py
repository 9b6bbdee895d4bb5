"""Regularised logistic regression on standardised features: the plain baseline, a list of coefficients.

log-odds = b0 + Σ β_j z_j + Σ γ_j m_j, with z the standardised, median-imputed, clipped feature and m its indicator of
missing. The coefficients minimise Σ w_i loss_i + Σ ((β - μ)² + γ²) / (2 s²): the mode under normal priors of sd ``s``
around the recipe's beliefs μ, which are zero unless it says otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from hydra_assets.models.artefact import array_of, numbers, sealed, states
from hydra_assets.models.map_logistic import map_logistic
from hydra_assets.models.prior import checked_prior
from hydra_assets.models.protocol import (
    FeatureState,
    Floats,
    Specification,
    TrainingRows,
    checked,
    prediction_matrix,
)

CLIP_SD = 5.0
"""A linear form extrapolates without bound, so a feed off by a factor would decide alone. Five standard deviations
hold every value of a sound feature (of 10,000 Student-t draws with four degrees of freedom about 40 lie beyond)."""


@dataclass(frozen=True, slots=True)
class Design:
    """From features to design columns: ``value`` ``[v]`` and ``missing`` ``[m]`` are columns of the matrix.

    ``median``, ``mean`` and ``sd`` ``[v]`` are of the training rows; ``missing`` has those with a gap in them. A gap in
    any other column is imputed and has no effect of its own: the training rows never showed one.
    """

    value: NDArray[np.int64]
    missing: NDArray[np.int64]
    median: Floats
    mean: Floats
    sd: Floats

    @staticmethod
    def of(rows: TrainingRows) -> "Design":
        """Take the design of training rows."""
        usable = np.flatnonzero(rows.usable)
        gaps = np.isnan(rows.matrix[:, usable])
        # A column of one value with gaps: only the gaps say something.
        low, high = np.nanmin(rows.matrix[:, usable], axis=0), np.nanmax(rows.matrix[:, usable], axis=0)
        value = usable[high > low]
        median = np.nanmedian(rows.matrix[:, value], axis=0)
        filled = np.where(np.isnan(rows.matrix[:, value]), median, rows.matrix[:, value])
        return Design(value, usable[gaps.any(axis=0)], median, filled.mean(axis=0), filled.std(axis=0))

    def columns(self, matrix: Floats) -> Floats:
        """Design ``[n, v + m]`` of ``[n, f]``: standardised values, then indicators of missing."""
        values = matrix[:, self.value]
        filled = np.where(np.isnan(values), self.median, values)
        z = np.clip((filled - self.mean) / self.sd, -CLIP_SD, CLIP_SD)
        # In the layout of C, whatever the caller's: the order of a row's sum depends on it.
        return np.ascontiguousarray(np.hstack([z, np.isnan(matrix[:, self.missing]).astype(np.float64)]))

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {
            "value": self.value.tolist(),
            "missing": self.missing.tolist(),
            "median": numbers(self.median),
            "mean": numbers(self.mean),
            "sd": numbers(self.sd),
        }

    @staticmethod
    def from_content(content: dict[str, Any]) -> "Design":
        """Read the content of an artefact."""
        return Design(
            np.array(content["value"], dtype=np.int64),
            np.array(content["missing"], dtype=np.int64),
            array_of(content["median"]),
            array_of(content["mean"]),
            array_of(content["sd"]),
        )


@dataclass(frozen=True, slots=True)
class FittedLogistic:
    """Coefficients ``[v + m]`` of a design; ``centre`` is its weighted mean over the training rows."""

    feature_names: tuple[str, ...]
    unused: dict[str, FeatureState]
    design: Design
    intercept: float
    coefficient: Floats
    centre: Floats
    kind: Literal["logistic"] = "logistic"

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``."""
        columns = self.design.columns(prediction_matrix(matrix, self.feature_names))
        # Not a BLAS product: its sums depend on how many rows are asked for together.
        return np.asarray(expit(self.intercept + np.sum(columns * self.coefficient, axis=1)), dtype=np.float64)

    def contributions(self, matrix: Floats) -> Floats:
        """Log-odds by feature ``[n, f + 1]``: β_j (z_j − E z_j), with the indicator's added to its feature's.

        These are the Shapley values of a linear form with independent features (Strumbelj and Kononenko 2014).
        """
        columns = self.design.columns(prediction_matrix(matrix, self.feature_names))
        parts = (columns - self.centre) * self.coefficient
        found = np.zeros((len(columns), len(self.feature_names) + 1))
        values = len(self.design.value)
        found[:, self.design.value] += parts[:, :values]
        found[:, self.design.missing] += parts[:, values:]
        found[:, -1] = self.intercept + float(np.sum(self.centre * self.coefficient))
        return found

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {
            "feature_names": list(self.feature_names),
            "unused": self.unused,
            "design": self.design.content(),
            "intercept": self.intercept,
            "coefficient": numbers(self.coefficient),
            "centre": numbers(self.centre),
        }

    def to_json(self) -> str:
        """Write the artefact."""
        return sealed(self.kind, self.content())

    @staticmethod
    def from_content(content: dict[str, Any]) -> "FittedLogistic":
        """Read the content of an artefact."""
        return FittedLogistic(
            tuple(content["feature_names"]),
            states(content["unused"]),
            Design.from_content(content["design"]),
            content["intercept"],
            array_of(content["coefficient"]),
            array_of(content["centre"]),
        )


class Logistic(Specification):
    """Logistic regression with a normal prior on each coefficient; none on the intercept."""

    kind: Literal["logistic"] = "logistic"
    prior_sd: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Log-odds per standard deviation of a feature. At 0.1 one standard deviation moves an even chance to 52.5 %, which
    is about what a daily signal of a futures market can be worth."""
    prior: Mapping[str, float] = {}
    """Mean of the prior by feature, in log-odds per unit of the feature; zero for all others."""

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedLogistic:
        """Fit; the problem is convex, so ``seed`` is not used."""
        del seed
        rows = checked(self, matrix, target, weights, feature_names)
        checked_prior(self.prior, rows.feature_names)
        design = Design.of(rows)
        columns = design.columns(rows.matrix)
        believed = np.zeros(columns.shape[1])
        slopes = np.array([self.prior.get(name, 0.0) for name in rows.feature_names])
        # From log-odds per unit to log-odds per standard deviation, which the design counts in.
        believed[: len(design.value)] = slopes[design.value] * design.sd
        found = map_logistic(
            np.hstack([np.ones((len(columns), 1)), columns]),
            rows.target,
            rows.weights,
            np.zeros(len(columns)),
            np.concatenate([[0.0], believed]),
            np.concatenate([[0.0], np.full(columns.shape[1], self.prior_sd**-2)]),
        )
        return FittedLogistic(
            rows.feature_names,
            rows.unused,
            design,
            float(found[0]),
            found[1:],
            np.average(columns, axis=0, weights=rows.weights),
        )
