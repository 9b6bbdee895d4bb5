"""Which function answers which request."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..kinds import Ask
from ..messages import session
from . import account, market, orders

if TYPE_CHECKING:
    from ..session import Session

Answer = Callable[["Session", Sequence[str]], None]


def current_time(client: "Session", _fields: Sequence[str]) -> None:
    """Number 49."""
    client.send(session.current_time(client.tws.clock.now))


def managed_accounts(client: "Session", _fields: Sequence[str]) -> None:
    """Number 17."""
    client.send(session.managed_accounts([client.tws.account]))


ANSWERS: Mapping[Ask, Answer] = {
    Ask.MARKET_DATA: market.market_data,
    Ask.CANCEL_MARKET_DATA: market.cancel_market_data,
    Ask.PLACE_ORDER: orders.place,
    Ask.CANCEL_ORDER: orders.cancel,
    Ask.OPEN_ORDERS: orders.own_open_orders,
    Ask.ACCOUNT_UPDATES: account.account_updates,
    Ask.EXECUTIONS: orders.asked_executions,
    Ask.NEXT_ID: orders.next_id,
    Ask.CONTRACT: market.contract,
    Ask.AUTO_OPEN_ORDERS: orders.auto_open_orders,
    Ask.ALL_OPEN_ORDERS: orders.all_open_orders,
    Ask.MANAGED_ACCOUNTS: managed_accounts,
    Ask.HISTORY: market.history,
    Ask.CANCEL_HISTORY: account.nothing,
    Ask.CURRENT_TIME: current_time,
    Ask.GLOBAL_CANCEL: orders.global_cancel,
    Ask.MARKET_DATA_TYPE: market.market_data_type,
    Ask.POSITIONS: account.positions,
    Ask.SUMMARY: account.summary,
    Ask.CANCEL_SUMMARY: account.nothing,
    Ask.CANCEL_POSITIONS: account.cancel_positions,
    Ask.POSITIONS_MULTI: account.positions_multi,
    Ask.CANCEL_POSITIONS_MULTI: account.nothing,
    Ask.ACCOUNT_MULTI: account.account_multi,
    Ask.CANCEL_ACCOUNT_MULTI: account.nothing,
    Ask.OPTION_PARAMETERS: market.option_parameters,
    Ask.MARKET_RULE: market.market_rule,
    Ask.PNL: account.pnl,
    Ask.CANCEL_PNL: account.cancel,
    Ask.PNL_SINGLE: account.pnl_single,
    Ask.CANCEL_PNL_SINGLE: account.cancel,
    Ask.COMPLETED_ORDERS: orders.completed_orders,
}
