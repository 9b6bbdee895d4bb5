"""Connections and signs of life in the state database."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hydra_assets.state.execution_tables import connection_log, heartbeats
from hydra_exec.connection.log import ConnectionLog, Silence, silent_since

NOW = datetime(2026, 1, 15, 15, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_events_are_appended(state_engine: sa.Engine) -> None:
    log = ConnectionLog(state_engine, "trading", "DU1", "run 7")
    log.event("connected", 3, "127.0.0.1:4002")
    log.event("disconnected", 3)
    names = ("role", "account", "generation", "event", "detail", "run_id")
    columns = [connection_log.c[name] for name in names]
    with state_engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(sa.select(*columns).order_by(connection_log.c.id))]
    assert rows == [
        ("trading", "DU1", 3, "connected", "127.0.0.1:4002", "run 7"),
        ("trading", "DU1", 3, "disconnected", "", "run 7"),
    ]


def test_the_last_sign_of_life_of_each_role(state_engine: sa.Engine) -> None:
    log = ConnectionLog(state_engine, "trading", "DU1")
    log.beat(NOW, "up", expected=True)
    log.beat(NOW + 5 * SECOND, "degraded", expected=True)
    log.beat(NOW - SECOND, "up", expected=False)
    with state_engine.connect() as connection:
        columns = (heartbeats.c.role, heartbeats.c.last_at, heartbeats.c.state, heartbeats.c.expected)
        rows = [tuple(row) for row in connection.execute(sa.select(*columns))]
    assert rows == [("trading", NOW + 5 * SECOND, "degraded", True)]


def test_who_is_silent_and_should_not_be(state_engine: sa.Engine) -> None:
    assert silent_since(state_engine, NOW) == []
    ConnectionLog(state_engine, "trading", "DU1").beat(NOW, "up", expected=True)
    ConnectionLog(state_engine, "data", "DU1").beat(NOW - 30 * SECOND, "up", expected=True)
    ConnectionLog(state_engine, "study", "DU1").beat(NOW - 900 * SECOND, "closed", expected=False)
    assert silent_since(state_engine, NOW + 29 * SECOND) == []
    assert silent_since(state_engine, NOW + 30 * SECOND) == [Silence("data", "DU1", NOW - 30 * SECOND)]
    assert [silence.role for silence in silent_since(state_engine, NOW + 60 * SECOND)] == ["data", "trading"]
    ConnectionLog(state_engine, "data", "DU1").beat(NOW + 61 * SECOND, "closed", expected=False)
    assert [silence.role for silence in silent_since(state_engine, NOW + 900 * SECOND)] == ["trading"]
