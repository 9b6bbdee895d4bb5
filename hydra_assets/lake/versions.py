"""Bitemporal bookkeeping: which incoming rows say something new, and when a restatement became known."""

import polars as pl

from hydra_assets.columns import PROVENANCE, DatasetSpec

_INSTANT = pl.Datetime("us", "UTC")


def classify(existing: pl.DataFrame, incoming: pl.DataFrame, spec: DatasetSpec, transport: pl.Series) -> pl.DataFrame:
    """Compare incoming rows with what the lake holds.

    A key is the dataset's key plus the source: two vendors' prints of one settle are two facts, and the reader
    chooses by the market's order of preference. A payload speaks for the instant at which its bytes were public; where
    it holds several versions of a key, only the last of them does, the others speak for their own ``known_at``. What
    the history of the lake says for that instant already is no news, whatever came later: payloads may be read again
    in any order (a new market, a run that died), and nothing is written twice.

    Parameters
    ----------
    existing
        Rows of the lake that share keys with the incoming ones, with ``available_at``: since when their payload was
        public (or null).
    incoming
        ``[n]`` rows of one payload, whose ``known_at`` is the publisher's schedule.
    transport
        ``[n]`` instants at which the payload's own bytes were public: what a restatement's ``known_at`` becomes.

    Returns
    -------
    The incoming rows with ``standing``: ``new``, ``same`` (said before, said twice, or superseded in its own payload),
    ``restated`` (other values than the newest version; ``known_at`` moved to the transport's time), ``older``
    (contradicts a version that was public later) or ``conflict`` (contradicts another row of the same payload with
    the same ``known_at``).
    """
    key = [*spec.key, "source"]
    values = [name for name in spec.columns if name not in {*key, *PROVENANCE, spec.partition_column}]
    digest = pl.struct(values).hash(seed=7)
    fresh = incoming.with_columns(digest.alias("digest"), transport.alias("transport")).with_row_index("order")
    claim = [*key, "known_at"]
    fresh = fresh.with_columns(
        pl.struct(claim).is_first_distinct().alias("first_claim"),
        pl.col("digest").first().over(claim).alias("claimed"),
        (pl.col("known_at") == pl.col("known_at").max().over(key)).alias("last_word"),
    )
    # A version that repeats the one before it in the same payload is no version.
    before = (
        fresh.filter("first_claim")
        .sort("known_at", maintain_order=True)
        .select("order", pl.col("digest").shift(1).over(key).alias("before"))
    )
    speaks_at = pl.when("last_word").then("transport").otherwise("known_at").alias("speaks_at")
    fresh = fresh.join(before, on="order", how="left", maintain_order="left").with_columns(speaks_at)
    joined = fresh.join(
        _history(existing, digest, key, incoming), on=key, how="left", maintain_order="left", nulls_equal=True
    )
    seen = pl.col("last_digest").is_not_null()
    past = pl.col("speaks_at") < pl.col("last_known_at")
    repeated = (
        (~pl.col("first_claim") & (pl.col("claimed") == pl.col("digest")))
        | (pl.col("first_claim") & (pl.col("before") == pl.col("digest")))
        | (pl.col("last_digest") == pl.col("digest"))
        | pl.col("own_digests").list.contains(pl.col("digest"))
        | (_in_force() == pl.col("digest"))
    ).fill_null(value=False)
    older = ((pl.col("speaks_at") < pl.col("last_available_at")) | (past & (pl.col("versions") > 1))).fill_null(
        value=False
    )
    standing = (
        pl.when(repeated)
        .then(pl.lit("same"))
        .when(~pl.col("first_claim"))
        .then(pl.lit("conflict"))
        .when(~seen)
        .then(pl.lit("new"))
        .when(~pl.col("last_word"))
        .then(pl.when(pl.col("known_at") > pl.col("last_known_at")).then(pl.lit("same")).otherwise(pl.lit("older")))
        .when(older)
        .then(pl.lit("older"))
        .otherwise(pl.lit("restated"))
    )
    moved = pl.max_horizontal("known_at", "transport", pl.col("last_known_at") + pl.duration(microseconds=1))
    return (
        joined.with_columns(standing.alias("standing"))
        .with_columns(pl.when(pl.col("standing") == "restated").then(moved).otherwise("known_at").alias("known_at"))
        .select(*incoming.columns, "standing")
    )


def _history(existing: pl.DataFrame, digest: pl.Expr, key: list[str], incoming: pl.DataFrame) -> pl.DataFrame:
    """Per key the versions in order: digests, since when known, and those that the incoming payload itself wrote."""
    own = pl.col("payload_sha256").is_in(incoming["payload_sha256"].unique().implode())
    return (
        existing.with_columns(digest.alias("known_digest"))
        .sort("known_at", maintain_order=True)
        .group_by(key, maintain_order=True)
        .agg(
            pl.len().alias("versions"),
            pl.col("known_digest").alias("known_digests"),
            pl.col("known_at").cast(_INSTANT).alias("known_since"),
            pl.col("known_digest").filter(own).alias("own_digests"),
            pl.col("known_digest").last().alias("last_digest"),
            pl.col("known_at").last().alias("last_known_at"),
            pl.col("available_at").max().alias("last_available_at"),
        )
    )


def _in_force() -> pl.Expr:
    """Digest of the version that was in force at ``speaks_at``; of the first one where the payload came before it."""
    known = pl.col("known_since").list.eval(pl.element().cast(pl.Int64)) - pl.col("speaks_at").cast(pl.Int64)
    place = (known.list.eval((pl.element() <= 0).cast(pl.Int64)).list.sum() - 1).clip(lower_bound=0)
    return pl.col("known_digests").list.get(place, null_on_oob=True)
