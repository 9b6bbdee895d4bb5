"""Positions, account values and profit."""

from ..contracts import Future
from ..kinds import Out
from ..records import BrokerPosition
from .base import Message, contract_fields, message


def position(account: str, held: BrokerPosition, future: Future) -> Message:
    """Number 61; quantity zero takes the position away."""
    fields = contract_fields(future, exchange=False)
    return message(Out.POSITION, 3, account, *fields, held.quantity, held.average_cost)


def position_multi(request: int, account: str, held: BrokerPosition, future: Future) -> Message:
    """Number 71."""
    fields = contract_fields(future, exchange=False)
    return message(Out.POSITION_MULTI, 1, request, account, *fields, held.quantity, held.average_cost, "")


def portfolio(account: str, held: BrokerPosition, future: Future, price: float, unrealized: float) -> Message:
    """Number 7, part of the account updates; here the contract has its primary exchange and nothing else."""
    value = price * future.value_per_point * held.quantity
    fields = contract_fields(future)
    return message(
        Out.PORTFOLIO,
        8,
        *fields,
        held.quantity,
        price,
        value,
        held.average_cost,
        unrealized,
        held.realized_pnl,
        account,
    )


def account_value(account: str, tag: str, value: float, currency: str) -> Message:
    """Number 6."""
    return message(Out.ACCOUNT_VALUE, 2, tag, f"{value:.2f}", currency, account)


def account_multi(request: int, account: str, tag: str, value: float, currency: str) -> Message:
    """Number 73."""
    return message(Out.ACCOUNT_MULTI, 1, request, account, "", tag, f"{value:.2f}", currency)


def summary(request: int, account: str, tag: str, value: float, currency: str) -> Message:
    """Number 63."""
    return message(Out.SUMMARY, 1, request, account, tag, f"{value:.2f}", currency)


def pnl(request: int, daily: float, unrealized: float, realized: float) -> Message:
    """Number 94."""
    return message(Out.PNL, request, daily, unrealized, realized)


def pnl_single(request: int, held: int, daily: float, unrealized: float, realized: float, value: float) -> Message:
    """Number 95."""
    return message(Out.PNL_SINGLE, request, held, daily, unrealized, realized, value)
