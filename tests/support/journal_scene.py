"""A journal on a real database, with what a test decides, sends and hears; each scene is an account of its own."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from hydra_assets.state.execution_tables import broker_events, fills, orders, perm_ids, tickets
from hydra_assets.state.records import Side
from hydra_exec.broker.port import ExecutionReport, FeeReport, Notice, NoticeKind, OrderReport, Snapshot, Ticket, Word
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.reconcile import Reconciler
from hydra_exec.journal.records import Order, TicketRecord

APRIL, MAY = "HE-2026-04", "HE-2026-05"
AT = datetime(2026, 1, 6, 15, 0, tzinfo=UTC)
DECIDED, WORKED = date(2026, 1, 5), date(2026, 1, 6)
HOME = "0f0e0d0c"
OF_ACCOUNT = {
    "events": broker_events,
    "fills": fills,
    "orders": orders,
    "perm_ids": perm_ids,
    "tickets": tickets,
}
_numbers = itertools.count(1)


def later(minutes: float) -> datetime:
    """An instant after ``AT``."""
    return AT + timedelta(minutes=minutes)


@dataclass
class JournalScene:
    """An account's journal; ``restart`` is another process. Every execution has a name that no other scene uses."""

    engine: sa.Engine
    account: str = field(default_factory=lambda: f"DU{next(_numbers)}")
    run_id: str = "run"

    def __post_init__(self) -> None:
        self.journal = Journal(self.engine, self.account, HOME, self.run_id)

    def restart(self) -> Journal:
        """A new process reads what the last one left."""
        self.journal = Journal(self.engine, self.account, HOME, self.run_id)
        return self.journal

    def order(self, contract: str = APRIL, quantity: int = 3, side: Side = Side.BUY, **more: Any) -> Order:
        """An order that is decided, and written where it is new."""
        market = contract.partition("-")[0]
        values: dict[str, Any] = {
            "order_ref": f"{self.account}/{market}/{DECIDED}/{contract}",
            "account": self.account,
            "market": market,
            "contract": contract,
            "side": side,
            "quantity": quantity,
            "session": DECIDED,
            "work_session": WORKED,
            "reference_price": 82.0,
            "limit_price": 83.0,
            "motive": "signal",
            "gate_code": "passed",
            "run_id": self.run_id,
        }
        order = Order(**values | more)
        self.journal.decide([order])
        return order

    def planned(self, part: int = 0, quantity: int = 3, contract: str = APRIL, **more: Any) -> Ticket:
        """A ticket of an order, not yet on record."""
        return self.journal.plan(self.order(contract, **more), part, quantity, 82.5, 82.45)

    def send(
        self, order_id: int = 7, generation: int = 1, part: int = 0, quantity: int = 3, contract: str = APRIL
    ) -> str:
        """A ticket that went out; its name."""
        ticket = self.planned(part, quantity, contract)
        self.journal.sending(ticket, AT)
        self.journal.sent(ticket.wire_ref, order_id, generation)
        return ticket.wire_ref

    def ticket(self, ref: str) -> TicketRecord:
        """A ticket as the journal has it at hand."""
        return self.journal.book.tickets[ref]

    def rows(self, table: str, *columns: str) -> list[Any]:
        """Rows of the account, in the order in which they were written; one column gives its values."""
        held = OF_ACCOUNT[table]
        place = next(name for name in ("id", "seq", "created_at", "recorded_at") if name in held.c)
        query = (
            sa.select(*(held.c[name] for name in columns)).where(held.c.account == self.account).order_by(held.c[place])
        )
        with self.engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(query)]
        return [row[0] for row in found] if len(columns) == 1 else found

    def reconciler(self, client_id: int = 71, price: Mapping[str, float] | None = None) -> Reconciler:
        """Compares this journal with full answers."""
        return Reconciler(self.journal, client_id, (price or {}).get)

    def answer(
        self,
        positions: Mapping[str, int],
        open_orders: Sequence[OrderReport] = (),
        executions: Sequence[ExecutionReport] = (),
        minutes: float = 5,
        generation: int = 1,
        **more: Any,
    ) -> Snapshot:
        """A full answer, asked a minute before it was taken."""
        asked, taken = later(minutes - 1), later(minutes)
        return Snapshot(
            self.account, generation, asked, taken, dict(positions), tuple(open_orders), tuple(executions), **more
        )


def says(word: Word, filled: int = 0, perm_id: int = 9001, order_id: int = 7, **more: Any) -> OrderReport:
    """A state of an order, named by ids unless told otherwise."""
    return OrderReport(word, filled, later(1), perm_id=perm_id, order_id=order_id, **{"generation": 1, **more})


def fill(
    n: int, base: str = "a", revision: int = 1, perm_id: int = 9001, order_id: int = 7, **more: Any
) -> ExecutionReport:
    """A revision of a fill of ``APRIL``, named by ids unless told otherwise."""
    values: dict[str, Any] = {
        "exec_id": f"{base}.{revision:02d}",
        "base_exec_id": base,
        "revision": revision,
        "contract": APRIL,
        "side": Side.BUY,
        "quantity": n,
        "price": 82.5,
        "executed_at": later(2),
        "perm_id": perm_id,
        "order_id": order_id,
        "generation": 1,
    }
    return ExecutionReport(**values | more)


def fee(exec_id: str, amount: float = 2.5) -> FeeReport:
    """What a fill cost."""
    return FeeReport(exec_id, amount, "USD", 1)


def broken() -> Notice:
    """The connection is gone."""
    return Notice(NoticeKind.DISCONNECTED, 0, "", later(3), generation=1)
