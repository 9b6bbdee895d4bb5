"""Compares what the lake holds now with what was on record when it was written."""

import polars as pl
import sqlalchemy as sa

from hydra_assets.columns import DATASETS
from hydra_assets.lake import Lake
from hydra_assets.lake.content_hash import partition_hashes
from hydra_assets.state.content import latest_content

PROBLEMS = {"dataset": pl.String(), "market": pl.String(), "session": pl.Date(), "problem": pl.String()}


def verifiable_datasets() -> list[str]:
    """Datasets whose partitions are on record."""
    return list(DATASETS)


def differing_partitions(engine: sa.Engine, lake: Lake, dataset: str) -> tuple[int, pl.DataFrame]:
    """Compare one dataset market by market: partitions compared, and those that differ (columns of PROBLEMS).

    A partition that is on record as empty must have no row; one that has rows must be on record.
    """
    recorded = latest_content(engine, datasets=[dataset])
    if recorded.is_empty():
        return 0, pl.DataFrame(schema=PROBLEMS)
    differing = []
    for market in recorded["market"].unique().sort().to_list():
        found = partition_hashes(DATASETS[dataset], lake.read(dataset, markets=[market]))
        joined = recorded.filter(pl.col("market") == market).join(
            found, on=["market", "session"], how="full", coalesce=True, suffix="_found"
        )
        rows, rows_found = pl.col("row_count").fill_null(0), pl.col("row_count_found").fill_null(0)
        problem = (
            pl.when(pl.col("row_count").is_null())
            .then(pl.lit("not on record"))
            .when(rows != rows_found)
            .then(pl.format("{} rows on record, {} in the lake", rows, rows_found))
            .when((rows > 0) & (pl.col("sha256") != pl.col("sha256_found")))
            .then(pl.lit("content differs"))
        )
        differing.append(
            joined.select(pl.lit(dataset).alias("dataset"), "market", "session", problem.alias("problem")).drop_nulls()
        )
    return recorded.height, pl.concat(differing).sort("market", "session")
