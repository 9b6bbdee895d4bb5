"""Field by field: what the client's decoder expects, and what the client sends."""

import dataclasses
from typing import Any

import pytest
from ib_async import IB, ExecutionFilter
from ib_async.decoder import Decoder

from tests.support.tws import BrokerOrder, Config, LoopbackTws, Out, Side, Status, listing
from tests.support.tws.client import connected, settle
from tests.support.tws.contracts import Wanted
from tests.support.tws.messages import orders
from tests.support.tws.requests import PlaceOrder
from tests.support_tests.tws.scene import APRIL, buy, future, on_a_loop, sell

[CONTRACT] = listing("HE", ("20250414",))
ORDER = BrokerOrder(
    number=1,
    perm_id=9001,
    client_id=3,
    order_id=17,
    order_ref="6f1c",
    account="DU1234567",
    con_id=CONTRACT.con_id,
    side=Side.SELL,
    quantity=4,
    order_type="LMT",
    limit_price=84.975,
    aux_price=None,
    tif="GTC",
    status=Status.CANCELLED,
    filled=3,
    average_price=85.0,
    reason="by client",
)


class Recorder:
    """Takes the place of the client's wrapper; keeps what the decoder calls it with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.calls.append((name, values))


def decoded(fields: tuple[str, ...], version: int) -> tuple[Any, ...]:
    recorder = Recorder()
    Decoder(recorder, version).handlers[int(fields[0])](list(fields))
    [(_, values)] = recorder.calls
    return values


@pytest.mark.parametrize(("version", "count"), [(176, 128), (177, 127), (178, 127)])
def test_an_open_order(version: int, count: int) -> None:
    told = orders.open_order(ORDER, CONTRACT, version)
    assert len(told.fields) == count
    order_id, contract, order, state = decoded(told.fields, version)
    assert (order_id, contract.conId, contract.localSymbol, contract.tradingClass) == (17, 1000, "HEJ5", "HE")
    assert (order.action, order.totalQuantity, order.orderType, order.lmtPrice) == ("SELL", 4.0, "LMT", 84.975)
    assert (order.tif, order.account, order.orderRef, order.clientId) == ("GTC", "DU1234567", "6f1c", 3)
    assert (order.permId, order.clearingIntent, order.whatIf, state.status) == (9001, "IB", False, "Cancelled")
    # What was not said is what the client's own orders have, so that nothing stands in a neighbour's place.
    said = {"orderId", "clientId", "permId", "action", "totalQuantity", "orderType", "lmtPrice", "auxPrice"}
    said |= {"tif", "account", "orderRef", "clearingIntent"}
    unlike = {
        field.name: getattr(order, field.name)
        for field in dataclasses.fields(order)
        if getattr(order, field.name) != getattr(type(order)(), field.name) and field.name not in said
    }
    assert unlike == {"openClose": ""}


@pytest.mark.parametrize("version", [176, 177, 178])
def test_a_completed_order(version: int) -> None:
    contract, order, state = decoded(orders.completed_order(ORDER, CONTRACT, version).fields, version)
    assert (contract.conId, order.permId, order.orderRef, order.filledQuantity) == (1000, 9001, "6f1c", 3.0)
    assert (order.lmtPrice, order.clearingIntent) == (84.975, "IB")
    assert (state.status, state.completedStatus) == ("Cancelled", "by client")


@pytest.mark.parametrize(("version", "market"), [(176, 115), (177, 114), (178, 114)])
@on_a_loop
async def test_what_the_client_sends_for_an_order(version: int, market: int) -> None:
    async with LoopbackTws(Config(server_version=version)) as server, connected(server) as ib:
        ib.placeOrder(future(), buy(1))
        limit = sell(3, 84.975, ref="6f1c")
        limit.account = "DU1234567"
        ib.placeOrder(future(), limit)
        await settle(ib)
        first, second = (request for request in server.tws.heard if request[0] == "3")
        assert len(first) == market
        asked = PlaceOrder.of(second)
        assert asked == PlaceOrder(
            order_id=limit.orderId,
            contract=Wanted(APRIL, "HE", "FUT", "", "CME", "USD", "", ""),
            side=Side.SELL,
            quantity=3,
            order_type="LMT",
            limit_price=84.975,
            aux_price=None,
            tif="DAY",
            account="DU1234567",
            order_ref="6f1c",
            transmit=True,
        )


@on_a_loop
async def test_what_the_client_sends_for_a_query_of_executions() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await ib.reqExecutionsAsync(ExecutionFilter(clientId=3, acctCode="DU1", symbol="HE", side="BUY"))
        assert server.tws.heard[-1][3:] == ("3", "DU1", "", "HE", "", "", "BUY")


def test_every_number_is_one_that_the_client_decodes() -> None:
    known = set(Decoder(Recorder(), 178).handlers)
    assert {int(kind) for kind in Out} <= known
    assert IB().client.MaxClientVersion == 178
