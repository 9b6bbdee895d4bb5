"""What each feature did to the log-odds (Shapley values), fold by fold, and how stable that is.

LightGBM computes exact tree Shapley values itself, linear models have them in closed form; no other package is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from hydra_assets.models.protocol import Explained, Fitted, Floats, ModelError, ModelReason


@dataclass(frozen=True, slots=True)
class FoldShap:
    """One fold, ``[f]`` each: mean |SHAP| in log-odds, and the direction in which the feature works.

    ``direction`` is the rank correlation of a feature with its own contribution over the rows where it is there: +1 if
    more of it always raises the probability; NaN where either is constant.
    """

    feature_names: tuple[str, ...]
    mean_abs: Floats
    direction: Floats


@dataclass(frozen=True, slots=True)
class ShapStability:
    """Over the folds: ``mean_abs`` and ``sign_agreement`` ``[f]``, and the mean rank correlation of pairs of folds.

    ``sign_agreement`` is |Σ sign of direction| / folds with a direction: 1 if a feature always works one way, near 0 if
    its direction is a toss; NaN where it never had one. ``rank_correlation`` (Spearman, of mean |SHAP|) is 1 if every
    fold ranks the features alike, and NaN with fewer than two folds that rank anything.
    """

    feature_names: tuple[str, ...]
    mean_abs: Floats
    sign_agreement: Floats
    rank_correlation: float


def explain_fold(fitted: Fitted, matrix: Floats) -> FoldShap:
    """Explain a fold's model on its *test* rows ``[n, f]``; ModelError where the architecture has no exact values."""
    if not isinstance(fitted, Explained):
        raise ModelError(ModelReason.NO_EXPLANATION, fitted.kind, "no exact contributions of features")
    if not len(matrix):
        raise ModelError(ModelReason.TOO_FEW_ROWS, "matrix", "no rows to explain")
    return fold_shap(fitted.feature_names, matrix, fitted.contributions(matrix)[:, :-1])


def fold_shap(feature_names: tuple[str, ...], matrix: Floats, contributions: Floats) -> FoldShap:
    """Sum up contributions ``[n, f]`` to rows ``[n, f]``, at least one."""
    direction = np.array([_rank_correlation(matrix[:, j], contributions[:, j]) for j in range(matrix.shape[1])])
    return FoldShap(feature_names, np.abs(contributions).mean(axis=0), direction)


def stability(folds: Sequence[FoldShap]) -> ShapStability:
    """Stability over folds of one feature list."""
    if not folds:
        raise ModelError(ModelReason.TOO_FEW_ROWS, "folds", "no folds")
    names = folds[0].feature_names
    if any(fold.feature_names != names for fold in folds):
        raise ModelError(ModelReason.SHAPE, "feature_names", "folds of different features")
    sizes = np.stack([fold.mean_abs for fold in folds])
    signs = np.sign(np.stack([fold.direction for fold in folds]))
    counted = np.isfinite(signs) & (signs != 0.0)
    total = np.abs(np.where(counted, signs, 0.0).sum(axis=0))
    agreement = np.where(counted.any(axis=0), total / np.maximum(counted.sum(axis=0), 1), np.nan)
    return ShapStability(names, sizes.mean(axis=0), agreement, _mean_pair(sizes))


def _mean_pair(sizes: Floats) -> float:
    """Mean Spearman correlation over all pairs of rows ``[k, f]``, from the sum of the standardised ranks."""
    ranks = np.stack([rankdata(row) for row in sizes])
    ranks -= ranks.mean(axis=1, keepdims=True)
    length = np.sqrt(np.sum(ranks**2, axis=1))
    unit = ranks[length > 0.0] / length[length > 0.0, None]
    k = len(unit)
    if k < 2:
        return float("nan")
    # |Σ u|² = k + 2 Σ of pairs.
    return float((np.sum(unit.sum(axis=0) ** 2) - k) / (k * (k - 1)))


def _rank_correlation(x: Floats, y: Floats) -> float:
    there = ~np.isnan(x)
    return _mean_pair(np.stack([x[there], y[there]])) if there.sum() > 1 else float("nan")
