"""Each failure of the stream shows the client exactly the symptom that is documented for it."""

import asyncio

import pytest
from ib_async import IB

from tests.support.tws import HOST, Ask, LoopbackTws, Out, Quote, Script, script
from tests.support.tws.client import connected, settle, until
from tests.support.tws.kinds import END_OF
from tests.support.tws.script import (
    Coalesce,
    Delay,
    DelayAck,
    Drop,
    Duplicate,
    Fail,
    Ignore,
    Postpone,
    Reset,
    ResetOnRequest,
    Split,
    without_end,
)
from tests.support_tests.tws.scene import APRIL, QUOTE, buy, future, on_a_loop

SYNCHRONISING = (Ask.POSITIONS, Ask.OPEN_ORDERS, Ask.COMPLETED_ORDERS, Ask.ACCOUNT_UPDATES, Ask.EXECUTIONS)


async def filled(plan: Script, steps: int = 0) -> tuple[list[str], float, list[str]]:
    """Buy one: the events at the client in order, what it counts as filled, and the orders' states at the broker."""
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        told: list[str] = []
        trade = ib.placeOrder(future(), buy(1))
        trade.statusEvent += lambda trade: told.append(trade.orderStatus.status)
        trade.fillEvent += lambda _trade, fill: told.append(fill.execution.execId[-5:])
        trade.commissionReportEvent += lambda _trade, _fill, report: told.append(f"{report.commission}")
        await settle(ib)
        await server.step(steps)
        await settle(ib)
        return told, trade.filled(), [order.status for order in server.tws.broker.orders.values()]


@on_a_loop
async def test_without_a_fault() -> None:
    assert await filled(script()) == (["Submitted", "01.01", "Filled", "2.47"], 1.0, ["Filled"])


@on_a_loop
async def test_a_lost_execution_leaves_a_filled_order_without_fills() -> None:
    told, counted, _ = await filled(script(Drop(Out.EXECUTION)))
    assert (told, counted) == (["Submitted", "Filled"], 0.0)


@on_a_loop
async def test_a_lost_state_leaves_a_filled_order_open() -> None:
    told, counted, known = await filled(script(Drop(Out.ORDER_STATUS, nth=2)))
    assert (told, counted, known) == (["Submitted", "01.01", "2.47"], 1.0, ["Filled"])


@on_a_loop
async def test_a_repeated_execution_is_counted_once() -> None:
    plan = script(Duplicate(Out.EXECUTION, copies=3), Duplicate(Out.COMMISSION))
    told, counted, _ = await filled(plan)
    assert (told, counted) == (["Submitted", "01.01", "Filled", "2.47", "2.47"], 1.0)


@on_a_loop
async def test_a_commission_before_its_execution_is_lost_on_the_client() -> None:
    told, counted, _ = await filled(script(Postpone(Out.EXECUTION, until=Out.COMMISSION)))
    assert (told, counted) == (["Submitted", "Filled", "01.01"], 1.0)


@on_a_loop
async def test_a_state_before_its_execution() -> None:
    told, counted, _ = await filled(script(Postpone(Out.EXECUTION, until=Out.ORDER_STATUS)))
    assert (told, counted) == (["Submitted", "Filled", "01.01", "2.47"], 1.0)


@on_a_loop
async def test_what_waits_for_a_message_that_never_comes_is_sent_at_the_next_step() -> None:
    plan = script(Postpone(Out.EXECUTION, until=Out.HISTORY))
    assert (await filled(plan))[0] == ["Submitted", "Filled"]
    assert (await filled(plan, steps=1))[0] == ["Submitted", "Filled", "01.01"]


@on_a_loop
async def test_a_delayed_execution_comes_with_its_step() -> None:
    plan = script(Delay(Out.EXECUTION, steps=2))
    assert (await filled(plan, steps=1))[1] == 0.0
    assert (await filled(plan, steps=2))[1] == 1.0


@on_a_loop
async def test_a_fill_before_its_acknowledgement() -> None:
    plan = script(DelayAck(order=1, steps=2))
    assert await filled(plan) == (["01.01"], 1.0, ["Filled"])
    assert (await filled(plan, steps=2))[0] == ["01.01", "Submitted", "Filled"]


@on_a_loop
async def test_a_late_state_takes_back_what_was_filled() -> None:
    plan = script(Delay(Out.ORDER_STATUS, nth=1, steps=1))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        await server.show(APRIL, Quote(84.975, 85.025, ask_size=2))
        trade = ib.placeOrder(future(), buy(3))
        await settle(ib)
        assert (trade.orderStatus.filled, trade.filled()) == (2.0, 2.0)
        await server.show(APRIL, Quote(84.975, None))
        await server.step()
        await settle(ib)
        assert (trade.orderStatus.filled, trade.filled()) == (0.0, 2.0)
        assert server.tws.broker.orders[9001].filled == 2


@on_a_loop
async def test_an_order_vanishes() -> None:
    assert await filled(script(Ignore(Ask.PLACE_ORDER))) == ([], 0.0, [])


@pytest.mark.parametrize("cuts", [Split((1,)), Split((3, 1, 7)), Coalesce(2), Coalesce(1000)])
@on_a_loop
async def test_how_the_stream_is_cut_makes_no_difference(cuts: Split | Coalesce) -> None:
    assert await filled(script(cuts)) == await filled(script())


@pytest.mark.parametrize("query", SYNCHRONISING)
@pytest.mark.parametrize("how", [Ignore, without_end, Fail])
@on_a_loop
async def test_a_query_without_an_answer_only_times_out(query: Ask, how: type) -> None:
    """Connecting succeeds all the same: an answer that did not come looks like an empty one."""
    # Only the query for executions carries an id, by which an error ends it at once.
    ends = how is Fail and query is Ask.EXECUTIONS
    limit = 5.0 if ends else 0.15
    async with LoopbackTws(script=script(how(query))) as server:
        ib = IB()
        loop = asyncio.get_running_loop()
        started = loop.time()
        await ib.connectAsync(HOST, server.port, clientId=1, timeout=limit)
        assert ib.isConnected()
        assert (loop.time() - started < limit) is ends
        ib.disconnect()


@on_a_loop
async def test_errors_while_synchronising_are_raised_if_asked_for() -> None:
    async with LoopbackTws(script=script(without_end(Ask.OPEN_ORDERS))) as server:
        with pytest.raises(ConnectionError, match="open orders request timed out"):
            await IB().connectAsync(HOST, server.port, clientId=1, timeout=0.1, raiseSyncErrors=True)


@on_a_loop
async def test_a_query_that_fails_looks_like_an_empty_answer() -> None:
    plan = script(Fail(Ask.EXECUTIONS, nth=2), Fail(Ask.HISTORY, code=100, words="Max rate of messages"))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: codes.append(code)
        await server.show(APRIL, QUOTE)
        ib.placeOrder(future(), buy(1))
        assert await ib.reqExecutionsAsync() == []
        assert len(await ib.reqExecutionsAsync()) == 1
        assert len(await ib.reqHistoricalDataAsync(future(), "", "3 D", "1 day", "TRADES", True)) == 0
        assert codes == [322, 100]


@on_a_loop
async def test_error_321_ends_no_query() -> None:
    """The client takes it for a warning and waits on."""
    async with LoopbackTws(script=script(Fail(Ask.EXECUTIONS, nth=2, code=321))) as server, connected(server) as ib:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ib.reqExecutionsAsync(), 0.1)


@pytest.mark.parametrize(("after", "counted"), [(0, 0), (5, 0), (None, 1)])
@on_a_loop
async def test_a_reset_at_an_execution(after: int | None, counted: int) -> None:
    plan = script(Reset(Out.EXECUTION, after_bytes=after))
    async with LoopbackTws(script=plan) as server:
        await server.show(APRIL, QUOTE)
        ib = IB()
        told: list[str] = []
        ib.execDetailsEvent += lambda _trade, fill: told.append(fill.execution.execId)
        ib.disconnectedEvent += lambda: told.append("disconnected")
        await ib.connectAsync(HOST, server.port, clientId=1)
        ib.placeOrder(future(), buy(1))
        await until(lambda: "disconnected" in told)
        assert len(told) == counted + 1
        assert not ib.isConnected()
        async with connected(server) as again:
            assert [fill.execution.execId for fill in again.fills()] == list(server.tws.broker.executions)
            assert [held.position for held in again.positions()] == [1.0]


@pytest.mark.parametrize(("acted", "known"), [(False, 0), (True, 1)])
@on_a_loop
async def test_a_reset_when_an_order_arrives(acted: bool, known: int) -> None:
    """Either way the client hears the same: nothing."""
    plan = script(ResetOnRequest(Ask.PLACE_ORDER, acted=acted))
    async with LoopbackTws(script=plan) as server:
        await server.show(APRIL, QUOTE)
        async with connected(server) as ib:
            ib.placeOrder(future(), buy(1))
            await until(lambda: not ib.isConnected())
        assert len(server.tws.broker.executions) == known
        async with connected(server) as again:
            assert len(again.fills()) == known


@pytest.mark.parametrize("nth", range(1, 19, 3))
@on_a_loop
async def test_a_reset_at_any_message_of_synchronising(nth: int) -> None:
    async with LoopbackTws(script=script(Reset(nth=nth, after_bytes=2))) as server:
        with pytest.raises((ConnectionError, asyncio.TimeoutError)):
            await IB().connectAsync(HOST, server.port, clientId=1, timeout=0.3)
        async with connected(server) as again:
            assert again.isConnected()


def test_every_query_with_an_end_is_known_to_the_scripts() -> None:
    assert set(SYNCHRONISING) <= set(END_OF)
    assert without_end(Ask.POSITIONS, 2) == Drop(Out.POSITION_END, 2)
