"""The real client, for tests: how to open it on a loopback server and how to wait without sleeping."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from ib_async import IB

from .server import HOST, LoopbackTws

LIMIT = 5.0


@contextlib.asynccontextmanager
async def connected(
    server: LoopbackTws, client_id: int = 1, timeout_s: float = 2.0, *, throttle: bool = False
) -> AsyncIterator[IB]:
    """A client that has synchronised. Its own limit of 45 messages a second is off unless asked for."""
    ib = IB()
    if not throttle:
        ib.client.MaxRequests = 0
    try:
        await ib.connectAsync(HOST, server.port, clientId=client_id, timeout=timeout_s)
        yield ib
    finally:
        ib.disconnect()
        await asyncio.sleep(0)


async def settle(ib: IB) -> None:
    """Wait for whatever the server has sent so far: it answers in order, so that one more answer is the end of it."""
    await asyncio.wait_for(ib.reqCurrentTimeAsync(), LIMIT)


async def until(condition: Callable[[], object], limit_s: float = LIMIT) -> None:
    """Turn the loop until something holds, where no answer can be waited for.

    Raises
    ------
    TimeoutError
        When it does not within the limit.
    """
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0)
