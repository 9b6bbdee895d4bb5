"""An account through sessions at the simulated broker, on a real database: what is wanted becomes what is held."""

from datetime import date

import sqlalchemy as sa

from hydra_assets.state.execution_tables import broker_events, fills, orders, tickets
from hydra_assets.state.records import OrderStatus
from hydra_assets.state.system import SystemState
from hydra_exec.journal.journal import Journal
from hydra_exec.risk_gate.codes import GateCode
from hydra_exec.targets import TargetReason
from tests.support.desk_scene import APRIL, HOME, MAY, DeskScene, World, sessions


def level(days: list[date], price: float = 85.0) -> dict[date, float]:
    return dict.fromkeys(days, price)


def held(engine: sa.Engine) -> dict[str, int]:
    return dict(Journal(engine, "SIM", HOME).positions)


def rows(engine: sa.Engine, table: sa.Table, *columns: str) -> list[tuple[object, ...]]:
    key = next(iter(table.primary_key.columns))
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*(table.c[c] for c in columns)).order_by(key))]


def test_what_is_wanted_is_held_a_session_later_and_stays(state_engine: sa.Engine) -> None:
    days = sessions(4)
    scene = DeskScene(state_engine, World(dict.fromkeys(days, 3), level(days)))
    scene.live_through(days)
    assert held(state_engine) == {APRIL: 3} == scene.broker_positions()
    decided = rows(state_engine, orders, "order_ref", "quantity", "status", "gate_code", "motive")
    print(decided, rows(state_engine, tickets, "state", "executed"))
    assert decided == [(f"HE/{days[0]}/{APRIL}", 3, OrderStatus.DONE, GateCode.PASSED, "target")]
    assert Journal(state_engine, "SIM", HOME).verdict().intact


def test_another_target_trades_the_difference_from_what_the_broker_holds(state_engine: sa.Engine) -> None:
    days = sessions(5)
    wanted = {days[0]: 3, days[1]: 3, days[2]: -2, days[3]: -2, days[4]: -2}
    DeskScene(state_engine, World(wanted, level(days))).live_through(days)
    assert held(state_engine) == {APRIL: -2}
    assert [row[0] for row in rows(state_engine, orders, "quantity")] == [3, 5]


def test_the_same_sessions_again_order_nothing_more(state_engine: sa.Engine) -> None:
    days = sessions(4)
    scene = DeskScene(state_engine, World(dict.fromkeys(days, 3), level(days)))
    scene.live_through(days)
    before = rows(state_engine, fills, "sha256"), rows(state_engine, tickets, "wire_ref")
    scene.live_through(days)
    scene.live_through(days[2:])
    assert (rows(state_engine, fills, "sha256"), rows(state_engine, tickets, "wire_ref")) == before


def test_one_run_over_all_sessions_is_the_same_as_one_a_session(state_engine: sa.Engine) -> None:
    days = sessions(5)
    world = World({days[0]: 2, days[1]: -1, days[2]: 4, days[3]: 4, days[4]: 0}, level(days))
    scene = DeskScene(state_engine, world)
    for day in days:
        scene.live_through([day])
    assert held(state_engine) == {APRIL: 4} == scene.broker_positions()


def test_a_roll_leaves_the_old_contract_before_it_enters_the_new(state_engine: sa.Engine) -> None:
    days = sessions(6)
    contract = {day: APRIL if day < days[2] else MAY for day in days}
    scene = DeskScene(state_engine, World(dict.fromkeys(days, 2), level(days), contract))
    scene.live_through(days)
    assert held(state_engine) == {MAY: 2}
    assert [(row[0], row[1]) for row in rows(state_engine, orders, "contract", "motive")] == [
        (APRIL, "target"),
        (APRIL, "roll"),
        (MAY, "target"),
    ]


def test_without_a_champion_nothing_is_added_and_a_contract_is_left_at_its_end(state_engine: sa.Engine) -> None:
    days = sessions(6)
    reasons = dict.fromkeys(days[2:], TargetReason.NO_CHAMPION)
    contract = {day: APRIL if day < days[4] else MAY for day in days}
    scene = DeskScene(state_engine, World(dict.fromkeys(days, 2), level(days), contract, reasons))
    scene.live_through(days[:4])
    assert held(state_engine) == {APRIL: 2}
    scene.live_through(days)
    assert held(state_engine) == {}
    assert rows(state_engine, orders, "motive")[-1] == ("near_end",)


def test_a_halt_keeps_what_is_held_and_lockdown_flattens_through_the_gate(state_engine: sa.Engine) -> None:
    days = sessions(8)
    wanted = dict.fromkeys(days, 4) | dict.fromkeys(days[:2], 2)
    scene = DeskScene(state_engine, World(wanted, level(days)))
    scene.live_through(days[:2])
    scene.system = SystemState.HALTED
    scene.live_through(days[:4])
    assert held(state_engine) == {APRIL: 2}
    assert rows(state_engine, orders, "gate_code")[-1] == (GateCode.HALTED,)
    scene.system = SystemState.LOCKDOWN
    scene.live_through(days[:6])
    assert held(state_engine) == {} == scene.broker_positions()
    flattened = rows(state_engine, orders, "motive", "algo", "gate_code", "status")
    assert ("lockdown", "at_once", GateCode.PASSED, OrderStatus.DONE) in flattened


def test_a_contract_that_nobody_could_leave_expires_and_the_journal_takes_the_brokers_word(
    state_engine: sa.Engine,
) -> None:
    days = sessions(6)
    world = World(dict.fromkeys(days, 2), level(days), last_trades={APRIL: days[2]})
    scene = DeskScene(state_engine, world, prices={APRIL: 85.5})
    scene.live_through(days[:3])
    assert held(state_engine) == {APRIL: 2}
    world.reasons = dict.fromkeys(days, TargetReason.NO_CHAMPION)
    scene.live_through(days)
    assert held(state_engine) == {} == scene.broker_positions()
    last = rows(state_engine, fills, "kind", "side", "quantity", "price")[-1]
    assert last == ("adjustment", "SELL", 2, 85.5)


def test_nothing_quoted_nothing_filled_and_the_order_says_so(state_engine: sa.Engine) -> None:
    days = sessions(3)
    scene = DeskScene(state_engine, World(dict.fromkeys(days, 3), level(days), day_cap=0))
    scene.live_through(days)
    assert held(state_engine) == {}
    assert {row[0] for row in rows(state_engine, orders, "gate_code")} == {GateCode.PARTICIPATION}


def test_every_message_is_on_record_as_heard(state_engine: sa.Engine) -> None:
    days = sessions(3)
    DeskScene(state_engine, World(dict.fromkeys(days, 1), level(days))).live_through(days)
    kinds = {row[0] for row in rows(state_engine, broker_events, "kind")}
    assert {"OrderReport", "ExecutionReport", "FeeReport"} <= kinds


def test_money_is_what_fills_and_settles_say(state_engine: sa.Engine) -> None:
    days = sessions(4)
    settles = dict(zip(days, (85.0, 85.0, 86.0, 84.5), strict=True))
    run = DeskScene(state_engine, World(dict.fromkeys(days, 2), settles)).live_through(days)
    with state_engine.connect() as connection:
        paid = connection.execute(sa.select(fills.c.price, fills.c.quantity)).all()
    fee = 2.5
    expected = sum(400.0 * n * (84.5 - price) - fee * n for price, n in paid)
    assert sum(n for _, n in paid) == 2
    assert abs(run.valuation.equity / 100 - 1_000_000 - expected) < 0.02
