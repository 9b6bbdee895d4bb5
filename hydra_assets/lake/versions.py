"""Bitemporal bookkeeping: which incoming rows say something new, and when a restatement became known."""

import polars as pl

from hydra_assets.columns import PROVENANCE, DatasetSpec


def classify(existing: pl.DataFrame, incoming: pl.DataFrame, spec: DatasetSpec, transport: pl.Series) -> pl.DataFrame:
    """Compare incoming rows with what the lake holds.

    A key is the dataset's key plus the source: two vendors' prints of one settle are two facts, and the reader
    chooses by the market's order of preference.

    Parameters
    ----------
    existing
        Rows of the lake that share keys with the incoming ones, with ``available_at`` of their payload (or null).
    incoming
        ``[n]`` rows of one payload, whose ``known_at`` is the publisher's schedule.
    transport
        ``[n]`` instants at which the payload's own bytes were public: what a restatement's ``known_at`` becomes.

    Returns
    -------
    The incoming rows with ``standing``: ``new``, ``same`` (said before, or said twice), ``restated`` (other values
    than the newest version; ``known_at`` moved to the transport's time), ``older`` (contradicts a vintage that was
    public later) or ``conflict`` (contradicts another row of the same payload with the same ``known_at``).
    """
    key = [*spec.key, "source"]
    values = [name for name in spec.columns if name not in {*key, *PROVENANCE, spec.partition_column}]
    digest = pl.struct(values).hash(seed=7)
    fresh = incoming.with_columns(digest.alias("digest"), transport.alias("transport")).with_row_index("order")
    # Twice in one payload with the same values is one fact.
    fresh = fresh.with_columns(pl.struct(*key, "digest").is_first_distinct().alias("first_time"))
    fresh = fresh.with_columns(pl.struct(*key, "known_at").is_first_distinct().alias("first_claim"))
    newest = (
        existing.with_columns(digest.alias("known_digest"))
        .sort("known_at", maintain_order=True)
        .group_by(key, maintain_order=True)
        .agg(
            pl.col("known_digest"),
            pl.col("known_digest").last().alias("last_digest"),
            pl.col("known_at").last().alias("last_known_at"),
            pl.col("available_at").last().alias("last_available_at"),
        )
    )
    joined = fresh.join(newest, on=key, how="left", maintain_order="left", nulls_equal=True)
    seen = joined["last_digest"].is_not_null()
    repeat = ~joined["first_time"] | (joined["last_digest"] == joined["digest"]).fill_null(value=False)
    older = (joined["transport"] < joined["last_available_at"]).fill_null(value=False)
    stale = (
        seen
        & older
        & joined.select(pl.col("known_digest").list.contains(pl.col("digest")).fill_null(value=False)).to_series()
    )
    standing = (
        pl.when(pl.Series(repeat | stale))
        .then(pl.lit("same"))
        .when(~joined["first_claim"])
        .then(pl.lit("conflict"))
        .when(pl.Series(~seen))
        .then(pl.lit("new"))
        .when(pl.Series(older))
        .then(pl.lit("older"))
        .otherwise(pl.lit("restated"))
    )
    moved = pl.max_horizontal("known_at", "transport", pl.col("last_known_at") + pl.duration(microseconds=1))
    return (
        joined.with_columns(standing.alias("standing"))
        .with_columns(pl.when(pl.col("standing") == "restated").then(moved).otherwise("known_at").alias("known_at"))
        .drop("digest", "transport", "order", "first_time", "first_claim", "known_digest", "last_digest")
        .drop("last_known_at", "last_available_at")
    )
