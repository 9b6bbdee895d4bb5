"""Judging on the sessions after a cutoff: both recipes trained to it, both scored on the same labels and costs."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from hydra_agent.judge import Verdict, VerdictCode, compare
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.models.evaluate import score
from hydra_assets.models.labelled import labelled_rows
from hydra_assets.models.protocol import ModelError
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import TrainedModel, train


@dataclass(frozen=True, slots=True)
class GroupData:
    """A group's ``feature_vector`` and ``labels``, up to the present."""

    features: pl.DataFrame
    labels: pl.DataFrame


def fit_recipe(name: str, recipe: Recipe, data: GroupData, cutoff: date) -> TrainedModel | None:
    """Fit a recipe to what was known at the cutoff; None where the snapshot cannot carry it.

    A comparison of single fits has no walk-forward to calibrate by.
    """
    snapshot = training_snapshot(data.features, data.labels, recipe.features, recipe.label, cutoff)
    try:
        return train(name, recipe, snapshot, AS_IT_IS, thesis_green=False)
    except ModelError:
        return None


def judged_rows(data: GroupData, recipe: Recipe, cutoff: date) -> pl.DataFrame:
    """Labelled rows decided after the cutoff; no label of them overlaps one that was trained on."""
    rows = labelled_rows(data.features, data.labels, FEATURE_NAMES, recipe.label)
    return rows.filter(pl.col("session") > cutoff).drop_nulls("label_class")


def evaluate(candidate: TrainedModel | None, champion: Recipe | None, data: GroupData, cutoff: date) -> Verdict:
    """Judge a candidate that was trained to the cutoff. The champion is its recipe, refitted to the same cutoff."""
    if candidate is None:
        return Verdict(VerdictCode.NOT_TRAINABLE, {})
    rows = judged_rows(data, candidate.recipe, cutoff)
    if rows.is_empty():
        return Verdict(VerdictCode.TOO_FEW_DECISIONS, {"candidate_decisions": 0.0})
    cost = rows["label_cost"].to_numpy()
    own = score(rows, candidate.raw_probability(rows), cost)
    reigning = fit_recipe("champion", champion, data, cutoff) if champion else None
    return compare(own, score(rows, reigning.raw_probability(rows), cost) if reigning else None)
