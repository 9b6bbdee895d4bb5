"""How many trials were really made: near-duplicates counted once.

Trials are taken in the order of the ledger; one whose out-of-sample returns correlate above 0.95 with the *first* trial
of a cluster joins it, otherwise it opens a cluster. Later trials therefore never change what earlier ones counted, and
chains of slightly different trials do not melt into one, as they would in single linkage. Two trials with fewer than
``MIN_COMMON`` sessions in common are two trials: to count one too many is the safe side.

Reasoning: M. Lopez de Prado and M. J. Lewis, "Detection of false investment strategies using unsupervised learning
methods", Quantitative Finance 19 (2019), who cluster by correlation too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hydra_assets.stats.returns import Floats, is_flat
from hydra_assets.stats.sharpe import sharpe_per_session

DUPLICATE_CORRELATION = 0.95
MIN_COMMON = 60


@dataclass(frozen=True, slots=True)
class LedgerSummary:
    """What the deflated Sharpe ratio needs of all trials ever made, this cycle's included."""

    trials: int
    """Trials on record."""
    effective_trials: int
    """Clusters among them; trials that never traded count none."""
    sharpe_variance: float | None
    """Variance (divisor N - 1) over the clusters' first trials of the Sharpe ratio per session; None below two."""


def clusters(returns: ArrayLike, threshold: float = DUPLICATE_CORRELATION) -> NDArray[np.int64]:
    """Cluster of each of ``[m, n]`` trials, numbered from 0 in order of appearance: ``[m]``.

    NaN are sessions on which a trial was not evaluated. A flat trial correlates with nothing: a cluster of its own.
    """
    rows = np.atleast_2d(np.asarray(returns, dtype=np.float64))
    correlation = correlations(rows)
    cluster = np.full(len(rows), -1, dtype=np.int64)
    leaders: list[int] = []
    for trial in range(len(rows)):
        alike = np.flatnonzero(correlation[trial, leaders] > threshold)
        if len(alike):
            cluster[trial] = alike[0]
        else:
            cluster[trial] = len(leaders)
            leaders.append(trial)
    return cluster


def leaders_of(cluster: NDArray[np.int64]) -> NDArray[np.int64]:
    """First trial of each cluster."""
    first: NDArray[np.int64] = np.unique(cluster, return_index=True)[1].astype(np.int64)
    return first


def correlations(rows: Floats) -> Floats:
    """Correlations over common sessions, ``[m, n]`` to ``[m, m]``; NaN below MIN_COMMON sessions or without spread."""
    known = np.isfinite(rows).astype(np.float64)
    # Centred and scaled by each trial's own figures first: moments over pairs lose digits to a large common mean.
    own = known.sum(axis=1, keepdims=True)
    value = np.where(known > 0.0, rows, 0.0)
    value = np.where(known > 0.0, value - value.sum(axis=1, keepdims=True) / np.maximum(own, 1.0), 0.0)
    size = np.sqrt((value * value).sum(axis=1, keepdims=True) / np.maximum(own, 1.0))
    value = np.divide(value, size, out=np.zeros_like(value), where=size > 0.0)
    common = known @ known.T
    count = np.maximum(common, 1.0)
    mean = value @ known.T / count
    square = (value * value) @ known.T / count - mean * mean
    covariance = value @ value.T / count - mean * mean.T
    spread = np.sqrt(np.maximum(square, 0.0) * np.maximum(square.T, 0.0))
    enough = (common >= min(MIN_COMMON, rows.shape[1])) & (spread > 1e-12)
    out: Floats = np.divide(covariance, spread, out=np.full_like(spread, np.nan), where=enough)
    return out


def ledger_summary(returns: ArrayLike, threshold: float = DUPLICATE_CORRELATION) -> LedgerSummary:
    """Summarise ``[m, n]`` out-of-sample returns of all trials in ledger order, NaN where not evaluated."""
    rows = np.atleast_2d(np.asarray(returns, dtype=np.float64))
    traded = np.array([_has_spread(row) for row in rows], dtype=bool)
    if not traded.any():
        return LedgerSummary(len(rows), 0, None)
    live = rows[traded]
    first = leaders_of(clusters(live, threshold))
    ratios = np.array([float(sharpe_per_session(row[np.isfinite(row)])) for row in live[first]])
    variance = float(ratios.var(ddof=1)) if len(ratios) > 1 else None
    return LedgerSummary(len(rows), len(first), variance)


def _has_spread(row: Floats) -> bool:
    seen = row[np.isfinite(row)]
    return len(seen) > 1 and not is_flat(seen)
