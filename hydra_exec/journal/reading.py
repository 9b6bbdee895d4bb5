"""From the database to a book: what may still matter at the start, and whatever messages turn out to be about."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from hydra_assets.state.execution_tables import perm_ids, tickets
from hydra_assets.state.records import Side
from hydra_exec.broker.port import ExecutionReport, Message, OrderReport
from hydra_exec.journal import store
from hydra_exec.journal.records import Book


def load_book(connection: sa.Connection, account: str, client_id: int = 0) -> Book:
    """Tickets that may fill, fills that are nobody's, and positions."""
    book = Book(client_id=client_id)
    latest = store.latest_fills()
    signed = sa.func.sum(sa.case((latest.c.side == str(Side.BUY), latest.c.quantity), else_=-latest.c.quantity))
    query = sa.select(latest.c.contract, signed).where(latest.c.account == account)
    for contract, held in connection.execute(query.group_by(latest.c.contract).having(signed != 0)):
        book.positions[contract] = int(held)
    keep_tickets(connection, account, book, tickets.c.state.in_(store.LIVE_STATES))
    nobodys = sa.select(latest).where(latest.c.account == account, latest.c.wire_ref.is_(None))
    _keep_fills(connection, book, nobodys)
    return book


def highest_order_id(connection: sa.Connection, account: str) -> int:
    """The highest order id that any ticket went out under."""
    query = sa.select(sa.func.max(tickets.c.order_id)).where(tickets.c.account == account)
    return int(connection.scalar(query) or 0)


def keep_tickets(connection: sa.Connection, account: str, book: Book, *conditions: sa.ColumnElement[bool]) -> None:
    """Put tickets into a book with their permanent ids and fills, all of which the positions have already."""
    found = store.ticket_records(connection, tickets.c.account == account, *conditions)
    refs = [ticket.wire_ref for ticket in found]
    if not refs:
        return
    for ticket in found:
        book.put_ticket(ticket)
    pairs = sa.select(perm_ids.c.perm_id, perm_ids.c.wire_ref).where(perm_ids.c.wire_ref.in_(refs))
    book.by_perm_id |= {int(perm_id): ref for perm_id, ref in connection.execute(pairs)}
    latest = store.latest_fills()
    _keep_fills(connection, book, sa.select(latest).where(latest.c.wire_ref.in_(refs)))


def fetch(connection: sa.Connection, account: str, book: Book, messages: Sequence[Message]) -> None:
    """Read what messages are about and the book does not hold: tickets that ended, fills of before."""
    reports = [each for each in messages if isinstance(each, OrderReport | ExecutionReport)]
    refs = {r.wire_ref for r in reports if r.wire_ref and r.wire_ref not in book.tickets}
    perms = {r.perm_id for r in reports if r.perm_id and r.perm_id not in book.by_perm_id}
    nameless = [r for r in reports if not r.wire_ref and r.perm_id not in book.by_perm_id]
    places = {(r.generation, r.order_id) for r in nameless if r.order_id > 0}
    conditions: list[sa.ColumnElement[bool]] = []
    if refs:
        conditions.append(tickets.c.wire_ref.in_(refs))
    if perms:
        owners = sa.select(perm_ids.c.wire_ref).where(perm_ids.c.account == account, perm_ids.c.perm_id.in_(perms))
        conditions.append(tickets.c.wire_ref.in_(owners))
    if unknown := places - set(book.by_order_id):
        conditions.append(sa.tuple_(tickets.c.generation, tickets.c.order_id).in_(list(unknown)))
    if conditions:
        keep_tickets(connection, account, book, sa.or_(*conditions))
    bases = {r.base_exec_id for r in reports if isinstance(r, ExecutionReport)} - set(book.fills)
    if bases:
        latest = store.latest_fills()
        query = sa.select(latest).where(latest.c.account == account, latest.c.base_exec_id.in_(bases))
        _keep_fills(connection, book, query)
        if left_out := {book.fills[base].wire_ref for base in bases if base in book.fills} - {None, *book.tickets}:
            keep_tickets(connection, account, book, tickets.c.wire_ref.in_(left_out))


def _keep_fills(connection: sa.Connection, book: Book, query: sa.Select[Any]) -> None:
    for row in connection.execute(query):
        book.put_fill(store.fill_line(row), counted=True)
