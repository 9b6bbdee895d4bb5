"""Small canonical frames for tests: raw bars, chains and reports with every required column."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from hydra_assets.columns import DATASETS
from hydra_assets.markets.model import Cutoff
from hydra_assets.markets.sessions import SessionCalendar, session_calendar

CHICAGO = session_calendar("CMEGlobex_Lean_Hog", "America/Chicago", Cutoff(at=time(17, 30)), time(14, 0))


def complete(dataset: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the dataset's columns, absent ones missing, provenance filled with plain values."""
    spec = DATASETS[dataset]
    defaults: dict[str, object] = {
        "source": "test",
        "payload_sha256": "0" * 64,
        "source_row": 0,
        "ingested_at": datetime(2030, 1, 1, tzinfo=UTC),
    }
    columns = [
        pl.col(name).cast(dtype) if name in rows.columns else pl.lit(defaults.get(name)).cast(dtype).alias(name)
        for name, dtype in spec.schema.items()
    ]
    return rows.with_columns(columns).select(list(spec.columns))


def bars(
    rows: Sequence[tuple[str, date, float]],
    market: str = "HE",
    calendar: SessionCalendar = CHICAGO,
    known_after: timedelta = timedelta(0),
) -> pl.DataFrame:
    """Price records (contract, event session, settle), known at settlement publication plus a delay."""
    frame = pl.DataFrame(
        rows, schema={"contract": pl.String, "event_session": pl.Date, "settle": pl.Float64}, orient="row"
    )
    known = calendar.settlement_known_at(frame["event_session"]) + known_after
    return complete(
        "raw_futures_bars",
        frame.with_columns(
            pl.lit(market).alias("market"),
            pl.lit("price").alias("record"),
            pl.concat_str([pl.col("contract").str.extract(r"(\d{4}-\d{2})$"), pl.lit("-01")], separator="")
            .str.to_date("%Y-%m-%d")
            .alias("contract_month"),
            known.alias("known_at"),
            calendar.settlement_known_at(frame["event_session"]).alias("event_time"),
            calendar.session_for(known).alias("session"),
        ),
    )
