from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.columns import DATASETS, FUTURES_CURVE
from hydra_assets.lake import Lake
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.records import Alert, AlertLevel
from hydra_console.query import QueryError, run_query

DAY = date(2026, 1, 5)


def curve(settles: list[float]) -> pl.DataFrame:
    values = pl.DataFrame({"settle": settles}).with_columns(
        market=pl.lit("SIM_HE"),
        session=pl.lit(DAY),
        contract=pl.format("HE-2026-{}", pl.int_range(pl.len()) + 10),
        contract_month=pl.lit(DAY),
        last_trade=pl.lit(DAY),
        role=pl.lit("front"),
    )
    absent = [pl.lit(None, dtype=t).alias(c) for c, t in FUTURES_CURVE.schema.items() if c not in values.columns]
    return values.with_columns(absent).select(FUTURES_CURVE.columns)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    lake.replace("futures_curve", "SIM_HE", DAY, DAY, curve([80.0, 81.5, 83.0]))
    return lake


def no_engine() -> sa.Engine:
    pytest.fail("the query needs no database")


def rows(
    lake: Lake, query: str, *parameters: str, engine: Callable[[], sa.Engine] = no_engine
) -> list[tuple[object, ...]]:
    return run_query(lake, engine, query, parameters).rows()


def test_dataset_is_a_view_with_its_dictionary_columns(lake: Lake) -> None:
    assert rows(lake, "SELECT market, session, max(settle) FROM futures_curve GROUP BY ALL") == [("SIM_HE", DAY, 83.0)]
    assert run_query(lake, no_engine, "SELECT * FROM futures_curve").columns == list(FUTURES_CURVE.columns)


def test_dataset_without_a_table_is_empty_with_its_columns(lake: Lake) -> None:
    found = run_query(lake, no_engine, "SELECT * FROM option_quotes")
    assert found.is_empty()
    assert found.columns == list(DATASETS["option_quotes"].columns)


@pytest.mark.parametrize("text", ["SIM_HE' OR '1'='1", "x'; DROP VIEW futures_curve; --", '" OR 1=1', "\\"])
def test_parameters_are_values_and_never_sql(lake: Lake, text: str) -> None:
    assert rows(lake, "SELECT count(*) FROM futures_curve WHERE market = ?", text) == [(0,)]
    assert rows(lake, "SELECT count(*) FROM futures_curve WHERE market = ?", "SIM_HE") == [(3,)]


def test_parameters_are_cast_where_they_are_compared(lake: Lake) -> None:
    query = "SELECT count(*) FROM futures_curve WHERE session >= $1 AND settle > $2"
    assert rows(lake, query, "2026-01-05", "81") == [(2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "DROP VIEW futures_curve",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO futures_curve SELECT * FROM futures_curve",
        "COPY futures_curve TO '{path}'",
        "ATTACH '{path}'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "SELECT 1; SELECT 2",
        "SELECT 1; COPY (SELECT 1) TO '{path}'",
        "",
        "   ;  ",
    ],
)
def test_only_one_query_and_only_queries(lake: Lake, tmp_path: Path, statement: str) -> None:
    path = tmp_path / "written"
    with pytest.raises(QueryError):
        run_query(lake, no_engine, statement.format(path=path))
    assert not path.exists()


@pytest.mark.parametrize("function", ["read_csv", "read_text", "read_parquet", "glob"])
def test_no_file_is_reachable(lake: Lake, tmp_path: Path, function: str, state_engine: sa.Engine) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n", encoding="utf-8")
    for place in (f"{function}('{secret}')", f"'{secret}'"):
        query = " ".join(("SELECT * FROM", place))
        with pytest.raises(QueryError):
            run_query(lake, lambda: state_engine, query)


def test_python_variables_are_no_tables(lake: Lake, state_engine: sa.Engine) -> None:
    secret_frame = pl.DataFrame({"password": ["x"]})
    with pytest.raises(QueryError, match="secret_frame"):
        run_query(lake, lambda: state_engine, "SELECT * FROM secret_frame")
    assert secret_frame.height == 1


def test_state_tables_are_views(lake: Lake, state_engine: sa.Engine) -> None:
    AlertSink(state_engine).raise_alert(Alert(AlertLevel.WARNING, "late", "it is late", market="SIM_HE", session=DAY))
    query = "SELECT code, session, c.settle FROM alerts JOIN futures_curve c USING (market, session) ORDER BY settle"
    assert rows(lake, query, engine=lambda: state_engine) == [
        ("late", DAY, 80.0),
        ("late", DAY, 81.5),
        ("late", DAY, 83.0),
    ]
    assert rows(lake, "SELECT count(*) FROM partition_content", engine=lambda: state_engine) == [(0,)]
    assert rows(lake, "SELECT count(*) FROM state_orders", engine=lambda: state_engine) == [(0,)]


def test_instants_come_back_in_utc(lake: Lake, state_engine: sa.Engine) -> None:
    AlertSink(state_engine).raise_alert(Alert(AlertLevel.INFO, "x", "y"))
    found = run_query(lake, lambda: state_engine, "SELECT recorded_at FROM alerts")
    assert str(found.schema["recorded_at"]) == "Datetime(time_unit='us', time_zone='UTC')"


def test_show_tables_lists_every_dataset(lake: Lake, state_engine: sa.Engine) -> None:
    names = {str(row[0]) for row in rows(lake, "SHOW TABLES", engine=lambda: state_engine)}
    assert set(DATASETS) <= names
    assert {"payloads", "partition_content", "alerts"} <= names


def test_columns_of_one_name_are_told_apart(lake: Lake) -> None:
    found = run_query(
        lake, no_engine, "SELECT * FROM futures_curve a JOIN futures_curve b USING (market, contract) LIMIT 1"
    )
    assert {"settle", "settle_1"} <= set(found.columns)


def test_unknown_table_is_a_sentence(lake: Lake, state_engine: sa.Engine) -> None:
    with pytest.raises(QueryError, match="futures_curv does not exist"):
        run_query(lake, lambda: state_engine, "SELECT * FROM futures_curv")
