"""Answers to what clients ask of orders and executions."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..kinds import Out
from ..messages import executions, orders, session
from ..messages.base import message
from ..records import BrokerOrder
from ..requests import ExecutionFilter, PlaceOrder

if TYPE_CHECKING:
    from ..session import Session


def place(client: "Session", fields: Sequence[str]) -> None:
    """Number 3."""
    ask = PlaceOrder.of(fields)
    client.tws.order(lambda: client.tws.desk.place(client.client_id, ask))


def cancel(client: "Session", fields: Sequence[str]) -> None:
    """Number 4."""
    order_id = int(fields[2])
    client.tws.order(lambda: client.tws.desk.cancel(client.client_id, order_id))


def global_cancel(client: "Session", _fields: Sequence[str]) -> None:
    """Number 58."""
    client.tws.order(client.tws.desk.cancel_all)


def next_id(client: "Session", _fields: Sequence[str]) -> None:
    """Number 8."""
    client.send(session.next_valid_id(client.tws.desk.next_id(client.client_id)))


def own_open_orders(client: "Session", _fields: Sequence[str]) -> None:
    """Number 5: those of this client."""
    mine = (order for order in client.tws.broker.orders.values() if order.client_id == client.client_id)
    _open_orders(client, mine)


def all_open_orders(client: "Session", _fields: Sequence[str]) -> None:
    """Number 16: those of every client."""
    _open_orders(client, client.tws.broker.orders.values())


def auto_open_orders(_client: "Session", _fields: Sequence[str]) -> None:
    """Number 15: client 0 binds orders placed by hand; there are none here."""


def completed_orders(client: "Session", _fields: Sequence[str]) -> None:
    """Number 99."""
    tws = client.tws
    for order in tws.broker.orders.values():
        if not order.live:
            future = tws.broker.catalogue[order.con_id]
            client.send(orders.completed_order(order, future, tws.config.server_version))
    client.send(message(Out.COMPLETED_ORDER_END))


def asked_executions(client: "Session", fields: Sequence[str]) -> None:
    """Number 7: the last revision of each fill, whichever client it was for, with its commission."""
    ask = ExecutionFilter.of(fields)
    tws = client.tws
    for fill in tws.broker.fills:
        future = tws.broker.catalogue[fill.con_id]
        wanted = (
            ask.client_id in {0, fill.client_id}
            and ask.account in {"", fill.account}
            and ask.symbol in {"", future.symbol}
            and ask.side in {"", fill.side, fill.side.executed}
        )
        if wanted:
            version, zone = tws.config.server_version, tws.config.zone
            client.send(executions.execution(fill, future, version, zone, request=ask.request))
            client.send(executions.commission(fill, future.currency))
    client.send(executions.execution_end(ask.request))


def _open_orders(client: "Session", known: Iterable[BrokerOrder]) -> None:
    for order in known:
        if order.live:
            client.send_order(order)
    client.send(message(Out.OPEN_ORDER_END, 1))
