"""Decisions and tickets in a real database: on record first, each name once, and nothing half done."""

from dataclasses import replace
from datetime import date

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import connection_log
from hydra_assets.state.records import OrderStatus, Side
from hydra_exec.broker.port import Ticket, Word
from hydra_exec.journal.journal import JournalError
from hydra_exec.journal.names import wire_ref
from hydra_exec.journal.records import Algo
from hydra_exec.order_state import Progress, TicketState
from tests.support.journal_scene import APRIL, AT, DECIDED, HOME, MAY, WORKED, JournalScene, fill, later, says

NEXT = date(2026, 1, 7)


def test_what_is_decided_stays_decided(scene: JournalScene) -> None:
    order = scene.order()
    again = replace(order, quantity=9)
    other = replace(order, order_ref=f"{order.order_ref}/b", algo=Algo.TWAP, status=OrderStatus.DENIED, reason="limit")
    assert scene.journal.decide([again, other]) == [other.order_ref]
    assert scene.journal.decide([]) == []
    assert scene.journal.to_work(WORKED) == [order]
    assert scene.rows("orders", "quantity", "algo", "status", "reason") == [
        (3, "patience", "created", ""),
        (3, "twap", "denied", "limit"),
    ]


def test_orders_to_work_are_the_accounts_own_of_the_session_that_have_not_ended(scene: JournalScene) -> None:
    first = scene.order(MAY, order_ref=f"{scene.account}/2")
    second = scene.order(order_ref=f"{scene.account}/1")
    scene.order("HE-2026-06", work_session=NEXT)
    JournalScene(scene.engine).order()
    assert scene.journal.to_work(WORKED) == [second, first], "by name"
    scene.journal.sending(scene.journal.plan(second, 0, 1, 82.5), AT)
    second = replace(second, status=OrderStatus.WORKING)
    assert scene.journal.to_work(WORKED) == [second, first]
    scene.journal.end_order(first.order_ref, OrderStatus.DONE, "filled")
    assert scene.journal.to_work(WORKED) == [second]
    assert scene.rows("orders", "status", "reason")[0] == ("done", "filled")
    assert scene.rows("orders", "status")[1] == "working"


def test_an_end_without_a_reason_keeps_the_one_there_is(scene: JournalScene) -> None:
    order = scene.order(reason="why")
    (before,) = scene.rows("orders", "updated_at")
    scene.journal.end_order(order.order_ref, OrderStatus.DONE, "")
    assert scene.rows("orders", "status", "reason") == [("done", "why")]
    assert scene.rows("orders", "updated_at")[0] > before


def test_a_session_that_has_passed_ends_its_orders(scene: JournalScene) -> None:
    scene.order()
    scene.send(contract=MAY)
    scene.order("HE-2026-06", status=OrderStatus.DENIED)
    scene.order("HE-2026-07", work_session=NEXT)
    other = JournalScene(scene.engine)
    other.order()
    assert scene.journal.expire_before(WORKED) == 0
    before = scene.rows("orders", "updated_at")
    assert scene.journal.expire_before(NEXT) == 2
    assert scene.rows("orders", "status") == ["expired", "done", "denied", "created"]
    moved = [now > then for now, then in zip(scene.rows("orders", "updated_at"), before, strict=True)]
    assert moved == [True, True, False, False]
    assert other.rows("orders", "status") == ["created"]
    assert scene.journal.expire_before(NEXT) == 0


def test_planning_writes_nothing_and_names_the_same_thing_in_every_process(scene: JournalScene) -> None:
    order = scene.order()
    name = wire_ref(HOME, order.order_ref, 1)
    ticket = scene.journal.plan(order, 1, 2, 82.5, 82.45)
    assert ticket == Ticket(name, APRIL, Side.BUY, 2, 82.5)
    found = scene.journal.planned(name)
    assert found is not None
    assert (found[0], found[1].progress, found[1].mid_at_send, found[1].part) == (order, Progress(2), 82.45, 1)
    assert (found[1].market, found[1].contract, found[1].side, found[1].limit_price) == ("HE", APRIL, Side.BUY, 82.5)
    assert (scene.rows("tickets", "state"), scene.journal.live()) == ([], [])
    assert scene.restart().planned(name) is None
    assert scene.journal.plan(order, 1, 2, 82.5) == ticket


def test_a_ticket_is_on_record_as_sent_before_the_wire_hears_of_it(scene: JournalScene) -> None:
    assert scene.journal.next_generation() == 1
    ticket = scene.planned()
    scene.journal.sending(replace(ticket, limit_price=82.25), AT)
    names = ("wire_ref", "order_ref", "slice", "market", "contract", "side", "quantity", "limit_price", "state")
    more = ("executed", "reported", "sent_at", "mid_at_send", "generation", "order_id", "reason", "run_id")
    (row,) = scene.rows("tickets", *names, *more)
    ref, order = ticket.wire_ref, scene.order().order_ref
    expected = (ref, order, 0, "HE", APRIL, "BUY", 3, 82.25, "sent", 0, 0, AT, 82.45, 1, 0, "", "run")
    assert row == expected
    assert scene.rows("orders", "status") == ["working"]
    held = scene.ticket(ref)
    assert (held.progress.state, held.sent_at, held.priced_at, held.limit_price) == (TicketState.SENT, AT, AT, 82.25)
    assert scene.journal.live() == [held]
    found = scene.journal.planned(ref)
    assert found is not None
    assert found[1] is held
    assert scene.restart().live() == [replace(held, priced_at=None)]


def test_what_was_sent_is_not_sent_again(scene: JournalScene) -> None:
    ticket = scene.planned()
    scene.journal.sending(ticket, AT)
    with pytest.raises(JournalError, match=rf"^{ticket.wire_ref} was sent before, or never planned$"):
        scene.journal.sending(ticket, AT)
    assert scene.planned() == ticket
    with pytest.raises(JournalError, match="sent before"):
        scene.journal.sending(ticket, AT)


def test_what_an_earlier_process_sent_is_not_sent_again_even_when_it_has_ended(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.CANCELLED)])
    scene.restart()
    again = scene.planned()
    with pytest.raises(JournalError, match=rf"^{ref} was sent by an earlier process, or its order was never decided$"):
        scene.journal.sending(again, later(1))
    assert (scene.rows("tickets", "state", "sent_at"), scene.journal.live()) == ([("cancelled", AT)], [])


def test_the_ticket_of_an_order_that_nobody_decided_is_not_sent(scene: JournalScene) -> None:
    ticket = scene.journal.plan(replace(scene.order(), order_ref="nobody's"), 0, 1, 82.5)
    with pytest.raises(JournalError, match="never decided"):
        scene.journal.sending(ticket, AT)
    assert (scene.rows("tickets", "state"), scene.journal.live()) == ([], [])


def test_a_ticket_that_was_never_planned_is_not_sent(scene: JournalScene) -> None:
    with pytest.raises(JournalError, match="never planned"):
        scene.journal.sending(Ticket("x", APRIL, Side.BUY, 1, 82.5), AT)


def test_two_parts_of_an_order_have_two_names(scene: JournalScene) -> None:
    second, first = scene.send(8, part=1), scene.send(7, part=0)
    assert [t.wire_ref for t in scene.journal.tickets_of(scene.order().order_ref)] == [first, second]


def test_what_it_went_out_as_is_written(scene: JournalScene) -> None:
    ref = scene.send(order_id=12, generation=4)
    assert scene.rows("tickets", "generation", "order_id") == [(4, 12)]
    assert scene.journal.book.by_order_id == {(4, 12): ref}
    assert (scene.journal.order_id_floor(), scene.restart().order_id_floor()) == (12, 12)
    scene.send(order_id=5, generation=5, contract=MAY)
    assert (scene.journal.order_id_floor(), scene.restart().order_id_floor()) == (12, 12)
    assert JournalScene(scene.engine).journal.order_id_floor() == 0


def test_what_certainly_did_not_leave_ends_and_its_name_is_spent(scene: JournalScene) -> None:
    ticket = scene.planned()
    scene.journal.sending(ticket, AT)
    scene.journal.not_sent(ticket.wire_ref)
    assert (scene.rows("tickets", "state"), scene.journal.live()) == (["withdrawn"], [])
    scene.planned()
    with pytest.raises(JournalError, match="sent before"):
        scene.journal.sending(ticket, AT)


def test_what_may_have_left_is_unknown_and_only_a_later_connection_can_say_that_it_did_not(scene: JournalScene) -> None:
    scene.journal.next_generation()
    scene.journal.next_generation()
    ticket = scene.planned()
    scene.journal.sending(ticket, AT)
    scene.journal.unclear(ticket.wire_ref)
    assert scene.rows("tickets", "state", "generation", "order_id") == [("unknown", 2, 0)]
    reconciler = scene.reconciler()
    reconciler.take(scene.answer({}, generation=2))
    assert scene.rows("tickets", "state") == ["unknown"], "it may still be on its way"
    reconciler.take(scene.answer({}, generation=3))
    assert scene.rows("tickets", "state") == ["absent"]


def test_what_was_sent_on_no_connection_that_is_known_is_of_none(scene: JournalScene) -> None:
    ticket = scene.planned()
    scene.journal.sending(ticket, AT)
    assert scene.rows("tickets", "generation") == [0]
    scene.reconciler().take(scene.answer({}, generation=1))
    assert scene.rows("tickets", "state") == ["absent"]


def test_an_amendment_and_a_request_to_cancel_are_written(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.WORKING)])
    (before,) = scene.rows("tickets", "updated_at")
    scene.journal.amended(Ticket(ref, APRIL, Side.BUY, 3, 82.75), later(2))
    held = scene.ticket(ref)
    assert (held.limit_price, held.priced_at, held.sent_at) == (82.75, later(2), AT)
    scene.journal.cancel_asked(ref)
    assert scene.rows("tickets", "limit_price", "state") == [(82.75, "pending_cancel")]
    scene.journal.cancel_asked("nobody's")
    assert scene.rows("tickets", "state") == ["pending_cancel"]
    assert scene.rows("tickets", "updated_at")[0] > before


def test_tickets_of_an_order_are_found_after_a_restart_in_the_order_of_their_parts(scene: JournalScene) -> None:
    second = scene.send(8, part=1, quantity=1)
    first = scene.send(7, part=0, quantity=2)
    scene.send(9, contract=MAY)
    scene.journal.take([says(Word.CANCELLED), fill(1, "b", perm_id=9002, order_id=8)])
    scene.journal.take([says(Word.CANCELLED, perm_id=9003, order_id=9)])
    order = scene.order().order_ref
    scene.restart()
    assert [t.wire_ref for t in scene.journal.tickets_at_hand(order)] == []
    assert [t.wire_ref for t in scene.journal.tickets_of(order)] == [first, second]
    assert [t.wire_ref for t in scene.journal.tickets_at_hand(order)] == [first, second]
    assert scene.ticket(second).progress == Progress(1, TicketState.FILLED, 1, 0)
    assert set(scene.journal.book.tickets) == {first, second}
    assert scene.journal.tickets_of("nobody's") == []


def test_connections_are_numbered_over_the_accounts_life(scene: JournalScene) -> None:
    other = JournalScene(scene.engine)
    assert [scene.journal.next_generation(), scene.restart().next_generation()] == [1, 2]
    assert other.journal.next_generation() == 1
    columns = ("role", "generation", "event", "detail", "run_id")
    with scene.engine.connect() as connection:
        held = sa.select(*(connection_log.c[name] for name in columns)).where(connection_log.c.account == scene.account)
        found = [tuple(row) for row in connection.execute(held.order_by(connection_log.c.id))]
    assert found == [("trading", 1, "connected", "", "run"), ("trading", 2, "connected", "", "run")]


def test_what_was_decided_is_dated(scene: JournalScene) -> None:
    scene.order()
    assert scene.rows("orders", "session", "work_session") == [(DECIDED, WORKED)]
