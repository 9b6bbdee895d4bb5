"""Predictions: each session by its own champion, no champion and no features with their reasons."""

from datetime import date, timedelta

import polars as pl
import pytest

from hydra_assets.columns import PREDICTIONS
from hydra_assets.models.predict import ESTIMATES, NEEDED, Champion, PredictionReason, predict
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import train
from tests.support.groups import SEEING, day, group

START = date(2025, 1, 1)


class Always:
    """A model of one opinion that counts its calls."""

    def __init__(self, p: float, green: bool = True, recipe: Recipe = SEEING) -> None:
        self.p, self.calls, self.thesis_green, self.recipe = p, 0, green, recipe

    def predicted(self, rows: pl.DataFrame) -> pl.DataFrame:
        self.calls += 1
        values = (self.p - 0.05, self.p, self.p - 0.1, self.p + 0.1, 0.5)
        return pl.DataFrame({name: [value] * len(rows) for name, value in zip(ESTIMATES, values, strict=True)})


def rows() -> pl.DataFrame:
    n = 9
    values = {name: pl.Series([float(i) for i in range(n)]) for name in NEEDED}
    base = pl.DataFrame({"market": "SIM_HE", "session": [START + timedelta(days=i) for i in range(n)], **values})
    gone = pl.col("session") == START + timedelta(days=7)
    return base.with_columns(pl.when(gone).then(None).otherwise(pl.col(name)).alias(name) for name in NEEDED)


def test_each_session_is_predicted_by_its_own_champion() -> None:
    barrier = SEEING.model_copy(update={"label": "triple_barrier"})
    old, new = Always(0.4), Always(0.7, green=False, recipe=barrier)

    def champion(session: date) -> Champion | None:
        if session < START + timedelta(days=3):
            return None
        return (1, "a", old) if session < START + timedelta(days=6) else (2, "b", new)

    found = predict(rows(), "sim", champion).sort("session")
    assert found["probability_up"].to_list() == [None] * 3 + [0.4] * 3 + [0.7, None, 0.7]
    assert found["base_rate"].to_list() == [None] * 3 + [0.5] * 4 + [None, 0.5]
    assert found["probability_lower"].to_list() == pytest.approx([None] * 3 + [0.3] * 3 + [0.6, None, 0.6])
    assert found["model_version"].to_list() == [None] * 3 + [1] * 3 + [2] * 3
    assert found["model_sha256"].to_list() == [None] * 3 + ["a"] * 3 + ["b"] * 3
    assert found["model_label"].to_list() == [None] * 3 + ["fixed_horizon"] * 3 + ["triple_barrier"] * 3
    assert found["horizon_sessions"].to_list() == [None] * 3 + [5] * 3 + [10] * 3
    assert found["thesis_gate"].to_list() == [None] * 3 + ["green"] * 3 + ["red"] * 3
    assert found["model_group"].unique().to_list() == ["sim"]
    assert found["prediction_reason"].to_list() == (
        [PredictionReason.NO_CHAMPION] * 3
        + [PredictionReason.OK] * 4
        + [PredictionReason.NO_FEATURES, PredictionReason.OK]
    )
    assert (old.calls, new.calls) == (1, 1)
    assert dict(found.schema) == {name: PREDICTIONS.schema[name] for name in found.columns}
    assert set(found.columns) == set(PREDICTIONS.columns)


def test_one_needed_feature_is_enough() -> None:
    one = rows().with_columns(pl.lit(None, pl.Float64).alias(name) for name in NEEDED[1:])
    found = predict(one, "sim", lambda _: (1, "a", Always(0.6)))
    assert found.sort("session")["prediction_reason"].to_list() == ["ok"] * 7 + ["no_features", "ok"]


def test_no_champion_at_all_is_a_legal_state() -> None:
    found = predict(rows(), "sim", lambda _: None)
    assert set(found["prediction_reason"]) == {"no_champion"}
    assert found.select(*ESTIMATES, "model_version", "thesis_gate").null_count().sum_horizontal().item() == 9 * 7


def test_a_trained_model_is_a_champion_and_later_sessions_change_no_earlier_one() -> None:
    data = group(250)
    taken = training_snapshot(data.features, data.labels, SEEING.features, SEEING.label, day(199))
    model = train("x", SEEING, taken, AS_IT_IS, thesis_green=True)

    def champion(session: date) -> Champion | None:
        return (1, model.sha256, model) if session > model.cutoff else None

    whole = predict(data.features, "sim", champion)
    assert whole.filter(prediction_reason="ok")["session"].min() == day(200)
    assert whole.filter(prediction_reason="ok")["probability_up"].n_unique() > 90
    for last in (150, 200, 230):
        known = pl.col("session") <= day(last)
        assert predict(data.features.filter(known), "sim", champion).equals(whole.filter(known))
