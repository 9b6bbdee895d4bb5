"""The book: what is held of tickets, fills and positions, revision after revision."""

from dataclasses import replace

import pytest

from hydra_assets.state.records import Side
from hydra_exec.journal.records import Book, FillLine, TicketRecord
from hydra_exec.order_state import LIVE, Progress, TicketState
from tests.support.journal_scene import APRIL, AT, MAY


def line(n: int, base: str = "a", revision: int = 1, **more: object) -> FillLine:
    made = FillLine(base, revision, f"{base}.{revision}", APRIL, Side.BUY, n, 82.5, AT, 9001, "t")
    return replace(made, **more)  # type: ignore[arg-type]


def ticket(state: TicketState = TicketState.SENT, **more: object) -> TicketRecord:
    made = TicketRecord("t", "o", 0, "HE", APRIL, Side.BUY, 82.5, Progress(3, state))
    return replace(made, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", TicketState)
def test_a_ticket_lives_while_it_may_fill(state: TicketState) -> None:
    assert ticket(state).live is (state in LIVE)
    assert ticket(state).unknown is (state is TicketState.UNKNOWN)


def test_a_ticket_is_found_by_its_id_on_its_connection_once_it_has_one() -> None:
    book = Book()
    book.put_ticket(ticket())
    assert (list(book.tickets), book.by_order_id) == (["t"], {})
    book.put_ticket(ticket(generation=2, order_id=7))
    assert book.by_order_id == {(2, 7): "t"}


def test_sold_counts_against_bought_and_flat_is_no_entry() -> None:
    book = Book()
    book.put_fill(line(3))
    book.put_fill(line(2, "b", side=Side.SELL))
    assert (book.positions, line(2, side=Side.SELL).signed) == ({APRIL: 1}, -2)
    book.put_fill(line(1, "c", side=Side.SELL))
    assert book.positions == {}


def test_a_revision_takes_the_place_of_the_one_before() -> None:
    book = Book()
    book.put_fill(line(3))
    book.put_fill(line(2, revision=2))
    assert (book.positions, book.executed("t"), book.of_ticket) == ({APRIL: 2}, 2, {"t": {"a"}})


def test_a_revision_in_another_contract_moves_the_position_there() -> None:
    book = Book()
    book.put_fill(line(5, "b"))
    book.put_fill(line(3))
    book.put_fill(line(2, revision=2, contract=MAY))
    assert book.positions == {APRIL: 5, MAY: 2}
    book.put_fill(line(4, revision=3, contract=MAY, side=Side.SELL))
    assert book.positions == {APRIL: 5, MAY: -4}


def test_a_revision_leaves_a_contract_that_was_flat() -> None:
    book = Book()
    book.put_fill(line(3))
    book.put_fill(line(3, "b", side=Side.SELL))
    book.put_fill(line(3, revision=2, contract=MAY))
    assert book.positions == {APRIL: -3, MAY: 3}


def test_what_the_positions_have_is_not_counted_again() -> None:
    book = Book(positions={APRIL: 3})
    book.put_fill(line(3), counted=True)
    assert (book.positions, book.executed("t"), book.fills) == ({APRIL: 3}, 3, {"a": line(3)})


def test_a_fill_that_is_nobodys_counts_in_the_position_alone() -> None:
    book = Book()
    book.put_fill(line(3, wire_ref=None))
    book.put_fill(line(2, "b"))
    assert (book.positions, book.of_ticket, book.executed("t"), book.executed("u")) == ({APRIL: 5}, {"t": {"b"}}, 2, 0)
