"""Faults of connections and of the broker's day.

``connection`` counts connections that reached startApi, from 1. ``At`` plays an event when the clock reaches a step.
"""

from dataclasses import dataclass
from enum import StrEnum

from ..records import Side


class Flow(StrEnum):
    """What becomes of something while TWS has lost its server."""

    LIVE = "live"
    """Nothing: it goes through."""
    HELD = "held"
    """It comes when the connection is back."""
    LOST = "lost"
    """It never comes."""


@dataclass(frozen=True, slots=True)
class ClientIdInUse:
    """Error 326, then the server closes: a ghost of an earlier session holds the client id."""

    connection: int = 1


@dataclass(frozen=True, slots=True)
class NextIdRegress:
    """nextValidId goes back to ``to``. With ``forget`` the server takes used ids anew, else it answers 103."""

    connection: int = 2
    to: int = 1
    forget: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Code 1100: TWS has lost its server. What the broker knows goes on changing."""

    events: Flow = Flow.LOST
    orders: Flow = Flow.LOST


@dataclass(frozen=True, slots=True)
class Restored:
    """Code 1101 (subscriptions are gone) or 1102 (they are kept)."""

    data_lost: bool = False


@dataclass(frozen=True, slots=True)
class Outage:
    """Every connection is reset and new ones are refused for so many steps: a restart, a dead name server."""

    steps: int = 1


@dataclass(frozen=True, slots=True)
class HangUp:
    """The server closes every connection, in order."""


@dataclass(frozen=True, slots=True)
class Say:
    """A code that belongs to no request, such as 2104, 2110 or one that nobody knows."""

    code: int
    words: str = ""


@dataclass(frozen=True, slots=True)
class External:
    """A trade by hand, outside of every client: a position that opens or closes without an order of ours."""

    con_id: int
    side: Side
    quantity: int
    price: float


@dataclass(frozen=True, slots=True)
class EndDay:
    """Day orders end."""


class Rights(StrEnum):
    """What market data the login may see."""

    LIVE = "live"
    DELAYED = "delayed"
    """Asked for live data: error 354. Asked for delayed: notice 10167 and delayed ticks."""
    NONE = "none"
    """Error 354."""
    COMPETING = "competing"
    """Another session of the same user has the data: error 10197, also on subscriptions that run."""


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights change."""

    rights: Rights


Event = Lost | Restored | Outage | HangUp | Say | External | EndDay | Grant


@dataclass(frozen=True, slots=True)
class At:
    """An event at a step of the clock."""

    step: int
    event: Event


SessionFault = ClientIdInUse | NextIdRegress | At


def nightly_restart(step: int, down: int = 2) -> tuple[At, ...]:
    """Day orders end and the server is gone for ``down`` steps."""
    return (At(step, EndDay()), At(step, Outage(down)))


def lost_and_restored(step: int, back: int, lost: Lost | None = None, *, data_lost: bool = False) -> tuple[At, ...]:
    """1100 at one step, 1101 or 1102 at a later one."""
    return (At(step, lost or Lost()), At(back, Restored(data_lost)))
