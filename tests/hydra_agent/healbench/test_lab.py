"""The laboratory on arrays says what the pipeline says on frames, and nothing that it could not know."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_agent.arena import played, shares_of_walk
from hydra_agent.healbench.lab import ArrayLab, Span, fold_starts, span_before, uniqueness
from hydra_agent.healbench.worlds import BenchWorld, WorldConfig, make_world
from hydra_agent.view import UNKNOWN, GroupView
from hydra_assets.evaluation.strategies import replayed, shares_of
from hydra_assets.home import DEFAULT_SIM_MARKETS
from hydra_assets.labels.known import LabelKind
from hydra_assets.labels.spec import LabelClass, LabelReason
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recipe import THESIS, THESIS_FEATURES, Recipe
from hydra_assets.models.weights import average_uniqueness
from hydra_assets.replay.tables import ReplayConfig

PLAIN = Recipe(features=THESIS_FEATURES, model=Logistic(prior=THESIS), first_train_sessions=120, refit_sessions=40)
ROLLING = PLAIN.model_copy(update={"window_sessions": 100, "features": ("options_z", "crowd_score_z", "carry")})
ROLLING = ROLLING.model_copy(update={"model": Logistic()})


@cache
def world() -> BenchWorld:
    # The pipeline's rows of a session are by name of the market, and the order of a sum is in its last digits.
    return make_world(21, WorldConfig(years=2, edge=2.0, markets=tuple(sorted(DEFAULT_SIM_MARKETS))))


def dates(rows: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> pl.Series:
    return pl.Series(rows.astype("datetime64[D]")).cast(pl.Date)


def frames(view: GroupView) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The view's rows of ``feature_vector`` and ``labels``."""
    t, m = view.up.shape
    markets = pl.Series(list(view.symbols) * t)
    values = view.features.reshape(t * m, -1)
    features = pl.DataFrame({"market": markets, "session": dates(np.repeat(view.days, m))}).with_columns(
        pl.Series(name, values[:, j], nan_to_null=True) for j, name in enumerate(view.feature_names)
    )
    row, column = np.nonzero(view.exit_row != UNKNOWN)
    up = view.up[row, column] == 1.0
    labels = pl.DataFrame(
        {
            "market": [view.symbols[j] for j in column],
            "session": dates(view.days[view.exit_row[row, column]]),
            "decision_session": dates(view.days[row]),
            "entry_session": dates(view.days[row + 1]),
            "label_kind": [str(LabelKind.FIXED_HORIZON)] * len(row),
            "label_reason": [str(LabelReason.OK)] * len(row),
            "label_class": [str(LabelClass.UP) if one else str(LabelClass.DOWN) for one in up],
            "label_return": np.zeros(len(row)),
            "label_cost": np.zeros(len(row)),
            "label_sigma": np.ones(len(row)),
        }
    )
    return features, labels


@pytest.mark.parametrize("recipe", [PLAIN, ROLLING], ids=["expanding", "rolling"])
def test_probabilities_and_shares_are_those_of_the_pipeline(recipe: Recipe) -> None:
    view = world().view
    features, labels = frames(view)
    wanted = out_of_fold(features, labels, recipe).predictions
    walk = ArrayLab(view).walk({"a": recipe}, len(view))["a"]
    first = walk.starts[0]
    for found, name in ((walk.probability, "probability_raw"), (walk.base, "base_raw")):
        assert np.isnan(found[:first]).all()
        by_row = wanted[name].to_numpy().reshape(-1, len(view.symbols))
        np.testing.assert_allclose(found[first:], by_row, rtol=0.0, atol=1e-12)
    said = wanted.rename({"probability_raw": "probability_up", "base_raw": "base_rate"})
    shares = shares_of(said, view.market, recipe.horizon_sessions)
    np.testing.assert_allclose(shares_of_walk(view.market, walk), shares, atol=1e-9)
    assert wanted["fold"].n_unique() == len(walk.starts)


def test_played_is_the_pipelines_replay_of_each() -> None:
    market = world().truth.market
    walks = list(ArrayLab(world().view).walk({"a": PLAIN, "b": ROLLING}, len(world().view)).values())
    together = played(market, walks)
    assert together.net.shape == (2, len(world().view))
    np.testing.assert_allclose(together.net, together.gross - together.costs)
    result = replayed(market, [shares_of_walk(market, walk) for walk in walks])
    np.testing.assert_array_equal(together.net, result.returns)
    np.testing.assert_array_equal(played(market, walks[1:]).net[0], together.net[1])
    assert (together.costs >= 0.0).all()
    assert together.costs.sum() > 0.0
    dear = ReplayConfig().model_copy(update={"costs": ReplayConfig().costs.model_copy(update={"scale": 2.0})})
    assert played(market, walks, dear).costs.sum() > 1.5 * together.costs.sum()


@settings(max_examples=8, deadline=None)
@given(st.integers(200, 503), st.integers(1, 200))
def test_what_is_said_does_not_depend_on_what_comes(rows: int, later: int) -> None:
    view = world().view
    rest = min(rows + later, len(view))
    longer = ArrayLab(view).walk({"a": ROLLING}, rest)["a"].until(rows)
    shorter = ArrayLab(view.until(rows)).walk({"a": ROLLING}, rows)["a"]
    assert longer.starts == shorter.starts
    assert longer.probability.tobytes() == shorter.probability.tobytes()
    assert longer.base.tobytes() == shorter.base.tobytes()
    market = world().truth.market
    # Decided at the last row, filled after it: the same money.
    np.testing.assert_array_equal(played(market, [shorter]).net, played(market, [longer]).net)


def test_folds_lie_as_the_plan_says() -> None:
    # First training of 120 sessions, an embargo of the label's reach (6), then a refit every 40.
    assert fold_starts(PLAIN, 210) == [126, 166, 206]
    assert fold_starts(PLAIN, 126) == []
    assert span_before(PLAIN, 126) == Span(0, 119)
    assert span_before(ROLLING, 166) == Span(60, 159)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_uniqueness_is_that_of_the_pipeline(data: st.DataObject) -> None:
    t, m = 30, 2
    trained = np.array(data.draw(st.lists(st.booleans(), min_size=t * m, max_size=t * m))).reshape(t, m)
    trained[t - 6 :] = False
    exit_row = np.broadcast_to(np.arange(t)[:, None] + 6, (t, m))
    days = np.arange(t)
    row, column = np.nonzero(trained)
    name = np.array(["a", "b"])
    rows = pl.DataFrame(
        {
            "market": name[column],
            "entry_session": dates(days[row + 1]),
            "exit_session": dates(days[row + 6]),
        }
    )
    calendar = pl.DataFrame({"market": np.repeat(name, t), "session": dates(np.tile(days, m))})
    wanted = average_uniqueness(rows, calendar) if len(rows) else np.zeros(0)
    found = uniqueness(exit_row, trained)
    np.testing.assert_allclose(found[row, column], wanted, rtol=1e-12)
    assert (found[~trained] == 0.0).all()


def test_labels_that_run_at_all_times_share_their_sessions_by_five() -> None:
    trained = np.zeros((40, 1), dtype=bool)
    trained[:30] = True
    found = uniqueness(np.arange(40)[:, None] + 6, trained)[:, 0]
    np.testing.assert_allclose(found[4:26], 0.2)
    # The first label shares its five sessions with none, one, ... four others.
    assert found[0] == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]))


def test_boosted_trees_and_thinned_rows_work_too() -> None:
    view = world().view
    recipe = PLAIN.model_copy(update={"first_train_sessions": 252, "refit_sessions": 200})
    boosted = recipe.model_copy(update={"model": LightGbm(trees=5, prior=THESIS)})
    thinned = ArrayLab(view, every=5).walk({"tree": boosted, "line": recipe}, 400)
    full = ArrayLab(view).walk({"line": recipe}, 400)["line"].probability[258:].ravel()
    assert np.isfinite(thinned["tree"].probability[258:]).all()
    line = thinned["line"].probability[258:].ravel()
    assert np.corrcoef(full, line)[0, 1] > 0.8
    assert not np.array_equal(full, line)


def test_a_fold_that_cannot_be_trained_says_nothing() -> None:
    wanting = PLAIN.model_copy(update={"model": Logistic(min_rows=500)})
    walk = ArrayLab(world().view).walk({"a": wanting}, 300)["a"]
    # At row 126 four markets have 420 known labels, 40 sessions later 580.
    assert np.isnan(walk.probability[126:166]).all()
    assert np.isfinite(walk.probability[166:]).all()


def test_an_edge_is_found_and_a_fit_is_kept() -> None:
    lab = ArrayLab(make_world(2, WorldConfig(years=6, edge=3.0)).view)
    recipe = PLAIN.model_copy(update={"first_train_sessions": 252, "refit_sessions": 252})
    walk = lab.walk({"a": recipe}, len(lab.view))["a"]
    both = np.isfinite(walk.probability) & np.isfinite(lab.view.up)
    assert np.corrcoef(walk.probability[both], lab.view.up[both])[0, 1] > 0.1
    start = walk.starts[1]
    assert lab.fit_at(recipe, start) is lab.fit_at(recipe, start)


def test_a_label_that_the_view_does_not_have_is_refused() -> None:
    barrier = PLAIN.model_copy(update={"label": LabelKind.TRIPLE_BARRIER})
    with pytest.raises(ValueError, match="triple_barrier"):
        ArrayLab(replace(world().view, others={})).walk({"a": barrier}, 300)
