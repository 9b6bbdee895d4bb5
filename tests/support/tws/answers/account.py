"""Answers to what clients ask of positions, account and profit."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..kinds import Out
from ..messages import account as messages
from ..messages.base import Message, message
from ..records import BrokerPosition

if TYPE_CHECKING:
    from ..session import Session
    from ..terminal import Terminal


def values(tws: "Terminal") -> dict[str, float]:
    """Account values by tag. Futures are marked to market: cash moves by what was realised and by commissions."""
    account, cash = tws.broker.account, tws.cash
    unrealized = sum(tws.unrealized(con_id) for con_id in tws.broker.positions)
    equity = cash + unrealized
    return {
        "NetLiquidation": equity,
        "TotalCashValue": cash,
        "AvailableFunds": equity,
        "ExcessLiquidity": equity,
        "InitMarginReq": 0.0,
        "MaintMarginReq": 0.0,
        "RealizedPnL": account.realized_pnl,
        "UnrealizedPnL": unrealized,
    }


def positions(client: "Session", _fields: Sequence[str]) -> None:
    """Number 61: what is held, the end, and every change from here on."""
    client.wants_positions = True
    for held in client.tws.broker.positions.values():
        client.send(position(client, held))
    client.send(message(Out.POSITION_END, 1))


def position(client: "Session", held: BrokerPosition) -> Message:
    """One position, flat or not."""
    return messages.position(client.tws.account, held, client.tws.broker.catalogue[held.con_id])


def cancel_positions(client: "Session", _fields: Sequence[str]) -> None:
    """Number 64."""
    client.wants_positions = False


def account_updates(client: "Session", fields: Sequence[str]) -> None:
    """Number 6: values, portfolio, time, the end, and every change of the portfolio from here on."""
    client.wants_account = fields[2] == "1"
    if not client.wants_account:
        return
    tws = client.tws
    for tag, value in values(tws).items():
        client.send(messages.account_value(tws.account, tag, value, tws.config.terms.currency))
    for held in tws.broker.positions.values():
        client.send(portfolio(client, held))
    client.send(message(Out.ACCOUNT_TIME, 1, f"{tws.clock.now:%H:%M}"))
    client.send(message(Out.ACCOUNT_END, 1, fields[3] or tws.account))


def portfolio(client: "Session", held: BrokerPosition) -> Message:
    """One position with its price."""
    tws = client.tws
    price = tws.broker.book(held.con_id).quote.mark or 0.0
    return messages.portfolio(tws.account, held, tws.broker.catalogue[held.con_id], price, tws.unrealized(held.con_id))


def account_multi(client: "Session", fields: Sequence[str]) -> None:
    """Number 76."""
    request, tws = int(fields[2]), client.tws
    for tag, value in values(tws).items():
        client.send(messages.account_multi(request, tws.account, tag, value, tws.config.terms.currency))
    client.send(message(Out.ACCOUNT_MULTI_END, 1, request))


def summary(client: "Session", fields: Sequence[str]) -> None:
    """Number 62; unknown tags are left out."""
    request, tws = int(fields[2]), client.tws
    tags = fields[4].split(",")
    for tag, value in values(tws).items():
        if tag in tags:
            client.send(messages.summary(request, tws.account, tag, value, tws.config.terms.currency))
    client.send(message(Out.SUMMARY_END, 1, request))


def positions_multi(client: "Session", fields: Sequence[str]) -> None:
    """Number 74."""
    request, tws = int(fields[2]), client.tws
    for held in tws.broker.positions.values():
        client.send(messages.position_multi(request, tws.account, held, tws.broker.catalogue[held.con_id]))
    client.send(message(Out.POSITION_MULTI_END, 1, request))


def pnl(client: "Session", fields: Sequence[str]) -> None:
    """Number 92: now, and again whenever quotes or positions change."""
    client.pnl.add(int(fields[1]))
    send_pnl(client)


def pnl_single(client: "Session", fields: Sequence[str]) -> None:
    """Number 94: the same for one contract."""
    client.pnl_single[int(fields[1])] = int(fields[4])
    send_pnl(client)


def send_pnl(client: "Session") -> None:
    """Everything that the client follows."""
    tws = client.tws
    total = values(tws)
    unrealized, realized = total["UnrealizedPnL"], total["RealizedPnL"]
    daily = total["NetLiquidation"] - tws.config.terms.cash
    for request in sorted(client.pnl):
        client.send(messages.pnl(request, daily, unrealized, realized))
    for request, con_id in sorted(client.pnl_single.items()):
        held, mark = tws.broker.account.position(con_id), tws.broker.book(con_id).quote.mark
        value = held.quantity * (mark or 0.0) * tws.broker.catalogue[con_id].value_per_point
        open_profit = tws.unrealized(con_id)
        daily = open_profit + held.realized_pnl
        client.send(messages.pnl_single(request, held.quantity, daily, open_profit, held.realized_pnl, value))


def cancel(client: "Session", fields: Sequence[str]) -> None:
    """Numbers 93 and 95."""
    client.pnl.discard(int(fields[1]))
    client.pnl_single.pop(int(fields[1]), None)


def nothing(_client: "Session", _fields: Sequence[str]) -> None:
    """The end of a subscription that sends nothing by itself here."""
