"""Messages against a book: each recorded way in which reports come late, twice, out of order or corrected."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.port import (
    UNNAMED,
    ExecutionReport,
    FeeReport,
    Notice,
    NoticeKind,
    OrderReport,
    Snapshot,
    Word,
)
from hydra_exec.journal.apply import apply
from hydra_exec.journal.compare import ABSENCE, GONE, NEVER_ARRIVED, Difference, differences, settle_absent, strangers
from hydra_exec.journal.names import order_ref, wire_ref
from hydra_exec.journal.records import Applied, Book, EventOutcome, TicketRecord
from hydra_exec.order_state import Evidence, Progress, TicketState, told

AT = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
LATER = datetime(2026, 1, 6, 15, 5, tzinfo=UTC)
CONTRACT = "HE-2026-02"
ORDER = order_ref("HE", date(2026, 1, 5), CONTRACT)
REF = wire_ref("home", ORDER, 0)


def book_with(quantity: int = 3, state: TicketState = TicketState.SENT) -> Book:
    book = Book()
    sent = told(Progress(quantity), Evidence.SENDING)
    book.put_ticket(
        TicketRecord(
            REF,
            ORDER,
            0,
            "HE",
            CONTRACT,
            Side.BUY,
            82.5,
            replace(sent, state=state),
            sent_at=AT,
            generation=1,
            order_id=7,
        )
    )
    return book


def says(word: Word, filled: int = 0, **more: object) -> OrderReport:
    fields: dict[str, object] = {"perm_id": 9001, "order_id": 7, "generation": 1}
    return OrderReport(word, filled, AT, **{**fields, **more})  # type: ignore[arg-type]


def fills(n: int, base: str = "a", revision: int = 1, **more: object) -> ExecutionReport:
    fields: dict[str, object] = {"perm_id": 9001, "order_id": 7, "generation": 1}
    return ExecutionReport(
        f"{base}.{revision:02d}",
        base,
        revision,
        CONTRACT,
        Side.BUY,
        n,
        82.5,
        AT,
        **{**fields, **more},  # type: ignore[arg-type]
    )


def state(book: Book) -> TicketState:
    return book.tickets[REF].progress.state


def test_a_fill_before_its_acknowledgement_counts_and_the_acknowledgement_takes_nothing_back() -> None:
    book = book_with()
    assert apply(book, fills(1)).outcome is EventOutcome.APPLIED
    assert (state(book), book.positions) == (TicketState.PARTIALLY_FILLED, {CONTRACT: 1})
    apply(book, says(Word.WORKING))
    assert (state(book), book.tickets[REF].progress.filled) == (TicketState.PARTIALLY_FILLED, 1)


def test_the_same_execution_again_changes_nothing() -> None:
    book = book_with()
    apply(book, fills(1))
    assert apply(book, fills(1)).outcome is EventOutcome.REPEATED
    assert (book.positions, book.tickets[REF].progress.executed) == ({CONTRACT: 1}, 1)


def test_a_correction_supersedes_and_the_first_revision_after_it_is_too_late() -> None:
    book = book_with()
    apply(book, fills(2))
    apply(book, fills(1, revision=2))
    assert apply(book, fills(2)).outcome is EventOutcome.SUPERSEDED
    assert (book.positions, book.tickets[REF].progress.filled) == ({CONTRACT: 1}, 1)


def test_a_fill_that_is_taken_back_leaves_no_position() -> None:
    book = book_with(1)
    apply(book, fills(1))
    apply(book, says(Word.FILLED, 1))
    apply(book, fills(0, revision=2))
    assert book.positions == {}
    assert (book.tickets[REF].progress.executed, book.tickets[REF].progress.filled) == (0, 0)


def test_a_late_state_takes_no_fill_back() -> None:
    book = book_with()
    apply(book, says(Word.WORKING, 2))
    apply(book, says(Word.WORKING, 0))
    assert (book.tickets[REF].progress.filled, book.tickets[REF].progress.unexplained) == (2, 2)


def test_a_cancelled_ticket_fills_when_the_fill_was_on_its_way() -> None:
    book = book_with(1)
    apply(book, says(Word.CANCELLED))
    assert state(book) is TicketState.CANCELLED
    apply(book, fills(1))
    assert (state(book), book.positions) == (TicketState.FILLED, {CONTRACT: 1})


def test_the_same_order_id_of_another_connection_is_another_order() -> None:
    book = book_with()
    found = apply(book, fills(1, generation=2, perm_id=9002))
    assert (found.outcome, found.wire_ref) == (EventOutcome.UNMATCHED, None)
    assert book.tickets[REF].progress.filled == 0
    assert book.positions == {CONTRACT: 1}, "what the account holds counts, whoever ordered it"


def test_a_fill_finds_its_ticket_when_its_permanent_id_is_heard_of() -> None:
    book = book_with()
    apply(book, fills(2, order_id=0))
    assert book.fills["a"].wire_ref is None
    found = apply(book, says(Word.WORKING))
    assert (found.perm_id, book.fills["a"].wire_ref) == (9001, REF)
    assert book.tickets[REF].progress.executed == 2
    assert book.positions == {CONTRACT: 2}, "counted once"


def test_two_permanent_ids_of_one_ticket_are_both_its_own() -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    apply(book, says(Word.WORKING, perm_id=9002))
    apply(book, fills(1, base="x", order_id=0))
    apply(book, fills(1, base="y", order_id=0, perm_id=9002))
    assert book.by_perm_id == {9001: REF, 9002: REF}
    assert book.tickets[REF].progress.executed == 2


@pytest.mark.parametrize("kind", [NoticeKind.DISCONNECTED, NoticeKind.LINK_LOST])
@pytest.mark.parametrize("before", [TicketState.SENT, TicketState.WORKING, TicketState.PENDING_CANCEL])
def test_a_break_makes_what_was_sent_unknown_and_says_so(kind: NoticeKind, before: TicketState) -> None:
    book = book_with(state=before)
    found = apply(book, Notice(kind, 1100, "", AT))
    assert (state(book), [t.wire_ref for t in found.more]) == (TicketState.UNKNOWN, [REF])


def test_a_break_leaves_what_has_ended() -> None:
    book = book_with(state=TicketState.CANCELLED)
    assert apply(book, Notice(NoticeKind.DISCONNECTED, 0, "", AT)).more == ()
    assert apply(book, FeeReport("a.01", 2.5, "USD")).outcome is EventOutcome.NOTED


def answer(generation: int, open_orders: tuple[OrderReport, ...] = (), **positions: int) -> Snapshot:
    held = {name.replace("_", "-"): n for name, n in positions.items()}
    return Snapshot("DU1", generation, LATER, LATER, held, open_orders, ())


def test_what_never_arrived_is_known_only_on_a_later_connection() -> None:
    book = book_with(state=TicketState.UNKNOWN)
    assert settle_absent(book, answer(1)).tickets == ()
    (settled,) = settle_absent(book, answer(2)).tickets
    assert (settled.progress.state, settled.reason) == (TicketState.ABSENT, NEVER_ARRIVED)


def test_what_was_acknowledged_and_is_not_open_is_unknown_and_then_absent() -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    apply(book, fills(1))
    first = settle_absent(book, answer(1))
    assert [(t.progress.state, t.progress.filled, t.reason) for t in first.tickets] == [(TicketState.UNKNOWN, 1, GONE)]
    second = settle_absent(book, replace(answer(1), asked_at=LATER + ABSENCE), first.absent)
    assert [(t.progress.state, t.progress.filled) for t in second.tickets] == [(TicketState.ABSENT, 1)]


def test_what_was_sent_after_the_question_is_not_settled_by_its_answer() -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    book.put_ticket(replace(book.tickets[REF], sent_at=LATER))
    assert settle_absent(book, answer(1)).tickets == ()


def test_an_open_order_of_the_answer_stays() -> None:
    book = book_with(state=TicketState.UNKNOWN)
    assert settle_absent(book, answer(2, (says(Word.WORKING, wire_ref=REF),))).tickets == ()


def test_differences_name_both_sides() -> None:
    book = book_with()
    apply(book, fills(2))
    assert differences(book, answer(1, HE_2026_02=2)) == {}
    found = differences(book, answer(1, HE_2026_04=-1))
    assert found == {CONTRACT: Difference(2, 0), "HE-2026-04": Difference(0, -1)}


def test_strangers_are_our_clients_unknown_orders_and_tickets_that_nobody_works() -> None:
    book = book_with(state=TicketState.UNKNOWN)
    own = says(Word.WORKING, wire_ref=REF, client_id=71)
    ours = says(Word.WORKING, wire_ref="?", perm_id=1, order_id=1, client_id=71)
    persons = says(Word.WORKING, wire_ref="", perm_id=2, order_id=0, client_id=0)
    ended = says(Word.FILLED, wire_ref="?", perm_id=3, order_id=3, client_id=71)
    snapshot = answer(2, (own, ours, persons, ended))
    assert strangers(book, snapshot, 71, frozenset()) == (own, ours)
    assert strangers(book, snapshot, 71, frozenset({REF})) == (ours,)


@pytest.mark.parametrize("ended", [TicketState.CANCELLED, TicketState.FILLED, TicketState.WITHDRAWN])
def test_an_open_order_of_a_ticket_that_has_ended_is_a_stranger_whoever_manages_it(ended: TicketState) -> None:
    book = book_with(state=ended)
    own = says(Word.WORKING, wire_ref=REF, client_id=71)
    assert strangers(book, answer(2, (own,)), 71, frozenset({REF})) == (own,)


def test_several_orders_of_one_ticket_are_strangers_whoever_manages_it() -> None:
    book = book_with()
    both = [says(Word.WORKING, perm_id=perm_id, client_id=0) for perm_id in (9001, 9002)]
    for each in both:
        apply(book, each)
    assert strangers(book, answer(1, tuple(both)), 0, frozenset({REF})) == tuple(both)


def test_filled_is_all_of_it_whatever_number_it_comes_with() -> None:
    book = book_with()
    apply(book, says(Word.FILLED))
    assert book.tickets[REF].progress == Progress(3, TicketState.FILLED, 0, 3)


def test_no_state_says_more_than_was_ordered() -> None:
    book = book_with()
    apply(book, says(Word.WORKING, 9))
    assert book.tickets[REF].progress == Progress(3, TicketState.FILLED, 0, 3)


def test_the_reason_is_that_of_a_rejection_or_of_what_we_cannot_read() -> None:
    book = book_with()
    told_so = [(Word.WORKING, "Submitted"), (Word.UNCLEAR, "?"), (Word.CANCELLED, "Cancelled"), (Word.REJECTED, "")]
    reasons = []
    for word, detail in told_so:
        apply(book, says(word, detail=detail))
        reasons.append(book.tickets[REF].reason)
    apply(book, says(Word.REJECTED, detail="margin"))
    assert (reasons, book.tickets[REF].reason) == (["", "?", "?", "?"], "margin")


def test_a_permanent_id_is_told_of_once_and_claims_its_own_fills_alone() -> None:
    book = book_with()
    for base, perm_id in (("a", 1), ("b", 2)):
        apply(book, fills(1, base, perm_id=perm_id, order_id=0))
    assert apply(book, says(Word.WORKING, perm_id=1)).perm_id == 1
    assert apply(book, says(Word.WORKING, 2, perm_id=1)).perm_id is None
    assert [fill.wire_ref for fill in book.fills.values()] == [REF, None]


MESSAGES = st.lists(
    st.one_of(
        st.builds(says, st.sampled_from(Word), st.integers(0, 3)),
        st.builds(fills, st.integers(0, 3), st.sampled_from("abc"), st.integers(1, 3)),
        st.just(Notice(NoticeKind.DISCONNECTED, 0, "", AT)),
    ),
    max_size=12,
)


@given(MESSAGES)
def test_whatever_comes_twice_counts_once_and_the_position_is_the_sum_of_last_revisions(
    messages: list[OrderReport | ExecutionReport | Notice],
) -> None:
    book = book_with(9)
    for message in messages:
        apply(book, message)
        apply(book, message)
    last: dict[str, ExecutionReport] = {}
    for message in messages:
        if isinstance(message, ExecutionReport):
            known = last.get(message.base_exec_id)
            if known is None or message.revision > known.revision:
                last[message.base_exec_id] = message
    total = sum(report.quantity for report in last.values())
    assert book.positions.get(CONTRACT, 0) == total
    assert book.tickets[REF].progress.executed == total


def test_a_break_makes_what_is_left_of_a_partly_filled_ticket_unknown() -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    apply(book, fills(1))
    apply(book, Notice(NoticeKind.LINK_LOST, 1100, "", AT))
    assert (state(book), book.tickets[REF].progress.filled) == (TicketState.UNKNOWN, 1)
    apply(book, says(Word.WORKING, 1))
    assert state(book) is TicketState.PARTIALLY_FILLED


@pytest.mark.parametrize("make", [says, fills])
def test_client_0_is_a_client_and_its_order_ids_are_its_own(make: Callable[..., OrderReport | ExecutionReport]) -> None:
    what = Word.FILLED if make is says else 1
    for client_id, found in ((0, None), (12, None), (71, REF), (UNNAMED, REF)):
        book = book_with()
        book.client_id = 71
        assert apply(book, make(what, perm_id=5, client_id=client_id)).wire_ref == found, client_id


def foreigner(report: ExecutionReport) -> ExecutionReport:
    return replace(report, contract="FUT HEZ7 (99)", foreign=True)


def test_an_execution_in_a_contract_of_nobody_s_is_kept_and_holds_nothing() -> None:
    book = book_with()
    foreign = foreigner(fills(1, perm_id=5, order_id=0))
    assert apply(book, foreign) == Applied(EventOutcome.FOREIGN)
    assert apply(book, foreign) == Applied(EventOutcome.REPEATED)
    assert (book.fills, book.positions) == ({}, {})


@pytest.mark.parametrize("named", [{"wire_ref": REF, "perm_id": 5}, {"order_id": 0}])
def test_an_execution_of_a_ticket_is_in_the_ticket_s_contract_however_it_is_called(named: dict[str, object]) -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    found = apply(book, foreigner(fills(2, **named)))
    assert found.fill is not None
    assert (found.wire_ref, found.fill.contract, book.positions) == (REF, CONTRACT, {CONTRACT: 2})


def test_a_correction_that_names_nobody_is_in_the_contract_of_what_it_corrects() -> None:
    book = book_with()
    nameless: dict[str, object] = {"perm_id": 0, "order_id": 0}
    apply(book, fills(2, **nameless))
    apply(book, foreigner(fills(1, revision=2, **nameless)))
    assert book.positions == {CONTRACT: 1}


@pytest.mark.parametrize("word", [Word.CANCELLED, Word.REJECTED, Word.FILLED])
def test_the_end_of_one_of_two_orders_is_not_the_ticket_s(word: Word) -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    apply(book, says(Word.WORKING, perm_id=9002))
    apply(book, says(word))
    assert (state(book), book.open_ends(REF)) == (TicketState.UNKNOWN, True)
    assert apply(book, says(Word.WORKING, perm_id=9002)).outcome is EventOutcome.REPEATED, "nobody can work on it"
    apply(book, says(Word.CANCELLED, perm_id=9002))
    assert (state(book), book.open_ends(REF)) == (TicketState.CANCELLED, False)


def test_an_end_that_names_neither_of_two_orders_is_not_the_ticket_s() -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    apply(book, says(Word.WORKING, perm_id=9002))
    apply(book, says(Word.CANCELLED, perm_id=0))
    assert (state(book), book.open_ends(REF)) == (TicketState.UNKNOWN, True)


def test_an_end_without_a_permanent_id_is_that_of_the_only_one() -> None:
    book = book_with()
    apply(book, says(Word.WORKING))
    apply(book, says(Word.CANCELLED, perm_id=0))
    assert (state(book), book.open_ends(REF)) == (TicketState.CANCELLED, False)
    apply(book, says(Word.WORKING, perm_id=9002))
    assert (state(book), book.open_ends(REF)) == (TicketState.CANCELLED, True)
    apply(book, says(Word.CANCELLED, perm_id=9002))
    assert not book.open_ends(REF)


def test_an_order_that_works_again_has_not_ended() -> None:
    book = book_with()
    apply(book, says(Word.REJECTED))
    apply(book, says(Word.WORKING))
    apply(book, says(Word.WORKING, perm_id=9002))
    apply(book, says(Word.CANCELLED, perm_id=9002))
    assert state(book) is TicketState.UNKNOWN


def test_an_order_with_several_ids_that_its_executions_fill_has_open_ends_until_each_is_heard_of() -> None:
    book = book_with(1)
    apply(book, says(Word.WORKING))
    apply(book, says(Word.WORKING, perm_id=9002))
    apply(book, fills(1))
    assert (state(book), book.open_ends(REF)) == (TicketState.FILLED, True)
    apply(book, says(Word.FILLED, 1))
    assert book.open_ends(REF)
    apply(book, says(Word.CANCELLED, perm_id=9002))
    assert not book.open_ends(REF)
