"""What is written is read as it was, and what is written twice stays as it first was."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import orders, tickets
from hydra_assets.state.records import OrderStatus, Side
from hydra_exec.broker.port import Word
from hydra_exec.journal import store
from hydra_exec.journal.chained import chain_on
from hydra_exec.journal.records import Algo, FillLine, TicketRecord
from hydra_exec.order_state import Progress, TicketState
from tests.support.journal_scene import APRIL, AT, MAY, JournalScene, fill, later, says


@pytest.fixture
def connection(scene: JournalScene) -> Iterator[sa.Connection]:
    with scene.engine.begin() as found:
        yield found


def test_an_order_is_read_as_it_was_written(scene: JournalScene) -> None:
    order = scene.order(
        side=Side.SELL, algo=Algo.AT_ONCE, status=OrderStatus.DENIED, reason="collar", gate_code="collar", motive="roll"
    )
    with scene.engine.connect() as connection:
        assert store.read_orders(connection, orders.c.account == scene.account) == [order]


def test_a_status_is_of_the_orders_that_are_named(scene: JournalScene, connection: sa.Connection) -> None:
    first, second, third = scene.order(), scene.order(MAY), scene.order("HE-2026-06")
    store.set_status(connection, [first.order_ref, third.order_ref], OrderStatus.DONE, "filled")
    found = store.read_orders(connection, orders.c.account == scene.account)
    assert [(o.status, o.reason) for o in found] == [
        (OrderStatus.DONE, "filled"),
        (OrderStatus.CREATED, ""),
        (OrderStatus.DONE, "filled"),
    ]
    assert [o.order_ref for o in found] == [first.order_ref, second.order_ref, third.order_ref]


def test_a_ticket_is_read_as_it_was_written(scene: JournalScene) -> None:
    order = scene.order()
    ticket = TicketRecord(
        wire_ref=f"{scene.account}.t",
        order_ref=order.order_ref,
        part=4,
        market="HE",
        contract=APRIL,
        side=Side.SELL,
        limit_price=82.5,
        progress=Progress(5, TicketState.UNKNOWN, 2, 3),
        sent_at=AT,
        generation=3,
        order_id=2**40,
        reason="why",
        mid_at_send=82.4,
    )
    mine = tickets.c.account == scene.account
    with scene.engine.begin() as connection:
        store.add_ticket(connection, scene.account, ticket, "run")
        store.update_tickets(connection, [])
        assert store.ticket_records(connection, mine) == [ticket]
        store.add_perm_ids(connection, scene.account, [])
        store.add_perm_ids(connection, scene.account, [(7, ticket.wire_ref)])
        assert store.ticket_records(connection, mine) == [replace(ticket, acknowledged=True)]
        moved = replace(
            ticket,
            limit_price=83.0,
            progress=Progress(5, TicketState.FILLED, 5, 4),
            generation=4,
            order_id=8,
            reason="done",
            acknowledged=True,
        )
        store.update_tickets(connection, [moved])
        assert store.ticket_records(connection, mine) == [moved]


def test_a_ticket_that_was_written_without_ids_has_none(scene: JournalScene, connection: sa.Connection) -> None:
    order = scene.order()
    ticket = TicketRecord("w", order.order_ref, 0, "HE", APRIL, Side.BUY, 82.5, Progress(1))
    store.add_ticket(connection, scene.account, replace(ticket, wire_ref=f"{scene.account}.w"), "")
    own = tickets.c.account == scene.account
    connection.execute(sa.update(tickets).where(own).values(generation=None, order_id=None))
    (found,) = store.ticket_records(connection, own)
    assert (found.generation, found.order_id, found.sent_at, found.mid_at_send) == (0, 0, None, None)


def test_tickets_are_read_in_the_order_in_which_they_were_made(scene: JournalScene) -> None:
    refs = [scene.send(n, contract=contract) for n, contract in enumerate((MAY, APRIL, "HE-2026-06"), 1)]
    scene.journal.cancel_asked(refs[0])
    with scene.engine.connect() as connection:
        found = store.ticket_records(connection, tickets.c.account == scene.account)
    assert [ticket.wire_ref for ticket in found] == refs


def test_a_permanent_id_stays_with_the_ticket_that_claimed_it(scene: JournalScene) -> None:
    first, second = scene.send(7), scene.send(8, contract=MAY)
    with scene.engine.begin() as connection:
        store.add_perm_ids(connection, scene.account, [(9001, first)])
        store.add_perm_ids(connection, scene.account, [(9001, second), (9002, second)])
    assert scene.rows("perm_ids", "perm_id", "wire_ref") == [(9001, first), (9002, second)]


def test_a_link_is_written_once(scene: JournalScene) -> None:
    with scene.engine.begin() as connection:
        fills = [FillLine("a", 1, "a.01", APRIL, Side.BUY, 2, 82.5, AT, 9001, None)]
        links = chain_on(store.last_link(connection), scene.account, fills)
        store.add_fills(connection, scene.account, links)
    with pytest.raises(sa.exc.IntegrityError), scene.engine.begin() as connection:
        store.add_fills(connection, scene.account, links)


def test_the_last_revision_of_a_fill_has_the_ticket_that_its_permanent_id_is_of(scene: JournalScene) -> None:
    named, found, other = scene.send(7), scene.send(8, contract=MAY), JournalScene(scene.engine)
    scene.journal.take([fill(2), fill(1, revision=2), fill(1, "b", perm_id=9002, order_id=0)])
    scene.journal.take([fill(1, "z", perm_id=0, order_id=0)])
    other.journal.take([fill(4, perm_id=9002, order_id=0)])
    scene.journal.take([says(Word.WORKING, perm_id=9002, order_id=8)])
    latest = store.latest_fills()
    with scene.engine.connect() as connection:
        query = sa.select(latest).where(latest.c.account.in_([scene.account, other.account]))
        rows = connection.execute(query.order_by(latest.c.account, latest.c.base_exec_id)).all()
    expected = [
        (scene.account, "a.02", named),
        (scene.account, "b.01", found),
        (scene.account, "z.01", None),
        (other.account, "a.01", None),
    ]
    assert sorted((row.account, row.exec_id, row.wire_ref) for row in rows) == sorted(expected)
    (first,) = [store.fill_line(row) for row in rows if row.exec_id == "a.02"]
    assert first == FillLine("a", 2, "a.02", APRIL, Side.BUY, 1, 82.5, later(2), 9001, named)
