"""What every materialisation wrote, partition by partition: the record that recomputation is compared with."""

from collections.abc import Sequence
from datetime import date

import polars as pl
import sqlalchemy as sa

from hydra_assets.columns import UTC_US
from hydra_assets.state.bulk import append_frame, read_frame
from hydra_assets.state.tables import partition_content, partition_content_latest

CONTENT_SCHEMA: dict[str, pl.DataType] = {
    "dataset": pl.String(),
    "market": pl.String(),
    "session": pl.Date(),
    "run_id": pl.String(),
    "row_count": pl.Int64(),
    "sha256": pl.String(),
    "reason": pl.String(),
    "code_version": pl.String(),
    "delta_version": pl.Int64(),
}
"""One row per partition written. ``session`` is the partition's date (``report_week`` for report weeks); ``reason``
is the code of why an empty partition is empty, null otherwise; ``delta_version`` may be null."""


def record_partition_content(engine: sa.Engine, rows: pl.DataFrame) -> None:
    """Append partition records, ``[n]`` rows of CONTENT_SCHEMA (any column order), in one transaction."""
    typed = rows.select(pl.col(name).cast(dtype) for name, dtype in CONTENT_SCHEMA.items())
    with engine.begin() as connection:
        append_frame(connection, partition_content, typed)


def latest_content(
    engine: sa.Engine,
    *,
    datasets: Sequence[str] | None = None,
    markets: Sequence[str] | None = None,
    first: date | None = None,
    last: date | None = None,
) -> pl.DataFrame:
    """Newest record of each partition, CONTENT_SCHEMA plus ``written_at``, by dataset, market and session."""
    view = partition_content_latest
    query = sa.select(*(view.c[name] for name in (*CONTENT_SCHEMA, "written_at"))).order_by(
        view.c.dataset, view.c.market, view.c.session
    )
    if datasets is not None:
        query = query.where(view.c.dataset.in_(datasets))
    if markets is not None:
        query = query.where(view.c.market.in_(markets))
    if first is not None:
        query = query.where(view.c.session >= first)
    if last is not None:
        query = query.where(view.c.session <= last)
    with engine.connect() as connection:
        return read_frame(connection, query, {**CONTENT_SCHEMA, "written_at": UTC_US})
