from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from hydra_assets.state import db, execution_tables, healing_tables
from hydra_assets.state.db import DatabaseError, connect, migrate, migrated
from hydra_assets.state.tables import SCHEMA, metadata
from hydra_console.bootstrap.environment import SCHEMA_HEAD
from hydra_console.bootstrap.variables import with_schema
from tests.support.postgres import TestServer, engine_on


def test_head_is_the_migrations_own() -> None:
    config = Config()
    config.set_main_option("script_location", str(db.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == db.HEAD == SCHEMA_HEAD


def test_migrations_make_exactly_the_tables(database_url: str) -> None:
    # With `public` as its default schema, alembic sees ours under its name as the tables have it.
    with engine_on(with_schema(database_url, "public")) as engine, engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "version_table_schema": SCHEMA,
                "compare_server_default": False,
                "include_name": lambda name, kind, parents: kind != "schema" or name == SCHEMA,
            },
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(state_engine: sa.Engine) -> None:
    assert migrated(state_engine)
    migrate(state_engine)
    assert migrated(state_engine)


def test_concurrent_migrations_of_an_empty_database(postgres_server: TestServer) -> None:
    with postgres_server.database(template="template1") as url:

        def run(_: int) -> bool:
            with engine_on(url) as engine:
                migrate(engine)
                return migrated(engine)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(run, range(4))) == [True] * 4


# Named through their module, so that the metadata has them whoever runs first.
HEALING = [table.name for table in (healing_tables.journal, healing_tables.autonomy, healing_tables.llm_calls)]
EXECUTION = [
    table.name
    for table in (
        execution_tables.broker_events,
        execution_tables.reconciliations,
        execution_tables.connection_log,
        execution_tables.breaker_log,
        execution_tables.slippage_versions,
        execution_tables.trading_switch,
    )
]


@pytest.mark.parametrize(
    "table", ["partition_content", "system_state", "promotions", "champion_stages", *HEALING, *EXECUTION]
)
def test_append_only_tables_refuse_change(state_engine: sa.Engine, table: str) -> None:
    rows = metadata.tables[f"{SCHEMA}.{table}"]
    for statement in (sa.delete(rows), sa.update(rows).values(id=sa.text("DEFAULT")), sa.text(f"TRUNCATE {rows}")):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), state_engine.begin() as connection:
            connection.execute(statement)


@pytest.mark.parametrize(
    "text", ["postgresql://u:p%40ss@h:5/d", "postgres://u:p%40ss@h:5/d", "postgresql+psycopg://u:p%40ss@h:5/d"]
)
def test_urls_get_the_driver_that_is_installed(text: str) -> None:
    assert db.database_url(text).render_as_string(hide_password=False) == "postgresql+psycopg2://u:p%40ss@h:5/d"


@pytest.mark.parametrize("text", ["mysql://u@h/d", "not a url", "sqlite:///x"])
def test_other_urls_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(DatabaseError, match="HYDRA_POSTGRES_URL"):
        db.database_url(text)


def test_without_a_url_the_error_says_what_to_do() -> None:
    with pytest.raises(DatabaseError, match=r"hydra env"):
        connect()
