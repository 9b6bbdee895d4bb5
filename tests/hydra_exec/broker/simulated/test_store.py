"""The simulated broker's lines in a real database: all or none, in order, one writer."""

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import sim_broker_log
from hydra_assets.state.records import Side
from hydra_exec.broker.port import BrokerError, ExecutionReport
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.log import MemoryStore
from hydra_exec.broker.simulated.store import DatabaseStore
from tests.support.sim_broker import CONTRACT, broker_on, days, played_out, tape, ticket

Opened = Callable[[str], DatabaseStore]


@pytest.fixture
def opened(state_engine: sa.Engine) -> Iterator[Opened]:
    """``opened(account)`` is a store; in the end each gives its connection back."""
    made: list[DatabaseStore] = []

    def make(account: str) -> DatabaseStore:
        made.append(DatabaseStore(state_engine, account))
        return made[-1]

    yield make
    for store in made:
        store.close()


def test_lines_come_back_in_order_and_each_account_has_its_own(opened: Opened, state_engine: sa.Engine) -> None:
    store, other = opened("SIM"), opened("OTHER")
    store.append(["a", 'b "quoted", {braced} and \\ escaped', "é"])
    other.append(["x"])
    store.append([])
    store.append(["d"], flush=False)
    expected = ["a", 'b "quoted", {braced} and \\ escaped', "é", "d"]
    assert list(opened("SIM").load()) == expected
    assert list(other.load()) == ["x"]
    with state_engine.connect() as connection:
        seqs = connection.scalars(sa.select(sim_broker_log.c.seq).where(sim_broker_log.c.account == "SIM")).all()
    assert sorted(seqs) == [1, 2, 3, 4]


def test_it_goes_on_where_it_was(opened: Opened) -> None:
    opened("SIM").append(["a"])
    store = opened("SIM")
    store.load()
    store.append(["b", "c"])
    assert list(store.load()) == ["a", "b", "c"]


def test_a_second_writer_is_refused_and_leaves_nothing(opened: Opened) -> None:
    first, second = opened("SIM"), opened("SIM")
    first.load()
    second.load()
    first.append(["a"])
    with pytest.raises(BrokerError, match="another process trades on the simulated account SIM"):
        second.append(["b", "c"])
    assert list(second.load()) == ["a"]


def test_the_broker_is_rebuilt_from_the_database(opened: Opened) -> None:
    broker = broker_on([tape(impact=0.05)], opened("SIM"))
    broker.begin(tape().session)
    broker.place(ticket("a", Side.BUY, 5, 90.0))
    broker.place(ticket("b", Side.SELL, 1, 85.9))
    broker.wait(0.0)
    broker.wait(1.0)
    again = broker_on([tape(impact=0.05)], opened("SIM"))
    assert again.snapshot() == broker.snapshot()
    assert [e.quantity for e in again.snapshot().executions] == [2, 2]
    assert [(m.wire_ref, m.quantity) for m in played_out(again) if isinstance(m, ExecutionReport)] == [
        ("a", 1),
        ("b", 1),
    ]


def test_a_connection_is_given_back_and_taken_again(opened: Opened, state_engine: sa.Engine) -> None:
    store = opened("SIM")
    store.append(["a"])
    assert state_engine.pool.checkedout() == 1  # type: ignore[attr-defined]
    store.close()
    store.close()
    assert state_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    store.append(["b"])
    assert list(store.load()) == ["a", "b"]
    store.close()


def test_a_history_is_read_back_as_the_broker_that_wrote_it(opened: Opened) -> None:
    sessions, markets = days(21), [f"M{i}-2025-04" for i in range(4)]
    tapes = [tape(session, bars=dict.fromkeys(markets, tape().bars[CONTRACT])) for session in sessions]
    store = opened("SIM")
    broker = broker_on(tapes, store, SimConfig())
    for i, session in enumerate(sessions):
        broker.begin(session)
        for j in range(2 + i % 2):
            broker.place(ticket(f"{i}/{j}", Side.BUY if i % 4 < 2 else Side.SELL, 2, 85.0, markets[j]))
        played_out(broker)
    lines = store.load()
    assert len(lines) > 21 * 25
    assert broker_on(tapes, MemoryStore(lines)).snapshot() == broker.snapshot()
