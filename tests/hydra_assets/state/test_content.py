import time
from datetime import UTC, date, datetime, timedelta

import polars as pl
import sqlalchemy as sa

from hydra_assets.state.content import CONTENT_SCHEMA, latest_content, record_partition_content


def rows(n: int, **columns: object) -> pl.DataFrame:
    days = [date(2020, 1, 1) + timedelta(days=i) for i in range(n)]
    base = pl.DataFrame({"session": days}).with_columns(
        dataset=pl.lit("futures_curve"),
        market=pl.lit("SIM_HE"),
        run_id=pl.lit("run"),
        row_count=pl.int_range(n, dtype=pl.Int64),
        sha256=pl.lit("ab" * 32),
        reason=pl.lit(None, dtype=pl.String),
        code_version=pl.lit("1"),
        delta_version=pl.lit(None, dtype=pl.Int64),
    )
    return base.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


def test_what_is_recorded_is_read_back(state_engine: sa.Engine) -> None:
    wanted = rows(3).with_columns(
        reason=pl.Series([None, "", 'a "quoted", \\N reason']), delta_version=pl.Series([None, 0, 7])
    )
    record_partition_content(state_engine, wanted)
    found = latest_content(state_engine)
    assert found.drop("written_at").equals(wanted.select(CONTENT_SCHEMA.keys()))
    written = found["written_at"].to_list()
    assert all(abs(datetime.now(UTC) - instant) < timedelta(minutes=5) for instant in written)


def test_the_newest_record_of_a_partition_counts_and_the_older_stays(state_engine: sa.Engine) -> None:
    record_partition_content(state_engine, rows(2, run_id="first"))
    record_partition_content(state_engine, rows(1, run_id="second", row_count=99))
    found = latest_content(state_engine)
    assert found.select("run_id", "row_count").rows() == [("second", 99), ("first", 1)]
    with state_engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM hydra.partition_content")) == 3


def test_filters_are_inclusive_and_combine(state_engine: sa.Engine) -> None:
    record_partition_content(state_engine, rows(5))
    record_partition_content(state_engine, rows(5, market="SIM_ZO", dataset="option_quotes"))
    found = latest_content(
        state_engine, datasets=["futures_curve"], markets=["SIM_HE"], first=date(2020, 1, 2), last=date(2020, 1, 4)
    )
    assert found["session"].to_list() == [date(2020, 1, 2), date(2020, 1, 3), date(2020, 1, 4)]
    assert latest_content(state_engine, datasets=[]).is_empty()
    assert latest_content(state_engine, markets=["SIM_HE' OR 1=1 --"]).is_empty()


def test_fifty_thousand_rows_take_seconds(state_engine: sa.Engine) -> None:
    started = time.monotonic()
    record_partition_content(state_engine, rows(50_000))
    assert time.monotonic() - started < 10
    assert latest_content(state_engine).height == 50_000


def test_no_rows_are_no_error(state_engine: sa.Engine) -> None:
    record_partition_content(state_engine, rows(0))
    assert latest_content(state_engine).schema["written_at"] == pl.Datetime("us", "UTC")
