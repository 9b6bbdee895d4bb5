"""Regularised logistic regression on standardised features: the plain baseline, a list of coefficients.

log-odds = b0 + Σ β_j z_j + Σ γ_j m_j, with z the standardised, median-imputed, clipped feature and m its indicator of
missing. The coefficients minimise Σ w_i loss_i + Σ (β² + γ²) / (2 s²): the mode under normal priors of sd ``s``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import expit

from hydra_assets.models.artefact import array_of, numbers, sealed, states
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
    """Logistic regression with a normal prior on each coefficient."""

    kind: Literal["logistic"] = "logistic"
    prior_sd: Annotated[float, Field(gt=0, le=10)] = 0.1
    """Log-odds per standard deviation of a feature. At 0.1 one standard deviation moves an even chance to 52.5 %, which
    is about what a daily signal of a futures market can be worth."""
    max_iterations: Annotated[int, Field(ge=10)] = 500

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedLogistic:
        """Fit; the problem is convex, so ``seed`` is not used."""
        from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

        del seed
        rows = checked(self, matrix, target, weights, feature_names)
        design = Design.of(rows)
        columns = design.columns(rows.matrix)
        # sklearn minimises C Σ w loss + Σ β²/2, so C is the prior's variance.
        solver = LogisticRegression(C=self.prior_sd**2, tol=1e-8, max_iter=self.max_iterations)
        # One thread: sums of a threaded BLAS depend on how many there are, and the bytes with them.
        with threadpool_limits(limits=1):
            solver.fit(columns, rows.target, sample_weight=rows.weights)
        return FittedLogistic(
            rows.feature_names,
            rows.unused,
            design,
            float(solver.intercept_[0]),
            np.asarray(solver.coef_[0], dtype=np.float64),
            np.average(columns, axis=0, weights=rows.weights),
        )
