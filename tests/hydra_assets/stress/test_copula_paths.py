"""Paths of the copula keep what they say they keep."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.stats import kendalltau

from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.costs import CostConfig
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.stress.copula_paths import CopulaModel, copula_batches, copula_model, standardised_returns
from hydra_assets.stress.path_replay import replay_paths
from hydra_assets.stress.paths import PathBatch, Wishes, World
from tests.hydra_assets.replay.worlds import config, world
from tests.hydra_assets.stress.test_path_replay import random_world
from tests.hydra_assets.stress.worlds import assert_same_books, earning

PATHS, SESSIONS, LAG = 40, 600, 2


@cache
def drawn() -> tuple[World, CopulaModel, PathBatch]:
    market, decisions = earning(sessions=SESSIONS, edge=0.08)
    one = World(market, Wishes.of(decisions, config()))
    model = copula_model(one, LAG, 120)
    assert model is not None
    (paths,) = copula_batches(one, model, PATHS, 20.0, (1,), "#")
    return one, model, paths


def paired(one: World) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Standardised returns and the signals that earn them, complete rows."""
    z = standardised_returns(one.market)[LAG:]
    both = np.concatenate([z, one.wishes.shares[:-LAG]], axis=1)
    return np.asarray(both[np.isfinite(both).all(axis=1)])


def test_kendalls_taus_of_the_paths_are_those_of_the_past() -> None:
    """Mean over 40 paths of 600 sessions. A path's tau scatters by about 2 / (3 sqrt(600)) = 0.027, three times that
    between persistent signals; the mean by a sixth of it: 0.005, and 0.013 for signals."""
    _, model, paths = drawn()
    margins = model.copula.tau.shape[0]
    worlds = [paired(paths.world(path)) for path in range(PATHS)]
    for i in range(margins):
        for j in range(i):
            taus = [kendalltau(both[:, i], both[:, j]).statistic for both in worlds]
            within = 0.06 if i >= 3 and j >= 3 else 0.03
            assert np.mean(taus) == pytest.approx(model.copula.tau[i, j], abs=within), (i, j)
    edge = [model.copula.tau[m, m + 3] for m in range(3)]
    common = [model.copula.tau[1, 0], model.copula.tau[2, 0]]
    assert min(edge) > 0.1
    assert min(common) > 0.1


def test_signals_persist_as_they_did() -> None:
    """Blocks of mean 20 cut one in twenty of the neighbours apart: 0.95 of the autocorrelation is left."""
    one, _, paths = drawn()
    past = one.wishes.shares[:, 0]
    before = np.corrcoef(past[1:], past[:-1])[0, 1]
    after = np.mean([np.corrcoef(path[1:], path[:-1])[0, 1] for path in paths.shares[:, 0].T])
    assert before > 0.3
    assert after == pytest.approx(0.95 * before, abs=0.05)


def test_markets_fall_together_as_they_did() -> None:
    """Share of sessions in which two markets are both among their own worst twentieth; a normal copula of the same
    correlation, about 0.36, would show 0.009."""
    one, _, paths = drawn()

    def together(z: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        low = z <= np.quantile(z, 0.05, axis=0)
        return float((low[:, 0] & low[:, 1]).mean())

    past = together(paired(one)[:, :2])
    after = np.mean([together(paired(paths.world(path))[:, :2]) for path in range(PATHS)])
    assert after == pytest.approx(past, abs=0.008)
    assert after > 0.011


def test_the_past_around_the_returns_is_kept() -> None:
    one, model, paths = drawn()
    last = paths.world(PATHS - 1).market
    for name in ("settle", "sigma_daily", "adv", "roll"):
        np.testing.assert_array_equal(getattr(last, name), getattr(one.market, name))
    margin = np.concatenate([paired(paths.world(path))[:, 0] for path in range(PATHS)])
    assert (margin.min(), margin.max()) == pytest.approx((model.returns[:, 0].min(), model.returns[:, 0].max()))
    np.testing.assert_allclose(
        np.quantile(margin, [0.1, 0.5, 0.9]), np.quantile(model.returns[:, 0], [0.1, 0.5, 0.9]), atol=0.08
    )


@pytest.mark.parametrize("mode", [FillMode.NEXT_SETTLE, FillMode.NEXT_OPEN])
def test_paths_are_the_public_replay_of_them_and_do_not_depend_on_how_many_are_held_at_once(
    mode: FillMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With halts, gaps and missing decisions in the past."""
    one = random_world(8, sessions=200)
    told = config(capital=1_000_000.0, costs=CostConfig(), breakers=BreakerConfig(), fills=FillConfig(mode=mode))
    model = copula_model(one, LAG, 60)
    assert model is not None
    (together,) = copula_batches(one, model, 5, 10.0, (2,), "#")
    books = replay_paths(together, told)
    assert_same_books(together, books, told)
    assert np.abs(books.positions).any()
    monkeypatch.setattr("hydra_assets.stress.paths.CELLS_AT_ONCE", 2 * one.market.settle.size)
    parts = list(copula_batches(one, model, 5, 10.0, (2,), "#"))
    assert [part.shape[2] for part in parts] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([replay_paths(p, told).net_cents for p in parts]), books.net_cents)


def test_closed_sessions_stay_closed() -> None:
    one = random_world(9, sessions=200)
    model = copula_model(one, LAG, 60)
    assert model is not None
    (paths,) = copula_batches(one, model, 3, 10.0, (3,), "#")
    for path in range(3):
        assert not (paths.world(path).market.priced & ~one.market.priced).any()


def test_too_few_complete_sessions_give_no_model() -> None:
    market, decisions = earning(sessions=150)
    one = World(market, Wishes.of(decisions, config()))
    assert copula_model(one, LAG, 148) is not None
    assert copula_model(one, LAG, 149) is None


def test_margins_that_say_nothing_are_left_out() -> None:
    """A market that never traded, and a signal that never varied: three margins remain."""
    market, decisions = earning(sessions=200, markets=3)
    settle, change = market.settle.copy(), market.held_change.copy()
    settle[:, 1], change[:, 1] = np.nan, np.nan
    decisions.values[0, :, 2] = 0.6
    model = copula_model(
        World(replace(market, settle=settle, held_change=change), Wishes.of(decisions, config())), LAG, 120
    )
    assert model is not None
    assert model.markets.tolist() == [0, 2]
    assert model.copula.tau.shape == (3, 3)
    nothing = world(np.full((200, 1), np.nan))
    assert copula_model(World(nothing, Wishes(np.full((200, 1), 0.1), None)), LAG, 120) is None
