"""The oracle earns what the edge is worth, and a first champion's record is its own."""

from functools import cache

import numpy as np
import pytest

from hydra_agent.arena import played
from hydra_agent.healbench.calibrate import attained
from hydra_agent.healbench.edge_sizes import EDGES
from hydra_agent.healbench.lab import ArrayLab
from hydra_agent.healbench.oracle import expected_net, expected_of, oracle_walk
from hydra_agent.healbench.worlds import BenchWorld, WorldConfig, make_world
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import THESIS, THESIS_FEATURES, Recipe
from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.tables import ReplayConfig
from tests.support.reigns import first_reign, oracle_returns

RECIPE = Recipe(features=THESIS_FEATURES, model=Logistic(prior=THESIS), refit_sessions=63)


@cache
def world() -> BenchWorld:
    return make_world(31, WorldConfig(years=3, edge=EDGES[2.0]))


@pytest.mark.parametrize("target", [1.0, 2.0])
def test_the_oracle_attains_what_the_edge_is_named_after(target: float) -> None:
    found = [attained(make_world(500 + seed, WorldConfig(years=6, edge=EDGES[target]))) for seed in range(5)]
    assert np.mean(found) == pytest.approx(target, abs=0.25)


def test_without_an_edge_the_oracle_does_nothing() -> None:
    nothing = make_world(1, WorldConfig(years=2, edge=0.0))
    assert not oracle_returns(nothing).net.any()


def test_expected_money_of_a_known_position_is_its_drift_less_its_costs() -> None:
    market = world().truth.market
    lots = np.zeros((1, *market.settle.shape))
    lots[0, 100:105, 0] = 2.0
    result = replay(market, Decisions(DecisionKind.LOTS, lots), ReplayConfig())
    found = expected_of(world(), result)[0]
    # Wanted at 100, filled at the settle of 101, so the first session that earns is 102.
    drift = 2.0 * 400.0 * market.settle[101, 0] * world().truth.next_mean[101, 0] / 1e6
    assert found[102] == pytest.approx(drift, rel=1e-9)
    assert found[101] == pytest.approx(-result.cost_cents[:, 0, 101].sum() / 1e8)
    assert not found[:101].any()


def test_expected_is_realised_without_luck() -> None:
    walk = oracle_walk(world())
    luck = oracle_returns(world()).net[0] - expected_net(world(), [walk])[0]
    assert abs(luck.mean()) < 3.5 * luck.std() / np.sqrt(len(luck))
    assert luck.std() > 0.0


def test_a_frozen_champion_keeps_its_model_and_another_is_refitted() -> None:
    lab, market = ArrayLab(world().view), world().truth.market
    frozen = first_reign(market, lab, RECIPE, 504)
    kept = first_reign(market, lab, RECIPE, 504, every=63)
    assert frozen.walk.starts == (504,)
    assert kept.walk.starts == (504, 567, 630, 693)
    for reign in (frozen, kept):
        assert np.isnan(reign.walk.probability[:504]).all()
        assert np.isnan(reign.net[:504]).all()
        assert np.isfinite(reign.net[504:]).all()
        assert (reign.gross[504:] >= reign.net[504:]).all()
    same = slice(504, 567)
    assert frozen.walk.probability[same].tobytes() == kept.walk.probability[same].tobytes()
    assert not np.array_equal(frozen.walk.probability[567:], kept.walk.probability[567:])


def test_what_is_expected_of_it_is_what_it_did_before() -> None:
    lab, market = ArrayLab(world().view), world().truth.market
    reign = first_reign(market, lab, RECIPE, 504)
    walk = ArrayLab(world().view.until(504)).walk({"champion": RECIPE}, 504)["champion"]
    earned = played(market, [walk]).net[0, 258:]
    assert reign.expected_net == pytest.approx(earned.mean())
    assert reign.expected_sd == pytest.approx(earned.std(ddof=1))
    assert reign.expected_brier == pytest.approx(0.25, abs=0.02)
    assert (reign.version, reign.since) == (1, 504)


def test_a_reign_needs_a_fold_before_it() -> None:
    with pytest.raises(ValueError, match="no fold"):
        first_reign(world().truth.market, ArrayLab(world().view), RECIPE, 258)
