"""A fitted recipe as stored and as used: the model, what its probabilities are worth, and what it was made from."""

import hashlib
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from hydra_assets.models.artefact import opened, sealed
from hydra_assets.models.calibration import Calibrator, log_odds
from hydra_assets.models.conformal import VennAbers
from hydra_assets.models.factory import from_json
from hydra_assets.models.labelled import calendar_of, feature_matrix, target
from hydra_assets.models.protocol import Explained, Fitted, Floats, ModelError, ModelReason
from hydra_assets.models.recalibrated import Recalibration
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import Snapshot, newest_sessions
from hydra_assets.models.weights import Loss, training_weights

KIND = "trained_model"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A recipe fitted to a snapshot, with the calibration that its walk-forward had earned by then."""

    name: str
    """The recipe's name among those it was judged with."""
    recipe: Recipe
    cutoff: date
    """Last session that anything in here knows."""
    snapshot_sha256: str
    training_rows: int
    fitted: Fitted
    recalibration: Recalibration
    base_raw: float
    """Share of rises among the training rows, weighted as they are."""
    thesis_green: bool
    """Whether the walk-forward's net Sharpe ratio was above zero with its band at the cutoff (``thesis_gate``)."""
    masked: tuple[str, ...] = ()
    """Features that are taken for missing since they were found corrupted; the fit is the same."""
    offset: float = 0.0
    """Log-odds added to what is said since a rise has become more or less frequent; the fit is the same."""

    def to_bytes(self) -> bytes:
        """The artefact: canonical JSON with its own digest; equal fits give equal bytes."""
        interval = self.recalibration.interval
        content: dict[str, Any] = {
            "name": self.name,
            "recipe": self.recipe.model_dump(mode="json"),
            "cutoff": self.cutoff.isoformat(),
            "snapshot_sha256": self.snapshot_sha256,
            "training_rows": self.training_rows,
            "model": self.fitted.to_json(),
            "calibrator": self.recalibration.calibrator.to_json(),
            "interval": None if interval is None else interval.to_json(),
            "base_raw": self.base_raw,
            "thesis_green": self.thesis_green,
            "masked": list(self.masked),
            "offset": self.offset,
        }
        return sealed(KIND, content).encode()

    @property
    def sha256(self) -> str:
        """Digest of the artefact."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @staticmethod
    def from_bytes(content: bytes, sha256: str) -> "TrainedModel":
        """Read an artefact; ModelError where it is not the one whose digest was recorded."""
        try:
            kind, data = opened(content.decode(), sha256)
        except UnicodeDecodeError as broken:
            raise ModelError(ModelReason.DAMAGED_ARTEFACT, "artefact", "not text") from broken
        if kind != KIND:
            raise ModelError(ModelReason.UNKNOWN_KIND, "kind", f"{kind!r} is no trained model")
        interval = data["interval"]
        return TrainedModel(
            data["name"],
            Recipe.model_validate(data["recipe"]),
            date.fromisoformat(data["cutoff"]),
            data["snapshot_sha256"],
            data["training_rows"],
            from_json(data["model"]),
            Recalibration(
                Calibrator.from_json(data["calibrator"]),
                None if interval is None else VennAbers.from_json(interval),
            ),
            data["base_raw"],
            data["thesis_green"],
            tuple(data.get("masked", ())),
            data.get("offset", 0.0),
        )

    def raw_probability(self, rows: pl.DataFrame) -> Floats:
        """Uncalibrated probability of a rise, ``[n]``, for rows of ``feature_vector``."""
        return self.fitted.probability(self._matrix(rows)) if len(rows) else np.empty(0)

    def predicted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Columns probability_raw, probability_up, probability_lower, probability_upper and base_rate, ``[n]`` rows.

        The interval is null where there were too few independent outcomes for one.
        """
        raw = self.raw_probability(rows)
        found = self.recalibration
        band = None if found.interval is None else found.interval.interval(raw)
        nothing = pl.Series([None] * len(raw), dtype=pl.Float64)
        return pl.DataFrame(
            {
                "probability_raw": raw,
                "probability_up": self._moved(found.calibrator(raw)),
                "probability_lower": nothing if band is None else pl.Series(self._moved(band.lower)),
                "probability_upper": nothing if band is None else pl.Series(self._moved(band.upper)),
                "base_rate": self._moved(found.calibrator(np.full(len(raw), self.base_raw))),
            }
        )

    def _moved(self, probability: Floats) -> Floats:
        # Without an offset the bytes stay what they are.
        return expit(log_odds(probability) + self.offset) if self.offset else probability

    def contributions(self, rows: pl.DataFrame) -> Floats | None:
        """Log-odds by feature ``[n, f + 1]``, the last the expectation; None where the kind has no exact ones."""
        if not isinstance(self.fitted, Explained):
            return None
        return self.fitted.contributions(self._matrix(rows))

    def _matrix(self, rows: pl.DataFrame) -> Floats:
        matrix = feature_matrix(rows, self.recipe.features)
        return np.where([name in self.masked for name in self.recipe.features], np.nan, matrix)


def train(
    name: str, recipe: Recipe, snapshot: Snapshot, recalibration: Recalibration, thesis_green: bool
) -> TrainedModel:
    """Fit a recipe to a snapshot that holds its features and labels.

    The same recipe and snapshot give the same bytes.

    Raises
    ------
    ModelError
        Where the snapshot cannot carry the recipe, or is of other features.
    """
    absent = [name for name in recipe.features if name not in snapshot.features]
    if absent or snapshot.label is not recipe.label:
        field = absent[0] if absent else str(recipe.label)
        raise ModelError(ModelReason.UNKNOWN_FEATURE, field, f"not in the snapshot of {snapshot.cutoff}")
    if recipe.loss is not Loss.LOG and "label_sigma" not in snapshot.rows.columns:
        raise ModelError(ModelReason.UNKNOWN_FEATURE, "label_sigma", f"not in the snapshot of {snapshot.cutoff}")
    rows = newest_sessions(snapshot.rows, recipe.window_sessions)
    # A row counts as the share of a label that it has to itself: priors are set against independent labels.
    weights = training_weights(rows, calendar_of(rows), recipe.loss)
    matrix = feature_matrix(rows, recipe.features)
    up = target(rows)
    fitted = recipe.model.fit(matrix, up, weights, recipe.features, recipe.seed)
    base = float(np.average(up, weights=weights))
    return TrainedModel(
        name, recipe, snapshot.cutoff, snapshot.sha256, len(rows), fitted, recalibration, base, thesis_green
    )
