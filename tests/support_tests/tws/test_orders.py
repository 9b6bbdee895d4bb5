"""Orders of the real client, from its request to the broker's books and back."""

import time

import pytest
from ib_async import ExecutionFilter, OrderStatus, StopOrder

from tests.support.tws import Config, Liquidity, LoopbackTws, Quote, Side, Status, Terms
from tests.support.tws.client import connected, settle
from tests.support_tests.tws.scene import APRIL, MAY, QUOTE, buy, future, on_a_loop, sell


@pytest.mark.parametrize("version", [176, 177, 178])
@on_a_loop
async def test_order_fill_position_commission(version: int) -> None:
    async with LoopbackTws(Config(server_version=version)) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(2, 85.025, ref="mine"))
        await settle(ib)

        assert trade.orderStatus.status == OrderStatus.Filled
        assert (trade.filled(), trade.remaining(), trade.orderStatus.avgFillPrice) == (2.0, 0.0, 85.025)
        assert trade.order.permId == trade.orderStatus.permId == 9001
        assert [entry.status for entry in trade.log] == ["PendingSubmit", "Submitted", "Submitted", "Filled"]
        [told] = trade.fills
        assert (told.execution.side, told.execution.shares, told.execution.price) == ("BOT", 2.0, 85.025)
        assert told.execution.orderRef == "mine"
        assert told.execution.time == server.tws.clock.now
        assert (told.commissionReport.commission, told.commissionReport.realizedPNL) == (4.94, 0.0)
        [held] = ib.positions()
        assert (held.position, held.avgCost) == (2.0, 85.025 * 400 + 2.47)
        [item] = ib.portfolio()
        assert (item.marketPrice, item.position) == (85.0, 2.0)

        [known] = server.tws.broker.executions.values()
        assert known.exec_id == told.execution.execId
        assert server.tws.broker.orders[9001].status is Status.FILLED
        assert server.tws.broker.positions[APRIL].average_cost == held.avgCost


@on_a_loop
async def test_a_closing_fill_says_what_it_realised() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        ib.placeOrder(future(), buy(1))
        await settle(ib)
        trade = ib.placeOrder(future(), sell(1))
        await settle(ib)
        assert trade.fills[0].commissionReport.realizedPNL == pytest.approx(-0.05 * 400 - 2 * 2.47)
        assert ib.positions() == ib.portfolio() == []
        assert server.tws.broker.positions == {}
        assert server.tws.cash == pytest.approx(1_000_000 - 20 - 4.94)


@on_a_loop
async def test_partial_fills_by_a_share_of_volume() -> None:
    terms = Terms(liquidity=Liquidity(adv=60, adv_share=0.05))
    async with LoopbackTws(Config(terms=terms)) as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(7, 85.025))
        await settle(ib)
        seen = [trade.filled()]
        for _ in range(2):
            await server.show(APRIL, Quote(84.9, 85.025))
            await settle(ib)
            assert trade.filled() == seen[-1]
            await server.step()
            await settle(ib)
            seen.append(trade.filled())
        assert seen == [3.0, 6.0, 7.0]
        assert [fill.execution.cumQty for fill in trade.fills] == [3.0, 6.0, 7.0]
        assert trade.orderStatus.status == OrderStatus.Filled


@on_a_loop
async def test_quoted_sizes_limit_fills_too() -> None:
    tape = {step: {APRIL: Quote(84.975, 85.025, 1, 2)} for step in range(1, 4)}
    async with LoopbackTws(Config(tape=lambda step: tape.get(step, {}))) as server, connected(server) as ib:
        trade = ib.placeOrder(future(), buy(5))
        await settle(ib)
        assert trade.filled() == 0.0
        seen = []
        for _ in range(3):
            await server.step()
            await settle(ib)
            seen.append(trade.filled())
        assert seen == [2.0, 4.0, 5.0]


@on_a_loop
async def test_an_order_rests_and_is_cancelled() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        errors: list[tuple[int, int]] = []
        ib.errorEvent += lambda request, code, _words, _contract: errors.append((request, code))
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(2, 84.0))
        await settle(ib)
        assert trade.orderStatus.status == OrderStatus.Submitted
        assert [order.permId for order in ib.openOrders()] == [9001]
        ib.cancelOrder(trade.order)
        await settle(ib)
        assert trade.orderStatus.status == OrderStatus.Cancelled
        assert errors == [(trade.order.orderId, 202)]
        assert server.tws.broker.orders[9001].status is Status.CANCELLED
        ib.cancelOrder(trade.order)
        ib.client.cancelOrder(999)
        await settle(ib)
        assert errors[1:] == [(trade.order.orderId, 10148), (999, 10147)]


@on_a_loop
async def test_a_modification_keeps_the_perm_id() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), buy(2, 84.0))
        await settle(ib)
        trade.order.lmtPrice = 85.025
        ib.placeOrder(future(), trade.order)
        await settle(ib)
        assert (trade.orderStatus.status, trade.order.permId) == (OrderStatus.Filled, 9001)
        assert len(server.tws.broker.orders) == 1


@on_a_loop
async def test_a_resting_order_fills_at_its_limit_when_the_market_comes() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        trade = ib.placeOrder(future(), sell(1, 85.5))
        await settle(ib)
        await server.show(APRIL, Quote(85.6, 85.65))
        await settle(ib)
        assert [fill.execution.price for fill in trade.fills] == [85.5]
        assert ib.positions()[0].position == -1.0


@on_a_loop
async def test_every_client_sees_all_open_orders_and_executions_but_only_its_own_reports() -> None:
    async with LoopbackTws() as server, connected(server, 1) as one, connected(server, 2) as two:
        await server.show(APRIL, QUOTE)
        one.placeOrder(future(), buy(1, 84.0))
        one.placeOrder(future(), buy(3))
        await settle(one)
        await settle(two)
        assert two.fills() == []
        assert [held.position for held in two.positions()] == [3.0]
        assert [trade.order.permId for trade in await two.reqAllOpenOrdersAsync()] == [9001]
        assert [trade.order.permId for trade in await two.reqOpenOrdersAsync()] == []
        assert [fill.execution.permId for fill in await two.reqExecutionsAsync()] == [9002]
        assert await two.reqExecutionsAsync(ExecutionFilter(clientId=2)) == []
        assert await two.reqExecutionsAsync(ExecutionFilter(side="SELL")) == []
        two.reqGlobalCancel()
        await settle(two)
        await settle(one)
        assert one.openTrades() == []


@on_a_loop
async def test_a_client_that_comes_back_is_told_everything() -> None:
    async with LoopbackTws() as server:
        await server.show(APRIL, QUOTE)
        async with connected(server) as ib:
            ib.placeOrder(future(), buy(2, ref="filled"))
            ib.placeOrder(future(), buy(1, 84.0, ref="open"))
            cancelled = ib.placeOrder(future(MAY), buy(1, 84.0, ref="cancelled"))
            ib.cancelOrder(cancelled.order)
            await settle(ib)
        async with connected(server) as ib:
            states = {trade.order.orderRef: trade.orderStatus.status for trade in ib.trades()}
            assert states == {"filled": "Filled", "open": "Submitted", "cancelled": "Cancelled"}
            [fill] = ib.fills()
            assert (fill.execution.orderRef, fill.commissionReport.commission) == ("filled", 4.94)
            assert [held.position for held in ib.positions()] == [2.0]
            assert ib.client.getReqId() > cancelled.order.orderId


@pytest.mark.parametrize(
    ("order", "contract", "code", "status"),
    [
        (buy(1, 85.01), future(), 110, "Cancelled"),
        (buy(1), future(4711), 200, "Cancelled"),
        (StopOrder("BUY", 1, 86.0), future(), 387, "Cancelled"),
        (buy(0), future(), 434, "ValidationError"),
    ],
)
@on_a_loop
async def test_refusals(order: object, contract: object, code: int, status: str) -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        codes: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: codes.append(code)
        trade = ib.placeOrder(contract, order)
        await settle(ib)
        assert codes == [code]
        assert trade.orderStatus.status == status
        assert not any(known.live for known in server.tws.broker.orders.values())


@on_a_loop
async def test_an_order_id_below_the_highest_is_error_103() -> None:
    """Whether it was used or not; the order itself is none of the broker's."""
    async with LoopbackTws() as server, connected(server) as ib:
        codes: list[tuple[int, int]] = []
        ib.errorEvent += lambda request, code, _words, _contract: codes.append((request, code))
        for order_id in (50, 49, 51):
            order = buy(1, 84.0)
            order.orderId = order_id
            ib.placeOrder(future(), order)
        await settle(ib)
        assert codes == [(49, 103)]
        assert {trade.order.orderId: trade.orderStatus.status for trade in ib.trades()} == {
            50: "Submitted",
            49: "Cancelled",
            51: "Submitted",
        }
        assert [order.order_id for order in server.tws.broker.orders.values()] == [50, 51]


@on_a_loop
async def test_day_orders_end_with_the_day() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        day = ib.placeOrder(future(), buy(1, 84.0))
        lasting = buy(1, 83.0)
        lasting.tif = "GTC"
        kept = ib.placeOrder(future(), lasting)
        await settle(ib)
        server.tws.desk.end_day()
        await server.step()
        await settle(ib)
        assert (day.orderStatus.status, kept.orderStatus.status) == ("Cancelled", "Submitted")


@on_a_loop
async def test_profit_is_told() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        ib.placeOrder(future(), buy(2))
        await settle(ib)
        whole, one = ib.reqPnL("DU1234567"), ib.reqPnLSingle("DU1234567", "", APRIL)
        await server.show(APRIL, Quote(85.975, 86.025, last=86.0))
        await settle(ib)
        expected = 2 * (86.0 - 85.025) * 400 - 4.94
        assert (whole.unrealizedPnL, whole.dailyPnL) == (pytest.approx(expected), pytest.approx(expected))
        assert (one.position, one.unrealizedPnL) == (2, pytest.approx(expected))
        assert one.value == 2 * 86.0 * 400
        ib.cancelPnL("DU1234567")
        summary = {value.tag: float(value.value) for value in await ib.accountSummaryAsync()}
        assert summary["NetLiquidation"] == pytest.approx(1_000_000 + expected)


@on_a_loop
async def test_a_hundred_market_orders() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        started = time.perf_counter()
        trades = [ib.placeOrder(future(), buy(1) if i % 2 else sell(1)) for i in range(100)]
        await settle(ib)
        print(f"100 market orders submitted and filled in {1000 * (time.perf_counter() - started):.0f} ms")
        assert {trade.orderStatus.status for trade in trades} == {"Filled"}
        assert len({trade.order.permId for trade in trades}) == len(server.tws.broker.fills) == 100
        assert {fill.side for fill in server.tws.broker.fills} == set(Side)
        assert server.tws.broker.positions == {}
