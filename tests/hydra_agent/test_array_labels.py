"""The laboratory on arrays learns every label and loss as the pipeline does on frames."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from hydra_agent.arena import played, squared_errors
from hydra_agent.healbench.lab import ArrayLab
from hydra_agent.healbench.observed import market_seen
from hydra_agent.healbench.worlds import BenchWorld, WorldConfig, make_world
from hydra_agent.view import UNKNOWN, GroupView
from hydra_assets.evaluation.evidence import squared_errors as frame_errors
from hydra_assets.labels.known import LabelKind, known_labels
from hydra_assets.models.linear import Logistic
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recipe import THESIS, THESIS_FEATURES, Recipe
from hydra_assets.models.weights import Loss
from hydra_assets.replay.inputs import aligned

PLAIN = Recipe(
    features=THESIS_FEATURES, model=Logistic(prior=THESIS, prior_sd=0.05), first_train_sessions=200, refit_sessions=100
)


@cache
def world() -> BenchWorld:
    return make_world(3, WorldConfig(years=2))


def view() -> GroupView:
    return world().view


@cache
def frames() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of ``feature_vector``, and labels made from the view's prices by the pipeline."""
    seen = view()
    t, m = seen.up.shape
    day = pl.Series(np.repeat(seen.days, m)).cast(pl.Int32).cast(pl.Date)
    _, returns = market_seen(world().deliveries, world().terms)
    base = pl.DataFrame({"market": list(seen.symbols) * t, "session": day})
    held = base.with_columns(
        pl.lit("held").alias("held_contract"),
        pl.Series("held_return", returns.reshape(-1), nan_to_null=True),
        pl.lit(0.001).alias("round_trip_cost"),
    )
    values = seen.features.reshape(t * m, -1)
    features = base.with_columns(
        pl.Series(name, values[:, j], nan_to_null=True) for j, name in enumerate(seen.feature_names)
    )
    return features, pl.concat([known_labels(held, kind) for kind in LabelKind])


@pytest.mark.parametrize("kind", list(LabelKind))
def test_outcomes_are_the_pipeline_s(kind: LabelKind) -> None:
    of, labels = view().of(kind), frames()[1]
    ok = labels.filter((pl.col("label_kind") == kind) & (pl.col("label_reason") == "ok"))
    wanted = {(r["decision_session"], r["market"]): (r["session"], r["label_class"] == "up") for r in ok.to_dicts()}
    day = pl.Series(of.days).cast(pl.Int32).cast(pl.Date).to_list()
    found = {
        (day[t], of.symbols[j]): (day[of.exit_row[t, j]], bool(of.up[t, j]))
        for t, j in np.argwhere(of.exit_row != UNKNOWN)
    }
    assert found == wanted
    assert len(found) > 1500


@pytest.mark.parametrize("loss", list(Loss))
@pytest.mark.parametrize("kind", list(LabelKind))
def test_probabilities_are_the_pipeline_s(kind: LabelKind, loss: Loss) -> None:
    recipe = PLAIN.model_copy(update={"label": kind, "loss": loss})
    wanted = out_of_fold(*frames(), recipe).predictions
    walk = ArrayLab(view()).walk({"a": recipe}, len(view()))["a"]
    first = walk.starts[0]
    for found, name in ((walk.probability, "probability_raw"), (walk.base, "base_raw")):
        by_row = aligned(wanted, name, view().market)
        np.testing.assert_allclose(found[first:], by_row[first:], rtol=0.0, atol=1e-9)
    said = wanted.rename({"probability_raw": "probability_up"})
    errors = frame_errors(said, frames()[1], recipe, view().market)
    assert squared_errors(view(), walk) == pytest.approx(errors, abs=1e-9, nan_ok=True)
    assert np.isfinite(played(view().market, [walk]).net).all()
