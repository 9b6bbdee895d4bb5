"""Each failure of orders, fills and connections shows the client exactly the symptom that is documented for it."""

import asyncio

import pytest
from ib_async import IB, OrderStatus

from tests.support.tws import HOST, LoopbackTws, Quote, Side, Status, script
from tests.support.tws.client import connected, settle, until
from tests.support.tws.script import (
    TIF_PRESET,
    At,
    ClientIdInUse,
    Correct,
    External,
    Flow,
    HangUp,
    Lost,
    NextIdRegress,
    Notice,
    Outage,
    Reject,
    Revoke,
    Say,
    SecondPermId,
    lost_and_restored,
    nightly_restart,
)
from tests.support_tests.tws.scene import APRIL, QUOTE, buy, future, on_a_loop, sell


@on_a_loop
async def test_a_correction_is_counted_twice_by_the_client() -> None:
    plan = script(Correct(price=84.9))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(1))
        await settle(ib)
        assert [fill.execution.execId[-2:] for fill in trade.fills] == ["01", "02"]
        assert trade.filled() == 2.0
        assert trade.orderStatus.filled == 1.0
        [fill] = server.tws.broker.fills
        assert (fill.revision, fill.price, len(server.tws.broker.executions)) == (2, 84.9, 2)
        assert server.tws.broker.positions[APRIL].quantity == 1
        assert ib.positions()[0].avgCost == server.tws.broker.positions[APRIL].average_cost == 84.9 * 400 + 2.47


@on_a_loop
async def test_a_late_correction_and_a_bust() -> None:
    plan = script(Correct(execution=1, price=84.9, steps=2), Correct(execution=2, quantity=0, steps=1))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        ib.placeOrder(future(), buy(1))
        ib.placeOrder(future(), sell(3))
        await settle(ib)
        assert [held.position for held in ib.positions()] == [-2.0]
        await server.step()
        await settle(ib)
        assert [held.position for held in ib.positions()] == [1.0]
        assert ib.positions()[0].avgCost == 85.025 * 400 + 2.47
        await server.step()
        await settle(ib)
        assert ib.positions()[0].avgCost == 84.9 * 400 + 2.47
        assert [fill.execution.execId[-2:] for fill in await ib.reqExecutionsAsync()] == ["02"]


@on_a_loop
async def test_a_rejected_order_is_cancelled_at_the_client() -> None:
    async with LoopbackTws(script=script(Reject(order=2))) as server, connected(server) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: codes.append(code)
        await server.show(APRIL, QUOTE)
        first, second = (ib.placeOrder(future(), buy(1)) for _ in range(2))
        await settle(ib)
        assert codes == [201]
        assert (first.orderStatus.status, second.orderStatus.status) == ("Filled", "Cancelled")
        assert second.order.permId == 0
        assert server.tws.broker.orders[9002].status is Status.INACTIVE


@on_a_loop
async def test_the_broker_cancels_an_order() -> None:
    async with LoopbackTws(script=script(Revoke())) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(1))
        await settle(ib)
        assert trade.orderStatus.status == OrderStatus.Cancelled
        assert trade.log[-1].status == "Cancelled"
        assert server.tws.broker.orders[9001].status is Status.CANCELLED
        assert server.tws.broker.positions == {}


@pytest.mark.parametrize(
    ("code", "status", "done"),
    [
        (TIF_PRESET[0], "Cancelled", True),
        (399, "ValidationError", False),
        (404, "ValidationError", False),
        (2100, "ValidationError", False),
        (2161, "ValidationError", False),
        (2199, "ValidationError", False),
        (2200, "Cancelled", True),
        (99_999, "Cancelled", True),
    ],
)
@on_a_loop
async def test_notices_on_an_order_that_lives(code: int, status: str, done: bool) -> None:
    async with LoopbackTws(script=script(Notice(code=code, words="notice"))) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(1, 84.0))
        await settle(ib)
        assert (trade.orderStatus.status, trade.isDone()) == (status, done)
        assert server.tws.broker.orders[9001].live
        await server.show(APRIL, Quote(83.9, 83.95))
        await settle(ib)
        assert (trade.filled(), trade.orderStatus.status) == (1.0, "Filled")


@on_a_loop
async def test_one_order_id_with_two_perm_ids() -> None:
    async with LoopbackTws(script=script(SecondPermId())) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(1, 84.0, ref="mine"))
        await settle(ib)
        trade.order.lmtPrice = 84.5
        ib.placeOrder(future(), trade.order)
        await settle(ib)
        live = [order for order in server.tws.broker.orders.values() if order.live]
        assert [(order.perm_id, order.order_id, order.order_ref) for order in live] == [
            (9001, trade.order.orderId, "mine"),
            (9002, trade.order.orderId, "mine"),
        ]
        assert trade.order.permId == 9002
        ib.cancelOrder(trade.order)
        await settle(ib)
        assert trade.orderStatus.status == OrderStatus.Cancelled
        await server.show(APRIL, Quote(83.9, 83.95))
        await settle(ib)
        assert [fill.execution.permId for fill in trade.fills] == [9001]
        assert server.tws.broker.positions[APRIL].quantity == 1


@pytest.mark.parametrize("ghost", [True, False])
@on_a_loop
async def test_a_client_id_in_use(ghost: bool) -> None:
    plan = script(ClientIdInUse(connection=1)) if ghost else script()
    async with LoopbackTws(script=plan) as server:
        holder = IB()
        if not ghost:
            await holder.connectAsync(HOST, server.port, clientId=1)
        ib = IB()
        said: list[object] = []
        ib.errorEvent += lambda _id, code, _words, _contract: said.append(code)
        ib.client.apiError += said.append
        with pytest.raises(asyncio.TimeoutError):
            await ib.connectAsync(HOST, server.port, clientId=1, timeout=0.2)
        assert said[:2] == [326, "Peer closed connection. clientId 1 already in use?"]
        assert said[2:] == ["API connection failed: TimeoutError()"]
        holder.disconnect()
        await until(lambda: not server.tws.sessions)
        async with connected(server):
            pass


@pytest.mark.parametrize("forget", [True, False])
@on_a_loop
async def test_the_next_id_goes_back(forget: bool) -> None:
    """Where the server forgot, an order id has a second order; else error 103."""
    async with LoopbackTws(script=script(NextIdRegress(connection=2, to=3, forget=forget))) as server:
        await server.show(APRIL, QUOTE)
        used = []
        codes: list[int] = []
        for _ in range(2):
            ib = IB()
            ib.errorEvent += lambda _id, code, _words, _contract: codes.append(code)
            await ib.connectAsync(HOST, server.port, clientId=1)
            order = buy(1)
            order.orderId = 3
            trade = ib.placeOrder(future(), order)
            await settle(ib)
            used.append((trade.order.orderId, trade.orderStatus.status, trade.filled()))
            ib.disconnect()
            await until(lambda: not server.tws.sessions)
        orders = server.tws.broker.orders.values()
        if forget:
            assert used[1] == (3, "Filled", 1.0)
            assert [(order.perm_id, order.order_id) for order in orders] == [(9001, 3), (9002, 3)]
        else:
            assert used[1] == (3, "Cancelled", 0.0)
            assert 103 in codes
            assert len(orders) == 1


@pytest.mark.parametrize(
    ("flow", "during", "after"), [(Flow.LIVE, 1.0, 1.0), (Flow.HELD, 0.0, 1.0), (Flow.LOST, 0.0, 0.0)]
)
@on_a_loop
async def test_fills_while_the_connection_to_the_broker_is_lost(flow: Flow, during: float, after: float) -> None:
    plan = script(lost_and_restored(1, 3, Lost(events=flow)))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: codes.append(code)
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(1, 84.0))
        await settle(ib)
        await server.step()
        await server.show(APRIL, Quote(83.9, 83.95))
        await settle(ib)
        assert (codes, trade.filled()) == ([1100], during)
        await server.step(2)
        await settle(ib)
        assert (codes, trade.filled()) == ([1100, 1102], after)
        assert [fill.execution.shares for fill in await ib.reqExecutionsAsync()] == [1.0]
        assert server.tws.broker.orders[9001].status is Status.FILLED


@pytest.mark.parametrize(("flow", "known"), [(Flow.LIVE, 1), (Flow.HELD, 1), (Flow.LOST, 0)])
@on_a_loop
async def test_orders_while_the_connection_to_the_broker_is_lost(flow: Flow, known: int) -> None:
    plan = script(lost_and_restored(1, 2, Lost(orders=flow), data_lost=True))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: codes.append(code)
        await server.step()
        trade = ib.placeOrder(future(), buy(1, 84.0))
        await settle(ib)
        assert trade.orderStatus.status == OrderStatus.PendingSubmit
        assert len(server.tws.broker.orders) == (flow is Flow.LIVE)
        await server.step()
        await settle(ib)
        assert codes == [1100, 1101]
        assert len(server.tws.broker.orders) == known
        assert (trade.orderStatus.status == OrderStatus.Submitted) is (flow is Flow.HELD)


@on_a_loop
async def test_a_nightly_restart() -> None:
    async with LoopbackTws(script=script(nightly_restart(1, down=2))) as server:
        ib = IB()
        await ib.connectAsync(HOST, server.port, clientId=1)
        ib.placeOrder(future(), buy(1, 84.0))
        await settle(ib)
        await server.step()
        await until(lambda: not ib.isConnected())
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await IB().connectAsync(HOST, server.port, clientId=1, timeout=0.5)
        await server.step(2)
        async with connected(server) as again:
            assert [trade.orderStatus.status for trade in again.trades()] == ["Cancelled"]


@on_a_loop
async def test_an_outage_and_a_hang_up_by_the_test() -> None:
    async with LoopbackTws() as server:
        for event in (HangUp(), Outage(1)):
            ib = IB()
            await ib.connectAsync(HOST, server.port, clientId=1)
            await server.play(event)
            await until(lambda ib=ib: not ib.isConnected())
            await server.step()
        async with connected(server):
            pass


@on_a_loop
async def test_a_position_that_somebody_else_closes() -> None:
    """No report comes, only the position goes; an answer to the query for executions shows why."""
    plan = script(At(1, External(APRIL, Side.SELL, 2, 84.0)))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        ib.placeOrder(future(), buy(2))
        await settle(ib)
        await server.step()
        await settle(ib)
        assert (len(ib.fills()), ib.positions()) == (1, [])
        fills = await ib.reqExecutionsAsync()
        assert [fill.execution.side for fill in fills] == ["BOT", "SLD"]
        assert (fills[1].execution.orderId, fills[1].execution.orderRef) == (0, "")


@on_a_loop
async def test_codes_that_belong_to_nothing() -> None:
    plan = script(At(1, Say(2110, "Connectivity is broken")), At(1, Say(99_999, "new")))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        heard: list[tuple[int, int]] = []
        ib.errorEvent += lambda request, code, _words, _contract: heard.append((request, code))
        trade = ib.placeOrder(future(), buy(1, 84.0))
        await settle(ib)
        await server.step()
        await settle(ib)
        assert heard == [(-1, 2110), (-1, 99_999)]
        assert trade.orderStatus.status == OrderStatus.Submitted
