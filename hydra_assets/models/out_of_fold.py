"""Walk-forward predictions: each session by models that were trained on what was known before its fold began.

The baselines run through the same folds, rows and weights. A fold's models depend on its own rows alone, so a
prediction is the same whichever folds are asked for beside its own, and whatever comes later.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from hydra_assets.models.factory import ModelSpec
from hydra_assets.models.protocol import ModelError
from hydra_assets.models.splits import Fold, fold_masks
from hydra_assets.models.weights import sample_weights

KEY = ("market", "session")
SEED = 7
OK = "ok"


def out_of_fold(
    rows: pl.DataFrame, features: Sequence[str], models: Mapping[str, ModelSpec], folds: Sequence[Fold]
) -> pl.DataFrame:
    """Train every model on every fold and predict the fold's test sessions.

    Parameters
    ----------
    rows
        One row per (market, session), pooled markets: the features, and of the labels ``entry_session``,
        ``exit_session`` and ``label_class`` (null where there is none). A session without a label is predicted too.
    features
        Columns that the models see.
    models
        Specifications by name; each name becomes a column, its probability of ``up``.
    folds
        Which sessions are predicted, and what may be trained on.

    Returns
    -------
    One row per tested (market, session): ``fold``, ``trained_until``, ``training_rows``, a column per model (null where
    it could not be trained) and ``fold_reason``: ``ok``, or the models that could not be trained and why.
    """
    ordered = rows.sort("session", "market", maintain_order=True)
    matrix = ordered.select(pl.col(f).cast(pl.Float64).fill_null(np.nan) for f in features).to_numpy()
    labelled = ordered["label_class"].is_not_null().to_numpy()
    # A label may end on a session whose features were not asked for.
    ends = [ordered.select("market", pl.col(c).alias("session")) for c in ("entry_session", "exit_session")]
    calendar = pl.concat([ordered.select(KEY), *ends]).drop_nulls().unique()
    up = (ordered["label_class"] == "up").fill_null(value=False).to_numpy().astype(np.float64)
    parts = []
    for fold in folds:
        trained = np.flatnonzero(fold_masks(fold, ordered).train & labelled)
        tested = np.flatnonzero(ordered["session"].is_between(fold.test_first, fold.test_last).to_numpy())
        weights = sample_weights(ordered[trained], calendar)
        columns: list[pl.Expr | pl.Series] = []
        reasons = []
        for name, spec in models.items():
            try:
                fitted = spec.fit(matrix[trained], up[trained], weights, features, SEED)
            except ModelError as error:
                reasons.append(f"{name}:{error.reason}")
                columns.append(pl.lit(None, pl.Float64).alias(name))
            else:
                columns.append(pl.Series(name, fitted.probability(matrix[tested])))
        parts.append(
            ordered[tested].select(
                *KEY,
                pl.lit(fold.index, pl.Int64).alias("fold"),
                pl.lit(fold.train_until).alias("trained_until"),
                pl.lit(len(trained), pl.Int64).alias("training_rows"),
                *columns,
                pl.lit(",".join(reasons) or OK).alias("fold_reason"),
            )
        )
    return pl.concat(parts) if parts else _nothing(models)


def _nothing(models: Mapping[str, ModelSpec]) -> pl.DataFrame:
    dates, numbers = dict.fromkeys(("session", "trained_until"), pl.Date()), dict.fromkeys(models, pl.Float64())
    counts = dict.fromkeys(("fold", "training_rows"), pl.Int64())
    order = (*KEY, "fold", "trained_until", "training_rows", *models, "fold_reason")
    kinds: dict[str, pl.DataType] = {"market": pl.String(), "fold_reason": pl.String(), **dates, **counts, **numbers}
    return pl.DataFrame(schema={name: kinds[name] for name in order})
