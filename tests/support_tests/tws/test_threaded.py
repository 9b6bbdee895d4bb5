"""A client that blocks, against a server on another thread."""

import asyncio
from collections.abc import Iterator

import pytest
from ib_async import IB

from tests.support.tws import HOST, Quote
from tests.support.tws.script import HangUp
from tests.support.tws.threaded import ThreadedTws
from tests.support_tests.tws.scene import APRIL, QUOTE, buy, future


@pytest.fixture
def _loop_of_this_thread() -> Iterator[None]:
    """The client's blocking calls run the thread's own loop, which nobody else closes."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.usefixtures("_loop_of_this_thread")
def test_a_client_that_blocks() -> None:
    with ThreadedTws() as server:
        server.show(APRIL, QUOTE)
        ib = IB()
        ib.connect(HOST, server.port, clientId=1)
        trade = ib.placeOrder(future(), buy(1, 84.0))
        ib.reqCurrentTime()
        server.show(APRIL, Quote(83.9, 83.95))
        server.step()
        ib.reqCurrentTime()
        assert trade.filled() == 1.0
        assert server.read(lambda tws: [held.quantity for held in tws.broker.positions.values()]) == [1]
        server.play(HangUp())
        with pytest.raises(ConnectionError):
            ib.sleep(5.0)
        assert not ib.isConnected()
