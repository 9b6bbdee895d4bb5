"""SQL over everything a home knows: datasets of the lake and tables of the database, read-only, in DuckDB.

A connection has one view per dataset and per shared table. It lives in memory, reaches no file and no network, and
takes one query with its parameters bound; nothing of what a user writes is ever pasted into SQL.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

import duckdb
import polars as pl
import pyarrow as pa
import sqlalchemy as sa

from hydra_assets.columns import DATASETS, DatasetSpec
from hydra_assets.features.assemble import dictionary_frame
from hydra_assets.lake import Lake
from hydra_assets.state import execution_tables, healing_tables, tables
from hydra_assets.state.bulk import read_frame

_STATE_TABLES = (
    tables.payloads,
    tables.payload_reasons,
    tables.partition_content,
    tables.alerts,
    tables.system_state,
    tables.promotions,
    tables.champion_stages,
    tables.judgements,
    tables.stress_reports,
    execution_tables.orders,
    execution_tables.tickets,
    execution_tables.fills,
    execution_tables.fill_fees,
    execution_tables.broker_events,
    execution_tables.reconciliations,
    execution_tables.connection_log,
    execution_tables.breaker_log,
    execution_tables.slippage_versions,
    execution_tables.trading_sessions,
    execution_tables.gate_records,
    healing_tables.journal,
    healing_tables.trial_ledger,
    healing_tables.autonomy,
    healing_tables.approvals,
    healing_tables.llm_calls,
)
_VIEWS: dict[str, DatasetSpec | sa.Table | pl.DataFrame] = {
    **{table.name if table.name not in DATASETS else f"state_{table.name}": table for table in _STATE_TABLES},
    **DATASETS,
    "feature_dictionary": dictionary_frame(),
}
"""View names. A table of the database that is named like a dataset has ``state_`` before its name."""

_SAFE = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_ALLOWED = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


class QueryError(Exception):
    """A query that is not run, or that fails; the message is DuckDB's own or says what is allowed."""


def run_query(lake: Lake, engine: Callable[[], sa.Engine], query: str, parameters: Sequence[str] = ()) -> pl.DataFrame:
    """Run one SELECT (or SHOW, DESCRIBE, EXPLAIN) and return its rows; QueryError otherwise.

    ``parameters`` take the places of ``?`` or ``$1``, as text that DuckDB casts where it is compared. ``engine`` is
    called only where the query names a table of the database.
    """
    connection = duckdb.connect(":memory:", config=dict(_SAFE))
    try:
        statements = connection.extract_statements(query)
        if len(statements) != 1 or statements[0].type not in _ALLOWED:
            msg = "one query at a time, and only queries: SELECT, SHOW, DESCRIBE or EXPLAIN"
            raise QueryError(msg)
        for name in _named(query):
            view = _VIEWS[name]
            if isinstance(view, pl.DataFrame):
                connection.register(name, view.to_arrow())
            elif isinstance(view, sa.Table):
                _add_table(connection, engine(), name, view)
            else:
                _add_dataset(connection, lake, view)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET lock_configuration = true")
        found = connection.sql(query, params=list(parameters)).to_arrow_table()
        rows = pl.from_arrow(found.rename_columns(_unique(found.column_names)))
        return rows if isinstance(rows, pl.DataFrame) else rows.to_frame()
    except duckdb.Error as error:
        raise QueryError(str(error)) from error
    finally:
        connection.close()


def _named(query: str) -> list[str]:
    """Views that the query may mean; all of them where it names none (SHOW TABLES, or a name that does not exist)."""
    words = {word.lower() for word in re.findall(r"\w+", query)}
    return [name for name in _VIEWS if name in words] or list(_VIEWS)


def _unique(names: Sequence[str]) -> list[str]:
    """Column names with a number where one comes again, as in a join's ``SELECT *``."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}_{seen[name] - 1}")
    return out


def _add_dataset(connection: duckdb.DuckDBPyConnection, lake: Lake, spec: DatasetSpec) -> None:
    if not lake.exists(spec.name):
        connection.register(spec.name, pl.DataFrame(schema=spec.schema).to_arrow())
        return
    dataset = lake.table(spec.name).to_pyarrow_dataset()
    held = [dataset.schema.field(name) for name in spec.columns if name in dataset.schema.names]
    connection.register(spec.name, dataset.replace_schema(pa.schema(held)))


def _add_table(connection: duckdb.DuckDBPyConnection, engine: sa.Engine, name: str, table: sa.Table) -> None:
    # Bytes are for programs.
    columns = [column for column in table.columns if not isinstance(column.type, sa.LargeBinary)]
    with engine.connect() as database:
        frame = read_frame(database, sa.select(*columns), {c.name: _dtype(c) for c in columns})
    connection.register(name, frame.to_arrow())


def _dtype(column: sa.Column[object]) -> pl.DataType:
    kinds: tuple[tuple[type[object], pl.DataType], ...] = (
        (sa.DateTime, pl.Datetime("us", "UTC")),
        (sa.Date, pl.Date()),
        (sa.Integer, pl.Int64()),
        (sa.Double, pl.Float64()),
    )
    return next((dtype for kind, dtype in kinds if isinstance(column.type, kind)), pl.String())
