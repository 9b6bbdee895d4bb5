"""From frames to arrays: outcomes and feeds by hand, cutting commutes with looking, reigns as promotions made them."""

from dataclasses import fields, replace
from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from hydra_agent.arena import played, squared_errors
from hydra_agent.frames import FEEDS, reign_of, reigns_of, said_by, session_of, walk_of
from hydra_agent.view import UNKNOWN, GroupView
from hydra_assets.evaluation.evidence import squared_errors as frame_errors
from hydra_assets.evaluation.strategies import walked
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.labels.known import LabelKind
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import TrainedModel, train
from hydra_assets.registry.champions import Champion, PromotionReason, champion_as_of
from tests.support.groups import BLIND, MARKETS, SEEING, Group, day, group
from tests.support.views import view_on

GROUP = group(320)
N = 320
FEED = {feed.name: k for k, feed in enumerate(FEEDS)}
nan = np.nan


@cache
def whole() -> GroupView:
    return view_on(GROUP)


def arrays(view: GroupView) -> dict[str, NDArray[np.generic]]:
    """Every array of a view, its market's included."""
    market = {f.name: getattr(view.market, f.name) for f in fields(view.market)}
    own = {f.name: getattr(view, f.name) for f in fields(view)}
    return {name: value for name, value in {**market, **own}.items() if isinstance(value, np.ndarray)}


def test_features_stand_where_their_session_and_market_are() -> None:
    view = whole()
    assert (len(view), view.symbols, view.feature_names) == (N, MARKETS, FEATURE_NAMES)
    for j, market in enumerate(MARKETS):
        rows = GROUP.features.filter(pl.col("market") == market).sort("session")
        for name in ("tilt", "carry"):
            assert view.features[:, j, FEATURE_NAMES.index(name)].tolist() == rows[name].to_list()
        assert np.isnan(view.features[:, j, FEATURE_NAMES.index("slope")]).all()
    assert [session_of(view, row) for row in (0, 7, N - 1)] == [day(0), day(7), day(N - 1)]


def test_outcomes_stand_at_their_decision_with_the_row_that_made_them_known() -> None:
    view = whole()
    known = GROUP.labels.filter((pl.col("label_kind") == "fixed_horizon") & (pl.col("label_reason") == "ok"))
    seen = np.zeros_like(view.exit_row, dtype=bool)
    for row in known.iter_rows(named=True):
        t = (row["decision_session"] - day(0)).days
        j = MARKETS.index(row["market"])
        seen[t, j] = True
        assert view.exit_row[t, j] == (row["session"] - day(0)).days > t
        assert view.up[t, j] == float(row["label_class"] == "up")
    assert seen.sum() > 500
    assert (view.exit_row[~seen] == UNKNOWN).all()
    assert np.isnan(view.up[~seen]).all()


@pytest.mark.parametrize("kind", list(LabelKind))
def test_every_label_has_its_own_outcomes(kind: LabelKind) -> None:
    view = whole().of(kind)
    rows = GROUP.labels.filter((pl.col("label_kind") == kind) & (pl.col("label_reason") == "ok"))
    wanted = {(r["decision_session"], r["market"]): (r["session"], r["label_class"]) for r in rows.to_dicts()}
    found = {
        (day(int(t)), MARKETS[j]): (day(int(view.exit_row[t, j])), "up" if view.up[t, j] else "down")
        for t, j in np.argwhere(view.exit_row != UNKNOWN)
    }
    assert found == wanted
    assert len(found) > 500
    assert (view.label, set(view.others)) == (kind, set(LabelKind) - {kind})
    # There and back is where it began, and to stand in the past is the same before and after.
    back = view.of(LabelKind.FIXED_HORIZON)
    assert np.array_equal(back.up, whole().up, equal_nan=True)
    cut, early = whole().until(150).of(kind), view.until(150)
    assert np.array_equal(cut.up, early.up, equal_nan=True)
    assert np.array_equal(cut.exit_row, early.exit_row)
    assert cut.exit_row.max() < 150
    assert np.array_equal(view_on(GROUP.until(day(149))).of(kind).exit_row, early.exit_row)


def test_a_label_that_a_view_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="none of triple_barrier"):
        replace(whole(), others={}).of(LabelKind.TRIPLE_BARRIER)


@pytest.mark.parametrize("kind", list(LabelKind))
def test_squared_errors_are_of_the_walk_s_own_label(kind: LabelKind) -> None:
    recipe = SEEING.model_copy(update={"label": kind})
    predictions = walked(GROUP.features, GROUP.labels, recipe)
    walk = walk_of("own", recipe, predictions, GROUP.market)
    wanted = frame_errors(predictions, GROUP.labels, recipe, GROUP.market)
    assert squared_errors(whole(), walk) == pytest.approx(wanted, nan_ok=True)
    assert np.isfinite(wanted).sum() > 150


@pytest.mark.parametrize("last", [40, 160, 300, N - 1])
def test_to_cut_frames_is_to_cut_the_view(last: int) -> None:
    cut, until = arrays(view_on(GROUP.until(day(last)))), arrays(whole().until(last + 1))
    assert cut.keys() == until.keys()
    for name, value in cut.items():
        assert np.array_equal(value, until[name], equal_nan=value.dtype.kind == "f"), name


def with_values(of: Group, market: str, **values: list[float | None]) -> Group:
    """A market's first sessions get given values of features, its later ones none."""
    own = pl.col("market") == market
    rows = of.features.filter(own).sort("session")
    columns = [
        pl.Series(name, [*given, *[None] * (rows.height - len(given))], pl.Float64).cast(of.features.schema[name])
        for name, given in values.items()
    ]
    return replace(of, features=pl.concat([rows.with_columns(columns), of.features.filter(~own)]))


def test_a_report_is_new_when_its_age_does_not_grow() -> None:
    small = group(12)
    ages: list[float | None] = [None, 3, 4, 5, None, 7, 8, 1, 2, 2, None, None]
    view = view_on(with_values(small, "SIM_HE", report_age_days=ages))
    age = view.feed_age[:, 0, FEED["reports"]]
    # The 7 after a session without any is the same report, the second 2 is another one.
    assert np.array_equal(age, [nan, 0, 1, 2, 3, 4, 5, 0, 1, 0, 1, 2], equal_nan=True)
    assert np.isnan(view.feed_age[:, 1, FEED["reports"]]).all()
    assert np.isnan(view.feed_level[:, :, FEED["reports"]]).all()


def test_levels_are_held_and_ages_count_sessions() -> None:
    small = group(8)
    given: list[float | None] = [None, 3, 3, None, None, 2, 0, None]
    vols: list[float | None] = [None, 0.3, None, None, None, 0.4, None, None]
    view = view_on(with_values(small, "SIM_HE", slices_usable=given, atm_vol=vols))
    k = FEED["options"]
    assert np.array_equal(view.feed_age[:, 0, k], [nan, 0, 0, 1, 2, 0, 0, 1], equal_nan=True)
    assert np.array_equal(view.feed_level[:, 0, k], [nan, 0.3, 0.3, 0.3, 0.3, 0.4, 0.4, 0.4], equal_nan=True)
    # Prices and volumes are the curve's, which has a row for every session.
    for name in ("prices", "volumes"):
        assert (view.feed_age[:, :, FEED[name]] == 0.0).all()
    # Both contracts together, 40,000 each.
    assert (view.feed_level[:, :, FEED["volumes"]] == 80_000.0).all()
    assert np.array_equal(view.feed_level[:, :, FEED["prices"]], view.market.settle)


def test_a_feed_that_stands_still_ages() -> None:
    small = group(10)
    quiet = (pl.col("market") == "SIM_ZO") & (pl.col("session") > day(6))
    late = replace(small, curve=small.curve.with_columns(pl.when(quiet).then(None).otherwise("volume").alias("volume")))
    view = view_on(late)
    assert view.feed_age[:, 1, FEED["volumes"]].tolist() == [0, 0, 0, 0, 0, 0, 0, 1, 2, 3]
    assert (view.feed_level[:, 1, FEED["volumes"]] == 80_000.0).all()


def test_trading_that_moves_to_the_next_contract_is_no_drought() -> None:
    small = group(10)
    rolled = (pl.col("session") > day(6)).cast(pl.Float64) * 39_000.0
    moved = pl.when(pl.col("role") == "front").then(40_000.0 - rolled).otherwise(40_000.0 + rolled)
    curve = small.curve.with_columns(moved.cast(small.curve.schema["volume"]).alias("volume"))
    assert curve.filter(pl.col("role") == "front")["volume"].min() == 1_000
    view = view_on(replace(small, curve=curve))
    assert (view.feed_level[:, :, FEED["volumes"]] == 80_000.0).all()


def test_a_walk_begins_where_its_folds_do() -> None:
    predictions = GROUP.predictions["logistic"]
    walk = walk_of("logistic", SEEING, predictions, GROUP.market)
    starts = predictions.group_by("fold").agg(pl.col("session").min()).sort("fold")["session"].to_list()
    assert walk.starts == tuple((start - day(0)).days for start in starts)
    assert np.isnan(walk.probability[: walk.starts[0]]).all()
    own = predictions.filter(pl.col("market") == "SIM_ZO").sort("session")
    assert walk.probability[walk.starts[0] :, 1].tolist() == own["probability_up"].to_list()
    assert walk.base[walk.starts[0] :, 1].tolist() == own["base_rate"].to_list()


def model(cutoff: int, recipe: Recipe = SEEING) -> TrainedModel:
    snapshot = training_snapshot(GROUP.features, GROUP.labels, recipe.features, recipe.label, day(cutoff))
    return train("own", recipe, snapshot, AS_IT_IS, thesis_green=True)


OTHER = SEEING.model_copy(update={"seed": 99})
FIRST, REFIT, EXPERIMENT, BACK, MASKED = (
    str(PromotionReason[name]) for name in ("FIRST_CHAMPION", "SCHEDULED_REFIT", "EXPERIMENT", "ROLLED_BACK", "MASKED")
)


def champion(version: int, fitted: TrainedModel, after: int, reason: str) -> Champion:
    return Champion(version, fitted.sha256, fitted, day(after), reason)


ONE = champion(1, model(150), 150, FIRST)
TWO = champion(2, model(200), 200, REFIT)
THREE = champion(3, replace(model(200), masked=("carry",)), 210, MASKED)
FOUR = champion(4, model(230, OTHER), 230, EXPERIMENT)
FIVE = champion(3, replace(model(200), masked=("carry",)), 260, BACK)
ALL = [ONE, TWO, THREE, FOUR, FIVE]


def test_a_reign_goes_on_through_refits_and_amendments() -> None:
    assert reigns_of([]) == []
    assert reigns_of(ALL) == [(day(150), ONE), (day(230), FOUR), (day(260), FIVE)]
    # By effect, in whatever order they are on record.
    assert reigns_of(ALL[::-1]) == reigns_of(ALL)
    again = champion(6, model(200), 290, FIRST)
    assert reigns_of([*ALL, again])[-1] == (day(290), again)


def test_each_session_is_said_by_the_champion_that_it_had() -> None:
    walk = said_by("own", SEEING, GROUP.features, GROUP.market, lambda d: champion_as_of(ALL, d))
    assert walk.starts == (151, 201, 211, 231, 261)
    assert np.isnan(walk.probability[:151]).all()
    bounds = [*walk.starts, N]
    for reigning, first, end in zip(ALL, bounds[:-1], bounds[1:], strict=True):
        for j, market in enumerate(MARKETS):
            own = (pl.col("market") == market) & pl.col("session").is_between(day(first), day(end - 1))
            said = reigning.model.predicted(GROUP.features.filter(own).sort("session"))
            assert walk.probability[first:end, j].tolist() == said["probability_up"].to_list()
            assert walk.base[first:end, j].tolist() == said["base_rate"].to_list()


def test_nobody_says_nothing() -> None:
    walk = said_by("own", SEEING, GROUP.features, GROUP.market, lambda _: None)
    assert walk.starts == ()
    assert np.isnan(walk.probability).all()


def test_a_reign_by_its_parts() -> None:
    view, trial = whole(), walk_of("logistic", SEEING, GROUP.predictions["logistic"], GROUP.market)
    started, ended = reigns_of(ALL)[0], day(230)
    reign = reign_of(view, GROUP.features, ALL, started, ended, trial)
    assert (reign.since, reign.version, reign.walk.recipe) == (151, 1, SEEING)
    # It says nothing before it began and nothing after it ended.
    assert np.isfinite(reign.walk.probability[151:231]).all()
    assert np.isnan(reign.walk.probability[:151]).all()
    assert np.isnan(reign.walk.probability[231:]).all()
    assert reign.walk.starts == (151, 201, 211)
    alone = played(view.market, [reign.walk])
    assert np.isnan(reign.net[:151]).all()
    assert np.isnan(reign.gross[:151]).all()
    assert np.allclose(reign.net[151:], alone.net[0, 151:])
    assert np.allclose(reign.gross[151:], alone.gross[0, 151:])
    # What is expected of it is what its walk-forward had earned before.
    before = slice(trial.starts[0], 151)
    tried = played(view.market, [trial]).net[0, before]
    assert reign.expected_net == pytest.approx(tried.mean())
    assert reign.expected_sd == pytest.approx(tried.std(ddof=1))
    assert reign.expected_brier == pytest.approx(np.nanmean(squared_errors(view, trial)[before]))


def test_size_factors_scale_what_a_reign_earns() -> None:
    view, trial = whole(), walk_of("logistic", SEEING, GROUP.predictions["logistic"], GROUP.market)
    none = reign_of(view, GROUP.features, ALL, reigns_of(ALL)[0], day(230), trial, np.zeros((N, 2)))
    assert none.net[151:].tolist() == [0.0] * (N - 151)
    assert none.expected_net == 0.0


def test_what_is_known_of_a_reign_does_not_change_with_later_sessions() -> None:
    def known(last: int) -> tuple[NDArray[np.float64], float]:
        until = GROUP.until(day(last))
        trial = walk_of(
            "logistic", SEEING, GROUP.predictions["logistic"].filter(pl.col("session") <= day(last)), until.market
        )
        reign = reign_of(view_on(until), until.features, ALL, reigns_of(ALL)[0], day(230), trial)
        return reign.net, reign.expected_net

    late, early = known(N - 1), known(220)
    assert np.array_equal(late[0][:221], early[0], equal_nan=True)
    assert late[1] == early[1]


def test_a_reign_without_a_walk_forward_expects_nothing() -> None:
    none = walk_of("x", BLIND, GROUP.predictions["no_signal"].head(0), GROUP.market)
    first = champion(1, model(150), 20, FIRST)
    found = reign_of(whole(), GROUP.features, [first], (first.after, first), None, none)
    assert (found.since, found.expected_net, found.expected_sd, found.expected_brier) == (21, 0.0, 0.0, 0.25)
    assert np.isfinite(found.net[21:]).all()
    assert session_of(whole(), found.since) == date(2020, 1, 1) + timedelta(days=21)
