"""The journal's tables: orders, tickets, messages, fills. Every function runs in the caller's transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from hydra_assets.state.chain import Anchor, Entry, EntryKind
from hydra_assets.state.execution_tables import (
    broker_events,
    fill_fees,
    fills,
    orders,
    perm_ids,
    tickets,
)
from hydra_assets.state.records import OrderStatus, Side
from hydra_exec.broker.port import FeeReport
from hydra_exec.journal.chained import ChainedFill
from hydra_exec.journal.records import Algo, FillKind, FillLine, Order, TicketRecord
from hydra_exec.order_state import LIVE, Progress, TicketState

_ORDER = [orders.c[name] for name in Order.__dataclass_fields__]
_LATEST = (
    sa.select(fills)
    .ext(distinct_on(fills.c.account, fills.c.base_exec_id))
    .order_by(fills.c.account, fills.c.base_exec_id, fills.c.revision.desc())
)
"""The last revision of each fill."""
_OWNER = sa.func.coalesce(fills.c.wire_ref, perm_ids.c.wire_ref)


def latest_fills() -> sa.Subquery:
    """The last revision of every fill, with the ticket that it was found to be of since: columns of ``fills``."""
    last = _LATEST.subquery("last")
    columns = [c for c in last.c if c.name != "wire_ref"]
    owner = sa.func.coalesce(last.c.wire_ref, perm_ids.c.wire_ref).label("wire_ref")
    joined = last.outerjoin(
        perm_ids, (perm_ids.c.account == last.c.account) & (perm_ids.c.perm_id == last.c.perm_id) & (last.c.perm_id > 0)
    )
    return sa.select(*columns, owner).select_from(joined).subquery("latest_fills")


def add_orders(connection: sa.Connection, rows: Sequence[Order]) -> list[str]:
    """Write orders that are new; the names of those that are."""
    if not rows:
        return []
    values = [asdict(row) | {"side": str(row.side), "algo": str(row.algo), "status": str(row.status)} for row in rows]
    statement = insert(orders).on_conflict_do_nothing(index_elements=["order_ref"]).returning(orders.c.order_ref)
    return list(connection.scalars(statement.values(values)))


def set_status(connection: sa.Connection, refs: Sequence[str], status: OrderStatus, reason: str = "") -> None:
    """Move orders to a status."""
    connection.execute(
        sa.update(orders)
        .where(orders.c.order_ref.in_(refs))
        .values(status=str(status), updated_at=sa.func.clock_timestamp(), **({"reason": reason} if reason else {}))
    )


def read_orders(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Order]:
    """Orders in the order of their names."""
    found = connection.execute(sa.select(*_ORDER).where(*conditions).order_by(orders.c.order_ref))
    return [order_of(row) for row in found]


def order_of(row: sa.Row[Any]) -> Order:
    """An order from its row."""
    values = dict(row._mapping)
    return Order(
        **values | {"side": Side(values["side"]), "algo": Algo(values["algo"]), "status": OrderStatus(values["status"])}
    )


def add_ticket(connection: sa.Connection, account: str, ticket: TicketRecord, run_id: str) -> None:
    """Write a ticket for the first time; IntegrityError where its name or its part of the order is taken."""
    connection.execute(
        sa.insert(tickets).values(
            wire_ref=ticket.wire_ref,
            order_ref=ticket.order_ref,
            slice=ticket.part,
            account=account,
            market=ticket.market,
            contract=ticket.contract,
            side=str(ticket.side),
            quantity=ticket.progress.quantity,
            sent_at=ticket.sent_at,
            mid_at_send=ticket.mid_at_send,
            run_id=run_id,
            **_moving(ticket),
        )
    )


def update_tickets(connection: sa.Connection, changed: Iterable[TicketRecord]) -> None:
    """Write what moves of tickets."""
    rows = [_moving(ticket) | {"ref": ticket.wire_ref} for ticket in changed]
    if not rows:
        return
    names = [name for name in rows[0] if name != "ref"]
    connection.execute(
        sa.update(tickets)
        .where(tickets.c.wire_ref == sa.bindparam("ref"))
        .values({name: sa.bindparam(name) for name in names} | {"updated_at": sa.func.clock_timestamp()}),
        rows,
    )


def _moving(ticket: TicketRecord) -> dict[str, Any]:
    return {
        "limit_price": ticket.limit_price,
        "state": str(ticket.progress.state),
        "executed": ticket.progress.executed,
        "reported": ticket.progress.reported,
        "generation": ticket.generation,
        "order_id": ticket.order_id,
        "reason": ticket.reason,
    }


def add_perm_ids(connection: sa.Connection, account: str, pairs: Iterable[tuple[int, str]]) -> None:
    """Write permanent ids of tickets; the first ticket that claimed one keeps it."""
    rows = [{"account": account, "perm_id": perm_id, "wire_ref": ref} for perm_id, ref in pairs]
    if rows:
        connection.execute(insert(perm_ids).on_conflict_do_nothing().values(rows))


def add_events(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write messages as heard."""
    if rows:
        connection.execute(sa.insert(broker_events), list(rows))


def add_fees(connection: sa.Connection, account: str, fees: Iterable[FeeReport]) -> None:
    """Write what fills cost; said twice it is the same."""
    rows = {
        fee.exec_id: {"account": account, "exec_id": fee.exec_id, "fee": fee.fee, "currency": fee.currency}
        for fee in fees
    }
    if rows:
        connection.execute(insert(fill_fees).on_conflict_do_nothing().values(list(rows.values())))


def last_link(connection: sa.Connection) -> Anchor | None:
    """The chain's newest link."""
    row = connection.execute(sa.select(fills.c.seq, fills.c.sha256).order_by(fills.c.seq.desc()).limit(1)).one_or_none()
    return Anchor(row.seq, row.sha256) if row else None


def add_fills(connection: sa.Connection, account: str, lines: Sequence[ChainedFill]) -> None:
    """Write links; IntegrityError where one of them is there."""
    if not lines:
        return
    rows = [
        {
            "seq": line.entry.seq,
            "account": account,
            "kind": str(line.fill.kind),
            "exec_id": line.fill.exec_id,
            "base_exec_id": line.fill.base_exec_id,
            "revision": line.fill.revision,
            "wire_ref": line.fill.wire_ref,
            "perm_id": line.fill.perm_id,
            "contract": line.fill.contract,
            "side": str(line.fill.side),
            "quantity": line.fill.quantity,
            "price": line.fill.price,
            "executed_at": line.fill.executed_at,
            "body": line.entry.body,
            "previous": line.entry.previous,
            "sha256": line.entry.sha256,
        }
        for line in lines
    ]
    connection.execute(sa.insert(fills), rows)


def read_chain(connection: sa.Connection) -> list[ChainedFill]:
    """Every link, in order."""
    out = []
    for row in connection.execute(sa.select(fills).order_by(fills.c.seq)):
        entry = Entry(row.seq, EntryKind.FILL, row.account, row.exec_id, row.body, None, row.previous, row.sha256)
        out.append(ChainedFill(fill_line(row), entry))
    return out


def fill_line(row: sa.Row[Any]) -> FillLine:
    """A fill from a row of ``fills`` or of ``latest_fills``."""
    return FillLine(
        base_exec_id=row.base_exec_id,
        revision=row.revision,
        exec_id=row.exec_id,
        contract=row.contract,
        side=Side(row.side),
        quantity=row.quantity,
        price=row.price,
        executed_at=row.executed_at,
        perm_id=row.perm_id,
        wire_ref=row.wire_ref,
        kind=FillKind(row.kind),
    )


def ticket_records(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[TicketRecord]:
    """Tickets with their progress."""
    known = sa.exists().where(perm_ids.c.wire_ref == tickets.c.wire_ref).label("acknowledged")
    found = connection.execute(sa.select(tickets, known).where(*conditions).order_by(tickets.c.created_at))
    return [
        TicketRecord(
            wire_ref=row.wire_ref,
            order_ref=row.order_ref,
            part=row.slice,
            market=row.market,
            contract=row.contract,
            side=Side(row.side),
            limit_price=row.limit_price,
            progress=Progress(row.quantity, TicketState(row.state), row.executed, row.reported),
            sent_at=row.sent_at,
            generation=row.generation or 0,
            order_id=row.order_id or 0,
            acknowledged=row.acknowledged,
            reason=row.reason,
            mid_at_send=row.mid_at_send,
        )
        for row in found
    ]


LIVE_STATES = [str(state) for state in LIVE]
