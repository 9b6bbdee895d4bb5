"""Predictions of sessions by the champion that each of them had."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Protocol

import polars as pl

from hydra_assets.models.recipe import Recipe


class PredictionReason(StrEnum):
    """Why a session has a probability, or none."""

    OK = "ok"
    NO_CHAMPION = "no_champion"
    """Nothing was promoted on data before the session: a legal state, and no position."""
    NO_FEATURES = "no_features"
    """The session has no feature row, or nothing in it but the calendar."""


class Predictor(Protocol):
    """Anything that gives calibrated probabilities for rows of features, and says by which recipe."""

    @property
    def recipe(self) -> Recipe:
        """The recipe that was fitted."""
        ...

    @property
    def thesis_green(self) -> bool:
        """Whether the recipe's out-of-sample net Sharpe ratio was above zero with its band."""
        ...

    def predicted(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Columns ``ESTIMATES``, ``[n]`` rows."""
        ...


ESTIMATES = ("probability_raw", "probability_up", "probability_lower", "probability_upper", "base_rate")
Champion = tuple[int, str, Predictor]
"""Version, digest and model."""
NEEDED = ("tilt", "crowd_score", "divergence_z", "carry", "momentum_20")
"""A row without any of these is no view of a market, only of a calendar."""


def predict(features: pl.DataFrame, group: str, champion: Callable[[date], Champion | None]) -> pl.DataFrame:
    """Predict rows of ``feature_vector``: rows of ``predictions``, one each.

    ``champion`` gives version, digest and model as of a session, or None.
    """
    parts = []
    for session, rows in _runs_of_one_champion(features, champion):
        found = champion(session)
        empty = rows.select(pl.all_horizontal(pl.col(name).is_null() for name in NEEDED)).to_series()
        reason = (
            pl.when(pl.lit(value=found is None))
            .then(pl.lit(str(PredictionReason.NO_CHAMPION)))
            .when(empty)
            .then(pl.lit(str(PredictionReason.NO_FEATURES)))
            .otherwise(pl.lit(str(PredictionReason.OK)))
        )
        estimates = (
            pl.DataFrame({name: pl.Series([None] * len(rows), dtype=pl.Float64) for name in ESTIMATES})
            if found is None
            else found[2].predicted(rows)
        )
        ok = pl.col("prediction_reason") == PredictionReason.OK
        parts.append(
            rows.select("market", "session")
            .with_columns(
                pl.lit(group).alias("model_group"),
                pl.lit(found[0] if found else None, pl.Int64).alias("model_version"),
                pl.lit(found[1] if found else None, pl.String).alias("model_sha256"),
                pl.lit(str(found[2].recipe.label) if found else None, pl.String).alias("model_label"),
                pl.lit(found[2].recipe.horizon_sessions if found else None, pl.Int64).alias("horizon_sessions"),
                pl.lit(_state(found), pl.String).alias("thesis_gate"),
                reason.alias("prediction_reason"),
            )
            .hstack(estimates)
            .with_columns(pl.when(ok).then(name).alias(name) for name in ESTIMATES)
        )
    return pl.concat(parts)


def _state(found: Champion | None) -> str | None:
    if found is None:
        return None
    return "green" if found[2].thesis_green else "red"


def _runs_of_one_champion(
    features: pl.DataFrame, champion: Callable[[date], Champion | None]
) -> list[tuple[date, pl.DataFrame]]:
    """Rows split by the champion of their session, so that each model predicts once; each with one of its sessions."""
    sessions = features["session"].unique().sort().to_list()
    names = {session: (found[1] if (found := champion(session)) else "") for session in sessions}
    tagged = features.with_columns(
        pl.col("session").replace_strict(list(names), list(names.values()), return_dtype=pl.String).alias("champion")
    )
    groups = tagged.partition_by("champion", maintain_order=True)
    return [(part["session"][0], part.drop("champion")) for part in groups]
