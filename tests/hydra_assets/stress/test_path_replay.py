"""Every path's books are those of the public replay, to the cent; positions and moves too."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.costs import CostConfig
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.stress.path_replay import replay_paths
from hydra_assets.stress.paths import Wishes, World, stack
from tests.hydra_assets.replay.worlds import config, terms, world
from tests.hydra_assets.stress.worlds import assert_same_books

TIGHT = BreakerConfig(
    daily_loss=0.004,
    drawdown=0.02,
    single_trade_loss=0.004,
    exit_sessions=4.0,
    max_stale_sessions=1,
    cooldown_sessions=3,
)


def random_world(seed: int, sessions: int = 60, markets: int = 3, hours: bool = False) -> World:
    """A walk with gaps, halts, rolls, thin days, opens, and persistent decisions of which some are missing."""
    random = np.random.default_rng(seed)
    shape = (sessions, markets)
    settle = 80.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, shape), axis=0))
    traded = random.random(shape) > 0.08
    prices = world(
        np.where(traded, settle, np.nan),
        adv=random.uniform(300.0, 8_000.0, shape),
        tradable=traded,
        roll=random.random(shape) < 0.05,
        open=settle * np.exp(random.normal(0.0, 0.005, shape)),
        terms=terms(markets),
    )
    if hours:
        other = np.random.default_rng(seed + 1)
        prices = replace(
            prices,
            cap_factor=other.choice([0.2, 0.6, np.nan], shape),
            impact_factor=other.choice([0.8, 1.5, np.nan], shape),
        )
    shares = np.clip(0.9 * np.cumsum(random.normal(0.0, 0.1, shape), axis=0), -1.0, 1.0)
    shares[random.random(shape) < 0.05] = np.nan
    return World(prices, Wishes(shares, random.choice([0.5, 1.0], shape)))


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    mode=st.sampled_from([FillMode.NEXT_SETTLE, FillMode.NEXT_OPEN]),
    breakers=st.sampled_from([None, BreakerConfig(), TIGHT]),
    hours=st.booleans(),
)
def test_every_path_is_the_public_replay_of_it(
    seed: int, mode: FillMode, breakers: BreakerConfig | None, hours: bool
) -> None:
    told = config(fills=FillConfig(mode=mode), breakers=breakers, costs=CostConfig(), capital=1_000_000.0)
    worlds = [random_world(seed + path, hours=hours) for path in range(3)]
    paths = stack(worlds)
    assert (paths.market.cap_factor is not None) is hours
    assert_same_books(paths, replay_paths(paths, told), told)


def test_the_random_worlds_trade_roll_and_trip_breakers() -> None:
    """So that the property above compares something."""
    told = config(breakers=TIGHT, capital=1_000_000.0)
    paths = stack([random_world(path) for path in range(3)])
    books = replay_paths(paths, told)
    assert all(len(moves) > 5 for moves in books.transitions)
    assert (np.abs(books.positions) > 0).mean() > 0.3
    assert (books.fault != 0).any()


def test_a_spread_per_session_is_charged_as_the_public_replay_charges_it() -> None:
    one = random_world(3)
    half = np.full(one.market.settle.shape, 0.6)
    half[20:30] = 2.4
    wide = World(replace(one.market, terms=replace(one.market.terms, half_spread_ticks=half)), one.wishes)
    paths = stack([one, wide])
    told = config(capital=1_000_000.0)
    books = replay_paths(paths, told)
    assert_same_books(paths, books, told)
    assert books.net_cents[1].sum() < books.net_cents[0].sum()


def test_participation_by_hand() -> None:
    """ADV 1,000, cap 1 %: 10 lots a session at most. Wanted is more, so 10 of 1,000 are traded: 1 %, all of the cap."""
    prices = world([80.0] * 5, adv=1_000.0)
    one = World(prices, Wishes(np.full((5, 1), 1.0), None))
    books = replay_paths(stack([one]), config(capital=10_000_000.0))
    assert books.positions[0, :, 0].tolist() == [0.0, 10.0, 20.0, 30.0, 40.0]
    assert books.participation.tolist() == [0.01]
    assert books.participation_of_cap.tolist() == [1.0]


def test_limit_orders_are_refused() -> None:
    one = World(world([80.0] * 5), Wishes(np.zeros((5, 1)), None))
    with pytest.raises(ValueError, match="limit orders"):
        replay_paths(stack([one]), config(fills=FillConfig(mode=FillMode.LIMIT)))


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        (Decisions(DecisionKind.LOTS, np.zeros((1, 5, 1))), "not lots"),
        (Decisions(DecisionKind.PROBABILITY, np.zeros((2, 5, 1))), "one recipe"),
        (Decisions(DecisionKind.PROBABILITY, np.full((1, 5, 1), 1.1)), "outside"),
        (Decisions(DecisionKind.PROBABILITY, np.full((1, 5, 1), 0.5), np.full((5, 1), -0.1)), "size factor"),
    ],
)
def test_what_a_programmer_got_wrong_is_an_error(decisions: Decisions, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Wishes.of(decisions, config())


def test_probabilities_become_the_shares_that_the_replay_makes_of_them() -> None:
    """P(up) 0.6 at even payoffs: 0.6 - 0.4 = 0.2; 0.3 gives -0.4; missing stays missing."""
    decisions = Decisions(DecisionKind.PROBABILITY, np.array([0.6, 0.3, np.nan])[None, :, None])
    np.testing.assert_allclose(Wishes.of(decisions, config()).shares[:, 0], [0.2, -0.4, np.nan], rtol=1e-12)
