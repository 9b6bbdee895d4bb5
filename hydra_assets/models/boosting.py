"""The gradient-boosted classifier: deterministic training, a text artefact with a digest, prediction from the text."""

import hashlib
import json
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import Snapshot, SnapshotReason, feature_matrix

THREADS = 1
"""A few thousand rows train as fast on one thread, and threads that spin starve whatever runs beside them."""


class ModelError(Exception):
    """A model that cannot be trained, read or trusted."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A fitted recipe as stored: recipe, cutoff (session), snapshot digest and LightGBM's own text form."""

    recipe: Recipe
    cutoff: date
    snapshot_sha256: str
    training_rows: int
    text: str

    def to_bytes(self) -> bytes:
        """The artefact: canonical JSON."""
        content = {
            "recipe": self.recipe.model_dump(mode="json"),
            "cutoff": self.cutoff.isoformat(),
            "snapshot_sha256": self.snapshot_sha256,
            "training_rows": self.training_rows,
            "lightgbm": self.text,
        }
        return json.dumps(content, sort_keys=True, indent=1).encode()

    @property
    def sha256(self) -> str:
        """Digest of the artefact."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @staticmethod
    def from_bytes(content: bytes, sha256: str) -> "TrainedModel":
        """Read an artefact; ModelError where it is not the one whose digest was recorded."""
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            msg = f"model artefact has digest {found[:12]}, {sha256[:12]} was recorded: it was changed or damaged"
            raise ModelError(msg)
        data = json.loads(content)
        return TrainedModel(
            Recipe.model_validate(data["recipe"]),
            date.fromisoformat(data["cutoff"]),
            data["snapshot_sha256"],
            data["training_rows"],
            data["lightgbm"],
        )

    def probability_up(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        """Probability of a positive label, ``[n]``, for rows of ``feature_vector``."""
        import lightgbm  # noqa: PLC0415  a second of import that most processes do not need

        if not len(rows):
            return np.empty(0)
        booster = lightgbm.Booster(model_str=self.text)
        return np.asarray(booster.predict(feature_matrix(rows, self.recipe.features), num_threads=1), dtype=np.float64)

    def gain(self) -> dict[str, float]:
        """Total gain of the splits on each feature."""
        import lightgbm  # noqa: PLC0415

        gains = lightgbm.Booster(model_str=self.text).feature_importance(importance_type="gain")
        return dict(zip(self.recipe.features, gains.tolist(), strict=True))


def train(recipe: Recipe, snapshot: Snapshot) -> TrainedModel:
    """Fit a recipe; the same recipe and snapshot give the same bytes. ModelError where the snapshot cannot carry it."""
    import lightgbm  # noqa: PLC0415

    if snapshot.reason is not SnapshotReason.OK:
        msg = f"snapshot of {snapshot.cutoff} with {len(snapshot.rows)} rows: {snapshot.reason}"
        raise ModelError(msg)
    parameters = {
        "objective": "binary",
        "num_leaves": recipe.leaves,
        "learning_rate": recipe.learning_rate,
        "min_data_in_leaf": min(recipe.min_rows_per_leaf, max(len(snapshot.rows) // 8, 1)),
        "lambda_l2": recipe.l2,
        "feature_fraction": recipe.feature_share,
        "bagging_fraction": recipe.row_share,
        "bagging_freq": 1,
        "seed": recipe.seed,
        "deterministic": True,
        "force_row_wise": True,
        # Its scikit-learn wrapper and OMP_NUM_THREADS disagree; the number is said here.
        "num_threads": THREADS,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(
        snapshot.matrix, label=snapshot.target, feature_name=list(recipe.features), params={"verbosity": -1}
    )
    booster = lightgbm.train(parameters, data, num_boost_round=recipe.trees)
    return TrainedModel(recipe, snapshot.cutoff, snapshot.sha256, len(snapshot.rows), booster.model_to_string())
