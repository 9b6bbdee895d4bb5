"""Messages into a real database: as heard, once, whatever process hears them, and all of a batch or none."""

import json
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from hydra_assets.state.db import Lock
from hydra_assets.state.execution_tables import broker_events, fill_fees
from hydra_assets.state.records import Side
from hydra_exec.broker.port import Notice, NoticeKind, Word
from hydra_exec.journal import store
from hydra_exec.journal.records import Book, EventOutcome
from hydra_exec.order_state import Progress, TicketState
from tests.support.journal_scene import APRIL, AT, MAY, JournalScene, broken, fee, fill, later, says

FILL_COLUMNS = ("kind", "exec_id", "base_exec_id", "revision", "wire_ref", "perm_id", "contract", "side", "quantity")


def fees(scene: JournalScene) -> list[tuple[Any, ...]]:
    query = sa.select(fill_fees.c.exec_id, fill_fees.c.fee, fill_fees.c.currency)
    with scene.engine.connect() as connection:
        found = connection.execute(query.where(fill_fees.c.account == scene.account).order_by(fill_fees.c.exec_id))
        return [tuple(row) for row in found]


def known(book: Book) -> dict[str, Any]:
    """A book as a later process could know it."""
    return {
        "tickets": {ref: replace(ticket, priced_at=None) for ref, ticket in book.tickets.items() if ticket.live},
        "perm_ids": {perm: ref for perm, ref in book.by_perm_id.items() if book.tickets[ref].live},
        "order_ids": {place: ref for place, ref in book.by_order_id.items() if book.tickets[ref].live},
        "fills": {
            base: each for base, each in book.fills.items() if each.wire_ref is None or book.tickets[each.wire_ref].live
        },
        "positions": dict(book.positions),
    }


def test_nothing_heard_is_nothing_done(scene: JournalScene) -> None:
    assert scene.journal.take([]) == []
    assert scene.rows("events", "kind") == []


def test_messages_are_kept_as_heard(scene: JournalScene) -> None:
    ref = scene.send()
    found = scene.journal.take([says(Word.WORKING, side=Side.BUY), fill(1, generation=4, order_id=0), fee("a.01")])
    assert [each.outcome for each in found] == [EventOutcome.APPLIED, EventOutcome.APPLIED, EventOutcome.NOTED]
    rows = scene.rows("events", "generation", "kind", "wire_ref", "outcome", "body")
    assert [row[:4] for row in rows] == [
        (1, "OrderReport", ref, "applied"),
        (4, "ExecutionReport", ref, "applied"),
        (1, "FeeReport", None, "noted"),
    ]
    state, execution, charged = (json.loads(row[4]) for row in rows)
    assert (state["word"], state["at"]) == ("working", later(1).isoformat())
    assert (state["side"], state["limit_price"]) == ("BUY", None)
    assert (execution["executed_at"], execution["quantity"]) == (later(2).isoformat(), 1)
    assert charged == {"exec_id": "a.01", "fee": 2.5, "currency": "USD", "generation": 1}


def test_a_fill_is_a_line_with_its_ticket_and_moves_it(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([fill(2)])
    row = scene.rows("fills", *FILL_COLUMNS, "price", "executed_at")
    assert row == [("fill", "a.01", "a", 1, ref, 9001, APRIL, "BUY", 2, 82.5, later(2))]
    assert scene.rows("perm_ids", "perm_id", "wire_ref") == [(9001, ref)]
    assert scene.rows("tickets", "state", "executed", "reported") == [("partially_filled", 2, 0)]
    assert scene.journal.positions == {APRIL: 2}
    assert scene.journal.verdict().intact


def test_the_same_messages_again_add_events_alone(scene: JournalScene) -> None:
    scene.send()
    heard = [fee("a.01"), fill(2), says(Word.WORKING), fill(1, revision=2)]
    scene.journal.take(heard)
    tables = ("fills", "perm_ids", "tickets")
    before = [scene.rows(name, "wire_ref") for name in tables], fees(scene), known(scene.journal.book)
    again = scene.journal.take(heard)
    assert [each.outcome for each in again] == [
        EventOutcome.NOTED,
        EventOutcome.SUPERSEDED,
        EventOutcome.REPEATED,
        EventOutcome.REPEATED,
    ]
    after = [scene.rows(name, "wire_ref") for name in tables], fees(scene), known(scene.journal.book)
    assert after == before
    assert len(scene.rows("events", "kind")) == 8
    scene.restart()
    scene.journal.take(heard)
    assert (fees(scene), known(scene.journal.book)) == before[1:]


def test_what_repeats_is_left_out_where_we_asked_for_it(scene: JournalScene) -> None:
    scene.send()
    scene.journal.take([says(Word.WORKING)])
    found = scene.journal.take([says(Word.WORKING), fill(1)], keep_repeated=False)
    assert [each.outcome for each in found] == [EventOutcome.REPEATED, EventOutcome.APPLIED]
    assert scene.rows("events", "kind") == ["OrderReport", "ExecutionReport"]


@pytest.mark.parametrize("restarts", [False, True])
def test_fills_before_their_ticket_is_known_find_it_when_its_permanent_id_is_heard_of(
    scene: JournalScene, restarts: bool
) -> None:
    ref = scene.send()
    heard = scene.journal.take([fill(1, order_id=0), fill(1, "b", order_id=0)])
    assert [each.outcome for each in heard] == [EventOutcome.UNMATCHED] * 2
    assert scene.journal.positions == {APRIL: 2}
    if restarts:
        scene.restart()
        assert [each.wire_ref for each in scene.journal.book.fills.values()] == [None, None]
    scene.journal.take([says(Word.WORKING)])
    assert (scene.ticket(ref).progress.executed, scene.journal.positions) == (2, {APRIL: 2})
    assert scene.rows("tickets", "state", "executed") == [("partially_filled", 2)]
    scene.restart()
    assert scene.ticket(ref).progress.executed == 2
    assert {each.wire_ref for each in scene.journal.book.fills.values()} == {ref}
    assert scene.journal.positions == {APRIL: 2}


@pytest.mark.parametrize("restarts", [False, True])
def test_a_fill_that_was_nobodys_finds_its_ticket_when_it_is_told_again_with_its_name(
    scene: JournalScene, restarts: bool
) -> None:
    ref = scene.send()
    scene.journal.take([fill(1, order_id=0)])
    if restarts:
        scene.restart()
    (found,) = scene.journal.take([fill(1, order_id=0, wire_ref=ref)])
    assert (found.outcome, found.wire_ref, found.perm_id, found.fill) == (EventOutcome.APPLIED, ref, 9001, None)
    assert (scene.ticket(ref).progress.executed, scene.journal.positions) == (1, {APRIL: 1})
    assert scene.rows("perm_ids", "perm_id", "wire_ref") == [(9001, ref)]
    (again,) = scene.journal.take([fill(1, order_id=0, wire_ref=ref)])
    assert again.outcome is EventOutcome.REPEATED


def test_revisions_count_once_over_restarts(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([fill(3), says(Word.FILLED, 3)])
    assert scene.restart().live() == []
    scene.journal.take([fill(1, revision=2)])
    assert scene.journal.positions == {APRIL: 1}
    assert scene.rows("tickets", "state", "executed", "reported") == [("filled", 1, 1)]
    scene.restart()
    (late,) = scene.journal.take([fill(3)])
    assert (late.outcome, late.wire_ref) == (EventOutcome.SUPERSEDED, ref)
    scene.journal.take([fill(0, revision=3)])
    assert scene.journal.positions == {}
    assert scene.restart().positions == {}
    assert scene.rows("fills", "exec_id", "quantity") == [("a.01", 3), ("a.02", 1), ("a.03", 0)]
    assert scene.journal.verdict().intact


def test_a_revision_that_names_nothing_goes_to_the_ticket_of_the_fill_it_revises(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([fill(3, perm_id=0)])
    scene.restart()
    (found,) = scene.journal.take([fill(1, revision=2, perm_id=0, order_id=0)])
    assert (found.wire_ref, scene.ticket(ref).progress.executed, scene.journal.positions) == (ref, 1, {APRIL: 1})


def test_a_fee_may_come_first_and_the_first_one_stays(scene: JournalScene) -> None:
    scene.send()
    scene.journal.take([fee("a.01", 2.5), fee("b.01", 1.0), fee("b.01", 1.0)])
    scene.journal.take([fill(1), fee("a.01", 9.0)])
    assert fees(scene) == [("a.01", 2.5, "USD"), ("b.01", 1.0, "USD")]


def test_two_permanent_ids_are_one_tickets_in_every_process(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.WORKING), says(Word.WORKING, perm_id=9002), says(Word.CANCELLED)])
    scene.restart()
    scene.journal.take([fill(1, order_id=0, generation=2), fill(1, "b", perm_id=9002, order_id=0, generation=2)])
    assert scene.rows("perm_ids", "perm_id", "wire_ref") == [(9001, ref), (9002, ref)]
    assert (scene.ticket(ref).progress.executed, scene.ticket(ref).acknowledged) == (2, True)


def test_an_order_id_names_nothing_on_another_connection(scene: JournalScene) -> None:
    old = scene.send(7, 1)
    scene.journal.take([says(Word.CANCELLED)])
    new = scene.send(7, 2, contract=MAY)
    scene.restart()
    heard = [fill(1, "x", perm_id=9002, contract=MAY, generation=2), fill(1, "y", perm_id=9003, generation=3)]
    assert [each.wire_ref for each in scene.journal.take(heard)] == [new, None]
    (late,) = scene.journal.take([says(Word.CANCELLED, perm_id=0)])
    assert (late.outcome, late.wire_ref) == (EventOutcome.REPEATED, old)


def test_another_clients_order_id_is_not_ours(scene: JournalScene) -> None:
    ref = scene.send()
    scene.reconciler(client_id=71)
    heard = scene.journal.take([fill(1, client_id=12, perm_id=5), says(Word.FILLED, 3, client_id=12, perm_id=5)])
    assert [each.outcome for each in heard] == [EventOutcome.UNMATCHED] * 2
    assert (scene.ticket(ref).progress, scene.journal.positions) == (Progress(3, TicketState.SENT), {APRIL: 1})
    for again in (scene.journal.load, scene.journal.tidy):
        again()
        assert scene.journal.take([fill(1, "b", client_id=12, perm_id=6)])[0].wire_ref is None
    assert scene.journal.take([fill(1, "c", client_id=71)])[0].wire_ref == ref


@pytest.mark.parametrize("perm_id", [0, 9001])
def test_a_ticket_that_ended_is_found_by_its_order_id_after_a_restart(scene: JournalScene, perm_id: int) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.REJECTED, perm_id=0, detail="margin")])
    scene.restart()
    (found,) = scene.journal.take([fill(1, perm_id=perm_id)])
    assert (found.wire_ref, scene.ticket(ref).progress.executed) == (ref, 1)


def test_a_ticket_that_ended_is_found_by_its_name_after_a_restart(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.CANCELLED, perm_id=0)])
    scene.restart()
    (found,) = scene.journal.take([fill(1, wire_ref=ref, perm_id=9002, order_id=0)])
    assert (found.wire_ref, scene.ticket(ref).progress.executed) == (ref, 1)


def test_a_ticket_at_hand_is_not_read_again(scene: JournalScene) -> None:
    """When its limit was last handed over is known to this process alone."""
    ref = scene.send()
    for message in (says(Word.WORKING), says(Word.WORKING), fill(1, wire_ref=ref), fill(1, "b", perm_id=0)):
        scene.journal.take([message])
        assert scene.ticket(ref).priced_at == AT


def test_what_broke_is_written_of_every_ticket(scene: JournalScene) -> None:
    scene.send()
    scene.send(8, contract=MAY)
    scene.journal.take([broken(), Notice(NoticeKind.PACING, 100, "", later(4))])
    assert scene.rows("tickets", "state") == ["unknown", "unknown"]
    assert scene.rows("events", "kind", "outcome") == [("Notice", "noted")] * 2
    assert [ticket.unknown for ticket in scene.restart().live()] == [True, True]


def test_why_it_was_rejected_is_written(scene: JournalScene) -> None:
    scene.send()
    scene.journal.take([says(Word.REJECTED, detail="margin")])
    assert scene.rows("tickets", "state", "reason") == [("rejected", "margin")]


def test_the_wire_refs_of_another_account_are_nobodys(scene: JournalScene) -> None:
    other = JournalScene(scene.engine)
    ref = other.send()
    (found,) = scene.journal.take([fill(1, wire_ref=ref, order_id=0)])
    assert (found.outcome, found.wire_ref) == (EventOutcome.UNMATCHED, None)
    assert (scene.journal.positions, other.restart().positions) == ({APRIL: 1}, {})
    assert other.ticket(ref).progress.executed == 0


def test_a_batch_that_the_database_refuses_leaves_book_and_database_as_they_were(
    scene: JournalScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.send()
    scene.journal.take([says(Word.WORKING), fill(1)])
    before = known(scene.journal.book), scene.rows("tickets", "state"), scene.rows("events", "kind")

    def broken_off(*_: object) -> None:
        message = "the server closed the connection"
        raise sa.exc.InterfaceError(message, None, Exception())

    monkeypatch.setattr(store, "add_fees", broken_off)
    with pytest.raises(sa.exc.InterfaceError):
        scene.journal.take([fill(2, "b"), says(Word.FILLED, 3, perm_id=9002), fee("b.01")])
    assert (known(scene.journal.book), scene.rows("tickets", "state"), scene.rows("events", "kind")) == before
    assert (scene.rows("fills", "exec_id"), scene.rows("perm_ids", "perm_id"), fees(scene)) == (["a.01"], [9001], [])
    monkeypatch.undo()
    scene.journal.take([fill(2, "b")])
    assert (scene.journal.positions, scene.rows("tickets", "state")) == ({APRIL: 3}, ["filled"])


def test_a_trade_in_what_is_none_of_ours_is_on_record_once_and_is_no_fill(scene: JournalScene) -> None:
    foreign = fill(1, "f", perm_id=5, order_id=0, contract="STK ACME (9)", foreign=True)
    scene.journal.take([foreign])
    scene.journal.tidy()
    for minutes in (5, 6):
        assert scene.reconciler().take(scene.answer({}, [], [foreign], minutes=minutes)).agreed
    assert scene.rows("events", "kind", "outcome") == [("ExecutionReport", EventOutcome.FOREIGN)]
    assert (scene.rows("fills", "kind"), scene.journal.positions) == ([], {})


def test_whoever_writes_fills_waits_for_whoever_does(scene: JournalScene) -> None:
    """Two accounts chain their fills to the same last link."""
    hurried = sa.create_engine(scene.engine.url.update_query_dict({"options": "-clock_timeout=20"}))
    other = JournalScene(hurried)
    reconciler = other.reconciler(price={APRIL: 82.0})
    reconciler.take(other.answer({APRIL: 1}))
    with scene.engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(Lock.FILLS))))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            other.journal.take([fill(1)])
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            reconciler.take(other.answer({APRIL: 1}, minutes=6))
        other.journal.take([fee("a.01")])
    assert (other.journal.positions, other.rows("events", "kind")) == ({}, ["FeeReport"])
    hurried.dispose()


def test_tidying_lets_go_of_what_has_ended_and_finds_it_again(scene: JournalScene) -> None:
    ended = scene.send(7, 1)
    live = scene.send(8, 1, contract=MAY)
    scene.planned(part=1)
    scene.journal.take(
        [
            says(Word.WORKING),
            fill(1),
            says(Word.CANCELLED),
            says(Word.WORKING, perm_id=9002, order_id=8),
            fill(1, "m", perm_id=9002, contract=MAY),
            fill(1, "nobody's", perm_id=5, order_id=0),
        ]
    )
    before = known(scene.journal.book)
    scene.journal.tidy()
    book = scene.journal.book
    assert (set(book.tickets), set(book.fills), set(book.by_perm_id)) == ({live}, {"m", "nobody's"}, {9002})
    assert (book.by_order_id, known(book), book.executed(live)) == ({(1, 8): live}, before, 1)
    assert scene.journal.planned(live) is None, "its order was let go of"
    assert scene.journal.positions == {APRIL: 2, MAY: 1}
    (late,) = scene.journal.take([fill(1, "late", order_id=0)])
    assert (late.wire_ref, scene.journal.positions) == (ended, {APRIL: 3, MAY: 1})
    assert scene.rows("tickets", "executed") == [2, 1]


def test_planned_tickets_are_let_go_of_too(scene: JournalScene) -> None:
    ticket = scene.planned()
    scene.journal.tidy()
    assert scene.journal.planned(ticket.wire_ref) is None


def test_events_are_append_only(scene: JournalScene) -> None:
    scene.journal.take([fee("a.01")])
    with pytest.raises(sa.exc.DBAPIError, match="append"), scene.engine.begin() as connection:
        connection.execute(sa.delete(broker_events))
