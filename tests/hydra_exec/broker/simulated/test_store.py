"""The simulated broker's lines in a real database: all or none, in order, one writer, and fast enough for a history."""

import time

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import sim_broker_log
from hydra_assets.state.records import Side
from hydra_exec.broker.port import BrokerError, ExecutionReport
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.log import MemoryStore
from hydra_exec.broker.simulated.store import DatabaseStore
from tests.support.sim_broker import CONTRACT, broker_on, days, played_out, tape, ticket


def test_lines_come_back_in_order_and_each_account_has_its_own(state_engine: sa.Engine) -> None:
    store, other = DatabaseStore(state_engine, "SIM"), DatabaseStore(state_engine, "OTHER")
    store.append(["a", 'b "quoted", {braced} and \\ escaped', "é"])
    other.append(["x"])
    store.append([])
    store.append(["d"], flush=False)
    expected = ["a", 'b "quoted", {braced} and \\ escaped', "é", "d"]
    assert list(DatabaseStore(state_engine, "SIM").load()) == expected
    assert list(other.load()) == ["x"]
    with state_engine.connect() as connection:
        seqs = connection.scalars(sa.select(sim_broker_log.c.seq).where(sim_broker_log.c.account == "SIM")).all()
    assert sorted(seqs) == [1, 2, 3, 4]


def test_it_goes_on_where_it_was(state_engine: sa.Engine) -> None:
    DatabaseStore(state_engine, "SIM").append(["a"])
    store = DatabaseStore(state_engine, "SIM")
    store.load()
    store.append(["b", "c"])
    assert list(store.load()) == ["a", "b", "c"]


def test_a_second_writer_is_refused_and_leaves_nothing(state_engine: sa.Engine) -> None:
    first, second = DatabaseStore(state_engine, "SIM"), DatabaseStore(state_engine, "SIM")
    first.load()
    second.load()
    first.append(["a"])
    with pytest.raises(BrokerError, match="another process trades on the simulated account SIM"):
        second.append(["b", "c"])
    assert list(second.load()) == ["a"]


def test_the_broker_is_rebuilt_from_the_database(state_engine: sa.Engine) -> None:
    broker = broker_on([tape(impact=0.05)], DatabaseStore(state_engine, "SIM"))
    broker.begin(tape().session)
    broker.place(ticket("a", Side.BUY, 5, 90.0))
    broker.place(ticket("b", Side.SELL, 1, 85.9))
    broker.wait(0.0)
    broker.wait(1.0)
    again = broker_on([tape(impact=0.05)], DatabaseStore(state_engine, "SIM"))
    assert again.snapshot() == broker.snapshot()
    assert [e.quantity for e in again.snapshot().executions] == [2, 2]
    assert [(m.wire_ref, m.quantity) for m in played_out(again) if isinstance(m, ExecutionReport)] == [
        ("a", 1),
        ("b", 1),
    ]


def test_a_connection_is_given_back_and_taken_again(state_engine: sa.Engine) -> None:
    store = DatabaseStore(state_engine, "SIM")
    store.append(["a"])
    assert state_engine.pool.checkedout() == 1  # type: ignore[attr-defined]
    store.close()
    store.close()
    assert state_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    store.append(["b"])
    assert list(store.load()) == ["a", "b"]
    store.close()


def test_a_history_costs_seconds_and_is_read_in_less_than_one(state_engine: sa.Engine) -> None:
    """A tenth of five years of four markets; the bounds are for a machine that has other work."""
    sessions, markets = days(126), [f"M{i}-2025-04" for i in range(4)]
    tapes = [tape(session, bars=dict.fromkeys(markets, tape().bars[CONTRACT])) for session in sessions]
    store = DatabaseStore(state_engine, "SIM")
    broker = broker_on(tapes, store, SimConfig())
    started = time.perf_counter()
    for i, session in enumerate(sessions):
        broker.begin(session)
        for j in range(2 + i % 2):
            broker.place(ticket(f"{i}/{j}", Side.BUY if i % 4 < 2 else Side.SELL, 2, 85.0, markets[j]))
        played_out(broker)
    assert (time.perf_counter() - started) * 10 < 90.0
    lines = store.load()
    assert len(lines) > 126 * 25
    started = time.perf_counter()
    broker_on(tapes, MemoryStore(lines))
    assert (time.perf_counter() - started) * 50_000 / len(lines) < 3.0
