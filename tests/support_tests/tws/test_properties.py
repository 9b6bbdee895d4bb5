"""Whatever the script: the broker's own books agree, the same script gives the same bytes, and cuts change nothing."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import IB

from tests.support.tws import HOST, Config, Liquidity, LoopbackTws, Quote, Script, Terms, script
from tests.support.tws.account import effective
from tests.support.tws.client import connected, settle, until
from tests.support.tws.script import Split
from tests.support.tws.strategies import order_faults, pieces, queries, reports, scripts
from tests.support_tests.tws.scene import APRIL, MAY, QUOTE, buy, future, sell

CALM = logging.CRITICAL
PATIENT_S = 10.0
"""Where every answer comes; a slow machine changes nothing."""
HASTY_S = 0.2
"""Where some never do, and it does not matter which were only slow."""


def tape(step: int) -> dict[int, Quote]:
    """Two contracts that walk up and down; a pure function of the step."""
    moved = ((step * 7919) % 11 - 5) / 40
    return {
        APRIL: Quote(84.975 + moved, 85.025 + moved, 1 + step % 3, 2, last=85.0 + moved),
        MAY: Quote(88.0 - moved, 88.1 - moved, 5, 5),
    }


@dataclass
class Seen:
    """Every event that the client told of, in order."""

    events: list[tuple[object, ...]] = field(default_factory=list)

    def follow(self, ib: IB) -> None:
        """Listen."""
        tell = self.events.append
        ib.errorEvent += lambda request, code, words, _contract: tell(("error", request, code, words))
        ib.openOrderEvent += lambda trade: tell(("open", trade.order.orderId, trade.order.permId))
        ib.orderStatusEvent += lambda trade: tell(("status", trade.order.orderId, trade.orderStatus.status))
        ib.execDetailsEvent += lambda _trade, fill: tell(("fill", fill.execution.execId, fill.execution.price))
        ib.commissionReportEvent += lambda _trade, _fill, report: tell(("commission", report.execId, report.commission))
        ib.positionEvent += lambda held: tell(("position", held.contract.conId, held.position, held.avgCost))


async def session(plan: Script, patience_s: float) -> tuple[LoopbackTws, Seen]:
    """A day of trading that asks after everything; it goes on through whatever happens to its connection.

    A client waits for ``patience_s`` and no longer for what may never come.
    """
    config = Config(terms=Terms(liquidity=Liquidity(adv=40)), tape=tape)
    seen = Seen()
    async with LoopbackTws(config, plan) as server:
        for part in range(4):
            ib = IB()
            ib.client.MaxRequests = 0
            seen.follow(ib)
            try:
                await ib.connectAsync(HOST, server.port, clientId=1, timeout=patience_s)
                trades = [ib.placeOrder(future(MAY if part % 2 else APRIL), order) for order in (buy(3), sell(1, 88.3))]
                await asyncio.wait_for(ib.reqCurrentTimeAsync(), patience_s)
                for step in range(2):
                    await server.step()
                    if step and ib.isConnected():
                        ib.cancelOrder(trades[1].order)
                    await asyncio.wait_for(ib.reqCurrentTimeAsync(), patience_s)
            except (TimeoutError, ConnectionError):
                await server.step()
            ib.disconnect()
            await until(lambda: not server.tws.sessions)
    return server, seen


def played(plan: Script, patience_s: float = PATIENT_S) -> tuple[LoopbackTws, Seen]:
    logging.getLogger("ib_async").setLevel(CALM)
    return asyncio.run(asyncio.wait_for(session(plan, patience_s), 4 * PATIENT_S))


def books_agree(server: LoopbackTws) -> None:
    """Positions, filled quantities and ids of the broker's records are those of its executions."""
    broker = server.tws.broker
    held: dict[int, int] = defaultdict(int)
    filled: dict[int, int] = defaultdict(int)
    for fill in effective(broker.executions.values()):
        held[fill.con_id] += fill.side.sign * fill.quantity
        filled[fill.perm_id] += fill.quantity
    assert {con_id: quantity for con_id, quantity in held.items() if quantity} == {
        con_id: position.quantity for con_id, position in broker.positions.items()
    }
    for perm_id, order in broker.orders.items():
        assert order.perm_id == perm_id
        assert order.filled == filled[perm_id]


@settings(max_examples=40)
@given(scripts())
def test_whatever_the_script_the_broker_agrees_with_itself(plan: Script) -> None:
    server, _ = played(plan, HASTY_S)
    books_agree(server)
    assert server.tws.complaints == []


@settings(max_examples=15)
@given(st.lists(reports() | order_faults(), max_size=4), st.integers(0, 9))
def test_the_same_script_gives_the_same_bytes(faults: list[object], seed: int) -> None:
    plan = script(faults, seed=seed)
    first, second = played(plan)[0], played(plan)[0]
    assert [bytes(stream) for stream in first.streams] == [bytes(stream) for stream in second.streams]
    assert first.tws.broker.executions == second.tws.broker.executions


def test_another_seed_gives_other_ids() -> None:
    first, second = played(script(seed=1))[0], played(script(seed=2))[0]
    assert set(first.tws.broker.executions) & set(second.tws.broker.executions) == set()
    assert len(first.tws.broker.executions) == len(second.tws.broker.executions) > 0


@pytest.fixture(scope="module")
def uncut() -> Seen:
    return played(script())[1]


@settings(max_examples=15)
@given(pieces())
def test_however_the_stream_is_cut_the_client_tells_the_same(uncut: Seen, cuts: object) -> None:
    assert played(script([cuts]))[1].events == uncut.events


def test_byte_by_byte(uncut: Seen) -> None:
    assert played(script(Split((1,))))[1].events == uncut.events
    assert {event[0] for event in uncut.events} >= {"open", "status", "fill", "commission", "position"}


@settings(max_examples=5)
@given(st.lists(pieces(), min_size=1, max_size=1), st.lists(reports(), max_size=3))
def test_cuts_and_other_faults_compose(cuts: list[object], faults: list[object]) -> None:
    assert played(script(cuts, faults))[1].events == played(script(faults))[1].events


@settings(max_examples=10)
@given(st.lists(queries(), max_size=2))
def test_what_a_query_does_leaves_the_broker_alone(faults: list[object]) -> None:
    books_agree(played(script(faults), HASTY_S)[0])


def test_what_a_client_is_told_is_what_the_broker_knows() -> None:
    """The property that a journal is later held to, on a client without a journal and a server without faults."""

    async def day() -> None:
        config = Config(terms=Terms(liquidity=Liquidity(adv=40)), tape=tape)
        async with LoopbackTws(config) as server, connected(server) as ib:
            for step in range(6):
                ib.placeOrder(future(), (buy if step % 3 else sell)(step + 1))
                await server.step()
                await settle(ib)
            await server.show(APRIL, QUOTE)
            await settle(ib)
            broker = server.tws.broker
            assert {fill.execution.execId for fill in ib.fills()} == set(broker.executions)
            assert {held.contract.conId: (held.position, held.avgCost) for held in ib.positions()} == {
                con_id: (held.quantity, held.average_cost) for con_id, held in broker.positions.items()
            }
            assert {trade.order.permId: trade.filled() for trade in ib.trades()} == {
                perm_id: order.filled for perm_id, order in broker.orders.items()
            }

    asyncio.run(day())
