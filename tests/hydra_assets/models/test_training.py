"""Snapshots are purged and digested, training repeats to the byte, artefacts are checked, scores are by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from hydra_assets.features.dictionary import Group, names_of
from hydra_assets.models.boosting import ModelError, TrainedModel, train
from hydra_assets.models.evaluate import score
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import SnapshotReason, training_snapshot

START = date(2023, 1, 2)
RECIPE = Recipe(features=("tilt", "carry"), horizon_sessions=5, trees=30)


def data(n: int = 400, edge: float = 0.01, seed: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features and held returns of two markets in which tilt tells the mean of the next return."""
    rng = np.random.default_rng(seed)
    features, held = [], []
    for market in ("SIM_HE", "SIM_ZO"):
        days = [START + timedelta(days=i) for i in range(n)]
        tilt = np.repeat(rng.standard_normal(n // 10), 10)
        returns = 0.01 * rng.standard_normal(n) + edge * np.roll(np.sign(tilt), 1)
        base = pl.DataFrame({"market": market, "session": days})
        features.append(base.with_columns(pl.Series("tilt", tilt), pl.Series("carry", rng.standard_normal(n))))
        held.append(base.with_columns(pl.Series("held_return", returns)))
    return pl.concat(features), pl.concat(held)


def test_no_label_reaches_past_the_cutoff() -> None:
    features, held = data()
    cutoff = START + timedelta(days=299)
    snapshot = training_snapshot(features, held, RECIPE, cutoff)
    assert snapshot.rows["exit_session"].max() == cutoff
    # The newest decision: entry on the session after, five held sessions, exit on the cutoff.
    assert snapshot.rows["session"].max() == cutoff - timedelta(days=6)


def test_what_comes_after_the_cutoff_changes_no_byte() -> None:
    features, held = data()
    cutoff = START + timedelta(days=299)
    later = pl.col("session") > cutoff
    other_features = features.with_columns(pl.when(later).then(9.0).otherwise("tilt").alias("tilt"))
    other_held = held.with_columns(pl.when(later).then(-0.5).otherwise("held_return").alias("held_return"))
    snapshot = training_snapshot(features, held, RECIPE, cutoff)
    other = training_snapshot(other_features, other_held, RECIPE, cutoff)
    assert snapshot.sha256 == other.sha256
    assert train(RECIPE, snapshot).to_bytes() == train(RECIPE, other).to_bytes()


def test_what_comes_before_it_does() -> None:
    features, held = data()
    cutoff = START + timedelta(days=299)
    moved = features.with_columns(
        pl.when(pl.col("session") == START + timedelta(days=100)).then(0.5).otherwise("tilt").alias("tilt")
    )
    assert (
        training_snapshot(features, held, RECIPE, cutoff).sha256
        != training_snapshot(moved, held, RECIPE, cutoff).sha256
    )


def test_the_window_keeps_the_newest_rows_of_each_market() -> None:
    features, held = data()
    recipe = RECIPE.model_copy(update={"window_sessions": 100})
    rows = training_snapshot(features, held, recipe, START + timedelta(days=299)).rows
    assert rows.group_by("market").len()["len"].to_list() == [100, 100]
    assert rows["session"].min() == START + timedelta(days=299 - 6 - 99)


def test_the_model_learns_an_edge_and_none_where_there_is_none() -> None:
    cutoff = START + timedelta(days=299)
    hits = {}
    for edge in (0.01, 0.0):
        features, held = data(edge=edge)
        model = train(RECIPE, training_snapshot(features, held, RECIPE, cutoff))
        test = training_snapshot(features, held, RECIPE, START + timedelta(days=399)).rows.filter(
            pl.col("session") > cutoff
        )
        hits[edge] = score(test, model.probability_up(test), np.zeros(len(test))).hit_rate
    assert hits[0.01] > 0.75
    assert abs(hits[0.0] - 0.5) < 0.2


def test_artefact_survives_the_round_trip_and_damage_is_refused() -> None:
    features, held = data()
    model = train(RECIPE, training_snapshot(features, held, RECIPE, START + timedelta(days=299)))
    again = TrainedModel.from_bytes(model.to_bytes(), model.sha256)
    assert again == model
    assert (again.probability_up(features) == model.probability_up(features)).all()
    with pytest.raises(ModelError, match="changed or damaged"):
        TrainedModel.from_bytes(model.to_bytes().replace(b"0.05", b"0.06", 1), model.sha256)


def test_snapshots_that_cannot_carry_a_model() -> None:
    features, held = data()
    few = training_snapshot(features, held, RECIPE, START + timedelta(days=30))
    one = training_snapshot(
        features, held.with_columns(pl.lit(0.01).alias("held_return")), RECIPE, START + timedelta(days=299)
    )
    assert (few.reason, one.reason) == (SnapshotReason.TOO_FEW_ROWS, SnapshotReason.ONE_CLASS)
    for snapshot in (few, one):
        with pytest.raises(ModelError, match=str(snapshot.reason)):
            train(RECIPE, snapshot)


def test_a_missing_feature_is_no_obstacle() -> None:
    features, held = data()
    holes = features.with_columns(pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise("tilt").alias("tilt"))
    snapshot = training_snapshot(holes, held, RECIPE, START + timedelta(days=299))
    assert np.isnan(snapshot.matrix).any()
    assert np.isfinite(train(RECIPE, snapshot).probability_up(holes)).all()


def test_score_by_hand() -> None:
    rows = pl.DataFrame({"label_up": [1, 0, 1], "label_return": [0.02, -0.01, 0.03]})
    found = score(rows, np.array([0.8, 0.4, 0.5]), np.array([0.001, 0.001, 0.001]))
    assert found.log_loss == pytest.approx(-(np.log(0.8) + np.log(0.6) + np.log(0.5)) / 3)
    # Long earns 2 % less cost, short 1 % less cost, a coin toss stays out and pays nothing.
    assert found.net_return == pytest.approx((0.019 + 0.009) / 3)
    assert (found.decisions, found.hit_rate) == (3, pytest.approx(2 / 3))
    with pytest.raises(ValueError, match="1 missing"):
        score(rows, np.array([0.8, np.nan, 0.5]), np.zeros(3))
    with pytest.raises(ValueError, match="0 rows"):
        score(rows.head(0), np.empty(0), np.empty(0))


def test_a_recipe_of_too_much_sentiment_is_refused() -> None:
    # 3 of 12 is a quarter, which is allowed; 4 of 13 is not.
    others = names_of(Group.CURVE)
    derived = names_of(Group.CROWD)
    assert len(others) == 9
    assert Recipe(features=(*others, *derived[:3])).features[-1] == derived[2]
    with pytest.raises(ValidationError, match="sentiment"):
        Recipe(features=(*others, *derived[:4]))
