"""The engine of the state database, its advisory locks, and its migrations."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import URL, make_url

from hydra_assets.state.tables import SCHEMA, components

HEAD = "0005"
"""Newest migration; a test keeps it equal to the migrations' own head."""

HOME_KIND = "home_kind"
"""Entry of the components table that says whose database it is."""

MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseError(Exception):
    """The state database cannot be used; the message says what to do."""


class Lock(IntEnum):
    """Advisory locks of this database, by number."""

    MIGRATION = 4_812_001
    PROMOTION = 4_812_002
    SYSTEM_STATE = 4_812_003
    INGEST = 4_812_004
    LEDGER = 4_812_005
    FILLS = 4_812_006
    GATE_RECORDS = 4_812_007
    TRADING = 4_812_008


def database_url(text: str | None = None) -> URL:
    """Return the URL (default: ``HYDRA_POSTGRES_URL``) with the driver named; DatabaseError where it is none.

    SQLAlchemy 2.1 takes psycopg 3 for a bare ``postgresql://``; ours is psycopg2, which dagster-postgres ships.
    """
    text = text or os.environ.get("HYDRA_POSTGRES_URL")
    if not text:
        msg = 'HYDRA_POSTGRES_URL is not set: run through `hydra`, or `eval "$(hydra env)"` first'
        raise DatabaseError(msg)
    try:
        url = make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:
        msg = "HYDRA_POSTGRES_URL is no database URL; write postgresql://user:password@host:port/database"
        raise DatabaseError(msg) from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        msg = f"HYDRA_POSTGRES_URL names {url.get_backend_name()}; only PostgreSQL is supported"
        raise DatabaseError(msg)
    return url.set(drivername="postgresql+psycopg2")


def connect(url: str | URL | None = None) -> sa.Engine:
    """Return an engine on the state database; small pool, connections tested before use."""
    parsed = database_url(url) if isinstance(url, str | None) else url
    return sa.create_engine(parsed, pool_size=2, max_overflow=4, pool_pre_ping=True)


@contextmanager
def advisory_lock(connection: sa.Connection, lock: Lock) -> Iterator[None]:
    """Hold a lock until the connection's transaction ends; waits for the holder."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(lock))))
    yield


@contextmanager
def named_lock(engine: sa.Engine, lock: Lock, name: str) -> Iterator[None]:
    """Hold a lock on one thing of its kind; waits for the holder, whose death frees it."""
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(lock), sa.func.hashtext(name))))
        yield


def migrated(engine: sa.Engine) -> bool:
    """Whether the schema is at HEAD; two queries, no alembic import."""
    with engine.connect() as connection:
        if connection.scalar(sa.select(sa.func.to_regclass(f"{SCHEMA}.alembic_version"))) is None:
            return False
        version = sa.table("alembic_version", sa.column("version_num", sa.Text), schema=SCHEMA)
        return HEAD in connection.scalars(sa.select(version.c.version_num))


def migrate(engine: sa.Engine) -> None:
    """Bring the schema to HEAD; any number of processes may call it at once."""
    if migrated(engine):
        return
    from alembic import command  # noqa: PLC0415  half a second that the usual start does not need
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection, advisory_lock(connection, Lock.MIGRATION):
        connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def claim(engine: sa.Engine, kind: str) -> None:
    """Mark the database as one of simulated or of real homes, for ever; DatabaseError where it is the other's.

    Simulated and real never mix: a champion, a ledger or a promotion of the one must not be read by the other.
    """
    statement = insert(components).values(name=HOME_KIND, version=kind).on_conflict_do_nothing()
    with engine.begin() as connection:
        connection.execute(statement)
        owner = connection.scalar(sa.select(components.c.version).where(components.c.name == HOME_KIND))
    if owner != kind:
        msg = f"this database belongs to a {owner} home, this home is {kind}: give it a HYDRA_POSTGRES_URL of its own"
        raise DatabaseError(msg)
