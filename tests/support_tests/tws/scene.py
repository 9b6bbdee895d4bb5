"""What the tests of the loopback TWS share: contracts, quotes, and a loop for each test."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from ib_async import Contract, LimitOrder, MarketOrder, Order

from tests.support.tws import Quote

P = ParamSpec("P")
LIMIT_S = 20.0
APRIL, MAY, JUNE = 1000, 1001, 1002
QUOTE = Quote(bid=84.975, ask=85.025, last=85.0)


def future(con_id: int = APRIL) -> Contract:
    """A listed month by its id, which is all that the server needs."""
    return Contract(conId=con_id, secType="FUT", symbol="HE", exchange="CME", currency="USD")


def buy(quantity: int, limit: float | None = None, ref: str = "") -> Order:
    return _order("BUY", quantity, limit, ref)


def sell(quantity: int, limit: float | None = None, ref: str = "") -> Order:
    return _order("SELL", quantity, limit, ref)


def _order(action: str, quantity: int, limit: float | None, ref: str) -> Order:
    if limit is None:
        return MarketOrder(action, quantity, orderRef=ref, tif="DAY")
    return LimitOrder(action, quantity, limit, orderRef=ref, tif="DAY")


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is a coroutine; what the client logs of provoked failures is kept off the screen."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        logging.getLogger("ib_async").setLevel(logging.CRITICAL)
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), LIMIT_S))

    return run
