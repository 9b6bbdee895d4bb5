"""The gradient-boosted classifier (LightGBM): deterministic, with constraints by name; folds can share their bins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import expit, logit

from hydra_assets.models.artefact import sealed, sha256, states
from hydra_assets.models.bins import THREADS, SharedBins, bin_parameters
from hydra_assets.models.prior import checked_prior, prior_parts
from hydra_assets.models.protocol import (
    FeatureState,
    Floats,
    Ints,
    ModelError,
    ModelReason,
    Specification,
    TrainingRows,
    checked,
    prediction_matrix,
)


class EarlyStopping(BaseModel):
    """How many trees: by the loss on the newest training rows, apart from the others by a gap; never on test rows.

    The model is then fitted to *all* training rows with that many trees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gap_rows: Annotated[int, Field(ge=0)]
    """Rows left out between both parts: at least those whose label reaches into the newer part, which is horizon plus
    one sessions times the markets that are pooled."""
    share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    patience: Annotated[int, Field(ge=1)] = 20


@dataclass(frozen=True, slots=True)
class FittedLightGbm:
    """LightGBM's own text of a model."""

    feature_names: tuple[str, ...]
    unused: dict[str, FeatureState]
    trees: int
    text: str
    prior: Mapping[str, float] = field(default_factory=dict)
    base: float = 0.0
    """Log-odds of the training rows' base rate, where there is a prior for the trees to correct; else 0."""
    centre: tuple[float, ...] = ()
    """Mean of the prior's parts over the training rows, by feature."""
    kind: Literal["lightgbm"] = "lightgbm"

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``."""
        if not self.prior:
            return self._predict(matrix)
        believed = prior_parts(self.prior, prediction_matrix(matrix, self.feature_names), self.feature_names)
        found: Floats = expit(self._predict(matrix, raw_score=True) + self.base + np.sum(believed, axis=1))
        return found

    def contributions(self, matrix: Floats) -> Floats:
        """Log-odds by feature ``[n, f + 1]``: TreeSHAP of LightGBM (Lundberg et al. 2020); last is the expectation.

        A prior is linear, so its own Shapley values, part less mean part, are added.
        """
        found = self._predict(matrix, pred_contrib=True)
        if self.prior:
            found[:, :-1] += prior_parts(self.prior, matrix, self.feature_names) - np.array(self.centre)
            found[:, -1] += self.base + sum(self.centre)
        return found

    def _predict(self, matrix: Floats, **how: bool) -> Floats:
        import lightgbm  # noqa: PLC0415  a second of import that most processes do not need

        rows = prediction_matrix(matrix, self.feature_names)
        if not len(rows):
            return np.empty((0, len(self.feature_names) + 1) if "pred_contrib" in how else 0)
        booster = lightgbm.Booster(model_str=self.text)
        return np.asarray(booster.predict(np.ascontiguousarray(rows), num_threads=THREADS, **how), dtype=np.float64)

    def content(self) -> dict[str, Any]:
        """Return the JSON values."""
        return {
            "feature_names": list(self.feature_names),
            "unused": self.unused,
            "trees": self.trees,
            "text": self.text,
            "text_sha256": sha256(self.text),
            "prior": dict(self.prior),
            "base": self.base,
            "centre": list(self.centre),
        }

    def to_json(self) -> str:
        """Write the artefact."""
        return sealed(self.kind, self.content())

    @staticmethod
    def from_content(content: dict[str, Any]) -> "FittedLightGbm":
        """Read the content of an artefact; LightGBM never parses a text that is not the one written."""
        if sha256(content["text"]) != content["text_sha256"]:
            raise ModelError(ModelReason.DAMAGED_ARTEFACT, "text_sha256", "the text is not what its digest says")
        return FittedLightGbm(
            tuple(content["feature_names"]),
            states(content["unused"]),
            content["trees"],
            content["text"],
            content["prior"],
            content["base"],
            tuple(content["centre"]),
        )


class LightGbm(Specification):
    """Gradient-boosted trees on the binary log loss."""

    kind: Literal["lightgbm"] = "lightgbm"
    trees: Annotated[int, Field(ge=1, le=2000)] = 100
    leaves: Annotated[int, Field(ge=2, le=255)] = 7
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    min_rows_per_leaf: Annotated[int, Field(ge=1)] = 40
    l2: Annotated[float, Field(ge=0)] = 5.0
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    row_share: Annotated[float, Field(gt=0, le=1)] = 0.7
    max_bin: Annotated[int, Field(ge=2, le=255)] = 63
    """63 bins halve the time of 255, and 1.6 % of the rows a bin is finer than what a daily signal resolves."""
    monotone: Mapping[str, Literal[-1, 0, 1]] = {}
    """Direction in which the probability may move with a feature."""
    interactions: tuple[tuple[str, ...], ...] = ()
    """Groups of features; one branch uses features of one group only. A feature in no group is not used at all."""
    early_stopping: EarlyStopping | None = None
    prior: Mapping[str, float] = {}
    """What the trees start from and correct, in log-odds per unit of a feature; see ``prior``."""

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedLightGbm:
        """Fit; bin edges are of these rows."""
        rows = checked(self, matrix, target, weights, feature_names)
        whole = self._dataset(rows)

        start = self._start(rows)
        if start is not None:
            whole.set_init_score(start)

        def dataset(kept: slice) -> Any:
            # Edges of all training rows in both parts of early stopping too, as with shared bins.
            if kept == slice(None):
                return whole
            subset = whole.construct().subset(np.arange(len(rows.matrix))[kept]).construct()
            if start is not None:
                subset.set_init_score(start[kept])
            return subset

        return self._finish(rows, seed, dataset)

    def fit_on_bins(self, bins: SharedBins, rows: Ints, target: Floats, weights: Floats, seed: int) -> FittedLightGbm:
        """Fit to the rows (increasing indices ``[k]``) of shared bins; ``target`` and ``weights`` are ``[k]``."""
        if len(rows) and (np.diff(rows) <= 0).any():
            raise ModelError(ModelReason.SHAPE, "rows", "indices do not increase")
        if bins.max_bin != self.max_bin:
            raise ModelError(ModelReason.SHAPE, "max_bin", f"bins were made with {bins.max_bin}, not {self.max_bin}")
        training = checked(self, bins.matrix[rows], target, weights, bins.feature_names)
        start = self._start(training)

        def dataset(kept: slice) -> Any:
            subset = bins.dataset.subset(rows[kept]).construct()
            subset.set_label(training.target[kept])
            subset.set_weight(training.weights[kept])
            if start is not None:
                subset.set_init_score(start[kept])
            return subset

        return self._finish(training, seed, dataset)

    def _dataset(self, rows: TrainingRows) -> Any:
        import lightgbm  # noqa: PLC0415

        return lightgbm.Dataset(
            np.ascontiguousarray(rows.matrix),
            label=rows.target,
            weight=rows.weights,
            feature_name=list(rows.feature_names),
            params=bin_parameters(self.max_bin),
        )

    def _finish(self, rows: TrainingRows, seed: int, dataset: Any) -> FittedLightGbm:
        import lightgbm  # noqa: PLC0415

        parameters = self._parameters(rows, seed)
        trees = self.trees if self.early_stopping is None else self._stop_at(rows, parameters, dataset)
        booster = lightgbm.train(parameters, dataset(slice(None)), num_boost_round=trees)
        text = booster.model_to_string()
        if not self.prior:
            return FittedLightGbm(rows.feature_names, rows.unused, trees, text)
        believed = prior_parts(self.prior, rows.matrix, rows.feature_names)
        centre = np.average(believed, axis=0, weights=rows.weights)
        return FittedLightGbm(
            rows.feature_names, rows.unused, trees, text, dict(self.prior), _base(rows), tuple(centre.tolist())
        )

    def _start(self, rows: TrainingRows) -> Floats | None:
        """Log-odds ``[n]`` that the trees correct; None without a prior, where LightGBM takes the base rate itself."""
        checked_prior(self.prior, rows.feature_names)
        if not self.prior:
            return None
        return np.asarray(_base(rows) + np.sum(prior_parts(self.prior, rows.matrix, rows.feature_names), axis=1))

    def _stop_at(self, rows: TrainingRows, parameters: dict[str, Any], dataset: Any) -> int:
        """Trees with the least loss on the newest rows, fitted to rows before the gap."""
        import lightgbm  # noqa: PLC0415

        assert self.early_stopping is not None  # noqa: S101  the caller's condition
        n = len(rows.matrix)
        first_newer = n - int(self.early_stopping.share * n)
        last_older = first_newer - self.early_stopping.gap_rows
        for part in (slice(0, max(last_older, 0)), slice(first_newer, n)):
            if np.unique(rows.target[part][rows.weights[part] > 0.0]).size < 2:
                detail = f"{n} rows leave one class or none on a side of the gap"
                raise ModelError(ModelReason.TOO_FEW_ROWS, "early_stopping", detail)
        booster = lightgbm.train(
            parameters,
            dataset(slice(0, last_older)),
            num_boost_round=self.trees,
            valid_sets=[dataset(slice(first_newer, n))],
            callbacks=[lightgbm.early_stopping(self.early_stopping.patience, verbose=False)],
        )
        return max(int(booster.best_iteration), 1)

    def _parameters(self, rows: TrainingRows, seed: int) -> dict[str, Any]:
        names = rows.feature_names
        for name in (*self.monotone, *(name for group in self.interactions for name in group)):
            if name not in names:
                raise ModelError(ModelReason.UNKNOWN_FEATURE, name, "constrained, but no such column")
        parameters: dict[str, Any] = {
            **bin_parameters(self.max_bin),
            "objective": "binary",
            "metric": "binary_logloss",
            "num_leaves": self.leaves,
            "learning_rate": self.learning_rate,
            "min_data_in_leaf": min(self.min_rows_per_leaf, max(len(rows.matrix) // 8, 1)),
            "lambda_l2": self.l2,
            "feature_fraction": self.feature_share,
            "bagging_fraction": self.row_share,
            "bagging_freq": 1,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
        }
        if self.monotone:
            parameters["monotone_constraints"] = [self.monotone.get(name, 0) for name in names]
        if self.interactions:
            # Its text form: a list of lists of numbers.
            groups = [[names.index(name) for name in group] for group in self.interactions]
            parameters["interaction_constraints"] = groups
        return parameters


def _base(rows: TrainingRows) -> float:
    return float(logit(np.average(rows.target, weights=rows.weights)))


def trees_of(fitted: FittedLightGbm) -> list[dict[str, Any]]:
    """Return LightGBM's own description of each tree, to look at splits."""
    import lightgbm  # noqa: PLC0415

    dumped: list[dict[str, Any]] = lightgbm.Booster(model_str=fitted.text).dump_model()["tree_info"]
    return dumped
