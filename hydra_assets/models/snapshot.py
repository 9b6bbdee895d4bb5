"""Training snapshots: the features and labels that were known at a cutoff, with a digest of exactly those."""

import hashlib
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.features.labels import labels
from hydra_assets.models.recipe import Recipe

MIN_ROWS = 120
MIN_ROWS_OF_A_CLASS = 20


class SnapshotReason(StrEnum):
    """Whether a snapshot can be trained on."""

    OK = "ok"
    TOO_FEW_ROWS = "too_few_rows"
    ONE_CLASS = "one_class"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training set.

    ``rows`` has market, session, exit_session, the recipe's features, label_return and label_up, ordered by session and
    market; all of it was known at ``cutoff``.
    """

    rows: pl.DataFrame
    features: tuple[str, ...]
    cutoff: date
    sha256: str
    reason: SnapshotReason

    @property
    def matrix(self) -> NDArray[np.float64]:
        """Features ``[n, f]``; missing is NaN."""
        return feature_matrix(self.rows, self.features)

    @property
    def target(self) -> NDArray[np.int64]:
        """1 where the held return is above zero, ``[n]``."""
        return self.rows["label_up"].to_numpy()


def feature_matrix(rows: pl.DataFrame, features: tuple[str, ...]) -> NDArray[np.float64]:
    """Return ``[n, f]`` in the order of ``features``; missing is NaN."""
    return rows.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in features).to_numpy()


def training_snapshot(features: pl.DataFrame, held: pl.DataFrame, recipe: Recipe, cutoff: date) -> Snapshot:
    """Take the snapshot of a market group as of a cutoff session.

    ``features`` (``feature_vector``) and ``held`` (market, session, held_return) may reach past the cutoff: later rows
    are dropped *before* labels are made, so a label whose exit lies past the cutoff cannot exist.
    """
    known = labels(held.filter(pl.col("session") <= cutoff), recipe.horizon_sessions)
    rows = (
        features.filter(pl.col("session") <= cutoff)
        .select("market", "session", *recipe.features)
        .join(known, on=["market", "session"], how="inner")
        .sort("market", "session")
    )
    if recipe.window_sessions is not None:
        rows = rows.group_by("market", maintain_order=True).tail(recipe.window_sessions)
    rows = rows.sort("session", "market")
    classes = rows["label_up"].value_counts()["count"].to_list()
    if len(rows) < MIN_ROWS:
        reason = SnapshotReason.TOO_FEW_ROWS
    elif len(classes) < 2 or min(classes) < MIN_ROWS_OF_A_CLASS:
        reason = SnapshotReason.ONE_CLASS
    else:
        reason = SnapshotReason.OK
    return Snapshot(rows, recipe.features, cutoff, _digest(rows, recipe, cutoff), reason)


def _digest(rows: pl.DataFrame, recipe: Recipe, cutoff: date) -> str:
    digest = hashlib.sha256(f"{cutoff.isoformat()}|{'|'.join(recipe.features)}|{len(rows)}".encode())
    digest.update("|".join(rows["market"].to_list()).encode())
    for name in ("session", "exit_session"):
        digest.update(rows[name].to_physical().cast(pl.Int64).to_numpy().tobytes())
    digest.update(np.ascontiguousarray(feature_matrix(rows, recipe.features)).tobytes())
    digest.update(rows["label_return"].to_numpy().tobytes())
    return digest.hexdigest()
