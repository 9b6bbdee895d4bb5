"""What the journal knows of an order, a ticket and a fill, as frozen records. Pure."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from hydra_assets.state.records import OrderStatus, Side
from hydra_exec.order_state import LIVE, Progress, TicketState


class Algo(StrEnum):
    """How an order is worked."""

    PATIENCE = "patience"
    TWAP = "twap"
    AT_ONCE = "at_once"
    """Across the spread from the start, and not beyond the worst price: for what has to be left."""


class EventOutcome(StrEnum):
    """What became of a message."""

    APPLIED = "applied"
    REPEATED = "repeated"
    """It says nothing that was not known."""
    SUPERSEDED = "superseded"
    """A later revision of the fill is known."""
    UNMATCHED = "unmatched"
    """It is of no ticket that is known; a fill counts in the position all the same."""
    FOREIGN = "foreign"
    """A fill of a contract that is none of ours, and of no ticket: it counts nowhere."""
    NOTED = "noted"
    """It is about no order."""


class FillKind(StrEnum):
    """Where a line of the fills comes from."""

    FILL = "fill"
    ADJUSTMENT = "adjustment"
    """The broker holds something that no execution told of; the line makes the journal agree with its word."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was decided at a cutoff. ``reference_price`` is the settle then, ``limit_price`` the worst price."""

    order_ref: str
    account: str
    market: str
    contract: str
    side: Side
    quantity: int
    session: date
    work_session: date
    reference_price: float
    limit_price: float
    motive: str
    gate_code: str
    algo: Algo = Algo.PATIENCE
    status: OrderStatus = OrderStatus.CREATED
    reason: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class TicketRecord:
    """A ticket with its progress. ``generation`` and ``order_id`` name it on the connection that it was sent on."""

    wire_ref: str
    order_ref: str
    part: int
    market: str
    contract: str
    side: Side
    limit_price: float
    progress: Progress
    sent_at: datetime | None = None
    generation: int = 0
    order_id: int = 0
    acknowledged: bool = False
    """Whether the broker has given it a permanent id."""
    reason: str = ""
    mid_at_send: float | None = None
    """Middle of the quote that it was sent on."""
    priced_at: datetime | None = None
    """When its limit was last handed over; not kept, since a process that starts again works no older ticket."""

    @property
    def live(self) -> bool:
        """Whether it may fill."""
        return self.progress.state in LIVE

    @property
    def unknown(self) -> bool:
        """Whether nobody can say what became of it."""
        return self.progress.state is TicketState.UNKNOWN


@dataclass(frozen=True, slots=True)
class FillLine:
    """The last revision of a fill, as it counts."""

    base_exec_id: str
    revision: int
    exec_id: str
    contract: str
    side: Side
    quantity: int
    price: float
    executed_at: datetime
    perm_id: int
    wire_ref: str | None
    kind: FillKind = FillKind.FILL

    @property
    def signed(self) -> int:
        """Contracts, bought positive."""
        return self.side.sign * self.quantity


@dataclass(slots=True)
class Book:
    """Everything that messages are applied to, in memory: the projection of the database that the journal keeps."""

    tickets: dict[str, TicketRecord] = field(default_factory=dict)
    by_perm_id: dict[int, str] = field(default_factory=dict)
    by_order_id: dict[tuple[int, int], str] = field(default_factory=dict)
    fills: dict[str, FillLine] = field(default_factory=dict)
    """By base id; those of the tickets that are held, and those that are nobody's."""
    of_ticket: dict[str, set[str]] = field(default_factory=dict)
    """Base ids by ticket."""
    positions: dict[str, int] = field(default_factory=dict)
    client_id: int = 0
    """Whose order ids those are: another client's name other orders."""
    ended: set[int] = field(default_factory=set)
    """Permanent ids whose orders have ended by the broker's word. Not kept: full answers tell it anew."""
    foreign: set[str] = field(default_factory=set)
    """Executions in contracts that are none of ours, as far as they were heard."""

    def put_ticket(self, ticket: TicketRecord) -> None:
        """Keep a ticket, findable by its id on its connection."""
        self.tickets[ticket.wire_ref] = ticket
        if ticket.order_id:
            self.by_order_id[ticket.generation, ticket.order_id] = ticket.wire_ref

    def put_fill(self, fill: FillLine, *, counted: bool = False) -> None:
        """Keep a revision in place of the one before; ``counted`` where the positions have it already."""
        before = self.fills.get(fill.base_exec_id)
        self.fills[fill.base_exec_id] = fill
        if fill.wire_ref:
            self.of_ticket.setdefault(fill.wire_ref, set()).add(fill.base_exec_id)
        if counted:
            return
        held = self.positions.get(fill.contract, 0) + fill.signed
        if before is not None and before.contract == fill.contract:
            held -= before.signed
        elif before is not None:
            self._add(before.contract, -before.signed)
        self._set(fill.contract, held)

    def perm_ids(self, wire_ref: str) -> set[int]:
        """Permanent ids of a ticket: an amendment may have made a second order of it."""
        return {perm_id for perm_id, ref in self.by_perm_id.items() if ref == wire_ref}

    def open_ends(self, wire_ref: str) -> bool:
        """Whether several orders go by a ticket's name, and the end of one of them was not heard."""
        own = self.perm_ids(wire_ref)
        return len(own) > 1 and not own <= self.ended

    def adjusted(self, contract: str) -> bool:
        """Whether the broker's word was taken over in a contract, for something that nobody had told."""
        return any(fill.kind is FillKind.ADJUSTMENT and fill.contract == contract for fill in self.fills.values())

    def executed(self, wire_ref: str) -> int:
        """Contracts that the executions of a ticket add up to."""
        return sum(self.fills[base].quantity for base in self.of_ticket.get(wire_ref, ()))

    def _add(self, contract: str, change: int) -> None:
        self._set(contract, self.positions.get(contract, 0) + change)

    def _set(self, contract: str, held: int) -> None:
        if held:
            self.positions[contract] = held
        else:
            self.positions.pop(contract, None)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a message changed. ``ticket`` and ``fill`` are the new records, None where there is none."""

    outcome: EventOutcome
    wire_ref: str | None = None
    ticket: TicketRecord | None = None
    fill: FillLine | None = None
    perm_id: int | None = None
    """A permanent id that is the ticket's from now on."""
    more: tuple[TicketRecord, ...] = ()
    """Other tickets that the same message moved."""
