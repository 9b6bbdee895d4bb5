"""From messages to what a socket does, through the script's faults.

The outbox of one connection holds messages back, drops, repeats and reorders them; what comes out is pieces of bytes
and, perhaps, an end. It touches no socket.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .clock import VirtualClock
from .frames import cut
from .kinds import Out
from .messages.base import Message
from .script import Coalesce, Delay, DelayAck, Drop, Duplicate, Postpone, Reset, Split
from .script.director import Director


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes to send at once."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The connection ends: reset, or closed in order."""

    reset: bool


Action = Write | End


@dataclass(slots=True)
class _Held:
    message: Message
    step: int
    until: Out | None


class Outbox:
    """What one connection has still to say."""

    def __init__(self, director: Director, clock: VirtualClock) -> None:
        self._director = director
        self._clock = clock
        self._held: list[_Held] = []
        self._ready: list[bytes] = []
        self._end: End | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing that is put here will be sent."""
        return self._end is not None

    def put(self, message: Message) -> None:
        """Send a message, as the script lets it."""
        if self.ended:
            return
        fault = self._director.on_message(message)
        match fault:
            case Drop():
                return
            case Postpone(until=until):
                self._held.append(_Held(message, self._clock.step + 1, until))
            case Delay(steps=steps) | DelayAck(steps=steps):
                self._held.append(_Held(message, self._clock.step + steps, None))
            case Duplicate(copies=copies):
                for _ in range(1 + copies):
                    self._send(message)
            case Reset(after_bytes=after):
                data = message.encode()
                self.raw(data if after is None else data[:after])
                self.end(reset=True)
            case None:
                self._send(message)

    def raw(self, data: bytes) -> None:
        """Send bytes that no fault recognises."""
        if data and not self.ended:
            self._ready.append(data)

    def step(self) -> None:
        """Send what was held until this step."""
        due = [held for held in self._held if held.step <= self._clock.step]
        self._held = [held for held in self._held if held.step > self._clock.step]
        for held in due:
            self._send(held.message)

    def end(self, *, reset: bool) -> None:
        """The connection ends behind what was said so far."""
        self._end = self._end or End(reset)
        self._held = []

    def take(self) -> Iterator[Action]:
        """What the socket is to do now."""
        ready, self._ready = self._ready, []
        pieces = self._director.pieces
        if isinstance(pieces, Split):
            ready = cut(b"".join(ready), pieces.sizes)
        elif isinstance(pieces, Coalesce):
            count = max(1, pieces.messages)
            ready = [b"".join(ready[i : i + count]) for i in range(0, len(ready), count)]
        yield from map(Write, ready)
        if self._end:
            yield self._end

    def _send(self, message: Message) -> None:
        if self.ended:
            return
        self._ready.append(message.encode())
        freed = [held for held in self._held if held.until == message.kind]
        self._held = [held for held in self._held if held.until != message.kind]
        for held in freed:
            self._send(held.message)
