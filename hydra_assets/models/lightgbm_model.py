"""The gradient-boosted classifier (LightGBM): deterministic, with constraints by name; folds can share their bins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from hydra_assets.models.artefact import sealed, sha256, states
from hydra_assets.models.protocol import (
    FeatureState,
    Floats,
    Ints,
    ModelError,
    ModelReason,
    Specification,
    TrainingRows,
    checked,
    checked_names,
    prediction_matrix,
)

THREADS = 1
"""A few thousand rows train as fast on one thread, and threads that spin starve whatever runs beside them: with two
beside other work the same 48 folds took eight times as long. Folds in parallel use the cores instead."""


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
    kind: Literal["lightgbm"] = "lightgbm"

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``."""
        return self._predict(matrix)

    def contributions(self, matrix: Floats) -> Floats:
        """Log-odds by feature ``[n, f + 1]``: TreeSHAP of LightGBM (Lundberg et al. 2020); last is the expectation."""
        return self._predict(matrix, pred_contrib=True)

    def _predict(self, matrix: Floats, **how: bool) -> Floats:
        import lightgbm  # noqa: PLC0415  a second of import that most processes do not need

        rows = prediction_matrix(matrix, self.feature_names)
        if not len(rows):
            return np.empty((0, len(self.feature_names) + 1) if how else 0)
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
            tuple(content["feature_names"]), states(content["unused"]), content["trees"], content["text"]
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

    def fit(
        self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int
    ) -> FittedLightGbm:
        """Fit; bin edges are of these rows."""
        rows = checked(self, matrix, target, weights, feature_names)
        whole = self._dataset(rows)

        def dataset(kept: slice) -> Any:
            # Edges of all training rows in both parts of early stopping too, as with shared bins.
            return whole if kept == slice(None) else whole.construct().subset(np.arange(len(rows.matrix))[kept])

        return self._finish(rows, seed, dataset)

    def fit_on_bins(self, bins: "SharedBins", rows: Ints, target: Floats, weights: Floats, seed: int) -> FittedLightGbm:
        """Fit to the rows (increasing indices ``[k]``) of shared bins; ``target`` and ``weights`` are ``[k]``."""
        if len(rows) and (np.diff(rows) <= 0).any():
            raise ModelError(ModelReason.SHAPE, "rows", "indices do not increase")
        if bins.max_bin != self.max_bin:
            raise ModelError(ModelReason.SHAPE, "max_bin", f"bins were made with {bins.max_bin}, not {self.max_bin}")
        training = checked(self, bins.matrix[rows], target, weights, bins.feature_names)

        def dataset(kept: slice) -> Any:
            subset = bins.dataset.subset(rows[kept]).construct()
            subset.set_label(training.target[kept])
            subset.set_weight(training.weights[kept])
            return subset

        return self._finish(training, seed, dataset)

    def _dataset(self, rows: TrainingRows) -> Any:
        import lightgbm  # noqa: PLC0415

        return lightgbm.Dataset(
            np.ascontiguousarray(rows.matrix),
            label=rows.target,
            weight=rows.weights,
            feature_name=list(rows.feature_names),
            params=_bin_parameters(self.max_bin),
        )

    def _finish(self, rows: TrainingRows, seed: int, dataset: Any) -> FittedLightGbm:
        import lightgbm  # noqa: PLC0415

        parameters = self._parameters(rows, seed)
        trees = self.trees if self.early_stopping is None else self._stop_at(rows, parameters, dataset)
        booster = lightgbm.train(parameters, dataset(slice(None)), num_boost_round=trees)
        return FittedLightGbm(rows.feature_names, rows.unused, trees, booster.model_to_string())

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
            **_bin_parameters(self.max_bin),
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


@dataclass(frozen=True, slots=True)
class SharedBins:
    """Rows binned once for many folds, as every fold whose training rows hold ``edge_rows`` may use them.

    Bin edges are quantiles of a feature. Taken over all rows they would know later values: no label, but where later
    quantiles lie, whether a feature ever varies, and which of two values is told apart. That is look-ahead, small and
    real: a change of the future would change the bytes of a past model. So the edges are of ``edge_rows`` only, the
    training rows of the *first* fold that uses them; the other rows are put into those edges, one by one. What that
    costs: a feature that is constant or missing there cannot be split until the edges are taken anew, and values beyond
    the old range share the outermost bin. Hence `hydra_assets.models.factory.fit_folds` takes new edges every few
    folds.
    """

    matrix: Floats
    feature_names: tuple[str, ...]
    max_bin: int
    dataset: Any

    @staticmethod
    def of(spec: LightGbm, matrix: Floats, edge_rows: Ints, feature_names: Sequence[str]) -> "SharedBins":
        """Bin rows ``[n, f]`` by the edges of some of them."""
        import lightgbm  # noqa: PLC0415

        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        names = checked_names(rows, feature_names)
        if not len(edge_rows):
            raise ModelError(ModelReason.TOO_FEW_ROWS, "edge_rows", "no rows to take bin edges from")
        parameters = _bin_parameters(spec.max_bin)
        edges = lightgbm.Dataset(
            rows[edge_rows], label=np.zeros(len(edge_rows)), feature_name=list(names), params=parameters
        ).construct()
        binned = lightgbm.Dataset(rows, label=np.zeros(len(rows)), reference=edges, params=parameters).construct()
        return SharedBins(rows, names, spec.max_bin, binned)


def _bin_parameters(max_bin: int) -> dict[str, Any]:
    return {
        "max_bin": max_bin,
        # Else the bins would depend on a leaf's least rows, and could not be shared by mutations that move it.
        "feature_pre_filter": False,
        # Its scikit-learn wrapper and OMP_NUM_THREADS disagree; the number is said here.
        "num_threads": THREADS,
        "verbosity": -1,
    }


def trees_of(fitted: FittedLightGbm) -> list[dict[str, Any]]:
    """Return LightGBM's own description of each tree, to look at splits."""
    import lightgbm  # noqa: PLC0415

    dumped: list[dict[str, Any]] = lightgbm.Booster(model_str=fitted.text).dump_model()["tree_info"]
    return dumped
