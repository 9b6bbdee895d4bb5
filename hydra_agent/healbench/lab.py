"""Recipes walked forward on arrays: the folds, weights and fits of ``models.out_of_fold`` without a frame.

Rows of a matrix are (session, market), session first. A fold's fit depends on the rows of its own past alone, so a walk
over more sessions begins with the same probabilities, and a fit that was made once is kept. Probabilities are not
calibrated: the base rate of a fold's training rows stands beside them, as ``arena.shares_of_walk`` wants it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_agent.view import UNKNOWN, GroupView, Walk
from hydra_assets.labels.known import LabelKind
from hydra_assets.models.protocol import Fitted, ModelError
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.weights import loss_weights
from hydra_assets.replay.market import MarketArrays

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Span:
    """Sessions ``[since, until]`` of a training: decisions from ``since`` on whose outcome was known at ``until``."""

    since: int
    until: int


@dataclass(frozen=True, slots=True)
class FitAt:
    """What a recipe had learned at a session: its model, None where it could not be trained, and the base rate."""

    fitted: Fitted | None
    base: float


def fold_starts(recipe: Recipe, rows: int) -> list[int]:
    """Rows at which a new fit begins to decide, by the recipe's plan (``splits.open_folds`` on row numbers)."""
    plan = recipe.plan
    return list(range(plan.first_train_sessions + plan.embargo_sessions, rows, plan.test_sessions))


def span_before(recipe: Recipe, start: int) -> Span:
    """What a fit that decides from ``start`` on is trained on."""
    until = start - recipe.plan.embargo_sessions - 1
    window = recipe.window_sessions
    return Span(0 if window is None else max(0, until + 1 - window), until)


def uniqueness(exit_row: Ints, trained: Flags) -> Floats:
    """Average uniqueness of the labels that are trained on, ``[T, M]``; zero elsewhere.

    ``models.weights.average_uniqueness`` where every row is a session of every market: a label of decision t earns the
    sessions t+2 to its exit.
    """
    t, m = exit_row.shape
    row, column = np.nonzero(trained)
    first, last = row + 2, exit_row[row, column]
    size = (t + 1) * m
    steps = np.bincount(first * m + column, minlength=size) - np.bincount((last + 1) * m + column, minlength=size)
    running = np.cumsum(steps.reshape(t + 1, m), axis=0)[:-1]
    share = np.vstack([np.zeros((1, m)), np.cumsum(1.0 / np.maximum(running, 1), axis=0)])
    out = np.zeros((t, m))
    out[row, column] = (share[last + 1, column] - share[first, column]) / (last + 1 - first)
    return out


def label_moves(market: MarketArrays, exit_row: Ints, horizon: int) -> tuple[Floats, Floats]:
    """Return of each decision's label and the volatility of its horizon as known then, ``[T, M]``; NaN without one."""
    step = np.zeros(market.settle.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        step[1:] = np.log1p(market.held_change[1:] / (market.settle[:-1] * market.terms.multiplier))
    total = np.cumsum(np.where(np.isfinite(step), step, 0.0), axis=0)
    row, column = np.nonzero(exit_row != UNKNOWN)
    moved = np.full(exit_row.shape, np.nan)
    # A position of t is entered at the settle of t+1.
    moved[row, column] = np.expm1(total[exit_row[row, column], column] - total[row + 1, column])
    return moved, market.sigma_daily * np.sqrt(horizon)


class ArrayLab:
    """The laboratory of one view.

    ``every`` trains on every so-many-th session only; 1 is what the pipeline does. Labels that overlap share their
    sessions, so less is lost than left out: the net Sharpe ratio of the logistic recipe was 0.84, 0.83 and 0.82 at 1, 2
    and 5, without its prior 0.72, 0.69 and 0.68 (``healbench.calibrate``, 24 worlds of net edge 1).
    """

    def __init__(self, view: GroupView, every: int = 1) -> None:
        self.view, self.every = view, every
        self._column = {name: j for j, name in enumerate(view.feature_names)}
        self._weights: dict[tuple[LabelKind, Span], tuple[Ints, Floats]] = {}
        self._moves: dict[LabelKind, tuple[Floats, Floats]] = {}
        self._matrices: dict[tuple[str, ...], Floats] = {}
        self._fits: dict[tuple[str, Span], FitAt] = {}

    def walk(self, recipes: Mapping[str, Recipe], rows: int) -> dict[str, Walk]:
        """Walk recipes forward over the first ``rows`` sessions, refitted as each one's plan says."""
        return {name: self.decided(name, recipe, fold_starts(recipe, rows), rows) for name, recipe in recipes.items()}

    def decided(self, name: str, recipe: Recipe, starts: Sequence[int], rows: int) -> Walk:
        """Walk of a recipe that is refitted at ``starts`` and nowhere else; nothing is said before the first."""
        probability, base = (np.full((rows, len(self.view.symbols)), np.nan) for _ in range(2))
        matrix = self._matrix(recipe.features).reshape(len(self.view), len(self.view.symbols), -1)
        for start, end in zip(starts, [*starts[1:], rows], strict=True):
            found = self.fit_at(recipe, start)
            if found.fitted is not None:
                tested = matrix[start:end].reshape(-1, len(recipe.features))
                probability[start:end] = found.fitted.probability(tested).reshape(end - start, -1)
                base[start:end] = found.base
        return Walk(name, recipe, probability, base, tuple(starts))

    def fit_at(self, recipe: Recipe, start: int) -> FitAt:
        """What a recipe has learned when it begins to decide at a row.

        Raises
        ------
        ValueError
            A label that the view does not have.
        """
        span = span_before(recipe, start)
        key = (recipe.sha256, span)
        if key not in self._fits:
            self._fits[key] = self._fit(recipe, span)
        return self._fits[key]

    def _fit(self, recipe: Recipe, span: Span) -> FitAt:
        rows, weights = self._trained(recipe, span)
        up = self.view.of(recipe.label).up.reshape(-1)[rows]
        base = float(np.average(up, weights=weights)) if len(rows) else np.nan
        try:
            matrix = self._matrix(recipe.features)[rows]
            return FitAt(recipe.model.fit(matrix, up, weights, recipe.features, recipe.seed), base)
        except ModelError:
            return FitAt(None, base)

    def _matrix(self, features: tuple[str, ...]) -> Floats:
        """``[T * M, f]``."""
        if features not in self._matrices:
            columns = [self._column[name] for name in features]
            self._matrices[features] = self.view.features[:, :, columns].reshape(-1, len(columns))
        return self._matrices[features]

    def _trained(self, recipe: Recipe, span: Span) -> tuple[Ints, Floats]:
        """Rows of the matrix that a span trains on, and their weights."""
        view, key = self.view.of(recipe.label), (recipe.label, span)
        if key not in self._weights:
            exit_row = view.exit_row[: span.until + 1]
            known = (exit_row != UNKNOWN) & (exit_row <= span.until) & np.isfinite(view.up[: span.until + 1])
            session = np.arange(len(exit_row))[:, None]
            trained = known & (session >= span.since) & (session % self.every == 0)
            rows = np.flatnonzero(trained)
            self._weights[key] = rows.astype(np.int64), uniqueness(exit_row, trained).reshape(-1)[rows]
        rows, unique = self._weights[key]
        if recipe.label not in self._moves:
            self._moves[recipe.label] = label_moves(view.market, view.exit_row, recipe.horizon_sessions)
        moved, sigma = (values.reshape(-1)[rows] for values in self._moves[recipe.label])
        return rows, loss_weights(unique, moved, sigma, recipe.loss)
