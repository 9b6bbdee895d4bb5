"""Signals of the model: what was claimed against what prices answered, and outcomes against what was said."""

from functools import cache

import numpy as np
import pytest

from hydra_agent.healbench.case import Case
from hydra_agent.healbench.faults.course import RegimeChange
from hydra_agent.healbench.policies.simple import DoNothing
from hydra_agent.healbench.worlds import BenchWorld, make_world
from hydra_agent.observe.edge_score import ENTRY_LAG, LEAST_INFORMATION, EdgeScore, edge_score
from hydra_agent.observe.health import health_config
from hydra_agent.observe.model import calibration_signals, newest_of_session, outcomes_due, performance_signals
from hydra_agent.observe.signals import Level, SignalReason
from hydra_agent.view import Reign, Walk
from hydra_assets.stats.detectors.edge import run_length

SINCE, ROW = 756, 1512


@cache
def world() -> BenchWorld:
    return make_world(2_000_012)


def reign_of(seen: BenchWorld) -> Reign:
    case = Case(seen, ROW)
    walk = DoNothing().run(case).walk(case.recipe)
    zeros = np.zeros(case.shape[0])
    return Reign(walk, 1, SINCE, zeros, zeros, 0.0, 0.01, 0.25)


def test_one_claim_is_held_against_the_returns_of_its_horizon() -> None:
    seen = world().view
    silent = np.full(seen.up.shape, np.nan)
    probability, base = silent.copy(), silent.copy()
    probability[100, 0], base[100, 0] = 0.6, 0.5
    horizon = reign_of(world()).walk.recipe.horizon_sessions
    found = edge_score(seen, Walk("one", reign_of(world()).walk.recipe, probability, base, ()), 0)
    mean = np.log(1.5) / (1.6 * np.sqrt(horizon)) / horizon
    answered = np.flatnonzero(found.claimed)
    assert answered.tolist() == list(range(100 + ENTRY_LAG, 100 + ENTRY_LAG + horizon))
    assert found.claimed[102] == pytest.approx(mean**2)
    market = seen.market
    move = market.held_change[102, 0] / (
        market.settle[101, 0] * market.terms.multiplier[0] * market.sigma_daily[101, 0]
    )
    assert found.score[102] == pytest.approx(mean * move)


def test_the_statistic_is_the_drawdown_of_the_score() -> None:
    score = EdgeScore(np.array([0.1, -0.3, -0.2, 0.4]), np.full(4, 0.01), np.full(4, 1.25))
    assert score.statistic == pytest.approx([0.0, 0.48, 0.8, 0.16])


def test_thresholds_keep_the_run_length_of_what_is_claimed() -> None:
    # With mean q and variance v q a session, 2 y / v is a log-likelihood ratio of information 2 q / v.
    claimed = np.full(500, 0.01)
    found = EdgeScore(np.zeros(500), claimed, np.full(500, 1.0)).threshold(2520.0)[-1]
    assert (np.expm1(found) - found) / 0.02 == pytest.approx(2520.0, rel=0.01)
    # Siegmund's run length of a walk with that drift and spread, without the overshoot, says the same.
    assert run_length(found - 2 * 0.5826 * 0.2, 0.2) == pytest.approx(2520.0, rel=0.02)
    nothing = EdgeScore(np.zeros(9), np.zeros(9), np.ones(9)).threshold(2520.0)[-1]
    assert np.expm1(nothing) - nothing == pytest.approx(2520.0 * LEAST_INFORMATION, rel=0.05)


def test_a_turned_edge_is_critical_and_a_constant_one_is_not() -> None:
    config = health_config(20)
    levels = {}
    for factor in (1.0, -1.0):
        seen = world() if factor == 1.0 else RegimeChange(ROW, factor).apply(world(), np.random.default_rng(0))
        tracks = performance_signals(seen.view, reign_of(seen), config.edge_warning_years, config.edge_critical_years)
        edge = next(track for track in tracks if track.name == "edge")
        assert np.isnan(edge.statistic[:SINCE]).all()
        assert not (edge.level[:ROW] >= Level.CRITICAL).any()
        levels[factor] = (edge.level[ROW : ROW + 600] >= Level.CRITICAL).any()
    assert levels == {1.0: False, -1.0: True}


def test_what_is_known_at_a_row_does_not_change_with_what_comes() -> None:
    whole, cut = (edge_score(seen, reign_of(world()).walk.until(len(seen)), SINCE) for seen in (
        world().view, world().view.until(1200)))  # fmt: skip
    np.testing.assert_allclose(whole.statistic[:1200], cut.statistic, rtol=1e-12)
    np.testing.assert_allclose(whole.threshold(5040.0)[:1200], cut.threshold(5040.0), rtol=1e-12)


def test_outcomes_do_not_overlap_and_stand_where_they_became_known() -> None:
    reign = reign_of(world())
    up, said = outcomes_due(world().view, reign)
    assert (np.isfinite(up) == np.isfinite(said)).all()
    for j in range(up.shape[1]):
        rows = np.flatnonzero(np.isfinite(up[:, j]))
        assert (np.diff(rows) >= reign.walk.recipe.horizon_sessions).all()
        assert rows[0] >= SINCE


def test_a_base_rate_that_moves_is_miscalibrated() -> None:
    reign = reign_of(world())
    probability = np.where(np.isfinite(reign.walk.probability), 0.3, np.nan)
    wrong = Reign(
        Walk("low", reign.walk.recipe, probability, probability, ()), 1, SINCE, reign.net, reign.gross, 0.0, 0.01, 0.25
    )
    (track,) = calibration_signals(world().view, wrong, health_config(20).calibration)
    assert track.at(SINCE + 200).reason is SignalReason.MISCALIBRATED
    (right,) = calibration_signals(world().view, reign, health_config(20).calibration)
    assert (right.level > Level.OK).mean() < 0.5


def test_a_session_has_the_value_of_its_last_market() -> None:
    pooled = np.array([[1.0, np.nan, 3.0], [np.nan, 2.0, np.nan], [np.nan] * 3])
    assert newest_of_session(pooled)[:2].tolist() == [3.0, 2.0]
    assert np.isnan(newest_of_session(pooled)[2])
