"""Two markets, a few sessions, one shock at a time; one lot is worth 80 * 400 = 32,000, a volatility of it 640."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.replay.breakers import BreakerConfig, BreakerReason, BreakerState
from hydra_assets.replay.costs import CostConfig
from hydra_assets.replay.decisions import Decisions
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.replay.market import MarketArrays
from hydra_assets.stress.dated import DatedWorld, dated_worlds, drought, outage, scaled_returns
from hydra_assets.stress.measures import outcomes
from hydra_assets.stress.path_replay import PathBooks, replay_paths
from hydra_assets.stress.paths import Wishes, World, stack
from hydra_assets.stress.plan import (
    DATED,
    DataOutage,
    FlashMove,
    LiquidityDrought,
    Reversal,
    Scenario,
    StressLimits,
    StressPlan,
    VolExplosion,
)
from tests.hydra_assets.replay.worlds import FREE, POINT, config, world
from tests.hydra_assets.stress.worlds import earning, known_lots

NOTHING = StressPlan(
    flash=FlashMove(sigmas=0.0),
    liquidity_drought=LiquidityDrought(volume_divisor=1.0, spread_factor=1.0),
    vol_explosion=VolExplosion(factor=1.0),
    reversal=Reversal(sessions=0),
    data_outage=DataOutage(sessions=0, gap_sigmas=0.0),
)


def stressed(
    scenario: Scenario, given_: tuple[MarketArrays, Decisions], plan: StressPlan, **told: Any
) -> tuple[tuple[DatedWorld, ...], PathBooks, PathBooks]:
    """The dated worlds of a scenario, their books, and those of the unstressed run."""
    settings_ = config(capital=1_000_000.0, **({"costs": FREE} | told))
    one = World(given_[0], Wishes.of(given_[1], settings_))
    before = replay_paths(stack([one]), settings_)
    worlds = dated_worlds(scenario, one, before, plan)
    return worlds, replay_paths(stack([dated.world for dated in worlds]), settings_), before


def one_date(**changes: Any) -> StressPlan:
    return StressPlan(**({"dates": 1} | changes))


def test_a_crash_by_hand() -> None:
    """Long 2, short 1. The first cutoff with a position is session 1, so session 2 falls by 8 x 2 % = 16 %.

    80 -> 67.2 is -12.8, -5,120 a lot: -10,240 + 5,120 = -5,120. Half comes back in two sessions: levels 0.88 and 0.92,
    +3.2 each, +1,280 a lot: 2,560 - 1,280 = +1,280 twice. Then nothing.
    """
    plan = one_date(flash=FlashMove(sigmas=8.0, recovery_share=0.5, recovery_sessions=2))
    worlds, books, before = stressed(Scenario.FLASH_CRASH, known_lots(2.0, -1.0), plan)
    assert [(dated.start, dated.end) for dated in worlds] == [(2, 4)]
    assert not before.net_cents.any()
    assert books.net_cents[0, :8].tolist() == [0, 0, -512_000, 128_000, 128_000, 0, 0, 0]
    np.testing.assert_allclose(worlds[0].world.market.settle[1:6, 0], [80.0, 67.2, 70.4, 73.6, 73.6], rtol=1e-12)
    assert books.positions[0, 2].tolist() == [2.0, -1.0]


def test_a_spike_hurts_the_short_book_alone() -> None:
    """Net long 1 lot: there is no date for a spike. Net short 1: 8 x 2 % up costs 5,120."""
    plan = one_date()
    settings_ = config(capital=1_000_000.0, costs=FREE)
    market, decisions = known_lots(2.0, -1.0)
    one = World(market, Wishes.of(decisions, settings_))
    assert dated_worlds(Scenario.FLASH_SPIKE, one, replay_paths(stack([one]), settings_), plan) == ()
    _, books, _ = stressed(Scenario.FLASH_SPIKE, known_lots(1.0, -2.0), plan)
    assert books.net_cents[0, 2] == -512_000


def test_a_drought_by_hand() -> None:
    """4 lots wanted, ADV 400: 4 a session at 1 %, held from session 1 on; a quarter of 400 is 100 from session 2 on."""
    market, decisions = known_lots(4.0, 4.0)
    dry = world(market.settle, adv=400.0, terms=market.terms)
    plan = one_date(liquidity_drought=LiquidityDrought(sessions=3))
    worlds, books, _ = stressed(Scenario.LIQUIDITY_DROUGHT, (dry, decisions), plan)
    changed = worlds[0].world.market
    assert (worlds[0].start, worlds[0].end) == (2, 4)
    assert changed.adv[:7, 0].tolist() == [400.0, 400.0, 100.0, 100.0, 100.0, 400.0, 400.0]
    half_spread = np.asarray(changed.terms.half_spread_ticks)
    np.testing.assert_allclose(half_spread[:7, 0], [0.6, 0.6, 2.4, 2.4, 2.4, 0.6, 0.6])
    assert books.positions[0, 1:6, 0].tolist() == [4.0] * 5


def test_an_entry_in_a_drought_pays_for_it() -> None:
    """A lot bought in session 5, dry since 3: 4 x 6 + 2.50 and an impact of 0.8 * 640 * sqrt(1 / 2,500) = 10.24: 36.74.

    Unstressed it is 6 + 2.50 + 0.8 * 640 * sqrt(1 / 10,000) = 5.12: 13.62.
    """
    market, decisions = known_lots(1.0)
    decisions.values[0, :4] = 0.0
    told = config(capital=1_000_000.0, costs=POINT)
    one = World(market, Wishes.of(decisions, told))
    books = replay_paths(stack([one, drought(one, 3, StressPlan())]), told)
    assert books.net_cents[:, 5].tolist() == [-1_362, -3_674]


def test_an_explosion_of_volatility_by_hand() -> None:
    """+1 % in session 3 becomes +3 %: one lot earns 0.03 * 32,000 = 960 instead of 320; later returns stay."""
    settle = np.full(24, 80.0)
    settle[3:] = 80.8
    market, decisions = known_lots(1.0, settle=settle)
    told = config(capital=1_000_000.0, costs=FREE)
    one = World(market, Wishes.of(decisions, told))
    books = replay_paths(stack([one, scaled_returns(one, 2, 3, 3.0, StressPlan())]), told)
    assert books.net_cents[:, 3].tolist() == [32_000, 96_000]
    assert not books.net_cents[:, 4:].any()


def test_a_reversal_turns_the_best_sessions_round() -> None:
    """The return of +1 % in session 10 is the only profit: turned round it is as much loss, 320 on a lot."""
    settle = np.full(24, 80.0)
    settle[10:] = 80.8
    plan = one_date(reversal=Reversal(sessions=5))
    worlds, books, before = stressed(Scenario.REVERSAL, known_lots(1.0, settle=settle), plan)
    assert worlds[0].start <= 10 <= worlds[0].end
    assert before.net_cents[0].sum() == 32_000
    assert books.net_cents[0].sum() == -32_000


def test_an_outage_by_hand() -> None:
    """Long 2 and short 1: the larger market is dark for three sessions (2 to 4), then opens 5 x 2 % = 10 % lower.

    80 -> 72: -3,200 a lot, -6,400 in session 5; the other market never moves. While dark nothing is booked or traded.
    """
    plan = one_date(data_outage=DataOutage(sessions=3, gap_sigmas=5.0))
    worlds, books, _ = stressed(Scenario.DATA_OUTAGE, known_lots(2.0, -1.0), plan)
    (dated,) = worlds
    assert (dated.start, dated.end, dated.market) == (2, 5, 0)
    assert np.isnan(dated.world.market.settle[2:5, 0]).all()
    assert np.isnan(dated.world.wishes.shares[2:5, 0]).all()
    assert np.isfinite(dated.world.market.settle[:, 1]).all()
    assert books.net_cents[0, :7].tolist() == [0, 0, 0, 0, 0, -640_000, 0]
    assert (books.fault[0, 2:5, 0] != 0).all()


def test_an_outage_of_a_short_book_opens_higher_on_top_of_what_happened_meanwhile() -> None:
    """Short 1; +1 % happens in session 3, in the dark; +10 % gap at session 5: 80 * 1.01 * 1.1 = 88.88: -8.88 * 400."""
    settle = np.full(24, 80.0)
    settle[3:] = 80.8
    plan = one_date(data_outage=DataOutage(sessions=3, gap_sigmas=5.0))
    market, decisions = known_lots(-1.0, settle=settle)
    told = config(capital=1_000_000.0, costs=FREE)
    dark = outage(World(market, Wishes.of(decisions, told)), 2, 0, -1.0, plan)
    assert replay_paths(stack([dark]), told).net_cents[0, :7].tolist() == [0, 0, 0, 0, 0, -355_200, 0]


@pytest.mark.parametrize("scenario", DATED)
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 1_000), mode=st.sampled_from([FillMode.NEXT_SETTLE, FillMode.NEXT_OPEN]))
def test_no_severity_is_the_unstressed_run_to_the_cent(scenario: Scenario, seed: int, mode: FillMode) -> None:
    market, decisions = earning(sessions=120, seed=seed)
    opened = world(market.settle, adv=market.adv, sigma_daily=market.sigma_daily, open=market.settle * 1.001)
    told = {"costs": CostConfig(), "breakers": BreakerConfig(), "fills": FillConfig(mode=mode)}
    worlds, books, before = stressed(scenario, (opened, decisions), NOTHING, **told)
    assert worlds
    for path in range(len(worlds)):
        np.testing.assert_array_equal(books.net_cents[path], before.net_cents[0])
        assert books.transitions[path] == before.transitions[0]


@pytest.mark.parametrize("scenario", DATED)
def test_nothing_changes_before_the_stress_and_the_cap_holds_in_it(scenario: Scenario) -> None:
    worlds, books, before = stressed(scenario, earning(), StressPlan(), breakers=BreakerConfig())
    assert len(worlds) == 3
    for path, dated in enumerate(worlds):
        np.testing.assert_array_equal(books.net_cents[path, : dated.start], before.net_cents[0, : dated.start])
        assert before.positions[0, dated.start - 1].any()
    assert (books.net_cents != before.net_cents).any(axis=1).all() or scenario is Scenario.LIQUIDITY_DROUGHT
    assert (books.participation_of_cap <= 1.0).all()
    assert (books.participation_of_cap > 0.5).all()


def test_the_data_breaker_fires_in_an_outage_and_comes_back() -> None:
    """Five dark sessions are more than three: the market closes, is flat when it trades again, and cools ten."""
    plan = one_date()
    worlds, books, before = stressed(
        Scenario.DATA_OUTAGE, known_lots(2.0, -1.0, sessions=60), plan, breakers=BreakerConfig(daily_loss=None)
    )
    first, *_, last = books.transitions[0]
    assert (first.reason, first.session, first.market) == (BreakerReason.STALE_DATA, worlds[0].start + 3, 0)
    assert last.after is BreakerState.ACTIVE
    (found,) = outcomes(books, before, StressLimits(), ("SIM_0", "SIM_1"), worlds)
    assert found.transitions == books.transitions[0]
    assert (found.breaker_trips, found.breakers_recovered, found.breaker_trips_unstressed) == (1, 1, 0)
    assert (found.market, found.held_lots) == ("SIM_0", (2, -1))
