"""The journal against a broker's full answer: what it settles, what differs, and whether anything may be sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from hydra_exec.broker.port import OrderReport, Snapshot, Word
from hydra_exec.journal.apply import ticket_of
from hydra_exec.journal.records import Book, TicketRecord
from hydra_exec.order_state import Evidence, told

GONE = "not among the broker's open orders"
NEVER_ARRIVED = "the broker's full answer on a later connection does not know it"


class ReconcileCode(StrEnum):
    """How the journal and the broker compare."""

    AGREED = "agreed"
    ADJUSTED = "adjusted"
    """They agree since the journal took over what the broker holds and no execution told of."""
    DIFFERENT = "different"
    """The broker holds something else than the journal's fills add up to; nothing that adds risk is sent."""
    NO_ANSWER = "no_answer"
    """The broker has not answered in full: nothing is known, and nothing is sent."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Contracts of one future: what the journal's fills add up to, and the broker's word."""

    journal: int
    broker: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a full answer says beside its reports."""

    settled: tuple[TicketRecord, ...]
    """Tickets that it ends by not knowing them."""
    strangers: tuple[OrderReport, ...]
    """Open orders that are no ticket of ours, or tickets that nobody works any more."""
    differences: Mapping[str, Difference] = field(default_factory=dict)


def settle_absent(book: Book, snapshot: Snapshot) -> tuple[TicketRecord, ...]:
    """End the tickets that a full answer shows to have ended; the book changes. Take its reports first.

    A ticket that the broker has acknowledged, or filled some of, and does not list among its open orders has ended. One
    that it never spoke of is only known not to have arrived once a *later* connection answers: on the same one it may
    still be on its way.
    """
    listed = {ticket_of(book, report) for report in snapshot.open_orders}
    settled = []
    for ticket in list(book.tickets.values()):
        if not ticket.live or ticket.wire_ref in listed or ticket.sent_at is None:
            continue
        arrived = ticket.acknowledged or ticket.progress.filled > 0
        if arrived and ticket.sent_at < snapshot.asked_at:
            after = replace(ticket, progress=told(ticket.progress, Evidence.CANCELLED), reason=GONE)
        elif not arrived and ticket.generation < snapshot.generation:
            after = replace(ticket, progress=told(ticket.progress, Evidence.UNCLEAR))
            after = replace(after, progress=told(after.progress, Evidence.NOT_FOUND), reason=NEVER_ARRIVED)
        else:
            continue
        book.put_ticket(after)
        settled.append(after)
    return tuple(settled)


def differences(book: Book, snapshot: Snapshot) -> dict[str, Difference]:
    """Contracts in which the journal and the broker do not agree."""
    contracts = sorted({*book.positions, *snapshot.positions})
    both = {c: Difference(book.positions.get(c, 0), snapshot.positions.get(c, 0)) for c in contracts}
    return {contract: held for contract, held in both.items() if held.journal != held.broker}


def strangers(book: Book, snapshot: Snapshot, client_id: int, managed: frozenset[str]) -> tuple[OrderReport, ...]:
    """Open orders to be cancelled: tickets that nobody works, and orders of our own client id that are no ticket.

    Orders that a person or another client placed are none of ours to cancel; they show in the positions.
    """
    found = []
    for report in snapshot.open_orders:
        if report.word not in {Word.WORKING, Word.UNCLEAR, Word.CANCELLING}:
            continue
        wire_ref = ticket_of(book, report)
        if (wire_ref is None and report.client_id == client_id) or (wire_ref is not None and wire_ref not in managed):
            found.append(report)
    return tuple(found)
