"""Content hashes: one SHA-256 per (market, partition date) of a dataset, so that a recomputation can be compared.

The digest covers the values, not the file: column name, validity and value bytes of each row in key order. It
does not depend on file layout, compression, library version or on the delivery that brought the rows.
"""

import hashlib

import numpy as np
import polars as pl

from hydra_assets.columns import DatasetSpec

NOT_CONTENT = frozenset({"ingested_at", "payload_sha256", "source_row", "model_version", "model_label"})
"""Columns about the delivery: the same facts in another file, or on another day, are the same content. The registry's
number of a model depends on what was registered before it; its digest says which one it is, and what it foresees."""

HASH_SCHEMA = {"market": pl.String(), "session": pl.Date(), "row_count": pl.Int64(), "sha256": pl.String()}


def partition_hashes(spec: DatasetSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Hash each partition of a frame: columns market, session (the partition date), row_count, sha256."""
    if rows.is_empty():
        return pl.DataFrame(schema=HASH_SCHEMA)
    date_column = spec.partition_column
    columns = [name for name in spec.columns if name not in NOT_CONTENT]
    tie_breaks = [name for name in ("known_at", "source") if name in columns]
    ordered = rows.select(columns).sort(["market", date_column, *spec.key, *tie_breaks], nulls_last=False)
    bounds = (
        ordered.select(pl.struct("market", date_column).rle_id().alias("run"), "market", pl.col(date_column))
        .group_by("run", maintain_order=True)
        .agg(pl.col("market").first(), pl.col(date_column).first(), pl.len().alias("row_count"))
    )
    ends = np.cumsum(bounds["row_count"].to_numpy())
    starts = ends - bounds["row_count"].to_numpy()
    digests = [hashlib.sha256() for _ in range(bounds.height)]
    for name in columns:
        for digest in digests:
            digest.update(name.encode() + b"\0")
        for buffer, scale in _buffers(ordered[name]):
            for digest, start, end in zip(digests, starts.tolist(), ends.tolist(), strict=True):
                lo, hi = (start, end) if scale is None else (int(scale[start]), int(scale[end]))
                digest.update(buffer[lo:hi].data)
    return pl.DataFrame(
        {
            "market": bounds["market"],
            "session": bounds[date_column],
            "row_count": bounds["row_count"].cast(pl.Int64),
            "sha256": [digest.hexdigest() for digest in digests],
        }
    )


Offsets = np.ndarray[tuple[int], np.dtype[np.int64]]
Buffer = np.ndarray[tuple[int], np.dtype[np.generic]]


def _buffers(column: pl.Series) -> list[tuple[Buffer, Offsets | None]]:
    """Validity, then values (strings: bytes with their offsets, then lengths), each sliceable by row."""
    valid = column.is_not_null().to_numpy()
    if isinstance(column.dtype, pl.List):
        counts = column.list.len().fill_null(0)
        offsets = np.concatenate([[0], np.cumsum(counts.to_numpy().astype(np.int64))])
        values = column.drop_nulls().explode(empty_as_null=False, keep_nulls=False).cast(pl.Float64)
        return [(valid, None), (counts.to_numpy(), None), (_floats(values), offsets)]
    if column.dtype == pl.String:
        text = column.fill_null("")
        lengths = text.str.len_bytes().to_numpy().astype(np.int64)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        data = np.frombuffer("".join(text.to_list()).encode(), dtype=np.uint8)
        return [(valid, None), (lengths, None), (data, offsets)]
    if column.dtype.is_float():
        return [(valid, None), (_floats(column.cast(pl.Float64)), None)]
    return [(valid, None), (column.to_physical().cast(pl.Int64).fill_null(0).to_numpy(), None)]


def _floats(column: pl.Series) -> Buffer:
    # One bit pattern per value: minus zero and the many NaNs would otherwise differ between machines.
    values = column.fill_null(0.0).to_numpy().copy() + 0.0
    values[np.isnan(values)] = np.nan
    return values
