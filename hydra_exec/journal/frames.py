"""The journal as rows of datasets: what was decided, and what was filled."""

from datetime import date, datetime

import polars as pl
import sqlalchemy as sa

from hydra_assets.columns import FILLS, ORDERS
from hydra_assets.state.execution_tables import fill_fees, fills, orders, tickets
from hydra_exec.journal import store
from hydra_exec.plan import Motive

_ORDER_COLUMNS = ("contract", "side", "quantity", "limit_price", "reference_price", "motive", "algo", "gate_code")
_FILL_COLUMNS = ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee")


def told_in() -> sa.ColumnElement[date]:
    """The session whose partition tells of an order.

    It is the one at whose cutoff it was decided. What a person asked for was said after that cutoff, when the partition
    was made: it is told of in the session that it is to be worked in.
    """
    return sa.case((orders.c.motive == str(Motive.OPERATOR), orders.c.work_session), else_=orders.c.session)


def newest_fee(of: sa.FromClause) -> sa.ScalarSelect[float]:
    """What a fill cost: the fee of its newest revision that has one, whichever revision counts; ``of`` is ``fills``.

    A correction that no fee was told of costs what the fill cost before, and one that has its own costs that and not
    both.
    """
    told, revisions = fill_fees.alias("told"), fills.alias("revisions")
    return (
        sa.select(told.c.fee)
        .join(revisions, (revisions.c.account == told.c.account) & (revisions.c.exec_id == told.c.exec_id))
        .where(revisions.c.account == of.c.account, revisions.c.base_exec_id == of.c.base_exec_id)
        .order_by(revisions.c.revision.desc())
        .limit(1)
        .correlate(of)
        .scalar_subquery()
    )


def orders_between(engine: sa.Engine, account: str, market: str, first: date, last: date) -> pl.DataFrame:
    """Orders that are told of in a market's sessions, passed or denied: rows of ``orders``."""
    names = ("market", "session", "order_ref", *_ORDER_COLUMNS)
    session = told_in()
    columns = [session.label(name) if name == "session" else orders.c[name] for name in names]
    query = (
        sa.select(*columns)
        .where(orders.c.account == account, orders.c.market == market, session.between(first, last))
        .order_by(session, orders.c.order_ref)
    )
    return _frame(engine, query, {name: ORDERS.schema[name] for name in names})


def fills_between(
    engine: sa.Engine, account: str, market: str, root: str, first: datetime, last: datetime
) -> pl.DataFrame:
    """Fills of a market's contracts with ``executed_at`` in (first, last], each by its last revision.

    Rows of ``fills`` with ``executed_at`` in place of the session, and ``reference_price`` of the order and
    ``mid_at_send`` of the ticket besides. A fill that is none of our orders' has none of these.
    """
    latest = store.latest_fills()
    query = (
        sa.select(
            sa.literal(market),
            latest.c.executed_at,
            latest.c.exec_id,
            orders.c.order_ref,
            orders.c.session,
            latest.c.contract,
            latest.c.side,
            latest.c.quantity,
            latest.c.price,
            sa.func.coalesce(newest_fee(latest), 0.0),
            orders.c.reference_price,
            tickets.c.mid_at_send,
        )
        .outerjoin(tickets, tickets.c.wire_ref == latest.c.wire_ref)
        .outerjoin(orders, orders.c.order_ref == tickets.c.order_ref)
        .where(
            latest.c.account == account,
            latest.c.contract.startswith(f"{root}-", autoescape=True),
            latest.c.quantity > 0,
            latest.c.executed_at > first,
            latest.c.executed_at <= last,
        )
        .order_by(latest.c.executed_at, latest.c.exec_id)
    )
    schema: dict[str, pl.DataType] = {"market": pl.String(), "executed_at": pl.Datetime("us", "UTC")}
    more: dict[str, pl.DataType] = {"reference_price": pl.Float64(), "mid_at_send": pl.Float64()}
    return _frame(engine, query, schema | {name: FILLS.schema[name] for name in _FILL_COLUMNS} | more)


def _frame(engine: sa.Engine, query: sa.Select[tuple[object, ...]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    return pl.DataFrame(rows, schema=schema, orient="row")
