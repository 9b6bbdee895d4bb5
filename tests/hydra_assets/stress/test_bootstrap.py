"""Blocks of whole sessions: what lies together stays together, and a decision meets the return that it met."""

from dataclasses import replace

import numpy as np
import pytest

from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.costs import CostConfig
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.stress.bootstrap import bootstrap_batches, resampled, stationary_rows
from hydra_assets.stress.path_replay import replay_paths
from hydra_assets.stress.paths import Wishes, World, earning_lag, part_after_open, stack
from tests.hydra_assets.replay.worlds import FREE, config, world
from tests.hydra_assets.stress.test_path_replay import random_world
from tests.hydra_assets.stress.worlds import assert_same_books, earning, known_lots


def test_blocks_of_one_session_and_without_end() -> None:
    random = np.random.default_rng(0)
    endless = stationary_rows(5, 12, 3, 1e12, random)
    assert ((endless[1:] - endless[:-1]) % 5 == 1).all()
    single = stationary_rows(1_000, 400, 50, 1.0, random)
    assert abs((np.diff(single, axis=0) == 1).mean() - 0.001) < 0.001
    assert (single.min(), single.max()) == (0, 999)


def test_blocks_have_the_mean_length_that_was_asked_for() -> None:
    """A block ends with chance 1 / 8: among 100,000 steps 12,500 do, give or take 4 * sqrt(100,000 * 7 / 64) = 418."""
    rows = stationary_rows(10_000, 1_001, 100, 8.0, np.random.default_rng(1))
    ends = (np.diff(rows, axis=0) != 1).sum()
    assert abs(ends - 12_500) < 418


@pytest.mark.parametrize(("mode", "lag"), [(FillMode.NEXT_OPEN, 1), (FillMode.NEXT_SETTLE, 2)])
def test_a_position_first_earns_so_many_sessions_after_its_decision(mode: FillMode, lag: int) -> None:
    """Wanted from session 3 on: done in 4. The price moves in every session, at the open nothing of it has happened."""
    settle = 80.0 + np.arange(8.0)
    opened = world(settle, open=np.concatenate([[80.0], settle[:-1]]))
    shares = np.zeros((8, 1))
    shares[3:] = 1.0
    told = config(capital=1_000_000.0, costs=FREE, fills=FillConfig(mode=mode))
    net = replay_paths(stack([World(opened, Wishes(shares, None))]), told).net_cents[0]
    assert int(np.flatnonzero(net)[0]) == 3 + lag
    assert earning_lag(opened, told.fills) == lag


def test_where_a_session_is_over_at_its_open_the_next_one_is_earned() -> None:
    """Opens at the settle: nothing comes after, so a fill at the open earns the session after it."""
    settle = 80.0 + np.arange(8.0)
    fills = FillConfig(mode=FillMode.NEXT_OPEN)
    assert earning_lag(world(settle, open=settle), fills) == 2
    halves = np.concatenate([[80.0], settle[1:] - 0.5])
    np.testing.assert_allclose(part_after_open(world(settle, open=halves)), [0.5])


def test_rows_in_their_own_order_are_the_unstressed_run_to_the_cent() -> None:
    one = random_world(5)
    rows = np.arange(len(one.market.days))[:, None]
    told = config(capital=1_000_000.0, costs=CostConfig(), breakers=BreakerConfig())
    same = resampled(one, rows, rows, [""])
    np.testing.assert_array_equal(replay_paths(same, told).net_cents, replay_paths(stack([one]), told).net_cents)


@pytest.mark.parametrize("lag", [1, 2])
def test_a_path_is_made_of_outcomes_with_the_cutoffs_they_were_earned_from(lag: int) -> None:
    """Sessions are numbered by what they carry: variation 100 r, volume 1,000 + r, decision r / 1,000."""
    count = np.arange(60.0)
    numbered = replace(
        world(np.full(60, 80.0), adv=1_000.0 + count, open=np.full(60, 80.0)), held_change=(100.0 * count)[:, None]
    )
    one = World(numbered, Wishes((count / 1_000.0)[:, None], None))
    (paths,) = bootstrap_batches(one, lag, 7, 4.0, np.random.default_rng(2), "#")
    outcome = np.rint(paths.market.held_change / 100.0).astype(int)
    cutoff = np.rint(paths.shares[:, 0] * 1_000.0).astype(int)
    np.testing.assert_array_equal(cutoff[:-lag], outcome[lag:] - lag)
    np.testing.assert_allclose(paths.market.adv, 1_000.0 + cutoff)
    assert (np.diff(outcome, axis=0) != 1).any()


def test_constant_returns_and_decisions_give_constant_paths() -> None:
    """Each lot earns 100 a session: 2 lots, from the session after their fill in session 1 on, on every path."""
    market, decisions = known_lots(2.0, sessions=40)
    constant = replace(market, held_change=np.full(market.settle.shape, 100.0))
    told = config(capital=1_000_000.0, costs=FREE)
    (paths,) = bootstrap_batches(World(constant, Wishes.of(decisions, told)), 2, 20, 5.0, np.random.default_rng(3), "#")
    net = replay_paths(paths, told).net_cents
    assert (net[:, 2:] == 20_000).all()
    assert not net[:, :2].any()


@pytest.mark.parametrize("mode", [FillMode.NEXT_SETTLE, FillMode.NEXT_OPEN])
def test_the_edge_is_kept_even_by_short_blocks(mode: FillMode) -> None:
    """At most 2 lots, no costs: the mean path earns what the past did, within four standard errors, far above zero."""
    market, decisions = earning(sessions=400, edge=0.3)
    side = np.where(decisions.values > 0.5, 1.0, -1.0)
    few = replace(market, terms=replace(market.terms, max_position_contracts=np.full(3, 2.0)))
    if mode is FillMode.NEXT_OPEN:
        # All of a session comes after its open, so that what was known two sessions ahead is of use one session ahead.
        side = np.roll(side, 1, axis=1)
        few = replace(few, open=few.settle - np.nan_to_num(few.held_change) / few.terms.multiplier)
    sign = Decisions(DecisionKind.KELLY, side)
    told = config(capital=50_000_000.0, costs=FREE, fills=FillConfig(mode=mode))
    one = World(few, Wishes.of(sign, told))
    base = replay_paths(stack([one]), told).net_cents[0].sum()
    lag = earning_lag(few, told.fills)
    assert lag == (1 if mode is FillMode.NEXT_OPEN else 2)
    (paths,) = bootstrap_batches(one, lag, 200, 2.0, np.random.default_rng(4), "#")
    net = replay_paths(paths, told).net_cents.sum(axis=1)
    error = net.std() / np.sqrt(len(net))
    assert abs(net.mean() - base) < 4.0 * error
    assert base > 20.0 * error


def test_paths_are_the_public_replay_of_them_and_do_not_depend_on_how_many_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = random_world(6)
    told = config(capital=1_000_000.0, costs=CostConfig(), breakers=BreakerConfig())
    (together,) = bootstrap_batches(one, 2, 5, 6.0, np.random.default_rng(5), "#")
    books = replay_paths(together, told)
    assert_same_books(together, books, told)
    monkeypatch.setattr("hydra_assets.stress.paths.CELLS_AT_ONCE", 2 * one.market.settle.size)
    parts = list(bootstrap_batches(one, 2, 5, 6.0, np.random.default_rng(5), "#"))
    assert [part.shape[2] for part in parts] == [2, 2, 1]
    net = np.concatenate([replay_paths(part, told).net_cents for part in parts])
    np.testing.assert_array_equal(net, books.net_cents)


def test_each_path_has_luck_in_slippage_of_its_own() -> None:
    one = random_world(7)
    told = config(capital=1_000_000.0, costs=CostConfig())
    rows = np.tile(np.arange(len(one.market.days))[:, None], 2)
    net = replay_paths(resampled(one, rows, rows, ["#0", "#1"]), told).net_cents
    assert (net[0] != net[1]).any()
