"""The journal against a broker's full answer: what it settles, what differs, and whether anything may be sent. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from hydra_exec.broker.port import OrderReport, Snapshot, Word
from hydra_exec.journal.apply import ticket_of
from hydra_exec.journal.records import Book, TicketRecord
from hydra_exec.order_state import Evidence, told

ABSENCE = timedelta(seconds=10)
"""How long a ticket has to be missing from full answers: a gateway that has just started lists its orders late."""
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
class Settled:
    """What a full answer says by not listing a ticket."""

    tickets: tuple[TicketRecord, ...]
    """Those that it moves."""
    absent: Mapping[str, datetime]
    """When the question was asked that first missed one, by ticket, for the next answer."""


def settle_absent(book: Book, snapshot: Snapshot, absent: Mapping[str, datetime] | None = None) -> Settled:
    """Move the tickets that a full answer does not list; the book changes. Take its reports first.

    A ticket that the broker has acknowledged, or filled some of, and does not list among its open orders is unknown:
    that it has ended is said by a report alone. Only where it is still missing ``ABSENCE`` after the first answer that
    missed it (``absent``), with no word of it in between, does it count as absent. One that the broker never spoke of
    is known not to have arrived once a *later* connection answers: on the same one it may still be on its way.
    """
    listed = {ticket_of(book, report) for report in snapshot.open_orders}
    settled: list[TicketRecord] = []
    missing: dict[str, datetime] = {}
    for ticket in list(book.tickets.values()):
        if not ticket.live or ticket.wire_ref in listed or ticket.sent_at is None:
            continue
        arrived = ticket.acknowledged or ticket.progress.filled > 0
        unknown = told(ticket.progress, Evidence.UNCLEAR)
        if arrived and ticket.sent_at < snapshot.asked_at:
            first = (absent or {}).get(ticket.wire_ref, snapshot.asked_at) if ticket.unknown else snapshot.asked_at
            gone = snapshot.asked_at - first >= ABSENCE
            if gone:
                book.ended |= book.perm_ids(ticket.wire_ref)
            else:
                missing[ticket.wire_ref] = first
            after = replace(ticket, progress=told(unknown, Evidence.NOT_FOUND) if gone else unknown, reason=GONE)
        elif not arrived and ticket.generation < snapshot.generation:
            after = replace(ticket, progress=told(unknown, Evidence.NOT_FOUND), reason=NEVER_ARRIVED)
        else:
            continue
        if after != ticket:
            book.put_ticket(after)
            settled.append(after)
    return Settled(tuple(settled), missing)


def differences(book: Book, snapshot: Snapshot) -> dict[str, Difference]:
    """Contracts in which the journal and the broker do not agree."""
    contracts = sorted({*book.positions, *snapshot.positions})
    both = {c: Difference(book.positions.get(c, 0), snapshot.positions.get(c, 0)) for c in contracts}
    return {contract: held for contract, held in both.items() if held.journal != held.broker}


def strangers(book: Book, snapshot: Snapshot, client_id: int, managed: frozenset[str]) -> tuple[OrderReport, ...]:
    """Open orders to be cancelled: tickets that nobody works, and orders of our own client id that are no ticket.

    An order whose ticket has ended is worked by nobody, whoever manages the ticket; nor is one of several that go by
    the ticket's name.
    Orders that a person or another client placed are none of ours to cancel; they show in the positions.
    """
    found = []
    for report in snapshot.open_orders:
        if report.word not in {Word.WORKING, Word.UNCLEAR, Word.CANCELLING}:
            continue
        wire_ref = ticket_of(book, report)
        worked = wire_ref in managed and book.tickets[wire_ref].live and not book.open_ends(wire_ref)
        if report.client_id == client_id if wire_ref is None else not worked:
            found.append(report)
    return tuple(found)
