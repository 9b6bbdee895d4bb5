"""Open orders, completed orders and order states.

The decoder takes open orders apart by position: 128 fields at version 176, 127 from 177 on, where ``faProfile`` is
gone. A field in the wrong place is only logged by it and leaves the client without a perm id.
"""

from ..contracts import Future
from ..fields import UNSET_DOUBLE, Value
from ..kinds import Out
from ..records import BrokerOrder
from .base import Message, contract_fields, message

WITHOUT_FA_PROFILE = 177


def _nothing(count: int) -> tuple[Value, ...]:
    return ("",) * count


def _head(order: BrokerOrder) -> tuple[Value, ...]:
    """Action, quantity, type, limit, aux, time in force, OCA group, account, open/close, origin, reference."""
    return (
        order.side,
        order.quantity,
        order.order_type,
        order.limit_price if order.limit_price is not None else 0.0,
        order.aux_price if order.aux_price is not None else 0.0,
        order.tif,
        "",
        order.account,
        "",
        0,
        order.order_ref,
    )


def open_order(order: BrokerOrder, future: Future, server_version: int) -> Message:
    """Number 5; ``Submitted`` orders and those that just ended."""
    fields: tuple[Value, ...] = (
        order.order_id,
        *contract_fields(future),
        *_head(order),
        order.client_id,
        order.perm_id,
        *(False, False, 0, "", "", "", "", ""),  # outsideRth to faPercentage
        *_nothing(1 if server_version < WITHOUT_FA_PROFILE else 0),
        *_nothing(23),  # modelCode to nbboPriceCap
        0,  # parentId
        0,  # triggerMethod
        *_nothing(2),  # volatility and its type
        "",  # deltaNeutralOrderType: anything here makes the decoder expect eight more fields
        "",
        *_nothing(7),  # continuousUpdate to comboLegsDescrip
        *(0, 0, 0),  # legs, order legs, routing parameters
        *_nothing(3),  # scale
        "",  # hedgeType
        *(False, "", "IB", False, False),  # optOutSmartRouting to deltaNeutralContract
        "",  # algoStrategy
        *(False, False, order.status),  # solicited, whatIf, state
        *_nothing(9),  # margins before, change, after
        *(UNSET_DOUBLE, UNSET_DOUBLE, UNSET_DOUBLE, "", ""),  # commissions, currency, warning
        *(False, False),
        0,  # conditions
        *_nothing(16),  # adjustedOrderType to usePriceMgmtAlgo
        *_nothing(3),  # duration, postToAts, autoCancelParent
        *_nothing(5),  # minTradeQty to midOffsetAtHalf
    )
    return message(Out.OPEN_ORDER, *fields, order=order.number)


def completed_order(order: BrokerOrder, future: Future, server_version: int) -> Message:
    """Number 101; it carries neither order id nor client id, the perm id alone says whose it is."""
    fields: tuple[Value, ...] = (
        *contract_fields(future),
        *_head(order),
        order.perm_id,
        *(False, False, 0, "", "", "", ""),  # outsideRth to faPercentage
        *_nothing(1 if server_version < WITHOUT_FA_PROFILE else 0),
        *_nothing(21),  # modelCode to volatilityType
        *_nothing(2),  # deltaNeutral type and price
        *_nothing(5),  # continuousUpdate to comboLegsDescrip
        *(0, 0, 0),
        *_nothing(3),
        "",
        *("", "IB", False, False),  # clearingAccount to deltaNeutralContract
        "",
        *(False, order.status, False, False),  # solicited, state, randomizeSize, randomizePrice
        0,
        *_nothing(6),  # trailStopPrice to autoCancelDate
        order.filled,
        *_nothing(6),  # refFuturesConId to parentPermId
        "",  # completedTime
        order.reason or order.status,
        *_nothing(5),
    )
    return message(Out.COMPLETED_ORDER, *fields, order=order.number)


def order_status(order: BrokerOrder) -> Message:
    """Number 3."""
    return message(
        Out.ORDER_STATUS,
        order.order_id,
        order.status,
        order.filled,
        order.remaining,
        order.average_price,
        order.perm_id,
        0,
        order.last_price,
        order.client_id,
        "",
        0,
        order=order.number,
    )
