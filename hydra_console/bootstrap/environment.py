"""A home made ready: database up, schemas migrated, Dagster and MLflow initialised once, environment exported.

The usual call finds everything ready and costs one connection and one query. The slow path runs under a file lock,
in order, and is idempotent: whatever a killed bootstrap left half done, the next one completes.
"""

import logging
import os
from contextlib import closing
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path

import psycopg2

from hydra_console.bootstrap.errors import BootstrapError
from hydra_console.bootstrap.lock import file_lock
from hydra_console.bootstrap.postgres import EmbeddedPostgres
from hydra_console.bootstrap.variables import driver_dsn, external_url, variables

SCHEMA_HEAD = "0005"
"""Migration that this code needs (``hydra_assets.state.db.HEAD``, which costs an import of SQLAlchemy)."""
INITIALISE_SECONDS = 300.0
_MINIMUM_SERVER_VERSION = 140_000


@dataclass(frozen=True, slots=True)
class Environment:
    """A home that is ready, and what its processes need in their environment."""

    home: Path
    url: str
    embedded: bool
    variables: dict[str, str]
    started: bool
    """Whether the database had to be started for this call."""


def describe(home: Path) -> Environment:
    """The environment of a home as it would be; nothing is started or created."""
    url = external_url(os.environ)
    resolved = url or EmbeddedPostgres(home).url()
    return Environment(home, resolved, url is None, variables(home, resolved), started=False)


def ensure(home: Path) -> Environment:
    """Make a home ready and export its environment into this process; BootstrapError where that fails."""
    plan = describe(home)
    _make_home(home)
    started = EmbeddedPostgres(home).ensure() if plan.embedded else False
    _write_dagster_yaml(home)
    os.environ.update(plan.variables)
    wanted = _wanted_components()
    if not wanted.items() <= _ready_components(plan.url).items():
        with file_lock(home / "bootstrap.lock", wait_seconds=INITIALISE_SECONDS):
            if not wanted.items() <= _ready_components(plan.url).items():
                _initialise(plan.url, wanted)
    return Environment(home, plan.url, plan.embedded, plan.variables, started)


def _make_home(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster").mkdir(exist_ok=True)
    except OSError as error:
        msg = f"HYDRA_HOME={home} cannot be written ({error.strerror}): choose a directory of your own"
        raise BootstrapError(msg) from error


def _write_dagster_yaml(home: Path) -> None:
    wanted = files("hydra_console.bootstrap").joinpath("dagster.yaml").read_text(encoding="utf-8")
    file = home / "dagster" / "dagster.yaml"
    if file.exists() and file.read_text(encoding="utf-8") == wanted:
        return
    temporary = file.with_name(f"dagster.yaml.{os.getpid()}")
    temporary.write_text(wanted, encoding="utf-8")
    temporary.replace(file)


def _wanted_components() -> dict[str, str]:
    return {
        "hydra": SCHEMA_HEAD,
        "dagster": metadata.version("dagster"),
        "mlflow": metadata.version("mlflow"),
    }


def _ready_components(url: str) -> dict[str, str]:
    try:
        connection = psycopg2.connect(driver_dsn(url), connect_timeout=10)
    except psycopg2.OperationalError as error:
        msg = f"the database does not answer: {str(error).strip().splitlines()[0]}"
        raise BootstrapError(msg) from error
    with closing(connection), connection.cursor() as cursor:
        if connection.server_version < _MINIMUM_SERVER_VERSION:
            msg = f"PostgreSQL 14 or newer is needed, HYDRA_POSTGRES_URL leads to {connection.server_version // 10000}"
            raise BootstrapError(msg)
        try:
            cursor.execute("SELECT name, version FROM hydra.components")
        except psycopg2.errors.UndefinedTable:
            return {}
        return dict(cursor.fetchall())


def _initialise(url: str, wanted: dict[str, str]) -> None:
    import sqlalchemy as sa  # noqa: PLC0415  not needed where everything is ready
    from sqlalchemy.dialects.postgresql import insert  # noqa: PLC0415

    from hydra_assets.state.db import connect, migrate  # noqa: PLC0415
    from hydra_assets.state.tables import components  # noqa: PLC0415

    engine = connect(url)
    try:
        with engine.begin() as connection:
            for schema in ("dagster", "mlflow"):
                connection.execute(sa.schema.CreateSchema(schema, if_not_exists=True))
        migrate(engine)
        _initialise_dagster()
        _initialise_mlflow()
        statement = insert(components)
        upsert = statement.on_conflict_do_update(
            index_elements=[components.c.name], set_={"version": statement.excluded.version, "ready_at": sa.func.now()}
        )
        with engine.begin() as connection:
            connection.execute(upsert, [{"name": name, "version": version} for name, version in wanted.items()])
    except sa.exc.ProgrammingError as error:
        msg = f"the database's schemas cannot be made ready: {str(error.orig).strip()}"
        raise BootstrapError(msg) from error
    finally:
        engine.dispose()


def _initialise_dagster() -> None:
    """Create or migrate Dagster's tables before several processes would do it at once."""
    import dagster as dg  # noqa: PLC0415

    with dg.DagsterInstance.get() as instance:
        instance.upgrade()


def _initialise_mlflow() -> None:
    """Create or migrate MLflow's tables, of tracking and registry, which are the same."""
    import mlflow  # noqa: PLC0415

    logger = logging.getLogger("mlflow.store.db.utils")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        mlflow.MlflowClient().search_experiments(max_results=1)
    finally:
        logger.setLevel(level)


def stop(home: Path) -> bool:
    """Stop the embedded server of a home; True where one ran."""
    return EmbeddedPostgres(home).stop()
