"""A small feed-forward network: one or two hidden layers of tanh units, stored as lists of weights.

h = tanh(x W + b) per hidden layer, p = 1 / (1 + exp(−(h w + c))), on the same standardised, median-imputed design as
the logistic model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from scipy.special import expit

from hydra_assets.models.artefact import array_of, numbers, sealed, states
from hydra_assets.models.linear import Design
from hydra_assets.models.protocol import FeatureState, Floats, Specification, checked, prediction_matrix

Units = Annotated[int, Field(ge=1, le=64)]


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """Weights ``[in, out]`` and biases ``[out]`` of each layer."""

    feature_names: tuple[str, ...]
    unused: dict[str, FeatureState]
    design: Design
    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    kind: Literal["network"] = "network"

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``."""
        layer = self.design.columns(prediction_matrix(matrix, self.feature_names))
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            layer = np.tanh(_product(layer, weight) + bias)
        return np.asarray(expit(_product(layer, self.weights[-1])[:, 0] + self.biases[-1][0]), dtype=np.float64)

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {
            "feature_names": list(self.feature_names),
            "unused": self.unused,
            "design": self.design.content(),
            "weights": [numbers(weight) for weight in self.weights],
            "biases": [numbers(bias) for bias in self.biases],
        }

    def to_json(self) -> str:
        """Write the artefact."""
        return sealed(self.kind, self.content())

    @staticmethod
    def from_content(content: dict[str, Any]) -> "FittedNetwork":
        """Read the content of an artefact."""
        return FittedNetwork(
            tuple(content["feature_names"]),
            states(content["unused"]),
            Design.from_content(content["design"]),
            tuple(array_of(weight) for weight in content["weights"]),
            tuple(array_of(bias) for bias in content["biases"]),
        )


class Network(Specification):
    """A multilayer perceptron with weight decay, trained by Adam for a fixed number of passes."""

    kind: Literal["network"] = "network"
    hidden: Annotated[tuple[Units, ...], Field(min_length=1, max_length=2)] = (8,)
    weight_decay: Annotated[float, Field(ge=0)] = 1.0
    """sklearn's ``alpha``: the penalty alpha Σ w² / 2 stands against the *sum* of a batch's losses."""
    passes: Annotated[int, Field(ge=1, le=2000)] = 60
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.005
    batch_rows: Annotated[int, Field(ge=1)] = 256

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedNetwork:
        """Fit. Passes are fixed: stopping on a random share of overlapping labels would be stopping on seen rows."""
        import warnings  # noqa: PLC0415

        from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415
        from sklearn.neural_network import MLPClassifier  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

        rows = checked(self, matrix, target, weights, feature_names)
        design = Design.of(rows)
        solver = MLPClassifier(
            hidden_layer_sizes=self.hidden,
            activation="tanh",
            alpha=self.weight_decay,
            batch_size=min(self.batch_rows, len(rows.matrix)),
            learning_rate_init=self.learning_rate,
            max_iter=self.passes,
            n_iter_no_change=self.passes,
            random_state=seed,
        )
        with threadpool_limits(limits=1), warnings.catch_warnings():
            # A fixed number of passes is what was asked for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.fit(design.columns(rows.matrix), rows.target, sample_weight=rows.weights)
        return FittedNetwork(
            rows.feature_names,
            rows.unused,
            design,
            tuple(np.asarray(weight, dtype=np.float64) for weight in solver.coefs_),
            tuple(np.asarray(bias, dtype=np.float64) for bias in solver.intercepts_),
        )


def _product(left: Floats, right: Floats) -> Floats:
    """``[n, k] @ [k, m]``, a row's sum not depending on the rows beside it, as a threaded BLAS's would."""
    return np.stack([np.sum(left * right[:, j], axis=1) for j in range(right.shape[1])], axis=1)
