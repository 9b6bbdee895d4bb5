"""Ensembles: the weighted mean of the probabilities of single models. Also the registry of single models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from hydra_assets.models.artefact import sealed, states
from hydra_assets.models.baseline import BaseRate, FittedBaseRate
from hydra_assets.models.lightgbm_model import FittedLightGbm, LightGbm
from hydra_assets.models.linear import FittedLogistic, Logistic
from hydra_assets.models.network import FittedNetwork, Network
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

Single = Annotated[LightGbm | Logistic | Network | BaseRate, Field(discriminator="kind")]
"""Models without members. Nesting goes one way: a regime model holds an ensemble or a single one, an ensemble single
ones."""


def read_single(kind: str, content: dict[str, Any]) -> Fitted:
    """Read the content of a single model's artefact."""
    match kind:
        case "lightgbm":
            return FittedLightGbm.from_content(content)
        case "logistic":
            return FittedLogistic.from_content(content)
        case "network":
            return FittedNetwork.from_content(content)
        case "base_rate":
            return FittedBaseRate.from_content(content)
    raise ModelError(ModelReason.UNKNOWN_KIND, "kind", f"no single model is called {kind!r}")


@dataclass(frozen=True, slots=True)
class FittedEnsemble:
    """Fitted members and their shares, which sum to 1."""

    feature_names: tuple[str, ...]
    unused: dict[str, FeatureState]
    members: tuple[Fitted, ...]
    shares: tuple[float, ...]
    kind: Literal["ensemble"] = "ensemble"

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``: Σ share · p."""
        rows = prediction_matrix(matrix, self.feature_names)
        found = np.zeros(len(rows))
        for member, share in zip(self.members, self.shares, strict=True):
            found += share * member.probability(rows)
        # Shares sum to 1 but for rounding, and so may the probabilities.
        return np.clip(found, 0.0, 1.0)

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {
            "feature_names": list(self.feature_names),
            "unused": self.unused,
            "members": [{"kind": member.kind, "content": member.content()} for member in self.members],
            "shares": list(self.shares),
        }

    def to_json(self) -> str:
        """Write the artefact."""
        return sealed(self.kind, self.content())

    @staticmethod
    def from_content(content: dict[str, Any]) -> "FittedEnsemble":
        """Read the content of an artefact."""
        return FittedEnsemble(
            tuple(content["feature_names"]),
            states(content["unused"]),
            tuple(read_single(member["kind"], member["content"]) for member in content["members"]),
            tuple(content["shares"]),
        )


class Ensemble(Specification):
    """A weighted mean of members, each fitted to the same rows with a seed of its own."""

    kind: Literal["ensemble"] = "ensemble"
    members: Annotated[tuple[Single, ...], Field(min_length=1, max_length=16)]
    weights: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """One per member; none for equal ones. Given, not fitted: fitted weights need out-of-fold rows of their own."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> "Ensemble":
        if self.weights and len(self.weights) != len(self.members):
            msg = f"{len(self.weights)} weights for {len(self.members)} members"
            raise ValueError(msg)
        return self

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedEnsemble:
        """Fit every member; member ``i`` with ``seed + i``, so that equal members differ."""
        rows = checked(self, matrix, target, weights, feature_names)
        members = tuple(
            member.fit(rows.matrix, rows.target, rows.weights, rows.feature_names, seed + i)
            for i, member in enumerate(self.members)
        )
        given = self.weights or (1.0,) * len(members)
        shares = tuple(weight / sum(given) for weight in given)
        return FittedEnsemble(rows.feature_names, rows.unused, members, shares)
