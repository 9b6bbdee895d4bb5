"""Connections and signs of life on record."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.execution_tables import connection_log, heartbeats
from hydra_exec.connection.heartbeat import DEAD_AFTER


class ConnectionLog:
    """``KeeperLog`` of one role of one account in the state database."""

    def __init__(self, engine: sa.Engine, role: str, account: str, run_id: str = "") -> None:
        self._engine = engine
        self._role = role
        self._account = account
        self._run_id = run_id

    def event(self, event: str, generation: int, detail: str = "") -> None:
        """Append what happened to a connection."""
        row = {
            "role": self._role,
            "account": self._account,
            "generation": generation,
            "event": event,
            "detail": detail,
            "run_id": self._run_id,
        }
        with self._engine.begin() as connection:
            connection.execute(sa.insert(connection_log).values(**row))

    def beat(self, now: datetime, state: str, *, expected: bool) -> None:
        """Replace the role's last sign of life; an older one never replaces a newer."""
        row = {
            "role": self._role,
            "account": self._account,
            "last_at": now,
            "expected": expected,
            "state": state,
            "run_id": self._run_id,
        }
        statement = insert(heartbeats).values(**row)
        changed = {name: statement.excluded[name] for name in row if name != "role"}
        with self._engine.begin() as connection:
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=[heartbeats.c.role],
                    set_=changed,
                    where=heartbeats.c.last_at <= statement.excluded.last_at,
                )
            )


@dataclass(frozen=True, slots=True)
class Silence:
    """A role that should be alive and was not heard of."""

    role: str
    account: str
    last_at: datetime


def silent_since(engine: sa.Engine, now: datetime, after: timedelta = DEAD_AFTER) -> list[Silence]:
    """Roles whose silence is an alarm and that gave no sign of life for so long, by role."""
    columns = (heartbeats.c.role, heartbeats.c.account, heartbeats.c.last_at)
    silent = (
        sa.select(*columns)
        .where(heartbeats.c.expected, heartbeats.c.last_at <= now - after)
        .order_by(heartbeats.c.role)
    )
    with engine.connect() as connection:
        return [Silence(*row) for row in connection.execute(silent)]
