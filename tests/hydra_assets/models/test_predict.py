"""Predictions: each session by its own champion, no champion and no features with their reasons."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from hydra_assets.models.predict import NEEDED, PredictionReason, predict

START = date(2025, 1, 1)


class Always:
    """A model of one opinion that counts its calls."""

    def __init__(self, p: float) -> None:
        self.p, self.calls = p, 0

    def probability_up(self, rows: pl.DataFrame) -> np.ndarray:
        self.calls += 1
        return np.full(len(rows), self.p)


def rows() -> pl.DataFrame:
    n = 9
    values = {name: pl.Series([float(i) for i in range(n)]) for name in NEEDED}
    base = pl.DataFrame({"market": "SIM_HE", "session": [START + timedelta(days=i) for i in range(n)], **values})
    gone = pl.col("session") == START + timedelta(days=7)
    return base.with_columns(pl.when(gone).then(None).otherwise(pl.col(name)).alias(name) for name in NEEDED)


def test_each_session_is_predicted_by_its_own_champion() -> None:
    old, new = Always(0.4), Always(0.7)

    def champion(session: date):
        if session < START + timedelta(days=3):
            return None
        return (1, "a", old) if session < START + timedelta(days=6) else (2, "b", new)

    found = predict(rows(), "sim", champion).sort("session")
    assert found["probability_up"].to_list() == [None] * 3 + [0.4] * 3 + [0.7, None, 0.7]
    assert found["model_version"].to_list() == [None] * 3 + [1] * 3 + [2] * 3
    assert found["prediction_reason"].to_list() == (
        [PredictionReason.NO_CHAMPION] * 3
        + [PredictionReason.OK] * 4
        + [PredictionReason.NO_FEATURES, PredictionReason.OK]
    )
    assert (old.calls, new.calls) == (1, 1)
