"""The terminal behind a real socket on 127.0.0.1.

It runs on the loop of whoever opens it, client included: while the test awaits nothing, nothing moves. The port is the
system's choice and stays the server's through an outage, in which connecting to it is refused.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from types import TracebackType
from typing import Self, cast

from .book import Quote
from .outbox import Action, End, Write
from .script import Event, Script, Split
from .terminal import Config, Terminal

HOST = "127.0.0.1"
LINGER_ZERO = struct.pack("ii", 1, 0)
"""Closing such a socket sends RST."""


class LoopbackTws:
    """``async with LoopbackTws(config, script) as server``: connect a client to ``server.port``."""

    def __init__(self, config: Config | None = None, script: Script | None = None) -> None:
        self.tws = Terminal(config or Config(), script or Script())
        self.streams: list[bytearray] = []
        """What was sent, by connection in the order in which they were accepted."""
        self.port = 0
        self._place: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._connections: list[_Connection] = []

    async def __aenter__(self) -> Self:
        # This socket never listens: it keeps the port ours while the one that listens comes and goes.
        self._place = _bound(0)
        self.port = self._place.getsockname()[1]
        await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        for connection in list(self._connections):
            connection.drop()
        # Transports report their end one turn of the loop later, and sockets would be left open for the collector.
        for _ in range(3):
            await asyncio.sleep(0)
        if self._place:
            self._place.close()

    async def step(self, count: int = 1) -> None:
        """Steps of the clock, with what they bring."""
        for _ in range(count):
            self.tws.step()
            await self._follow()

    async def play(self, event: Event) -> None:
        """An event now, beside the script."""
        self.tws.play(event)
        await self._follow()

    async def show(self, con_id: int, quote: Quote) -> None:
        """A quote now, and what it fills."""
        self.tws.show(con_id, quote)
        await self._follow()

    async def _follow(self) -> None:
        self._pump()
        if not self.tws.accepting:
            self._close()
        elif self._listener is None:
            await self._open()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        listening = _bound(self.port)
        self._listener = await loop.create_server(self._accept, sock=listening)

    def _close(self) -> None:
        if self._listener:
            self._listener.close()
        self._listener = None

    def _accept(self) -> "_Connection":
        stream = bytearray()
        self.streams.append(stream)
        connection = _Connection(self, stream)
        self._connections.append(connection)
        return connection

    def _pump(self) -> None:
        """What one client asks may concern every other."""
        for connection in list(self._connections):
            connection.pump()

    def _forget(self, connection: "_Connection") -> None:
        if connection in self._connections:
            self._connections.remove(connection)


class _Connection(asyncio.Protocol):
    """Carries one session's bytes."""

    def __init__(self, server: LoopbackTws, stream: bytearray) -> None:
        self._server = server
        self._stream = stream
        self._session = server.tws.connect()
        self._transport: asyncio.Transport | None = None
        self._actions: deque[Action] = deque()
        self._waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._session.receive(data)
        self._server._pump()

    def eof_received(self) -> bool:
        self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()

    def pump(self) -> None:
        """Take what the session wants sent; send it unless pieces are still on their way."""
        self._actions += self._session.take()
        if not self._waiting:
            self._play()

    def drop(self) -> None:
        """Close at once, whatever is still to be sent."""
        if self._transport:
            self._transport.abort()

    def _play(self) -> None:
        self._waiting = False
        paced = isinstance(self._server.tws.director.pieces, Split)
        while self._actions and self._transport:
            action = self._actions.popleft()
            if isinstance(action, End):
                self._end(action)
                return
            self._write(action)
            if self._actions and (paced or isinstance(self._actions[0], End)):
                # One piece for each turn of the loop, so that the client reads it before the next or before the end.
                self._waiting = True
                asyncio.get_running_loop().call_soon(self._play)
                return

    def _write(self, action: Write) -> None:
        assert self._transport
        self._stream += action.data
        self._transport.write(action.data)

    def _end(self, action: End) -> None:
        assert self._transport
        self._actions.clear()
        if action.reset:
            with contextlib.suppress(OSError):
                sock = self._transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            self._transport.abort()
        else:
            self._transport.close()

    def _gone(self) -> None:
        self._server.tws.leave(self._session)
        self._session.outbox.end(reset=False)
        self._server._forget(self)


def _bound(port: int) -> socket.socket:
    # The protocol is named because asyncio turns Nagle's algorithm off only where it is; without, every answer that is
    # written in two pieces waits 40 ms.
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "SO_REUSEPORT"):
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind((HOST, port))
    return place
