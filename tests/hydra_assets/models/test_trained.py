"""A trained model is its recipe, its snapshot and what it has earned; its artefact is these bytes and no others."""

import hashlib
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.special import logit

from hydra_assets.models.artefact import opened, sealed
from hydra_assets.models.calibration import OutOfFold, calibrate
from hydra_assets.models.conformal import venn_abers
from hydra_assets.models.evaluate import score
from hydra_assets.models.labelled import calendar_of, feature_matrix
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.protocol import ModelError, ModelReason
from hydra_assets.models.recalibrated import AS_IT_IS, Recalibration
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import Snapshot, training_snapshot
from hydra_assets.models.trained import TrainedModel, train
from hydra_assets.models.weights import Loss, average_uniqueness, loss_weights
from tests.support.groups import BLIND, BOOSTED, SEEING, Group, day, group

GROUP = group(300)
RECIPES = {"boosted": BOOSTED, "logistic": SEEING, "no_signal": BLIND}


def snapshot(of: Group = GROUP, recipe: Recipe = SEEING, cutoff: int = 199) -> Snapshot:
    return training_snapshot(of.features, of.labels, ("carry", "tilt", "slope"), recipe.label, day(cutoff))


def fitted(recipe: Recipe = SEEING, found: Recalibration = AS_IT_IS, of: Group = GROUP) -> TrainedModel:
    return train("logistic", recipe, snapshot(of), found, thesis_green=True)


def learned() -> Recalibration:
    rng = np.random.default_rng(3)
    p = rng.uniform(0.2, 0.8, 400)
    seen = OutOfFold(
        probability=p,
        target=(rng.random(400) < p).astype(np.float64),
        weights=np.ones(400),
        decided=np.arange(400).astype("datetime64[D]"),
        trained_until=np.full(400, -1).astype("datetime64[D]"),
    )
    return Recalibration(calibrate(seen), venn_abers(seen))


@pytest.mark.parametrize("name", list(RECIPES))
@pytest.mark.parametrize("interval", [False, True])
def test_an_artefact_survives_the_round_trip(name: str, interval: bool) -> None:
    model = fitted(RECIPES[name], learned() if interval else AS_IT_IS)
    again = TrainedModel.from_bytes(model.to_bytes(), model.sha256)
    assert again.to_bytes() == model.to_bytes()
    assert model.sha256 == hashlib.sha256(model.to_bytes()).hexdigest() == again.sha256
    assert (again.name, again.recipe, again.cutoff) == ("logistic", RECIPES[name], day(199))
    assert (again.snapshot_sha256, again.training_rows, again.thesis_green) == (snapshot().sha256, 352, True)
    assert again.predicted(GROUP.features).equals(model.predicted(GROUP.features))
    assert again.predicted(GROUP.features)["probability_lower"].null_count() == (0 if interval else 600)


def test_the_base_rate_is_the_share_of_rises_among_the_training_rows() -> None:
    rows = snapshot().rows
    weights = average_uniqueness(rows, calendar_of(rows))
    up = (rows["label_class"] == "up").to_numpy()
    assert fitted().base_raw == pytest.approx(weights[up].sum() / weights.sum(), rel=1e-12)
    # Five labels of a market run at all times but at both ends, so it is about the plain share.
    assert fitted().base_raw == pytest.approx(up.mean(), abs=0.02)
    # Whoever knows nothing says the base rate and nothing else, calibrated or not.
    for found in (AS_IT_IS, learned()):
        blind = fitted(BLIND, found).predicted(GROUP.features)
        assert blind["probability_up"].to_numpy() == pytest.approx(blind["base_rate"].to_numpy(), abs=1e-12)
    window = fitted(SEEING.model_copy(update={"window_sessions": 80}))
    assert window.base_raw != fitted().base_raw


def test_a_loss_weighs_the_rows_of_the_fit_and_of_its_base_rate() -> None:
    recipe = SEEING.model_copy(update={"loss": Loss.RETURN_WEIGHTED})
    rows, model = snapshot().rows, fitted(recipe)
    weights = loss_weights(
        average_uniqueness(rows, calendar_of(rows)),
        rows["label_return"].to_numpy(),
        rows["label_sigma"].to_numpy(),
        Loss.RETURN_WEIGHTED,
    )
    matrix, up = feature_matrix(rows, recipe.features), (rows["label_class"] == "up").cast(pl.Float64).to_numpy()
    wanted = recipe.model.fit(matrix, up, weights, recipe.features, recipe.seed)
    assert model.raw_probability(GROUP.features) == pytest.approx(
        wanted.probability(feature_matrix(GROUP.features, recipe.features)), abs=1e-15
    )
    assert model.base_raw == pytest.approx(np.average(up, weights=weights))
    assert model.raw_probability(GROUP.features) != pytest.approx(fitted().raw_probability(GROUP.features), abs=1e-6)
    again = TrainedModel.from_bytes(model.to_bytes(), model.sha256)
    assert again.recipe.loss is Loss.RETURN_WEIGHTED
    assert b'"loss"' not in fitted().to_bytes()
    old = replace(snapshot(), rows=rows.drop("label_sigma"))
    with pytest.raises(ModelError, match="label_sigma"):
        train("logistic", recipe, old, AS_IT_IS, thesis_green=True)
    assert train("logistic", SEEING, old, AS_IT_IS, thesis_green=True).base_raw == fitted().base_raw


def test_the_same_recipe_and_snapshot_give_the_same_bytes() -> None:
    assert fitted(BOOSTED).to_bytes() == fitted(BOOSTED).to_bytes()
    later = pl.col("session") > day(199)
    moved = GROUP.features.with_columns(pl.when(later).then(9.0).otherwise("tilt").alias("tilt"))
    taken = training_snapshot(moved, GROUP.labels, ("carry", "tilt", "slope"), SEEING.label, day(199))
    assert train("logistic", BOOSTED, taken, AS_IT_IS, thesis_green=True).sha256 == fitted(BOOSTED).sha256


@pytest.mark.parametrize(
    "changed",
    [
        train("other", SEEING, snapshot(), AS_IT_IS, thesis_green=True),
        train("logistic", SEEING, snapshot(), AS_IT_IS, thesis_green=False),
        train("logistic", SEEING, snapshot(cutoff=198), AS_IT_IS, thesis_green=True),
        train("logistic", SEEING.model_copy(update={"seed": 8}), snapshot(), AS_IT_IS, thesis_green=True),
        train("logistic", SEEING, snapshot(), Recalibration(learned().calibrator, None), thesis_green=True),
    ],
)
def test_whatever_differs_is_another_artefact(changed: TrainedModel) -> None:
    assert changed.sha256 != fitted().sha256


def test_a_damaged_artefact_is_refused() -> None:
    model = fitted()
    content = model.to_bytes()
    other = content.replace(b'"training_rows":352', b'"training_rows":353')
    assert other != content
    for broken in (other, content[:-1], b"", b"\xff" + content):
        with pytest.raises(ModelError) as refused:
            TrainedModel.from_bytes(broken, model.sha256)
        assert refused.value.reason is ModelReason.DAMAGED_ARTEFACT
    # Its digest alone would be right; the seal inside is not.
    with pytest.raises(ModelError, match="its own digest"):
        TrainedModel.from_bytes(other, hashlib.sha256(other).hexdigest())
    bare = model.fitted.to_json().encode()
    with pytest.raises(ModelError, match="no trained model") as refused:
        TrainedModel.from_bytes(bare, hashlib.sha256(bare).hexdigest())
    assert refused.value.reason is ModelReason.UNKNOWN_KIND


def test_the_recipe_s_window_is_what_is_trained_on() -> None:
    recipe = SEEING.model_copy(update={"window_sessions": 80})
    model = fitted(recipe)
    assert model.training_rows == 160
    # What lies before the window changes nothing but the snapshot's own digest.
    early = pl.col("session") <= day(193 - 80)
    moved = GROUP.features.with_columns(pl.when(early).then(9.0).otherwise("tilt").alias("tilt"))
    taken = training_snapshot(moved, GROUP.labels, ("carry", "tilt", "slope"), recipe.label, day(199))
    other = train("logistic", recipe, taken, AS_IT_IS, thesis_green=True)
    assert other.snapshot_sha256 != model.snapshot_sha256
    assert other.fitted.to_json() == model.fitted.to_json()
    assert fitted().fitted.to_json() != model.fitted.to_json()


def test_features_are_a_subset_of_the_snapshot_s() -> None:
    # The snapshot holds carry, tilt, slope; the model wants tilt, carry, and reads no other column.
    model = fitted()
    assert model.fitted.feature_names == ("tilt", "carry")
    assert np.isfinite(model.raw_probability(GROUP.features.select("market", "session", "tilt", "carry"))).all()
    with pytest.raises(ModelError, match="momentum_5") as unknown:
        fitted(Recipe(features=("tilt", "momentum_5")))
    assert unknown.value.reason is ModelReason.UNKNOWN_FEATURE
    with pytest.raises(ModelError, match="triple_barrier"):
        fitted(SEEING.model_copy(update={"label": "triple_barrier"}))


def test_snapshots_that_cannot_carry_a_model_say_why() -> None:
    with pytest.raises(ModelError) as few:
        train("x", SEEING, snapshot(cutoff=50), AS_IT_IS, thesis_green=False)
    assert few.value.reason is ModelReason.TOO_FEW_ROWS
    whole = snapshot()
    up = whole.rows.with_columns(pl.lit("up").alias("label_class"))
    with pytest.raises(ModelError) as one:
        train("x", SEEING, Snapshot(up, whole.features, whole.label, whole.cutoff, ""), AS_IT_IS, False)
    assert one.value.reason is ModelReason.ONE_CLASS
    with pytest.raises(ModelError) as none:
        fitted(Recipe(features=("slope",)))
    assert none.value.reason is ModelReason.NO_USABLE_FEATURE
    with pytest.raises(ModelError) as empty:
        train("x", SEEING, snapshot(cutoff=5), AS_IT_IS, thesis_green=False)
    assert empty.value.reason is ModelReason.TOO_FEW_ROWS


def test_the_model_learns_an_edge_and_none_where_there_is_none() -> None:
    hits = {}
    for edge in (0.01, 0.0):
        data = group(300, edge=edge)
        model = fitted(BOOSTED.model_copy(update={"model": LightGbm(trees=30)}), of=data)
        test = snapshot(data, cutoff=299).rows.filter(pl.col("session") > day(199))
        hits[edge] = score(test, model.raw_probability(test), np.zeros(len(test))).hit_rate
    print(f"hit rates by edge: {hits}")
    assert hits[0.01] > 0.75
    assert abs(hits[0.0] - 0.5) < 0.2


def test_a_missing_feature_is_no_obstacle() -> None:
    holes = pl.when(pl.int_range(pl.len()) % 3 == 0).then(None).otherwise("tilt").alias("tilt")
    gappy = GROUP.features.with_columns(holes)
    for recipe in (SEEING, BOOSTED):
        taken = training_snapshot(gappy, GROUP.labels, recipe.features, recipe.label, day(199))
        assert np.isnan(taken.matrix).any()
        model = train("x", recipe, taken, AS_IT_IS, thesis_green=False)
        assert np.isfinite(model.raw_probability(gappy)).all()


def test_predictions_are_calibrated_and_stand_beside_the_base_rate() -> None:
    found = learned()
    rows = GROUP.features.head(7)
    predicted = fitted(found=found).predicted(rows)
    raw = predicted["probability_raw"].to_numpy()
    assert predicted["probability_up"].to_numpy() == pytest.approx(found.calibrator(raw), abs=0.0)
    assert (predicted["probability_lower"] < predicted["probability_upper"]).all()
    base = fitted(found=found).base_raw
    assert predicted["base_rate"].to_list() == found.calibrator(np.full(7, base)).tolist()
    nothing = fitted().predicted(rows)
    assert nothing["probability_up"].to_list() == raw.tolist()
    assert nothing["base_rate"].to_list() == [base] * 7
    for model in (fitted(), fitted(found=found), fitted(BOOSTED, found)):
        none = model.predicted(rows.head(0))
        assert none.height == 0
        assert set(none.dtypes) == {pl.Float64}


@pytest.mark.parametrize("recipe", [SEEING, BOOSTED])
def test_contributions_add_up_to_the_log_odds(recipe: Recipe) -> None:
    model = fitted(recipe)
    rows = GROUP.features.head(20)
    found = model.contributions(rows)
    assert found is not None
    assert found.shape == (20, 3)
    raw = model.raw_probability(rows)
    assert found.sum(axis=1) == pytest.approx(np.log(raw / (1.0 - raw)), abs=1e-9)
    assert fitted(BLIND).contributions(rows) is None


@pytest.mark.parametrize("recipe", [SEEING, BOOSTED])
def test_a_masked_feature_is_a_missing_one(recipe: Recipe) -> None:
    model = fitted(recipe, learned())
    masked = replace(model, masked=("tilt",))
    absent = GROUP.features.with_columns(pl.lit(None, pl.Float64).alias("tilt"))
    assert masked.predicted(GROUP.features).equals(model.predicted(absent))
    assert not masked.predicted(GROUP.features).equals(model.predicted(GROUP.features))
    told = masked.contributions(GROUP.features)
    assert told is not None
    assert np.array_equal(told, np.asarray(model.contributions(absent)))
    # Whatever the feature says: it is not looked at.
    wild = GROUP.features.with_columns(pl.lit(1e6).alias("tilt"))
    assert masked.predicted(wild).equals(masked.predicted(GROUP.features))
    # What the recipe does not have cannot be masked; with every feature gone there is an answer still.
    assert replace(model, masked=("slope",)).predicted(GROUP.features).equals(model.predicted(GROUP.features))
    assert replace(model, masked=("tilt", "carry")).raw_probability(GROUP.features).std() == pytest.approx(0.0)


def test_an_offset_moves_all_that_is_said_by_as_much() -> None:
    model = fitted(found=learned())
    moved = replace(model, offset=0.4)
    before, after = (each.predicted(GROUP.features) for each in (model, moved))
    assert after["probability_raw"].equals(before["probability_raw"])
    for name in ("probability_up", "probability_lower", "probability_upper", "base_rate"):
        one, other = (rows[name].to_numpy() for rows in (before, after))
        assert logit(other) - logit(one) == pytest.approx(0.4, abs=1e-9), name
    assert logit(0.5987) == pytest.approx(0.4, abs=1e-3)
    # Without an interval there is none to move.
    assert replace(fitted(), offset=0.4).predicted(GROUP.features)["probability_lower"].null_count() == 600
    back = replace(moved, offset=0.0).predicted(GROUP.features)
    assert back.equals(before)


def test_an_amendment_is_another_artefact_of_the_same_fit() -> None:
    model = fitted(found=learned())
    others = [replace(model, masked=("tilt",)), replace(model, offset=-0.25), model]
    assert len({other.sha256 for other in others}) == 3
    for other in others:
        again = TrainedModel.from_bytes(other.to_bytes(), other.sha256)
        assert (again.masked, again.offset, again.sha256) == (other.masked, other.offset, other.sha256)
        assert again.fitted.to_json() == model.fitted.to_json()
        assert again.predicted(GROUP.features).equals(other.predicted(GROUP.features))


def test_an_artefact_of_before_amendments_is_read() -> None:
    model = fitted()
    kind, content = opened(model.to_bytes().decode(), model.sha256)
    del content["masked"], content["offset"]
    old = sealed(kind, content).encode()
    again = TrainedModel.from_bytes(old, hashlib.sha256(old).hexdigest())
    assert (again.masked, again.offset) == ((), 0.0)
    assert again.to_bytes() == model.to_bytes()
