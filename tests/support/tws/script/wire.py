"""Faults of the stream: what becomes of messages that the server means to send.

``message`` names a kind, None any; ``nth`` counts messages of that kind over all connections of the server's life, from
1.
"""

from dataclasses import dataclass

from ..kinds import END_OF, Ask, Out


@dataclass(frozen=True, slots=True)
class Drop:
    """The message is never sent. Of an End, the client waits until its own timeout."""

    message: Out
    nth: int = 1
    times: int = 1


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The message is sent again right after itself."""

    message: Out
    nth: int = 1
    copies: int = 1


@dataclass(frozen=True, slots=True)
class Postpone:
    """The message is sent only after the next message of kind ``until``, at the latest at the next step of the clock.

    ``Postpone(Out.EXECUTION, until=Out.COMMISSION)`` lets state and commission arrive before their execution.
    """

    message: Out
    until: Out
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Delay:
    """The message is sent when the clock has made this many steps more."""

    message: Out
    nth: int = 1
    steps: int = 1


@dataclass(frozen=True, slots=True)
class Split:
    """The stream goes out in pieces of these sizes, in turn, whatever messages they cut."""

    sizes: tuple[int, ...] = (1,)


@dataclass(frozen=True, slots=True)
class Coalesce:
    """So many messages go out in one piece; what is left over goes when nothing more is to be said."""

    messages: int = 8


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (TCP RST) at a message: before it (0 bytes), within it, or behind it (None)."""

    message: Out | None = None
    nth: int = 1
    after_bytes: int | None = 0


@dataclass(frozen=True, slots=True)
class ResetOnRequest:
    """The connection is reset when a request arrives: before the server acts on it, or after and without an answer."""

    request: Ask
    nth: int = 1
    acted: bool = False


@dataclass(frozen=True, slots=True)
class Ignore:
    """The request has no effect and no answer. Of an order: it vanishes."""

    request: Ask
    nth: int = 1


@dataclass(frozen=True, slots=True)
class Fail:
    """The request has no effect and is answered by an error.

    ``ib_async`` 2.1.0 ends the request by it, as if the answer were empty; but it takes 321 and other codes for
    warnings, which end nothing.
    """

    request: Ask
    nth: int = 1
    code: int = 322
    words: str = "Error processing request"


WireFault = Drop | Duplicate | Postpone | Delay | Split | Coalesce | Reset
RequestFault = ResetOnRequest | Ignore | Fail


def without_end(request: Ask, nth: int = 1) -> Drop:
    """The answer to a query comes without its end."""
    return Drop(END_OF[request], nth)
