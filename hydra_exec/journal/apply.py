"""From a message to what it changes in the book. Pure, and idempotent: the same message again changes nothing.

Messages are taken in the order in which they come, whatever the state of the connection, and each is understood by
itself: a fill before its acknowledgement, a state that says less than is known, a correction, a repetition.
"""

from dataclasses import replace

from hydra_exec.broker.port import UNNAMED, ExecutionReport, FeeReport, Message, Notice, NoticeKind, OrderReport, Word
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

ENDS = frozenset({Word.FILLED, Word.CANCELLED, Word.REJECTED})
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
    if report.client_id not in {UNNAMED, book.client_id}:
        return None
    return book.by_order_id.get((report.generation, report.order_id))


def _order(book: Book, report: OrderReport) -> Applied:
    wire_ref = ticket_of(book, report)
    if wire_ref is None:
        return Applied(EventOutcome.UNMATCHED)
    before = book.tickets[wire_ref]
    fresh = _claim(book, wire_ref, report.perm_id)
    quantity, evidence = before.progress.quantity, _evidence(book, wire_ref, report)
    reported = quantity if evidence is Evidence.FILL_ALL else min(report.filled, quantity)
    progress = executed(before.progress, book.executed(wire_ref))
    after = replace(
        before,
        progress=told(progress, evidence, reported),
        acknowledged=wire_ref in book.by_perm_id.values(),
        reason=report.detail if report.word in {Word.REJECTED, Word.UNCLEAR} and report.detail else before.reason,
    )
    if after == before and not fresh:
        return Applied(EventOutcome.REPEATED, wire_ref)
    book.put_ticket(after)
    return Applied(EventOutcome.APPLIED, wire_ref, after, perm_id=report.perm_id if fresh else None)


def _evidence(book: Book, wire_ref: str, report: OrderReport) -> Evidence:
    """What a report says of its ticket.

    Where several orders go by its name, the end of one is not yet its own; and while some live, and some have ended, it
    is in no state that anybody can work on.
    """
    own = book.perm_ids(wire_ref)
    named = {report.perm_id} if report.perm_id > 0 else own if len(own) == 1 else set()
    if report.word is Word.WORKING:
        book.ended -= named
    if report.word in ENDS:
        book.ended |= named
    parted = report.word in ENDS or not book.ended.isdisjoint(own)
    return Evidence.UNCLEAR if parted and book.open_ends(wire_ref) else EVIDENCE[report.word]


def _execution(book: Book, report: ExecutionReport) -> Applied:
    known = book.fills.get(report.base_exec_id)
    wire_ref = ticket_of(book, report)
    if report.foreign:
        like = book.tickets[wire_ref] if wire_ref is not None else known
        if like is None:
            return _foreign(book, report)
        report = replace(report, contract=like.contract)
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


def _foreign(book: Book, report: ExecutionReport) -> Applied:
    """Somebody else's trade in something that is none of ours: kept as heard, and no more."""
    repeated = report.exec_id in book.foreign
    book.foreign.add(report.exec_id)
    return Applied(EventOutcome.REPEATED if repeated else EventOutcome.FOREIGN)


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
