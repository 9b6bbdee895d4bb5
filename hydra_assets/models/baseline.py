"""The model without a signal: the base rate of the training rows, for every row. Whatever has an edge must beat it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hydra_assets.models.artefact import sealed, states
from hydra_assets.models.protocol import FeatureState, Floats, Specification, checked, prediction_matrix


@dataclass(frozen=True, slots=True)
class FittedBaseRate:
    """A base rate."""

    feature_names: tuple[str, ...]
    unused: dict[str, FeatureState]
    base_rate: float
    kind: Literal["base_rate"] = "base_rate"

    def probability(self, matrix: Floats) -> Floats:
        """Return the base rate, ``[n]``."""
        return np.full(len(prediction_matrix(matrix, self.feature_names)), self.base_rate)

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {"feature_names": list(self.feature_names), "unused": self.unused, "base_rate": self.base_rate}

    def to_json(self) -> str:
        """Write the artefact."""
        return sealed(self.kind, self.content())

    @staticmethod
    def from_content(content: dict[str, Any]) -> "FittedBaseRate":
        """Read the content of an artefact."""
        return FittedBaseRate(tuple(content["feature_names"]), states(content["unused"]), content["base_rate"])


class BaseRate(Specification):
    """The weighted share of ones, p = Σ w y / Σ w."""

    kind: Literal["base_rate"] = "base_rate"

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedBaseRate:
        """Fit; ``seed`` is not used."""
        del seed
        rows = checked(self, matrix, target, weights, feature_names)
        rate = float(np.sum(rows.weights * rows.target) / np.sum(rows.weights))
        return FittedBaseRate(rows.feature_names, rows.unused, rate)
