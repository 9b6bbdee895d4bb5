"""What the journal tells the gate, of this instant."""

from dataclasses import replace

import pytest

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Word
from hydra_exec.journal.gate_book import GateBook
from hydra_exec.journal.journal import JournalError
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.facts import OrderFacts
from tests.support.journal_scene import APRIL, AT, MAY, JournalScene, fill, later, says


@pytest.fixture
def book(scene: JournalScene) -> GateBook:
    return GateBook(scene.journal)


def test_what_is_held_is_the_sum_of_the_fills(scene: JournalScene, book: GateBook) -> None:
    scene.journal.take([fill(2), fill(3, "b", side=Side.SELL, contract=MAY)])
    assert [book.held(contract) for contract in (APRIL, MAY, "HE-2026-06")] == [2, -3, 0]


def test_what_may_still_fill_works_by_side_unknown_tickets_among_it(scene: JournalScene, book: GateBook) -> None:
    order = scene.order(quantity=9)
    sale = scene.order(order_ref=f"{scene.account}/sale", side=Side.SELL)
    scene.send(7, quantity=4)
    scene.send(8, part=1, quantity=2)
    for part, made in enumerate((replace(order), sale), 5):
        ticket = scene.journal.plan(made, part, 3, 82.5)
        scene.journal.sending(ticket, AT)
        scene.journal.sent(ticket.wire_ref, 10 + part, 1)
    scene.send(9, contract=MAY)
    assert book.working(APRIL) == (9, 3)
    scene.journal.take([fill(1), says(Word.CANCELLED, perm_id=9002, order_id=8)])
    assert book.working(APRIL) == (6, 3)
    scene.journal.unclear(scene.journal.live()[0].wire_ref)
    assert (book.working(APRIL), book.working(MAY), book.working("HE-2026-06")) == ((6, 3), (3, 0), (0, 0))


def test_a_market_with_an_unknown_ticket_says_so(scene: JournalScene, book: GateBook) -> None:
    ref = scene.send()
    scene.send(8, contract="LE-2026-04")
    assert (book.unknown("HE"), book.unknown("LE")) == (False, False)
    book.unclear(ref)
    assert (book.unknown("HE"), book.unknown("LE")) == (True, False)


def test_the_order_of_a_ticket_with_the_lots_of_its_others(scene: JournalScene, book: GateBook) -> None:
    first = scene.send(7, part=0, quantity=4)
    scene.send(8, part=1, quantity=2)
    scene.send(9, part=2, quantity=1)
    scene.send(10, contract=MAY, quantity=5)
    # Four ordered, one filled, three still may: four. Two ordered, one filled, cancelled: one. One rejected: none.
    scene.journal.take(
        [
            fill(1),
            fill(1, "b", perm_id=9002, order_id=8),
            says(Word.CANCELLED, perm_id=9002, order_id=8),
            says(Word.REJECTED, perm_id=9003, order_id=9),
        ]
    )
    ticket = scene.planned(part=3, quantity=2)
    order = scene.order()
    expected = OrderFacts(order.order_ref, "HE", APRIL, Side.BUY, 3, 83.0, lots_in_others=5)
    assert book.order_of(ticket.wire_ref) == expected
    assert book.order_of(first) == replace(expected, lots_in_others=1)
    assert book.order_of("nobody's") is None


def test_a_ticket_is_followed_from_plan_to_end(scene: JournalScene, book: GateBook) -> None:
    ticket = scene.planned()
    assert (book.state_of("nobody's"), book.state_of(ticket.wire_ref)) == (None, TicketState.CREATED)
    book.sending(ticket, later(1))
    assert (book.state_of(ticket.wire_ref), scene.ticket(ticket.wire_ref).sent_at) == (TicketState.SENT, later(1))
    with pytest.raises(JournalError):
        book.sending(ticket, later(2))
    book.sent(ticket.wire_ref, 12, 3)
    assert (scene.ticket(ticket.wire_ref).order_id, scene.ticket(ticket.wire_ref).generation) == (12, 3)
    book.not_sent(ticket.wire_ref)
    assert book.state_of(ticket.wire_ref) is TicketState.WITHDRAWN
