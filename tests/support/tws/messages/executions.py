"""Executions and their commissions."""

from ..contracts import Future
from ..fields import UNSET_DOUBLE, stamp
from ..kinds import Out
from ..records import BrokerExecution
from .base import Message, contract_fields, message
from .session import NO_ID

WITH_PENDING_REVISION = 178


def execution(
    fill: BrokerExecution,
    future: Future,
    server_version: int,
    zone: str,
    *,
    request: int = NO_ID,
    order: int | None = None,
) -> Message:
    """Number 11; a live one carries no request."""
    pending = (False,) if server_version >= WITH_PENDING_REVISION else ()
    return message(
        Out.EXECUTION,
        request,
        fill.order_id,
        *contract_fields(future),
        fill.exec_id,
        stamp(fill.time, zone),
        fill.account,
        future.exchange,
        fill.side.executed,
        fill.quantity,
        fill.price,
        fill.perm_id,
        fill.client_id,
        0,
        fill.cumulative,
        fill.average_price,
        fill.order_ref,
        "",
        "",
        "",
        2,
        *pending,
        order=order,
    )


def execution_end(request: int) -> Message:
    """All executions of a request are in."""
    return message(Out.EXECUTION_END, 1, request)


def commission(fill: BrokerExecution, currency: str, *, order: int | None = None) -> Message:
    """Number 59; the profit of a fill that closed nothing is unset."""
    realized = UNSET_DOUBLE if fill.realized_pnl is None else fill.realized_pnl
    return message(Out.COMMISSION, 1, fill.exec_id, fill.commission, currency, realized, UNSET_DOUBLE, "", order=order)
