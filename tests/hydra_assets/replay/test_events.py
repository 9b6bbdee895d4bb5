"""The two replays must keep the same books, to the cent, whatever the market does."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.replay import batched
from hydra_assets.replay.batched import replay
from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.costs import CostConfig, SlippageMode
from hydra_assets.replay.decisions import DecisionKind, Decisions, candidates_last
from hydra_assets.replay.events import replay_one
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.replay.ledger import Account
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import KINDS, ReplayResult
from hydra_assets.replay.sizing import SizingConfig
from hydra_assets.replay.tables import ReplayConfig
from tests.hydra_assets.replay.worlds import TICK, config, lots, terms, world

BREAKERS = (
    None,
    BreakerConfig(),
    BreakerConfig(
        daily_loss=0.015,
        drawdown=0.01,
        single_trade_loss=0.003,
        position_multiple=1.0,
        exit_sessions=1.5,
        max_stale_sessions=1,
        cooldown_sessions=2,
    ),
)


def random_market(seed: int, sessions: int, markets: int) -> MarketArrays:
    """Walks on the grid with gaps, halts, bad prices, dry sessions and rolls."""
    random = np.random.default_rng(seed)
    shape = (sessions, markets)
    settle = TICK * np.rint((80.0 + np.cumsum(random.normal(0.0, 1.0, shape), axis=0)) / TICK)
    settle[random.random(shape) < 0.04] = np.nan
    settle[random.random(shape) < 0.02] *= -1.0
    middle = np.where(np.isfinite(settle), settle, 80.0)
    adv = random.choice([200.0, 450.0, 1_000.0, 5_000.0], shape)
    adv[random.random(shape) < 0.04] = 0.0
    adv[random.random(shape) < 0.04] = np.nan
    open_ = TICK * np.rint((middle + random.normal(0.0, 0.5, shape)) / TICK)
    open_[random.random(shape) < 0.04] = np.nan
    return world(
        settle,
        adv=adv,
        terms=terms(markets, max_position_contracts=20.0),
        sigma_daily=random.choice([0.005, 0.02, np.nan], shape, p=[0.3, 0.67, 0.03]),
        roll=random.random(shape) < 0.15,
        tradable=random.random(shape) > 0.05,
        open=open_,
        low=middle - TICK * random.integers(0, 40, shape),
        high=middle + TICK * random.integers(0, 40, shape),
        **_hours(random, shape, seed),
    )


def _hours(random: np.random.Generator, shape: tuple[int, int], seed: int) -> dict[str, Any]:
    """In every second world orders work in some hours only, which are not known everywhere."""
    if seed % 2 == 0:
        return {}
    return {
        "cap_factor": random.choice([0.0, 0.35, 1.0, np.nan], shape, p=[0.05, 0.45, 0.3, 0.2]),
        "impact_factor": random.choice([0.7, 1.0, 1.3, np.nan], shape),
    }


def random_decisions(seed: int, kind: DecisionKind, shape: tuple[int, int, int], down: bool) -> Decisions:
    """Half of the decisions persist, some are missing."""
    random = np.random.default_rng(seed)
    values = {
        DecisionKind.LOTS: random.integers(-25, 26, shape).astype(np.float64),
        DecisionKind.PROBABILITY: random.uniform(0.0, 0.5 if down else 1.0, shape),
        DecisionKind.KELLY: random.uniform(-1.0, 1.0, shape),
    }[kind]
    values[random.random(shape) < 0.1] = np.nan
    factor = [None, random.uniform(0.0, 1.0, shape), random.choice([0.0, 0.5, 1.0, np.nan], shape[1:])][seed % 3]
    third = random.uniform(0.0, 0.5, shape) if down and kind is DecisionKind.PROBABILITY else None
    return Decisions(kind, values, factor, third)


def same_books(result: ReplayResult, candidate: int, account: Account) -> None:
    assert result.positions is not None
    assert result.fills is not None
    days = account.days
    assert result.gross_cents[candidate].tolist() == [day.gross for day in days]
    for code, kind in enumerate(KINDS):
        assert result.cost_cents[code, candidate].tolist() == [getattr(day, kind) for day in days], kind
    assert result.equity_cents[candidate].tolist() == account.equity
    assert result.turnover_lots[candidate].tolist() == [day.turnover for day in days]
    assert result.missing_decisions[candidate].tolist() == [day.missing for day in days]
    assert result.account_state[candidate].tolist() == account.states
    assert [tuple(row) for row in result.positions[candidate].tolist()] == account.held
    assert result.breakers.of(candidate) == tuple(account.transitions)
    done = np.zeros(result.fills[candidate].shape, dtype=np.int64)
    for fill in account.fills:
        done[fill.session, fill.market] = fill.lots
    assert np.array_equal(result.fills[candidate], done)


@st.composite
def cases(draw: st.DrawFn) -> tuple[MarketArrays, Decisions, ReplayConfig]:
    seed = draw(st.integers(0, 2**32 - 1))
    sessions, markets, candidates = draw(st.integers(2, 24)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    schedule = draw(st.sampled_from([(), (0.2, 0.3, 0.5)]))
    setting = ReplayConfig(
        capital=draw(st.sampled_from([3_000.0, 100_000.0, 1_000_000.0])),
        costs=CostConfig(
            mode=draw(st.sampled_from(list(SlippageMode))),
            seed=seed,
            scale=draw(st.sampled_from([0.0, 1.0, 2.0])),
            impact_y=draw(st.sampled_from([None, 0.5, 2.0])),
        ),
        fills=FillConfig(
            mode=draw(st.sampled_from(list(FillMode))),
            participation_cap=draw(st.sampled_from([None, 0.02])),
            volume_profile=(0.5, 0.3, 0.2) if schedule else (),
            schedule=schedule,
        ),
        sizing=SizingConfig(payoff_long=1.2, payoff_short=0.7, adv_share=0.1, volatility_target=2.0),
        breakers=draw(st.sampled_from(BREAKERS)),
    )
    kind = draw(st.sampled_from(list(DecisionKind)))
    decisions = random_decisions(seed, kind, (candidates, sessions, markets), draw(st.booleans()))
    return random_market(seed, sessions, markets), decisions, setting


@settings(max_examples=150, deadline=None)
@given(cases())
def test_both_replays_give_the_same_money_to_the_cent(case: tuple[MarketArrays, Decisions, ReplayConfig]) -> None:
    market, decisions, setting = case
    result = replay(market, decisions, setting)
    for candidate in range(len(decisions.values)):
        same_books(result, candidate, replay_one(market, decisions.candidate(candidate), setting))


def test_the_comparison_has_something_to_compare() -> None:
    # The random worlds do trade, roll and trip every breaker: agreement about nothing would prove nothing.
    reasons, rolled, traded = set(), 0, 0
    for seed in range(12):
        market, setting = random_market(seed, 60, 3), ReplayConfig(capital=300_000.0, breakers=BREAKERS[2])
        decisions = random_decisions(seed, DecisionKind.LOTS, (2, 60, 3), False)
        account = replay_one(market, decisions.candidate(0), setting)
        same_books(replay(market, decisions, setting), 0, account)
        reasons |= {move.reason.value for move in account.transitions}
        rolled, traded = rolled + len(account.rolls), traded + len(account.fills)
    assert reasons == {"daily_loss", "drawdown", "stale_data", "position", "participation", "single_trade"}
    assert rolled > 10
    assert traded > 100


def test_books_balance_from_the_fills_alone() -> None:
    # A third way to the same money: lots times settle at the end, less what every fill paid.
    market = world([80.0, 80.5, 81.0, 79.0, 79.5], open=[80.0, 80.2, 80.9, 80.0, 79.2])
    setting = config(fills=FillConfig(mode=FillMode.NEXT_OPEN))
    account = replay_one(market, lots(3, 5, -2, 4, 0), setting)
    paid = sum(fill.lots * fill.price for fill in account.fills)
    costs = sum(fill.spread + fill.fee + fill.impact for fill in account.fills)
    value = account.positions[0].lots * market.settle[-1, 0] - paid
    assert account.cash == setting.capital_cents + round(100 * 400.0 * value) - costs


def _equal(left: ReplayResult, right: ReplayResult, candidates: Any, sessions: Any) -> None:
    assert left.positions is not None
    assert right.positions is not None
    assert np.array_equal(left.gross_cents, right.gross_cents[candidates][:, sessions])
    assert np.array_equal(left.cost_cents, right.cost_cents[:, candidates][:, :, sessions])
    assert np.array_equal(left.account_state, right.account_state[candidates][:, sessions])
    assert np.array_equal(left.positions, right.positions[candidates][:, sessions])


@pytest.mark.parametrize("kind", list(DecisionKind))
def test_a_candidate_does_not_depend_on_its_batch(kind: DecisionKind, monkeypatch: pytest.MonkeyPatch) -> None:
    market, setting = random_market(5, 80, 3), ReplayConfig(capital=200_000.0, breakers=BREAKERS[2])
    decisions = random_decisions(4, kind, (7, 80, 3), False)
    whole = replay(market, decisions, setting)
    assert whole.breakers.session.size
    _equal(replay(market, decisions.candidate(3), setting), whole, slice(3, 4), slice(None))
    other_order = Decisions(kind, candidates_last(decisions.values), decisions.size_factor)
    _equal(replay(market, other_order, setting), whole, slice(None), slice(None))
    monkeypatch.setattr(batched, "BLOCK_CELLS", 6)
    blocks = replay(market, decisions, setting)
    _equal(blocks, whole, slice(None), slice(None))
    assert all(blocks.breakers.of(c) == whole.breakers.of(c) for c in range(7))


@pytest.mark.parametrize("mode", list(FillMode))
def test_what_comes_later_changes_nothing_before(mode: FillMode) -> None:
    setting = ReplayConfig(capital=200_000.0, breakers=BREAKERS[2], fills=FillConfig(mode=mode))
    market = random_market(5, 80, 3)
    decisions = random_decisions(5, DecisionKind.PROBABILITY, (2, 80, 3), False)
    whole = replay(market, decisions, setting)

    def up_to(n: int) -> MarketArrays:
        names = [field.name for field in fields(market) if field.name not in {"terms", "days"}]
        return MarketArrays(
            terms=market.terms, days=market.days[:n], **{name: getattr(market, name)[:n] for name in names}
        )

    for n in (1, 2, 37, 79):
        factor = decisions.size_factor
        if factor is not None:
            factor = factor[:n] if factor.ndim == 2 else factor[:, :n]
        part = Decisions(decisions.kind, decisions.values[:, :n], factor)
        result = replay(up_to(n), part, setting)
        _equal(result, whole, slice(None), slice(0, n))


def test_sampled_luck_is_the_same_for_all_candidates() -> None:
    market = world([80.0] * 30)
    wanted = np.tile(np.arange(30.0) % 2, (2, 1))[:, :, None]
    result = replay(market, Decisions(DecisionKind.LOTS, wanted), ReplayConfig(breakers=None))
    assert np.array_equal(result.cost_cents[:, 0], result.cost_cents[:, 1])
    assert len(set(result.cost_cents[0, 0].tolist())) > 20


def test_one_candidate_is_one() -> None:
    with pytest.raises(ValueError, match="one candidate"):
        replay_one(world([80.0] * 2), Decisions(DecisionKind.LOTS, np.zeros((2, 2, 1))), config())
