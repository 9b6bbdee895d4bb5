"""Combinatorially symmetric cross-validation: what the best in one half of the sessions keeps in the other.

The sessions are cut into S blocks; each of the C(S, S/2) choices of half the blocks is once the in-sample side and its
complement the out-of-sample side. ``pbo`` is the textbook figure: the share of choices in which the in-sample best
ranks in the lower half out of sample. Among equally good candidates that is about one half however good they are, so
it rejects good cycles; the gate therefore uses ``no_advantage``: the share in which the in-sample best does not beat
the *champion* out of sample. Source: D. H. Bailey, J. Borwein, M. Lopez de Prado and Q. J. Zhu, "The probability of
backtest overfitting", Journal of Computational Finance 20 (2017; first circulated 2015), section 3.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from hydra_assets.stats.returns import MIN_SESSIONS, Floats, ReturnsError, ReturnsReason

MAX_BLOCKS = 16
"""S of the paper's examples: 12,870 choices."""


class Statistic(StrEnum):
    """What "best" means."""

    MEAN = "mean"
    SHARPE = "sharpe"


@dataclass(frozen=True, slots=True)
class Cscv:
    """A probability over the choices of half the blocks."""

    probability: float
    candidates: int
    blocks: int
    choices: int


def blocks_for(sessions: int, shortest: int = MIN_SESSIONS) -> int:
    """Largest even number of blocks, at most 16, of at least ``shortest`` sessions each; 0 where not even two fit."""
    return min(MAX_BLOCKS, 2 * (sessions // (2 * shortest)))


def pbo(returns: ArrayLike, blocks: int | None = None, statistic: Statistic = Statistic.SHARPE) -> Cscv:
    """Share of choices in which the in-sample best has relative rank w with logit ln(w / (1 - w)) <= 0 out of sample.

    ``[k, n]`` returns, k >= 2; w = rank / (k + 1), ties share their mean rank.
    """
    rows = _checked(returns, 2)
    inside, outside = _sides(rows, blocks, statistic)
    best = inside.argmax(axis=1)
    rank = rankdata(outside, axis=1)[np.arange(len(best)), best]
    overfitted = rank / (len(rows) + 1.0) <= 0.5
    return Cscv(float(overfitted.mean()), len(rows), _blocks(rows, blocks), len(best))


def no_advantage(differences: ArrayLike, blocks: int | None = None) -> Cscv:
    """Share of choices in which the in-sample best has no out-of-sample advantage over the champion.

    ``[k, n]`` paired differences, candidate less champion at equal volatility (``superior.paired_differences``); best
    is the largest mean in sample, no advantage is a mean of at most zero out of sample.
    """
    rows = _checked(differences, 1)
    inside, outside = _sides(rows, blocks, Statistic.MEAN)
    best = inside.argmax(axis=1)
    none = outside[np.arange(len(best)), best] <= 0.0
    return Cscv(float(none.mean()), len(rows), _blocks(rows, blocks), len(best))


def _checked(returns: ArrayLike, least: int) -> Floats:
    rows: Floats = np.atleast_2d(np.asarray(returns, dtype=np.float64))
    if rows.ndim != 2 or len(rows) < least:
        msg = f"{rows.shape} returns, at least {least} candidates needed"
        raise ReturnsError(ReturnsReason.NOT_A_SERIES, msg)
    if not np.isfinite(rows).all():
        msg = f"{int((~np.isfinite(rows)).sum())} returns missing"
        raise ReturnsError(ReturnsReason.MISSING_RETURN, msg)
    return rows


def _blocks(rows: Floats, blocks: int | None) -> int:
    count = blocks_for(rows.shape[1]) if blocks is None else blocks
    if count < 2 or count % 2 or count > rows.shape[1]:
        msg = f"{rows.shape[1]} sessions cannot be cut into {count} blocks"
        raise ReturnsError(ReturnsReason.TOO_FEW_SESSIONS, msg)
    return count


def _sides(rows: Floats, blocks: int | None, statistic: Statistic) -> tuple[Floats, Floats]:
    """Statistic of each candidate on both sides of every choice, ``[choices, k]`` each."""
    count = _blocks(rows, blocks)
    edges = np.linspace(0, rows.shape[1], count + 1).round().astype(np.int64)
    size = np.diff(edges).astype(np.float64)
    total = np.add.reduceat(rows, edges[:-1], axis=1).T
    square = np.add.reduceat(rows * rows, edges[:-1], axis=1).T
    inside = _choices(count)
    sides = []
    for chosen in (inside, 1.0 - inside):
        n = (chosen @ size)[:, None]
        mean = chosen @ total / n
        if statistic is Statistic.SHARPE:
            sd = np.sqrt(np.maximum(chosen @ square / n - mean * mean, 0.0))
            mean = np.divide(mean, sd, out=np.zeros_like(mean), where=sd > 0.0)
        sides.append(mean)
    return sides[0], sides[1]


@lru_cache(maxsize=MAX_BLOCKS)
def _choices(blocks: int) -> Floats:
    """Every choice of half the blocks as a row of ones and zeros."""
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    chosen.setflags(write=False)
    return chosen
