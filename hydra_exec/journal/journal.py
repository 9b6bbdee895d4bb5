"""The journal of one account: written first, and the only place where a message becomes a fact.

One process writes at a time (an advisory lock of the account says which). What it needs at hand is kept in a ``Book``;
every change of it is in the database when a method returns, and where that fails the book is read anew.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, datetime

import sqlalchemy as sa

from hydra_assets.state.chain import ChainVerdict, canonical
from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.execution_tables import connection_log, orders, tickets
from hydra_assets.state.records import OrderStatus
from hydra_exec.broker.port import ExecutionReport, FeeReport, Message, Ticket
from hydra_exec.journal import reading, store
from hydra_exec.journal.apply import apply
from hydra_exec.journal.chained import chain_on, verify_fills
from hydra_exec.journal.names import wire_ref
from hydra_exec.journal.records import Applied, Book, EventOutcome, FillLine, Order, TicketRecord
from hydra_exec.order_state import Evidence, Progress, told


class JournalError(Exception):
    """The journal cannot be used; the message says why."""


class Journal:
    """Orders, tickets and fills of an account. ``home`` tells this home's tickets from those of any other."""

    def __init__(self, engine: sa.Engine, account: str, home: str, run_id: str = "") -> None:
        self.engine, self.account, self.home, self.run_id = engine, account, home, run_id
        self.book = Book()
        self._generation = 0
        self._planned: dict[str, TicketRecord] = {}
        self._orders: dict[str, Order] = {}
        self.load()

    def load(self) -> None:
        """Read the book anew: tickets that may fill, fills that are nobody's, and positions."""
        with self.engine.connect() as connection:
            self.book = reading.load_book(connection, self.account, self.book.client_id)
            self._floor = reading.highest_order_id(connection, self.account)

    # --- decisions -------------------------------------------------------------------------------------

    def decide(self, decided: Sequence[Order]) -> list[str]:
        """Write orders; the names of those that were new. What is decided stays decided."""
        with self.engine.begin() as connection:
            return store.add_orders(connection, decided)

    def to_work(self, session: date) -> list[Order]:
        """Orders that may be worked in a session and have not been ended."""
        open_states = (str(OrderStatus.CREATED), str(OrderStatus.WORKING))
        with self.engine.connect() as connection:
            return store.read_orders(
                connection,
                orders.c.account == self.account,
                orders.c.work_session == session,
                orders.c.status.in_(open_states),
            )

    def expire_before(self, session: date) -> int:
        """End the orders whose session has passed without a word of theirs; how many."""
        with self.engine.begin() as connection:
            found = connection.execute(
                sa.update(orders)
                .where(
                    orders.c.account == self.account,
                    orders.c.work_session < session,
                    orders.c.status.in_((str(OrderStatus.CREATED), str(OrderStatus.WORKING))),
                )
                .values(
                    status=sa.case(
                        (orders.c.status == str(OrderStatus.CREATED), str(OrderStatus.EXPIRED)),
                        else_=str(OrderStatus.DONE),
                    ),
                    updated_at=sa.func.clock_timestamp(),
                )
            )
            return found.rowcount

    def end_order(self, order_ref: str, status: OrderStatus, reason: str) -> None:
        """Say how an order ended."""
        with self.engine.begin() as connection:
            store.set_status(connection, [order_ref], status, reason)

    def tickets_of(self, order_ref: str) -> list[TicketRecord]:
        """Tickets of an order, in the order of their parts, those of earlier processes too."""
        with self.engine.connect() as connection:
            reading.keep_tickets(connection, self.account, self.book, tickets.c.order_ref == order_ref)
        return self.tickets_at_hand(order_ref)

    def tickets_at_hand(self, order_ref: str) -> list[TicketRecord]:
        """As ``tickets_of``, of those in the book: all of them once ``tickets_of`` was asked."""
        own = [ticket for ticket in self.book.tickets.values() if ticket.order_ref == order_ref]
        return sorted(own, key=lambda ticket: ticket.part)

    # --- what is sent ----------------------------------------------------------------------------------

    def plan(self, order: Order, part: int, quantity: int, limit_price: float, mid: float | None = None) -> Ticket:
        """Make the ticket of a part of an order; nothing is written before the gate has passed it."""
        name = wire_ref(self.home, order.order_ref, part)
        self._orders[order.order_ref] = order
        if name not in self.book.tickets:
            self._planned[name] = TicketRecord(
                wire_ref=name,
                order_ref=order.order_ref,
                part=part,
                market=order.market,
                contract=order.contract,
                side=order.side,
                limit_price=limit_price,
                progress=Progress(quantity),
                mid_at_send=mid,
            )
        return Ticket(name, order.contract, order.side, quantity, limit_price)

    def planned(self, wire_ref: str) -> tuple[Order, TicketRecord] | None:
        """Order and record of a ticket, None where nobody made it."""
        ticket = self.book.tickets.get(wire_ref) or self._planned.get(wire_ref)
        order = self._orders.get(ticket.order_ref) if ticket else None
        return (order, ticket) if order and ticket else None

    def sending(self, ticket: Ticket, at: datetime) -> None:
        """Put a ticket on record as sent, before the wire hears of it; JournalError where it was sent before."""
        planned = self._planned.get(ticket.wire_ref)
        if planned is None:
            msg = f"{ticket.wire_ref} was sent before, or never planned"
            raise JournalError(msg)
        sent = replace(
            planned,
            limit_price=ticket.limit_price,
            progress=told(planned.progress, Evidence.SENDING),
            sent_at=at,
            priced_at=at,
            # Where nobody can tell whether it left, only a later connection's answer may say that it did not.
            generation=self._generation,
        )
        try:
            with self.engine.begin() as connection:
                store.add_ticket(connection, self.account, sent, self.run_id)
                store.set_status(connection, [sent.order_ref], OrderStatus.WORKING)
        except sa.exc.IntegrityError as error:
            msg = f"{ticket.wire_ref} was sent by an earlier process, or its order was never decided"
            raise JournalError(msg) from error
        self.book.put_ticket(sent)
        del self._planned[ticket.wire_ref]

    def amended(self, ticket: Ticket, at: datetime) -> None:
        """Note another limit of a ticket."""
        self._write(replace(self.book.tickets[ticket.wire_ref], limit_price=ticket.limit_price, priced_at=at))

    def sent(self, wire_ref: str, order_id: int, generation: int) -> None:
        """Note the id that a ticket went out under. A crash before this leaves it to be found by its own name."""
        self._floor = max(self._floor, order_id)
        self._write(replace(self.book.tickets[wire_ref], order_id=order_id, generation=generation))

    def not_sent(self, wire_ref: str) -> None:
        """A ticket has certainly not left: it ends, and its name is spent."""
        known = self.book.tickets[wire_ref]
        self._write(replace(known, progress=told(known.progress, Evidence.WITHDRAWN)))

    def unclear(self, wire_ref: str) -> None:
        """Nobody can tell whether something left."""
        known = self.book.tickets[wire_ref]
        self._write(replace(known, progress=told(known.progress, Evidence.UNCLEAR)))

    def cancel_asked(self, wire_ref: str) -> None:
        """We are about to ask for a ticket's end."""
        known = self.book.tickets.get(wire_ref)
        if known is not None:
            self._write(replace(known, progress=told(known.progress, Evidence.CANCEL_ASKED)))

    def _write(self, ticket: TicketRecord) -> None:
        with self.engine.begin() as connection:
            store.update_tickets(connection, [ticket])
        self.book.put_ticket(ticket)

    # --- what is heard ---------------------------------------------------------------------------------

    def take(self, messages: Sequence[Message], *, keep_repeated: bool = True) -> list[Applied]:
        """Store messages as heard and apply them, in one transaction.

        ``keep_repeated`` False leaves out what says nothing new: answers to our own questions, asked again and again.
        """
        if not messages:
            return []
        with self.consistently(), self.engine.begin() as connection:
            reading.fetch(connection, self.account, self.book, messages)
            if any(isinstance(message, ExecutionReport) for message in messages):
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(Lock.FILLS))))
            before = set(self.book.by_perm_id)
            found = [apply(self.book, message) for message in messages]
            kept = [
                (message, result)
                for message, result in zip(messages, found, strict=True)
                if keep_repeated or result.outcome is not EventOutcome.REPEATED
            ]
            store.add_events(connection, [self._event(message, result) for message, result in kept])
            new = [result.fill for result in found if result.fill is not None]
            store.add_fills(connection, self.account, chain_on(store.last_link(connection), self.account, new))
            claimed = set(self.book.by_perm_id) - before
            store.add_perm_ids(connection, self.account, [(each, self.book.by_perm_id[each]) for each in claimed])
            moved = {ticket.wire_ref: ticket for result in found for ticket in (result.ticket, *result.more) if ticket}
            store.update_tickets(connection, [self.book.tickets[ref] for ref in moved])
            store.add_fees(connection, self.account, [each for each in messages if isinstance(each, FeeReport)])
        return found

    def _event(self, message: Message, result: Applied) -> dict[str, object]:
        said = asdict(message).items()
        body = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in said}
        return {
            "account": self.account,
            "generation": message.generation,
            "kind": type(message).__name__,
            "body": canonical(body),
            "wire_ref": result.wire_ref,
            "outcome": str(result.outcome),
        }

    def add_fill_lines(self, connection: sa.Connection, lines: Sequence[FillLine]) -> None:
        """Chain lines that no execution told of; the caller's transaction holds the chain's lock."""
        with advisory_lock(connection, Lock.FILLS):
            store.add_fills(connection, self.account, chain_on(store.last_link(connection), self.account, lines))
        for line in lines:
            self.book.put_fill(line)

    def write_tickets(self, connection: sa.Connection, changed: Sequence[TicketRecord]) -> None:
        """Write tickets that the book holds already, in the caller's transaction."""
        store.update_tickets(connection, changed)

    @contextmanager
    def consistently(self) -> Iterator[None]:
        """Read the book anew where the database did not take what was done to it."""
        try:
            yield
        except BaseException:
            self.load()
            raise

    # --- connections -----------------------------------------------------------------------------------

    def next_generation(self) -> int:
        """Number of a connection that has just been made: one more than the account ever had."""
        with self.engine.begin() as connection:
            last = connection.scalar(
                sa.select(sa.func.max(connection_log.c.generation)).where(connection_log.c.account == self.account)
            )
            generation = int(last or 0) + 1
            connection.execute(
                sa.insert(connection_log).values(
                    role="trading",
                    account=self.account,
                    generation=generation,
                    event="connected",
                    run_id=self.run_id,
                )
            )
        self._generation = generation
        return generation

    def order_id_floor(self) -> int:
        """The highest order id that was ever used on the account."""
        return self._floor

    # --- what is known ---------------------------------------------------------------------------------

    def tidy(self) -> None:
        """Let go of what has ended; it is read again when something is heard of it."""
        old = self.book
        self.book = Book(positions=old.positions, client_id=old.client_id, ended=old.ended, foreign=old.foreign)
        kept = {ticket.wire_ref for ticket in old.tickets.values() if ticket.live}
        for ref in kept:
            self.book.put_ticket(old.tickets[ref])
        self.book.by_perm_id = {perm_id: ref for perm_id, ref in old.by_perm_id.items() if ref in kept}
        for fill in old.fills.values():
            if fill.wire_ref is None or fill.wire_ref in kept:
                self.book.put_fill(fill, counted=True)
        self._planned, self._orders = {}, {}

    @property
    def positions(self) -> Mapping[str, int]:
        """Contracts held by contract, from the fills alone."""
        return self.book.positions

    def live(self) -> list[TicketRecord]:
        """Tickets that may fill."""
        return [ticket for ticket in self.book.tickets.values() if ticket.live]

    def verdict(self) -> ChainVerdict:
        """Whether the chain of the fills can be believed."""
        with self.engine.connect() as connection:
            return verify_fills(store.read_chain(connection))
