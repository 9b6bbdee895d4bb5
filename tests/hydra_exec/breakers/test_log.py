"""Moves in a real database: what a process that starts again finds, and what is written twice."""

from dataclasses import replace
from datetime import date, timedelta

import sqlalchemy as sa

from hydra_assets.replay.breakers import BreakerConfig, BreakerReason, BreakerState, MarketFindings
from hydra_assets.state.execution_tables import breaker_log
from hydra_exec.breakers.judge import ACCOUNT, AccountHistory, BreakerBook, Machine, Move, judge
from hydra_exec.breakers.log import append, load

A, T, C = BreakerState.ACTIVE, BreakerState.TRIGGERED, BreakerState.COOLDOWN
FIRST = date(2025, 1, 1)
MOVE = Move("HE", FIRST, A, T, BreakerReason.POSITION, {"lots": 4, "notional": 1.5e8})


def test_an_account_that_never_moved_has_an_empty_book(state_engine: sa.Engine) -> None:
    assert load(state_engine, "SIM") == BreakerBook()
    assert append(state_engine, "SIM", []) == 0


def test_the_newest_move_of_each_machine_is_where_it_stands(state_engine: sa.Engine) -> None:
    later = FIRST + timedelta(days=1)
    assert append(state_engine, "SIM", [MOVE, replace(MOVE, market=ACCOUNT, reason=BreakerReason.DRAWDOWN)]) == 2
    assert append(state_engine, "SIM", [replace(MOVE, session=later, before=T, after=C)], run_id="run-7") == 1
    assert append(state_engine, "DU1", [replace(MOVE, market="LE")]) == 1
    assert load(state_engine, "SIM") == BreakerBook(
        {
            ACCOUNT: Machine(T, BreakerReason.DRAWDOWN, FIRST),
            "HE": Machine(C, BreakerReason.POSITION, later),
        }
    )
    assert load(state_engine, "DU1") == BreakerBook({"LE": Machine(T, BreakerReason.POSITION, FIRST)})
    with state_engine.connect() as connection:
        rows = connection.execute(sa.select(breaker_log).order_by(breaker_log.c.id)).all()
    assert [(row.before, row.after, row.reason, row.figures, row.run_id) for row in rows][::2] == [
        ("active", "triggered", "position", {"lots": 4, "notional": 1.5e8}, ""),
        ("triggered", "cooldown", "position", {"lots": 4, "notional": 1.5e8}, "run-7"),
    ]


def test_a_move_is_written_once(state_engine: sa.Engine) -> None:
    assert append(state_engine, "SIM", [MOVE]) == 1
    assert append(state_engine, "SIM", [MOVE, replace(MOVE, market="LE")]) == 1
    assert append(state_engine, "SIM", [MOVE]) == 0
    with state_engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(breaker_log)) == 2


def test_a_life_in_many_processes_is_the_life_in_one(state_engine: sa.Engine) -> None:
    config = BreakerConfig(cooldown_sessions=2)
    held = MarketFindings(lots=2, trade_profit=0, equity=2_500_000, notional=1e6, cap=9.0, stale_sessions=0)
    flat = replace(held, lots=0)
    equities = [25_000.0, 24_900, 24_000, 24_000, 24_000, 24_000, 24_500, 24_500]
    days = [held, held, held, held, flat, flat, flat, held]
    days[1] = replace(held, trade_profit=-80_000)
    sessions = [(FIRST + timedelta(days=n), round(100 * equity)) for n, equity in enumerate(equities)]
    memory: list[Move] = []
    for number, found in enumerate(days):
        until = AccountHistory(2_500_000, sessions[: number + 1])
        memory += judge(BreakerBook().after(memory), until, {"HE": found}, config)
        for _ in range(2):  # killed after it wrote, it judges the session again
            moves = judge(load(state_engine, "SIM"), until, {"HE": found}, config)
            append(state_engine, "SIM", moves)
        assert moves == []
        assert load(state_engine, "SIM") == BreakerBook().after(memory)
    assert [(move.market, (move.session - FIRST).days, move.after) for move in memory] == [
        ("HE", 1, T),
        (ACCOUNT, 2, T),
        (ACCOUNT, 4, C),
        ("HE", 4, C),
        (ACCOUNT, 6, A),
        ("HE", 6, A),
    ]
