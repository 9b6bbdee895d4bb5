"""Walk-forward of a recipe: each session's probability by a model that knew only what was known before its fold.

A fold's model depends on the rows of its own past alone, so a probability is the same whichever folds are asked for
beside its own, and whatever comes later. Folds of boosted trees share bin edges in blocks that are counted from the
first fold, for the same reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from hydra_assets.models.factory import Sharing, fit_each
from hydra_assets.models.labelled import KEY, calendar_of, feature_matrix, labelled_rows, target
from hydra_assets.models.protocol import Explained, Fitted, Floats, Ints, ModelError, checked_names
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.shap_values import FoldShap, fold_shap
from hydra_assets.models.splits import Fold, fold_masks, open_folds
from hydra_assets.models.weights import training_weights

OK = "ok"
BEFORE_FIRST_FOLD = "before_first_fold"
SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "session": pl.Date(),
    "fold": pl.Int64(),
    "trained_until": pl.Date(),
    "training_rows": pl.Int64(),
    "probability_raw": pl.Float64(),
    "base_raw": pl.Float64(),
    "fold_reason": pl.String(),
}
CONTRIBUTION_SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "session": pl.Date(),
    "fold": pl.Int64(),
    "feature": pl.String(),
    "contribution": pl.Float64(),
}


@dataclass(frozen=True, slots=True)
class OutOfFoldRun:
    """``predictions`` (SCHEMA, one row per tested decision) and, where asked for, ``contributions`` of features.

    Contributions are Shapley values in log-odds, one row per decision and feature; none where the architecture has no
    exact ones.
    """

    predictions: pl.DataFrame
    contributions: pl.DataFrame
    shap: Mapping[int, FoldShap]
    """By fold, over its test rows."""


def out_of_fold(
    features: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe, explain_from: int | None = None, workers: int = 1
) -> OutOfFoldRun:
    """Walk a recipe forward over all sessions of pooled markets.

    Parameters
    ----------
    features, labels
        Rows of ``feature_vector`` and ``labels`` from the first session on, up to the same last one.
    recipe
        What is walked.
    explain_from
        First fold whose decisions are explained; None for none.
    workers
        Threads that fit boosted trees side by side, a core each; no byte depends on it.

    Returns
    -------
    Predictions of every session from the first fold on, labelled or not, by session and market. ``probability_raw`` is
    null where the fold could not be trained; ``fold_reason`` says why. ``base_raw`` is the share of rises among the
    fold's training rows, weighted as they are: what the same rows say without a feature.

    Raises
    ------
    ModelError
        An infinite feature.
    """
    rows = labelled_rows(features, labels, recipe.features, recipe.label)
    folds = open_folds(rows["session"].to_list(), recipe.plan)
    run = _Walk(rows, recipe, folds)
    parts: list[pl.DataFrame] = []
    explained: list[pl.DataFrame] = []
    shap: dict[int, FoldShap] = {}
    for fold, (fitted, reason) in zip(folds, run.fit_all(workers), strict=True):
        tested = rows["session"].is_between(fold.test_first, fold.test_last).arg_true().to_numpy().astype(np.int64)
        parts.append(run.predicted(fold, fitted, reason, tested))
        if explain_from is not None and fold.index >= explain_from and isinstance(fitted, Explained):
            values = fitted.contributions(run.matrix[tested])[:, :-1]
            explained.append(run.explained(fold, fitted.feature_names, tested, values))
            shap[fold.index] = fold_shap(fitted.feature_names, run.matrix[tested], values)
    return OutOfFoldRun(
        pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA),
        pl.concat(explained) if explained else pl.DataFrame(schema=CONTRIBUTION_SCHEMA),
        shap,
    )


class _Walk:
    """The arrays that all folds share."""

    def __init__(self, rows: pl.DataFrame, recipe: Recipe, folds: Sequence[Fold]) -> None:
        self.rows, self.recipe, self.folds = rows, recipe, folds
        self.matrix = feature_matrix(rows, recipe.features)
        # Folds share bins: a single infinite value would silently empty folds that came before it.
        checked_names(self.matrix, recipe.features)
        self.up = target(rows)
        # A label may end on a session whose features were not asked for.
        self.calendar = calendar_of(rows)
        self.trained = [self._rows_of(fold) for fold in folds]
        self.weights = [training_weights(rows[of], self.calendar, recipe.loss) for of in self.trained]

    def _rows_of(self, fold: Fold) -> Ints:
        """Rows whose label was known at the fold's cutoff."""
        return np.flatnonzero(fold_masks(fold, self.rows).train & np.isfinite(self.up)).astype(np.int64)

    def fit_all(self, workers: int) -> list[tuple[Fitted | None, str]]:
        """Each fold's model, or why there is none."""
        recipe = self.recipe
        found = fit_each(
            recipe.model,
            self.matrix,
            self.up,
            self.weights,
            self.trained,
            recipe.features,
            recipe.seed,
            Sharing(workers),
        )
        return [(None, str(one.reason)) if isinstance(one, ModelError) else (one, OK) for one in found]

    def predicted(self, fold: Fold, fitted: Fitted | None, reason: str, tested: Ints) -> pl.DataFrame:
        """Rows of SCHEMA."""
        raw = np.full(len(tested), np.nan) if fitted is None else fitted.probability(self.matrix[tested])
        rows, weights = self.trained[fold.index], self.weights[fold.index]
        base = float(np.average(self.up[rows], weights=weights)) if len(rows) else None
        return self._of(fold, tested).select(
            *KEY,
            "fold",
            pl.lit(fold.train_until).alias("trained_until"),
            pl.lit(len(rows), pl.Int64).alias("training_rows"),
            pl.Series("probability_raw", raw, nan_to_null=True),
            pl.lit(base, pl.Float64).alias("base_raw"),
            pl.lit(reason).alias("fold_reason"),
        )

    def explained(self, fold: Fold, names: Sequence[str], tested: Ints, values: Floats) -> pl.DataFrame:
        """Rows of CONTRIBUTION_SCHEMA from contributions ``[n, f]``."""
        wide = self._of(fold, tested).with_columns(pl.Series(name, values[:, j]) for j, name in enumerate(names))
        return wide.unpivot(names, index=[*KEY, "fold"], variable_name="feature", value_name="contribution").sort(
            "session", "market", "feature", maintain_order=True
        )

    def _of(self, fold: Fold, tested: Ints) -> pl.DataFrame:
        return self.rows[tested].select(*KEY, pl.lit(fold.index, pl.Int64).alias("fold"))
