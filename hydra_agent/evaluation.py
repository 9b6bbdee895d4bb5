"""Judging on the sessions after a cutoff: both recipes trained to it, both scored on the same labels and costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from hydra_agent.judge import Verdict, VerdictCode, compare
from hydra_assets.features.labels import labels
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.boosting import TrainedModel, train
from hydra_assets.models.evaluate import score
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import SnapshotReason, training_snapshot


@dataclass(frozen=True, slots=True)
class GroupData:
    """A group's ``feature_vector`` and held returns, up to the present."""

    features: pl.DataFrame
    held: pl.DataFrame
    cost_fraction: Mapping[str, float]
    """Cost of entry and exit together by market, as a fraction of the price."""


def round_trip_cost(market: MarketSpec, price: float) -> float:
    """Cost of entry and exit together, as a fraction of one contract's value at a price."""
    return market.round_trip_money / (abs(price) * market.multiplier)


def fit_recipe(recipe: Recipe, data: GroupData, cutoff: date) -> TrainedModel | None:
    """Fit a recipe to what was known at the cutoff; None where the snapshot cannot carry it."""
    snapshot = training_snapshot(data.features, data.held, recipe, cutoff)
    return train(recipe, snapshot) if snapshot.reason is SnapshotReason.OK else None


def judged_rows(data: GroupData, horizon: int, cutoff: date) -> pl.DataFrame:
    """Labelled rows decided after the cutoff, with their cost; no label of them overlaps one that was trained on."""
    costs = dict(data.cost_fraction)
    return (
        data.features.filter(pl.col("session") > cutoff)
        .join(labels(data.held, horizon), on=["market", "session"], how="inner")
        .sort("session", "market")
        .with_columns(
            pl.col("market").replace_strict(list(costs), list(costs.values()), return_dtype=pl.Float64).alias("cost")
        )
    )


def evaluate(candidate: TrainedModel | None, champion: Recipe | None, data: GroupData, cutoff: date) -> Verdict:
    """Judge a candidate that was trained to the cutoff. The champion is its recipe, refitted to the same cutoff."""
    if candidate is None:
        return Verdict(VerdictCode.NOT_TRAINABLE, {})
    rows = judged_rows(data, candidate.recipe.horizon_sessions, cutoff)
    if rows.is_empty():
        return Verdict(VerdictCode.TOO_FEW_DECISIONS, {"candidate_decisions": 0.0})
    cost = rows["cost"].to_numpy()
    own = score(rows, candidate.probability_up(rows), cost)
    reigning = fit_recipe(champion, data, cutoff) if champion else None
    return compare(own, score(rows, reigning.probability_up(rows), cost) if reigning else None)
