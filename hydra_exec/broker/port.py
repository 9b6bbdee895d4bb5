"""What execution asks of a broker, and what a broker says. Pure: no socket, no clock of our own.

A broker is one account. Orders are day limit orders, named by our own ``wire_ref``. Nothing is answered on the spot:
``place``, ``amend`` and ``cancel`` hand something to the wire, and what comes of it is heard by ``wait``, in the order
in which it came, whatever state the connection is in. Whether a message is new, late or said twice is not the broker's
business but the journal's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from hydra_assets.state.records import Side

UNNAMED = -1
"""In place of a client's id: the report does not say which client. 0 is a client like any other."""


class BrokerKind(StrEnum):
    """Which adapter."""

    SIMULATED = "simulated"
    IB = "ib"


class BrokerError(Exception):
    """A broker cannot be used; the message says what to do."""


class NotSentError(BrokerError):
    """An instruction has certainly not left: nothing is at the broker because of it."""


class NoAnswerError(BrokerError):
    """A question was not answered, or not to its end. That nothing was heard does not say that nothing is there."""


class Refusal(StrEnum):
    """Why an adapter does not trade on an account at all."""

    NOT_PAPER = "not_paper"
    """The account's name does not say paper and the live gate is not open for it."""
    WRONG_PORT = "wrong_port"
    """The port is not the one that the configuration expects for this mode."""
    WRONG_ACCOUNT = "wrong_account"
    """The account that was asked for is not among those of the login."""
    CLIENT_ID_IN_USE = "client_id_in_use"


class RefusedError(BrokerError):
    """The account must not be traded on; ``code`` says why."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code


class LinkState(StrEnum):
    """How far the way to the broker's own systems is open."""

    DOWN = "down"
    DEGRADED = "degraded"
    """The terminal answers and has itself lost the broker (1100): what is sent may be held or lost."""
    UP = "up"


@dataclass(frozen=True, slots=True)
class Link:
    """The connection. ``generation`` counts connections over the account's life, across processes."""

    state: LinkState
    generation: int
    live_data: bool = True
    """Whether quotes are real-time ones: delayed data means no trading."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Touch of a contract. A side that is not quoted is None; ``at`` is when it was last heard of."""

    bid: float | None
    ask: float | None
    at: datetime
    bid_size: int | None = None
    ask_size: int | None = None
    live: bool = True

    @property
    def mid(self) -> float | None:
        """Middle of the touch, None where a side is missing."""
        return None if self.bid is None or self.ask is None else 0.5 * (self.bid + self.ask)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A day limit order as it is sent. ``contract`` is our own id of the future (``HE-2026-02``)."""

    wire_ref: str
    contract: str
    side: Side
    quantity: int
    limit_price: float


class Word(StrEnum):
    """What a broker says of an order, whatever the words it uses."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNCLEAR = "unclear"
    """Words that we do not know, or that do not say whether it lives: hold, and ask."""


@dataclass(frozen=True, slots=True)
class OrderReport:
    """The state of an order. Where ``wire_ref`` is empty the report did not name it; other ids of 0 were not given.

    ``order_id`` names an order only together with the connection (``generation``) and client that it was sent on.
    """

    word: Word
    filled: int
    at: datetime
    wire_ref: str = ""
    perm_id: int = 0
    order_id: int = 0
    client_id: int = UNNAMED
    generation: int = 0
    contract: str = ""
    side: Side | None = None
    quantity: int = 0
    limit_price: float | None = None
    account: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """A revision of a fill. ``base_exec_id`` is shared by all of them; a quantity of 0 takes the fill back."""

    exec_id: str
    base_exec_id: str
    revision: int
    contract: str
    side: Side
    quantity: int
    price: float
    executed_at: datetime
    perm_id: int
    wire_ref: str = ""
    order_id: int = 0
    client_id: int = UNNAMED
    generation: int = 0
    account: str = ""
    foreign: bool = False
    """Whether it is of a contract that is none of ours."""


@dataclass(frozen=True, slots=True)
class FeeReport:
    """What a fill cost; it may come before the fill does."""

    exec_id: str
    fee: float
    currency: str
    generation: int = 0


class NoticeKind(StrEnum):
    """What a message that is no report means for us."""

    INFORMATION = "information"
    UNKNOWN_CODE = "unknown_code"
    """A code that our table does not have: hold what it is about, and ask."""
    LINK_LOST = "link_lost"
    LINK_RESTORED = "link_restored"
    LINK_RESTORED_DATA_LOST = "link_restored_data_lost"
    NO_LIVE_DATA = "no_live_data"
    PACING = "pacing"
    DUPLICATE_ORDER_ID = "duplicate_order_id"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message about the connection or an account, or one about an order that leaves it as it is."""

    kind: NoticeKind
    code: int
    text: str
    at: datetime
    wire_ref: str = ""
    order_id: int = 0
    generation: int = 0


Message = OrderReport | ExecutionReport | FeeReport | Notice


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A full answer: every question was asked after ``asked_at`` and answered to its end on one connection.

    ``executions`` are those of the day, by every client of the account; ``ended`` are orders that the broker still
    remembers and that no longer live. ``foreign`` are positions in what is none of our contracts, by the broker's name.
    """

    account: str
    generation: int
    asked_at: datetime
    taken_at: datetime
    positions: Mapping[str, int]
    open_orders: tuple[OrderReport, ...]
    executions: tuple[ExecutionReport, ...]
    ended: tuple[OrderReport, ...] = ()
    fees: tuple[FeeReport, ...] = ()
    foreign: Mapping[str, int] = field(default_factory=dict)
    net_liquidation: float | None = None


class Broker(Protocol):
    """One account at one broker. Only the risk gate holds one."""

    @property
    def kind(self) -> BrokerKind:
        """Which adapter."""
        ...

    @property
    def account(self) -> str:
        """The account's name at the broker."""
        ...

    def now(self) -> datetime:
        """The instant that it is, by the clock that the broker lives on (UTC)."""
        ...

    def connect(self) -> Link:
        """Open a connection, or keep the one there is; BrokerError with a sentence where that cannot be done."""
        ...

    def close(self) -> None:
        """Let go of the connection. Orders stay as they are."""
        ...

    def link(self) -> Link:
        """How the connection stands; asks nobody."""
        ...

    def snapshot(self) -> Snapshot:
        """Ask for everything; NoAnswerError where any part was not answered to its end."""
        ...

    def place(self, ticket: Ticket) -> int:
        """Hand a new order to the wire; gives the id that reports may name it by on this connection.

        NotSentError where it has certainly not left; any other exception leaves that open.
        """
        ...

    def amend(self, ticket: Ticket) -> None:
        """Hand another limit for a ticket of this connection to the wire; NotSentError as in ``place``."""
        ...

    def cancel(self, report: OrderReport) -> None:
        """Ask for the end of an order, as the broker last reported it; NotSentError as in ``place``."""
        ...

    def quote(self, contract: str) -> Quote | None:
        """The touch as last heard, None where nothing has been; begins to listen where nobody did."""
        ...

    def wait(self, seconds: float) -> Sequence[Message]:
        """Let time pass, no longer than this and no longer than until something is heard; what was heard, in order."""
        ...


class Sessions(Protocol):
    """What a broker in virtual time offers besides ``port.Broker``."""

    @property
    def session(self) -> date | None:
        """The session that it is in, None before the first."""
        ...

    @property
    def finished(self) -> bool:
        """Whether nothing more can happen in it."""
        ...

    def begin(self, session: date) -> None:
        """Go to the opening of a session; nothing where it is in it. BrokerError where it is in a later one."""
        ...
