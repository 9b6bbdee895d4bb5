"""From a message to what it changes in the book. Pure, and idempotent: the same message again changes nothing.

Messages are taken in the order in which they come, whatever the state of the connection, and each is understood by
itself: a fill before its acknowledgement, a state that says less than is known, a correction, a repetition.
"""

from dataclasses import replace

from hydra_exec.broker.port import ExecutionReport, FeeReport, Message, Notice, NoticeKind, OrderReport, Word
from hydra_exec.journal.records import Applied, Book, EventOutcome, FillLine, TicketRecord
from hydra_exec.order_state import Evidence, executed, told

EVIDENCE: dict[Word, Evidence] = {
    Word.WORKING: Evidence.ACCEPTED,
    Word.FILLED: Evidence.FILL_ALL,
    Word.CANCELLING: Evidence.CANCEL_ASKED,
    Word.CANCELLED: Evidence.CANCELLED,
    Word.REJECTED: Evidence.REJECTED,
    Word.UNCLEAR: Evidence.UNCLEAR,
}
"""What each word of a broker is evidence of."""

BREAKS = frozenset({NoticeKind.DISCONNECTED, NoticeKind.LINK_LOST})
"""Notices after which nobody can say what becomes of what was sent."""


def apply(book: Book, message: Message) -> Applied:
    """Apply a message to the book, which changes; what has to be written down."""
    match message:
        case OrderReport():
            return _order(book, message)
        case ExecutionReport():
            return _execution(book, message)
        case FeeReport():
            return Applied(EventOutcome.NOTED)
        case _:
            return _notice(book, message)


def ticket_of(book: Book, report: OrderReport | ExecutionReport) -> str | None:
    """Whose a report is: by our own name, then by permanent id, then by our client's id of it on its connection."""
    if report.wire_ref:
        return report.wire_ref if report.wire_ref in book.tickets else None
    if report.perm_id in book.by_perm_id:
        return book.by_perm_id[report.perm_id]
    if report.client_id not in {0, book.client_id}:
        return None
    return book.by_order_id.get((report.generation, report.order_id))


def _order(book: Book, report: OrderReport) -> Applied:
    wire_ref = ticket_of(book, report)
    if wire_ref is None:
        return Applied(EventOutcome.UNMATCHED)
    before = book.tickets[wire_ref]
    fresh = _claim(book, wire_ref, report.perm_id)
    quantity = before.progress.quantity
    reported = quantity if report.word is Word.FILLED else min(report.filled, quantity)
    progress = executed(before.progress, book.executed(wire_ref))
    after = replace(
        before,
        progress=told(progress, EVIDENCE[report.word], reported),
        acknowledged=wire_ref in book.by_perm_id.values(),
        reason=report.detail if report.word in {Word.REJECTED, Word.UNCLEAR} and report.detail else before.reason,
    )
    if after == before and not fresh:
        return Applied(EventOutcome.REPEATED, wire_ref)
    book.put_ticket(after)
    return Applied(EventOutcome.APPLIED, wire_ref, after, perm_id=report.perm_id if fresh else None)


def _execution(book: Book, report: ExecutionReport) -> Applied:
    known = book.fills.get(report.base_exec_id)
    wire_ref = ticket_of(book, report)
    if known is not None and report.revision <= known.revision:
        if wire_ref is not None and _claim(book, wire_ref, report.perm_id):
            return Applied(EventOutcome.APPLIED, wire_ref, _recount(book, wire_ref), perm_id=report.perm_id)
        same = report.exec_id == known.exec_id
        return Applied(EventOutcome.REPEATED if same else EventOutcome.SUPERSEDED, wire_ref)
    fill = FillLine(
        base_exec_id=report.base_exec_id,
        revision=report.revision,
        exec_id=report.exec_id,
        contract=report.contract,
        side=report.side,
        quantity=report.quantity,
        price=report.price,
        executed_at=report.executed_at,
        perm_id=report.perm_id,
        wire_ref=wire_ref or (known.wire_ref if known else None),
    )
    book.put_fill(fill)
    if fill.wire_ref is None:
        return Applied(EventOutcome.UNMATCHED, fill=fill)
    fresh = _claim(book, fill.wire_ref, report.perm_id)
    after = _recount(book, fill.wire_ref)
    return Applied(EventOutcome.APPLIED, fill.wire_ref, after, fill, report.perm_id if fresh else None)


def _claim(book: Book, wire_ref: str, perm_id: int) -> bool:
    """Give a ticket a permanent id, and with it the fills that came before anybody knew whose they were."""
    if perm_id <= 0 or perm_id in book.by_perm_id:
        return False
    book.by_perm_id[perm_id] = wire_ref
    for fill in [fill for fill in book.fills.values() if fill.wire_ref is None and fill.perm_id == perm_id]:
        book.put_fill(replace(fill, wire_ref=wire_ref), counted=True)
    return True


def _recount(book: Book, wire_ref: str) -> TicketRecord:
    """A ticket by what its executions add up to; one that has a permanent id is acknowledged, whatever told of it."""
    before = book.tickets[wire_ref]
    after = replace(
        before,
        progress=executed(before.progress, book.executed(wire_ref)),
        acknowledged=wire_ref in book.by_perm_id.values(),
    )
    book.put_ticket(after)
    return after


def _notice(book: Book, notice: Notice) -> Applied:
    """A break leaves every ticket on the way, or at work, in a state that only the broker's answer ends."""
    if notice.kind not in BREAKS:
        return Applied(EventOutcome.NOTED)
    moved = []
    for ticket in list(book.tickets.values()):
        after = replace(ticket, progress=told(ticket.progress, Evidence.UNCLEAR))
        if ticket.live and after != ticket:
            book.put_ticket(after)
            moved.append(after)
    return Applied(EventOutcome.NOTED, more=tuple(moved))
