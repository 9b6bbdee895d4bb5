"""Orders and fills: both are written once, however often they are reported."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.records import FillRecord, OrderRecord, OrderStatus, Side
from hydra_assets.state.tables import fills, orders


def create_order(engine: sa.Engine, order: OrderRecord) -> bool:
    """Write an order before it is sent; False where its ``order_ref`` exists, and nothing changes."""
    statement = insert(orders).values(**asdict(order)).on_conflict_do_nothing(index_elements=[orders.c.order_ref])
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def set_order_status(engine: sa.Engine, order_ref: str, status: OrderStatus, reason: str = "") -> None:
    """Move an order to a status; KeyError where there is none of that name."""
    statement = (
        sa.update(orders)
        .where(orders.c.order_ref == order_ref)
        .values(status=str(status), reason=reason, updated_at=sa.func.clock_timestamp())
    )
    with engine.begin() as connection:
        if connection.execute(statement).rowcount != 1:
            raise KeyError(order_ref)


def find_order(engine: sa.Engine, order_ref: str) -> OrderRecord | None:
    """The order of that name."""
    columns = [orders.c[name] for name in OrderRecord.__dataclass_fields__]
    with engine.connect() as connection:
        row = connection.execute(sa.select(*columns).where(orders.c.order_ref == order_ref)).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    return OrderRecord(**{**values, "side": Side(values["side"]), "status": OrderStatus(values["status"])})


def record_fill(engine: sa.Engine, fill: FillRecord) -> bool:
    """Write a fill; False where its ``exec_id`` exists, and nothing changes."""
    statement = insert(fills).values(**asdict(fill)).on_conflict_do_nothing(index_elements=[fills.c.exec_id])
    with engine.begin() as connection:
        return connection.execute(statement).rowcount == 1


def positions(engine: sa.Engine) -> dict[tuple[str, str], int]:
    """Contracts held by (market, contract), long positive, from the fills alone; flat ones are left out."""
    signed = sa.func.sum(sa.case((orders.c.side == str(Side.BUY), fills.c.quantity), else_=-fills.c.quantity))
    query = (
        sa.select(orders.c.market, orders.c.contract, signed)
        .join(fills, fills.c.order_ref == orders.c.order_ref)
        .group_by(orders.c.market, orders.c.contract)
        .having(signed != 0)
    )
    with engine.connect() as connection:
        return {(market, contract): int(held) for market, contract, held in connection.execute(query)}
