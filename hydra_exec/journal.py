"""Orders and fills in the database: what was decided once stays decided, however often a range is run again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.columns import FILLS, ORDERS
from hydra_assets.state.records import OrderStatus, Side
from hydra_assets.state.tables import fills, orders
from hydra_exec.broker.port import WorkingOrder
from hydra_exec.risk_gate import GateCode
from hydra_exec.trading import Traded


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a market stands after a session: positions by contract, and the day orders that live in the next one."""

    positions: dict[str, int]
    working: tuple[WorkingOrder, ...]


def last_ordered(engine: sa.Engine, market: str) -> date | None:
    """The last session with an order of a market on record."""
    with engine.connect() as connection:
        last: date | None = connection.scalar(sa.select(sa.func.max(orders.c.session)).where(orders.c.market == market))
    return last


def standing(engine: sa.Engine, market: str, session: date, ended_at: datetime) -> Standing:
    """Read where a market stood after a session, whose fills are stamped with ``ended_at``.

    Positions are all fills up to then, however long before they were ordered; an order of an older session has expired.
    """
    sent = orders.c.market == market
    signed = sa.func.sum(sa.case((orders.c.side == str(Side.BUY), fills.c.quantity), else_=-fills.c.quantity))
    with engine.connect() as connection:
        held = connection.execute(
            sa.select(orders.c.contract, signed)
            .join(fills, fills.c.order_ref == orders.c.order_ref)
            .where(sent, fills.c.filled_at <= ended_at)
            .group_by(orders.c.contract)
            .having(signed != 0)
        ).all()
        working = connection.execute(
            sa.select(orders.c.order_ref, orders.c.contract, orders.c.side, orders.c.quantity, orders.c.limit_price)
            .where(sent, orders.c.session == session, orders.c.status != str(OrderStatus.REJECTED))
            .order_by(orders.c.order_ref)
        ).all()
    return Standing(
        {contract: int(quantity) for contract, quantity in held},
        tuple(WorkingOrder(ref, contract, Side(side), n, limit, session) for ref, contract, side, n, limit in working),
    )


def record(
    engine: sa.Engine, market: str, traded: Traded, lived_to: date, end_of: Callable[[date], datetime], run_id: str
) -> None:
    """Write decisions and fills up to a session in one transaction; what is there already stays as it is."""
    filled = {execution.order_ref for execution in traded.executions}
    order_rows = [
        {
            "order_ref": decision.order_ref,
            "market": market,
            "contract": decision.intent.contract,
            "side": str(decision.intent.side),
            "quantity": decision.intent.quantity,
            "session": decision.session,
            "limit_price": decision.intent.limit_price,
            "status": str(_status(decision.code, decision.order_ref in filled, decision.session >= lived_to)),
            "reason": str(decision.code),
            "run_id": run_id,
        }
        for decision in traded.decisions
    ]
    fill_rows = [
        {
            "exec_id": execution.exec_id,
            "order_ref": execution.order_ref,
            "quantity": execution.quantity,
            "price": execution.price,
            "fee": execution.fee,
            "filled_at": end_of(execution.session),
        }
        for execution in traded.executions
    ]
    with engine.begin() as connection:
        # Day orders of an earlier run that this one has lived past are filled or gone.
        connection.execute(
            sa.update(orders)
            .where(
                orders.c.market == market, orders.c.status == str(OrderStatus.SUBMITTED), orders.c.session < lived_to
            )
            .values(status=str(OrderStatus.CANCELLED), updated_at=sa.func.clock_timestamp())
        )
        if order_rows:
            connection.execute(insert(orders).on_conflict_do_nothing(index_elements=["order_ref"]), order_rows)
        if fill_rows:
            connection.execute(insert(fills).on_conflict_do_nothing(index_elements=["exec_id"]), fill_rows)
            connection.execute(
                sa.update(orders)
                .where(orders.c.order_ref.in_(filled))
                .values(status=str(OrderStatus.FILLED), updated_at=sa.func.clock_timestamp())
            )


def _status(code: GateCode, filled: bool, working: bool) -> OrderStatus:
    if code is not GateCode.PASSED:
        return OrderStatus.REJECTED
    if filled:
        return OrderStatus.FILLED
    return OrderStatus.SUBMITTED if working else OrderStatus.CANCELLED


def orders_between(engine: sa.Engine, market: str, first: date, last: date) -> pl.DataFrame:
    """Recorded orders of a market's sessions: rows of ``orders``."""
    columns = ("order_ref", "contract", "side", "quantity", "limit_price")
    query = (
        sa.select(orders.c.market, orders.c.session, *(orders.c[name] for name in columns), orders.c.reason)
        .where(orders.c.market == market, orders.c.session.between(first, last))
        .order_by(orders.c.session, orders.c.order_ref)
    )
    names = ("market", "session", *columns, "gate_code")
    return _frame(engine, query, {name: ORDERS.schema[name] for name in names})


def fills_between(engine: sa.Engine, market: str, first: datetime, last: datetime) -> pl.DataFrame:
    """Recorded fills with ``filled_at`` in [first, last]: rows of ``fills`` with ``filled_at`` in place of session."""
    query = (
        sa.select(
            orders.c.market,
            fills.c.filled_at,
            fills.c.exec_id,
            fills.c.order_ref,
            orders.c.session,
            orders.c.contract,
            orders.c.side,
            fills.c.quantity,
            fills.c.price,
            fills.c.fee,
        )
        .join(orders, orders.c.order_ref == fills.c.order_ref)
        .where(orders.c.market == market, fills.c.filled_at.between(first, last))
        .order_by(fills.c.filled_at, fills.c.exec_id)
    )
    schema: dict[str, pl.DataType] = {"market": pl.String(), "filled_at": pl.Datetime("us", "UTC")}
    names = ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee")
    return _frame(engine, query, schema | {name: FILLS.schema[name] for name in names})


def _frame(engine: sa.Engine, query: sa.Select[tuple[object, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=schema, orient="row")
