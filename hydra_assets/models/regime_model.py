"""Regime-conditional models: one model per regime, and the pooled one where a regime has too few rows or no label."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from hydra_assets.models.artefact import sealed, states
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.ensemble import Ensemble, FittedEnsemble, read_single
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.network import Network
from hydra_assets.models.protocol import (
    FeatureState,
    Fitted,
    Floats,
    ModelError,
    ModelReason,
    Specification,
    checked,
    prediction_matrix,
)

Base = Annotated[LightGbm | Logistic | Network | BaseRate | Ensemble, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class FittedRegimes:
    """``by_regime`` holds the regimes that had rows enough; every other row is the pooled model's.

    ``regime`` is the position of the label's column, which no member sees.
    """

    feature_names: tuple[str, ...]
    unused: dict[str, FeatureState]
    regime: int
    pooled: Fitted
    by_regime: dict[int, Fitted]
    kind: Literal["regimes"] = "regimes"

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``, each row by the model of its own regime."""
        rows = prediction_matrix(matrix, self.feature_names)
        found = np.empty(len(rows))
        for where, member in self._parts(rows):
            found[where] = member.probability(np.delete(rows[where], self.regime, axis=1))
        return found

    def member_of(self, matrix: Floats) -> list[tuple[np.ndarray[Any, np.dtype[np.bool_]], Fitted]]:
        """Masks ``[n]`` of the rows that each member answers for, the pooled model first."""
        return self._parts(prediction_matrix(matrix, self.feature_names))

    def _parts(self, rows: Floats) -> list[tuple[np.ndarray[Any, np.dtype[np.bool_]], Fitted]]:
        label = rows[:, self.regime]
        own = np.isin(label, list(self.by_regime))
        return [(~own, self.pooled), *((label == regime, member) for regime, member in sorted(self.by_regime.items()))]

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {
            "feature_names": list(self.feature_names),
            "unused": self.unused,
            "regime": self.regime,
            "pooled": {"kind": self.pooled.kind, "content": self.pooled.content()},
            "by_regime": {
                str(regime): {"kind": member.kind, "content": member.content()}
                for regime, member in self.by_regime.items()
            },
        }

    def to_json(self) -> str:
        """Write the artefact."""
        return sealed(self.kind, self.content())

    @staticmethod
    def from_content(content: dict[str, Any]) -> "FittedRegimes":
        """Read the content of an artefact."""
        return FittedRegimes(
            tuple(content["feature_names"]),
            states(content["unused"]),
            content["regime"],
            read_member(content["pooled"]["kind"], content["pooled"]["content"]),
            {
                int(regime): read_member(member["kind"], member["content"])
                for regime, member in content["by_regime"].items()
            },
        )


def read_member(kind: str, content: dict[str, Any]) -> Fitted:
    """Read the content of an ensemble's or a single model's artefact."""
    return FittedEnsemble.from_content(content) if kind == "ensemble" else read_single(kind, content)


class Regimes(Specification):
    """A model per value of a regime column, of one specification."""

    kind: Literal["regimes"] = "regimes"
    regime_feature: str
    """A column of whole numbers, NaN where no regime is known: *filtered* labels, so known at the row's cutoff."""
    base: Base
    min_rows_of_a_regime: Annotated[int, Field(ge=2)] = 500
    """About two years of one market: a model of fewer rows is noisier than what a regime could change."""

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedRegimes:
        """Fit the pooled model, and one per regime that has rows and classes enough; all with the same seed."""
        rows = checked(self, matrix, target, weights, feature_names)
        if self.regime_feature not in rows.feature_names:
            raise ModelError(ModelReason.UNKNOWN_FEATURE, self.regime_feature, "the regime column is not there")
        regime = rows.feature_names.index(self.regime_feature)
        label = rows.matrix[:, regime]
        known = label[~np.isnan(label)]
        if (known != np.rint(known)).any():
            raise ModelError(ModelReason.SHAPE, self.regime_feature, "regime labels are not whole numbers")
        others = np.delete(rows.matrix, regime, axis=1)
        names = tuple(name for name in rows.feature_names if name != self.regime_feature)
        pooled = self.base.fit(others, rows.target, rows.weights, names, seed)
        by_regime: dict[int, Fitted] = {}
        for value in np.unique(known):
            own = label == value
            if (own & (rows.weights > 0.0)).sum() < self.min_rows_of_a_regime:
                continue
            try:
                by_regime[int(value)] = self.base.fit(others[own], rows.target[own], rows.weights[own], names, seed)
            except ModelError as unfit:
                if unfit.reason not in _FALLS_BACK:
                    raise
        unused = {name: state for name, state in rows.unused.items() if name != self.regime_feature}
        return FittedRegimes(rows.feature_names, unused, regime, pooled, by_regime)


_FALLS_BACK = (ModelReason.TOO_FEW_ROWS, ModelReason.ONE_CLASS, ModelReason.NO_USABLE_FEATURE)
"""What a regime's rows may lack; anything else is an error of the caller's, for the pooled model too."""
