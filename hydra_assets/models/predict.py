"""Predictions of sessions by the champion that each of them had."""

from collections.abc import Callable
from datetime import date
from enum import StrEnum
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray


class PredictionReason(StrEnum):
    """Why a session has a probability, or none."""

    OK = "ok"
    NO_CHAMPION = "no_champion"
    """Nothing was promoted on data before the session: a legal state, and no position."""
    NO_FEATURES = "no_features"
    """The session has no feature row, or nothing in it but the calendar."""


class Predictor(Protocol):
    """Anything that gives probabilities for rows of features."""

    def probability_up(self, rows: pl.DataFrame) -> NDArray[np.float64]:
        """Probability of a positive label, ``[n]``."""
        ...


NEEDED = ("tilt", "crowd_score", "divergence_z", "carry", "momentum_20")
"""A row without any of these is no view of a market, only of a calendar."""


def predict(
    features: pl.DataFrame, group: str, champion: Callable[[date], tuple[int, str, Predictor] | None]
) -> pl.DataFrame:
    """Predict rows of ``feature_vector``: rows of ``predictions``, one each.

    ``champion`` gives version, digest and model as of a session, or None.
    """
    parts = []
    for session, rows in _runs_of_one_champion(features, champion):
        found = champion(session)
        empty = rows.select(pl.all_horizontal(pl.col(name).is_null() for name in NEEDED)).to_series()
        probability = np.full(len(rows), np.nan) if found is None else found[2].probability_up(rows)
        reason = (
            pl.when(pl.lit(value=found is None))
            .then(pl.lit(str(PredictionReason.NO_CHAMPION)))
            .when(empty)
            .then(pl.lit(str(PredictionReason.NO_FEATURES)))
            .otherwise(pl.lit(str(PredictionReason.OK)))
        )
        parts.append(
            rows.select("market", "session")
            .with_columns(
                pl.lit(group).alias("model_group"),
                pl.lit(found[0] if found else None, pl.Int64).alias("model_version"),
                pl.lit(found[1] if found else None, pl.String).alias("model_sha256"),
                reason.alias("prediction_reason"),
                pl.Series("probability_up", probability, nan_to_null=True),
            )
            .with_columns(
                pl.when(pl.col("prediction_reason") == PredictionReason.OK)
                .then("probability_up")
                .alias("probability_up")
            )
        )
    return pl.concat(parts)


def _runs_of_one_champion(
    features: pl.DataFrame, champion: Callable[[date], tuple[int, str, Predictor] | None]
) -> list[tuple[date, pl.DataFrame]]:
    """Rows split by the champion of their session, so that each model predicts once; each with one of its sessions."""
    sessions = features["session"].unique().sort().to_list()
    names = {session: (found[1] if (found := champion(session)) else "") for session in sessions}
    tagged = features.with_columns(
        pl.col("session").replace_strict(list(names), list(names.values()), return_dtype=pl.String).alias("champion")
    )
    groups = tagged.partition_by("champion", maintain_order=True)
    return [(part["session"][0], part.drop("champion")) for part in groups]
