"""An account's life of three sessions at the simulated broker, lived again from nothing, and what it comes to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from hydra_assets.state.execution_tables import orders, tickets
from hydra_assets.state.tables import metadata
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.journal import store
from hydra_exec.journal.journal import Journal
from tests.support.desk_scene import HOME, DeskScene, World, sessions

STEPS = 10


def world() -> World:
    """Two contracts are bought in the second session, the third sells three; orders step, and fill in parts."""
    days = sessions(3)
    return World(
        wanted=dict(zip(days, (2, -1, -1), strict=True)),
        settles=dict(zip(days, (85.0, 85.6, 85.2), strict=True)),
        range_width=0.2,
        day_cap=STEPS,
    )


def scene_on(engine: sa.Engine) -> tuple[DeskScene, list[date]]:
    """The account and its sessions."""
    return DeskScene(engine, world(), sim=SimConfig(steps=STEPS, impact=False)), sessions(3)


def wiped(engine: sa.Engine) -> None:
    """As if nothing had been: the tables that refuse it are asked as a replica would be."""
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))


@dataclass(frozen=True, slots=True)
class Left:
    """What a life has come to: positions, and by order what was ordered, what is filled, and how it ended."""

    positions: Mapping[str, int]
    ordered: Mapping[str, int]
    filled: Mapping[str, int]
    statuses: Mapping[str, str]


def left(engine: sa.Engine, account: str) -> Left:
    """Read it."""
    latest = store.latest_fills()
    filled = (
        sa.select(tickets.c.order_ref, sa.func.sum(latest.c.quantity))
        .join(tickets, tickets.c.wire_ref == latest.c.wire_ref)
        .where(latest.c.account == account)
        .group_by(tickets.c.order_ref)
    )
    with engine.connect() as connection:
        rows = connection.execute(sa.select(orders.c.order_ref, orders.c.quantity, orders.c.status)).all()
        return Left(
            positions=dict(Journal(engine, account, HOME).positions),
            ordered={ref: lots for ref, lots, _ in rows},
            filled={ref: int(lots) for ref, lots in connection.execute(filled)},
            statuses={ref: status for ref, _, status in rows},
        )
