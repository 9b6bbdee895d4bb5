"""Moves of breakers in the database: append-only, the newest of each machine is where it stands."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.replay.breakers import BreakerReason, BreakerState
from hydra_assets.state.execution_tables import breaker_log
from hydra_exec.breakers.judge import BreakerBook, Machine, Move


def load(engine: sa.Engine, account: str) -> BreakerBook:
    """Where the machines of an account stand."""
    newest = (
        sa.select(sa.func.max(breaker_log.c.id)).where(breaker_log.c.account == account).group_by(breaker_log.c.market)
    )
    columns = (breaker_log.c.market, breaker_log.c.after, breaker_log.c.reason, breaker_log.c.session)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(*columns).where(breaker_log.c.id.in_(newest))).all()
    return BreakerBook(
        {
            market: Machine(BreakerState[after.upper()], BreakerReason(reason), session)
            for market, after, reason, session in rows
        }
    )


def append(engine: sa.Engine, account: str, moves: Sequence[Move], run_id: str = "") -> int:
    """Put moves on record in one transaction; those that are there already stay as they are. The number of new ones."""
    if not moves:
        return 0
    rows = [
        {
            "account": account,
            "market": move.market,
            "session": move.session,
            "before": move.before.name.lower(),
            "after": move.after.name.lower(),
            "reason": str(move.reason),
            "figures": dict(move.figures),
            "run_id": run_id,
        }
        for move in moves
    ]
    statement = insert(breaker_log).values(rows).on_conflict_do_nothing(constraint="uq_breaker_log_move")
    with engine.begin() as connection:
        return len(connection.execute(statement.returning(breaker_log.c.id)).all())
