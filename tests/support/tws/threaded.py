"""The server on a thread of its own, for clients that block or that run a loop elsewhere."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from .book import Quote
from .script import Event, Script
from .server import LoopbackTws
from .terminal import Config, Terminal

T = TypeVar("T")
LIMIT_S = 10.0


class ThreadedTws:
    """``with ThreadedTws(config, script) as server``: the same server, and the same bytes, behind plain calls."""

    def __init__(self, config: Config | None = None, script: Script | None = None) -> None:
        self._server = LoopbackTws(config, script)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback TWS", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.port

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._server.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._server.__aexit__(kind, error, trace))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(LIMIT_S)
        self._loop.close()

    def step(self, count: int = 1) -> None:
        """Steps of the clock."""
        self._do(self._server.step(count))

    def show(self, con_id: int, quote: Quote) -> None:
        """A quote now."""
        self._do(self._server.show(con_id, quote))

    def play(self, event: Event) -> None:
        """An event now."""
        self._do(self._server.play(event))

    def read(self, look: Callable[[Terminal], T]) -> T:
        """Something of the terminal, read on its own thread: ``server.read(lambda tws: dict(tws.broker.orders))``."""

        async def reading() -> T:
            return look(self._server.tws)

        return self._do(reading())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT_S)
