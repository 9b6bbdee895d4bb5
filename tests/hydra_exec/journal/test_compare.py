"""A full answer against several tickets at once: one that it says nothing of hides no other."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from hydra_assets.state.records import Side
from hydra_exec.broker.port import OrderReport, Snapshot, Word
from hydra_exec.journal.apply import apply
from hydra_exec.journal.compare import GONE, NEVER_ARRIVED, settle_absent, strangers
from hydra_exec.journal.records import Book, TicketRecord
from hydra_exec.order_state import Progress, TicketState
from tests.support.journal_scene import APRIL, AT, broken, later, says


def ticket(ref: str, order_id: int, state: TicketState = TicketState.SENT) -> TicketRecord:
    progress = Progress(3, state)
    return TicketRecord(ref, "o", 0, "HE", APRIL, Side.BUY, 82.5, progress, sent_at=AT, generation=1, order_id=order_id)


def book_of(*tickets: TicketRecord) -> Book:
    book = Book(client_id=71)
    for each in tickets:
        book.put_ticket(each)
    return book


def answer(generation: int, *open_orders: OrderReport) -> Snapshot:
    return Snapshot("DU1", generation, later(4), later(5), {}, open_orders, ())


def test_tickets_that_stay_hide_none_that_has_ended() -> None:
    ended, arriving = ticket("ended", 1, TicketState.CANCELLED), replace(ticket("arriving", 2), generation=2)
    planned = replace(ticket("planned", 0), sent_at=None)
    book = book_of(ended, arriving, planned, ticket("lost", 4), ticket("open", 5), ticket("gone", 6))
    apply(book, says(Word.WORKING, perm_id=9006, order_id=6))
    found = settle_absent(book, answer(2, says(Word.WORKING, perm_id=0, order_id=5))).tickets
    assert [(each.wire_ref, each.progress.state, each.reason) for each in found] == [
        ("lost", TicketState.ABSENT, NEVER_ARRIVED),
        ("gone", TicketState.UNKNOWN, GONE),
    ]
    assert [book.tickets[each.wire_ref] for each in found] == list(found)


def test_a_ticket_that_a_state_said_is_filled_in_part_has_arrived() -> None:
    book = book_of(ticket("t", 7))
    apply(book, says(Word.WORKING, 1, perm_id=0))
    (found,) = settle_absent(book, answer(1)).tickets
    assert (found.progress, found.reason) == (Progress(3, TicketState.UNKNOWN, 0, 1), GONE)


def test_only_a_ticket_that_stays_away_is_absent_and_one_that_is_seen_again_begins_anew() -> None:
    book = book_of(ticket("t", 7))
    apply(book, says(Word.WORKING))
    asked = answer(1).asked_at

    def after(seconds: float, *open_orders: OrderReport) -> tuple[list[TicketState], Mapping[str, datetime]]:
        at = asked + timedelta(seconds=seconds)
        found = settle_absent(book, replace(answer(1, *open_orders), asked_at=at), absent)
        return [each.progress.state for each in found.tickets], found.absent

    absent: Mapping[str, datetime] = {}
    moved, absent = after(0)
    assert (moved, absent) == ([TicketState.UNKNOWN], {"t": asked})
    moved, absent = after(9.9)
    assert (moved, absent) == ([], {"t": asked})
    apply(book, says(Word.WORKING))
    moved, absent = after(10, says(Word.WORKING))
    assert (moved, absent, book.tickets["t"].progress.state) == ([], {}, TicketState.WORKING)
    moved, absent = after(20)
    assert (moved, absent) == ([TicketState.UNKNOWN], {"t": asked + timedelta(seconds=20)})
    apply(book, says(Word.WORKING))
    moved, absent = after(40)
    assert (moved, absent) == ([TicketState.UNKNOWN], {"t": asked + timedelta(seconds=40)}), "it was heard of meanwhile"
    moved, absent = after(50)
    assert (moved, absent) == ([TicketState.ABSENT], {})
    apply(book, says(Word.WORKING))
    assert book.tickets["t"].progress.state is TicketState.WORKING


def test_a_ticket_that_works_without_a_permanent_id_is_asked_for_on_a_later_connection() -> None:
    book = book_of(ticket("t", 7))
    apply(book, says(Word.WORKING, perm_id=0))
    assert settle_absent(book, answer(1)).tickets == ()
    (found,) = settle_absent(book, answer(2)).tickets
    assert (found.progress.state, found.reason) == (TicketState.ABSENT, NEVER_ARRIVED)


def test_an_order_that_has_ended_hides_no_stranger() -> None:
    ended = says(Word.CANCELLED, perm_id=1, order_id=1, client_id=71)
    ours = [
        says(word, perm_id=n, order_id=n, client_id=71)
        for n, word in enumerate((Word.WORKING, Word.UNCLEAR, Word.CANCELLING), 2)
    ]
    others = says(Word.WORKING, perm_id=5, order_id=7, client_id=12)
    book = book_of(ticket("t", 7))
    assert strangers(book, answer(1, ended, *ours, others), 71, frozenset({"t"})) == tuple(ours)


def test_a_second_break_moves_nothing() -> None:
    book = book_of(ticket("t", 7), ticket("u", 8, TicketState.FILLED))
    assert [each.wire_ref for each in apply(book, broken()).more] == ["t"]
    assert apply(book, broken()).more == ()
