"""A real PostgreSQL for tests: one embedded server per test process, a database per test cloned from a template."""

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import sqlalchemy as sa

from hydra_assets.state.db import connect, migrate
from hydra_console.bootstrap.postgres import EmbeddedPostgres

TEMPLATE = "state_template"
_numbers = itertools.count()


class TestServer:
    """The server with a migrated template database."""

    __test__ = False

    def __init__(self, home: Path) -> None:
        self.postgres = EmbeddedPostgres(home)
        self.postgres.ensure()
        self._execute(f"CREATE DATABASE {TEMPLATE}")
        engine = connect(self.postgres.url(TEMPLATE))
        migrate(engine)
        engine.dispose()

    def stop(self) -> None:
        self.postgres.stop()

    @contextmanager
    def database(self, *, template: str = TEMPLATE) -> Iterator[str]:
        """URL of a fresh database, dropped afterwards."""
        name = f"test_{next(_numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.postgres.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        connection = psycopg2.connect(host=str(self.postgres.sockets), user="hydra", dbname="postgres")
        with closing(connection):
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)


@contextmanager
def engine_on(url: str) -> Iterator[sa.Engine]:
    """An engine that is disposed of afterwards."""
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()
