"""Recipes played through the same sessions: calibrated walk-forward probabilities, shares, one batched replay."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import recalibrated
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.holding import held_shares
from hydra_assets.replay.inputs import aligned
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import ReplayResult
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stats.returns import Floats


def walked(features: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """Calibrated out-of-fold predictions of a recipe over all sessions (``out_of_fold``, ``recalibrated``)."""
    return recalibrated(out_of_fold(features, labels, recipe).predictions, labels, recipe)


def shares_of(
    predictions: pl.DataFrame, market: MarketArrays, horizon_sessions: int, barriers: TripleBarrier | None = None
) -> Floats:
    """Signed Kelly shares that predictions are worth after costs, held as their label is, ``[session, market]``.

    ``predictions`` has market, session, probability_up and base_rate; the label is given as ``held_shares`` takes it.
    """
    probability, base = (aligned(predictions, name, market) for name in ("probability_up", "base_rate"))
    return held_shares(probability, base, market, horizon_sessions, barriers)


def shares_of_recipe(predictions: pl.DataFrame, market: MarketArrays, recipe: Recipe) -> Floats:
    """``shares_of`` by a recipe's own label."""
    return shares_of(predictions, market, recipe.horizon_sessions, recipe.barriers)


def size_factors(divergence: pl.DataFrame, market: MarketArrays) -> Floats:
    """``size_factor`` of ``divergence`` as ``[session, market]``; 1 where there is none: absence reduces nothing."""
    found = aligned(divergence, "size_factor", market)
    return np.where(np.isfinite(found), found, 1.0)


def replayed(
    market: MarketArrays, shares: Sequence[Floats], factors: Floats | None = None, config: ReplayConfig | None = None
) -> ReplayResult:
    """Replay ``[session, market]`` shares of several strategies in one pass, in their order."""
    decisions = Decisions(DecisionKind.KELLY, np.stack(shares), size_factor=factors)
    return replay(market, decisions, config or ReplayConfig())


def played(
    predictions: Mapping[str, pl.DataFrame],
    recipes: Mapping[str, Recipe],
    market: MarketArrays,
    factors: Floats | None = None,
    config: ReplayConfig | None = None,
) -> ReplayResult:
    """Replay the predictions of named recipes, in the order of their names in ``predictions``."""
    shares = [shares_of_recipe(rows, market, recipes[name]) for name, rows in predictions.items()]
    return replayed(market, shares, factors, config)
