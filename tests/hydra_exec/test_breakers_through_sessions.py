"""Breakers on a real stream: losses trip the right one, positions are left through the gate, and trading comes back."""

from datetime import date

import pytest
import sqlalchemy as sa

from hydra_assets.replay.breakers import BreakerConfig, BreakerReason
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.execution_tables import breaker_log, orders
from hydra_assets.state.system import SystemState
from hydra_assets.state.system_log import current_state
from hydra_exec.account_run import AccountRun
from hydra_exec.breakers.log import load
from hydra_exec.config import TradingConfig
from hydra_exec.defs.demand import EXECUTION, after_trading, demand
from hydra_exec.journal.journal import Journal
from tests.support.desk_scene import APRIL, HOME, DeskScene, World, sessions

COOLDOWN = 4
OFF = dict.fromkeys(
    ("daily_loss", "drawdown", "single_trade_loss", "position_multiple", "exit_sessions", "max_stale_sessions")
)


def scene(engine: sa.Engine, settles: dict[date, float], capital: float, lots: int, **breakers: float) -> DeskScene:
    config = TradingConfig(
        capital=capital, breakers=BreakerConfig(**{**OFF, "cooldown_sessions": COOLDOWN, **breakers})
    )
    return DeskScene(engine, World(dict.fromkeys(settles, lots), settles), config)


def moves(engine: sa.Engine) -> list[tuple[str, str, str, date]]:
    columns = (breaker_log.c.market, breaker_log.c.after, breaker_log.c.reason, breaker_log.c.session)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(breaker_log.c.id))]


def held(engine: sa.Engine) -> dict[str, int]:
    return dict(Journal(engine, "SIM", HOME).positions)


@pytest.mark.parametrize(
    ("capital", "lots", "fall", "breakers", "market", "reason"),
    [
        (25_000.0, 2, 1.0, {"daily_loss": 0.03}, "", BreakerReason.DAILY_LOSS),
        (1_000_000.0, 5, 16.0, {"daily_loss": 0.03}, "", BreakerReason.DAILY_LOSS),
        (25_000.0, 1, 3.0, {"drawdown": 0.04}, "", BreakerReason.DRAWDOWN),
        (25_000.0, 2, 1.0, {"single_trade_loss": 0.03}, "HE", BreakerReason.SINGLE_TRADE),
    ],
)
def test_a_loss_trips_the_right_breaker_everything_is_left_and_trading_comes_back(
    state_engine: sa.Engine,
    capital: float,
    lots: int,
    fall: float,
    breakers: dict[str, float],
    market: str,
    reason: BreakerReason,
) -> None:
    days = sessions(14)
    settles = {day: 85.0 if i < 3 else 85.0 - fall for i, day in enumerate(days)}
    account = scene(state_engine, settles, capital, lots, **breakers)
    account.live_through(days[:3])
    assert held(state_engine) == {APRIL: lots}, "an account of this size trades"
    for day in days[3:]:
        # Each session is another process: nothing of a breaker lives in memory.
        account.live_through([day])
        state = load(state_engine, "SIM").of(market).state.name
        print(day, held(state_engine), state)
    assert [(m, after, why) for m, after, why, _ in moves(state_engine)] == [
        (market, "triggered", reason),
        (market, "cooldown", reason),
        (market, "active", reason),
    ]
    tripped, flat, active = (session for *_, session in moves(state_engine))
    assert (tripped, flat) == (days[3], days[4]), "left in the very next session"
    assert active == days[4 + COOLDOWN]
    assert held(state_engine) == {APRIL: lots}, "one loss does not end trading for ever"
    with state_engine.connect() as connection:
        motives = connection.scalars(sa.select(orders.c.motive).order_by(orders.c.session)).all()
    assert motives == ["target", "breaker", "target"]


def test_a_calm_market_trips_nothing(state_engine: sa.Engine) -> None:
    days = sessions(8)
    settles = {day: 85.0 + 0.1 * (i % 2) for i, day in enumerate(days)}
    config = TradingConfig(capital=25_000.0)
    DeskScene(state_engine, World(dict.fromkeys(days, 1), settles), config).live_through(days)
    assert moves(state_engine) == []
    assert held(state_engine) == {APRIL: 1}


def test_a_small_account_is_not_sold_a_position_that_it_cannot_carry(state_engine: sa.Engine) -> None:
    days = sessions(3)
    config = TradingConfig(capital=25_000.0)
    DeskScene(state_engine, World(dict.fromkeys(days, 5), dict.fromkeys(days, 85.0)), config).live_through(days)
    with state_engine.connect() as connection:
        codes = set(connection.scalars(sa.select(orders.c.gate_code)))
    assert codes == {"notional"}
    assert held(state_engine) == {}


def test_an_account_breaker_halts_the_system_until_it_has_cooled(state_engine: sa.Engine) -> None:
    days = sessions(14)
    settles = {day: 85.0 if i < 3 else 84.0 for i, day in enumerate(days)}
    account = scene(state_engine, settles, 25_000.0, 2, daily_loss=0.03)
    seen = []
    for day in days:
        rig = account.rig()
        try:
            run = AccountRun(account.account(rig), account.world.days())
            run.run([day])
            demand(state_engine, AlertSink(state_engine, None), EXECUTION, after_trading(account.account(rig)))
        finally:
            rig.close()
        account.system = current_state(state_engine)
        seen.append(account.system)
    assert seen[:3] == [SystemState.RUNNING] * 3
    assert set(seen[3 : 4 + COOLDOWN]) == {SystemState.HALTED}
    assert seen[-1] is SystemState.RUNNING
    assert held(state_engine) == {APRIL: 2}
