"""Delta tables: one per dataset, raw ones append-only, derived ones replaced by (market, range) in one commit.

The transaction log makes a commit all or nothing, so a killed run leaves a table as it was. Writers of different
sessions may meet in one storage partition (market, year); delta-rs then refuses the later commit and it is retried.
"""

import random
import re
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from urllib.parse import quote

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from hydra_assets.columns import DATASETS, DatasetSpec, Layer

SYMBOL = re.compile(r"^[A-Z0-9_]{1,16}$")
STORAGE_YEAR = "storage_year"
"""Internal column: year of the partition date, by which files are laid out. Never shown to a reader."""
MAX_TRIES = 12
COMPACT_ABOVE_FILES = 400
ROWS_A_BATCH = 8_192
FILE_BYTES = 16 * 2**20
"""Size at which the writer closes a file: until then it holds the file's bytes in memory."""


class LakeError(Exception):
    """A read or write that the lake refuses; the message says which table and why."""


class Lake:
    """All tables under one root (a directory or an fsspec/object-store URI)."""

    def __init__(self, root: str, storage_options: dict[str, str] | None = None) -> None:
        self.root = root.rstrip("/")
        self.storage_options = storage_options
        if "://" not in root:
            Path(root).mkdir(parents=True, exist_ok=True)

    def uri(self, dataset: str) -> str:
        """Where a dataset's table is."""
        return f"{self.root}/{dataset}"

    def exists(self, dataset: str) -> bool:
        """Whether the dataset has a table yet."""
        return DeltaTable.is_deltatable(self.uri(dataset), self.storage_options)

    def table(self, dataset: str) -> DeltaTable:
        """Open a dataset's Delta table; TableNotFoundError where there is none yet."""
        return DeltaTable(self.uri(dataset), storage_options=self.storage_options)

    def version(self, dataset: str) -> int | None:
        """Version of a dataset's table, None where there is none."""
        return self.table(dataset).version() if self.exists(dataset) else None

    def append(self, dataset: str, rows: pl.DataFrame) -> None:
        """Append rows of a raw dataset in one commit; the table refuses anything but appends from then on."""
        spec = _spec(dataset)
        if spec.layer is not Layer.RAW:
            msg = f"{dataset} is derived: use replace"
            raise LakeError(msg)
        if rows.is_empty():
            return
        stored = _stored(spec, rows)
        self._commit(
            dataset,
            lambda: write_deltalake(
                self.uri(dataset),
                _batches(stored),
                mode="append",
                partition_by=["market", STORAGE_YEAR],
                configuration={"delta.appendOnly": "true"},
                target_file_size=FILE_BYTES,
                writer_properties=_encoding(spec),
                storage_options=self.storage_options,
            ),
        )

    def replace(self, dataset: str, market: str, first: date, last: date, rows: pl.DataFrame) -> None:
        """Replace all rows of a derived dataset of one market with partition dates in [first, last], in one commit."""
        spec = _spec(dataset)
        if spec.layer is not Layer.DERIVED:
            msg = f"{dataset} is raw and append-only: use append"
            raise LakeError(msg)
        outside = rows.filter((pl.col("market") != market) | (pl.col("session") < first) | (pl.col("session") > last))
        if not outside.is_empty():
            msg = f"{dataset}: {outside.height} rows lie outside {market} {first}..{last}"
            raise LakeError(msg)
        stored = _stored(spec, rows)
        where = (
            f"market = '{_checked(market)}' AND {STORAGE_YEAR} >= {first.year} AND {STORAGE_YEAR} <= {last.year} "
            f"AND session >= '{first.isoformat()}' AND session <= '{last.isoformat()}'"
        )
        self._commit(dataset, lambda: self._overwrite(dataset, stored, where))

    def _overwrite(self, dataset: str, stored: pl.DataFrame, where: str) -> None:
        if not self.exists(dataset):
            write_deltalake(
                self.uri(dataset),
                _batches(stored),
                mode="error",
                partition_by=["market", STORAGE_YEAR],
                target_file_size=FILE_BYTES,
                writer_properties=_encoding(_spec(dataset)),
                storage_options=self.storage_options,
            )
        elif stored.is_empty():
            self.table(dataset).delete(where)
        else:
            write_deltalake(
                self.uri(dataset),
                _batches(stored),
                mode="overwrite",
                # A home made by an earlier version has fewer columns: they are added, empty in rows not computed again.
                schema_mode="merge",
                predicate=where,
                target_file_size=FILE_BYTES,
                writer_properties=_encoding(_spec(dataset)),
                storage_options=self.storage_options,
            )

    def _commit(self, dataset: str, write: Callable[[], object]) -> None:
        for attempt in range(1, MAX_TRIES + 1):
            try:
                write()
            except (CommitFailedError, DeltaError) as error:
                # Refusals by the table's own rules are final; everything else is another writer's commit.
                if "append-only" in str(error).lower() or attempt == MAX_TRIES:
                    msg = f"{dataset}: commit refused after {attempt} tries: {error}"
                    raise LakeError(msg) from error
                time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311  jitter, not a secret
            else:
                return

    def scan(self, dataset: str) -> pl.LazyFrame:
        """Lazy frame of a dataset in column order; an empty one with its schema where there is no table yet."""
        spec = _spec(dataset)
        if not self.exists(dataset):
            return pl.LazyFrame(schema={**spec.schema, STORAGE_YEAR: pl.Int32()})
        # The native reader looks for local files under their percent-encoded names and misses them.
        encoded = "://" not in self.root and quote(self.root) != self.root
        return pl.scan_delta(self.uri(dataset), storage_options=self.storage_options, use_pyarrow=encoded)

    def read(
        self,
        dataset: str,
        *,
        markets: Sequence[str] | None = None,
        first: date | None = None,
        last: date | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of the named markets with partition dates in [first, last], in the dataset's own order of its key.

        A column that a home of an earlier version does not have yet is empty.
        """
        spec = _spec(dataset)
        frame = self.scan(dataset)
        if markets is not None:
            frame = frame.filter(pl.col("market").is_in(list(markets)))
        if first is not None:
            frame = frame.filter((pl.col(STORAGE_YEAR) >= first.year) & (pl.col(spec.partition_column) >= first))
        if last is not None:
            frame = frame.filter((pl.col(STORAGE_YEAR) <= last.year) & (pl.col(spec.partition_column) <= last))
        wanted = list(columns) if columns is not None else list(spec.columns)
        there = frame.collect_schema()
        new = [name for name in wanted if name not in there and name in spec.schema]
        frame = frame.with_columns(pl.lit(None, spec.schema[name]).alias(name) for name in new)
        return frame.select(wanted).collect()

    def compact(self, dataset: str) -> bool:
        """Merge small files where daily commits have left many; content and hashes stay. True where it did."""
        if not self.exists(dataset) or len(self.table(dataset).file_uris()) < COMPACT_ABOVE_FILES:
            return False

        def merge() -> object:
            return self.table(dataset).optimize.compact()

        self._commit(dataset, merge)
        return True


def _spec(dataset: str) -> DatasetSpec:
    if dataset not in DATASETS:
        msg = f"{dataset!r} is no dataset of the column dictionary"
        raise LakeError(msg)
    return DATASETS[dataset]


def _checked(market: str) -> str:
    if not SYMBOL.match(market):
        msg = f"{market!r} is no market symbol"
        raise LakeError(msg)
    return market


def _encoding(spec: DatasetSpec) -> WriterProperties:
    """Dictionaries for names and dates only: on measured numbers they cost the writer twice the time and memory."""
    worded = ColumnProperties(dictionary_enabled=True)
    named = {name for name, kind in spec.schema.items() if not kind.is_float() and not isinstance(kind, pl.List)}
    return WriterProperties(
        compression="ZSTD",
        default_column_properties=ColumnProperties(dictionary_enabled=False),
        column_properties=dict.fromkeys(sorted(named), worded),
    )


def _batches(rows: pl.DataFrame) -> pa.RecordBatchReader:
    """Rows as a stream: the writer then holds a batch at a time and not a second copy of everything."""
    parts = rows.iter_slices(ROWS_A_BATCH)
    return pa.RecordBatchReader.from_batches(
        rows.head(0).to_arrow().schema, (batch for part in parts for batch in part.to_arrow().to_batches())
    )


def _stored(spec: DatasetSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the dataset's columns, types and key order, with the storage year."""
    missing = [name for name in spec.columns if name not in rows.columns]
    if missing:
        msg = f"{spec.name}: columns missing: {', '.join(missing)}"
        raise LakeError(msg)
    typed = rows.select(pl.col(name).cast(dtype) for name, dtype in spec.schema.items())
    nulls = [name for name in spec.required if typed[name].null_count()]
    if nulls:
        msg = f"{spec.name}: required columns with missing values: {', '.join(nulls)}"
        raise LakeError(msg)
    return _in_key_order(typed, spec.key).with_columns(
        pl.col(spec.partition_column).dt.year().cast(pl.Int32).alias(STORAGE_YEAR)
    )


def _in_key_order(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Rows sorted by their key; not copied where they already are, since ten years of options are 300 MB."""
    order = rows.select(pl.arg_sort_by(key, maintain_order=True)).to_series()
    return rows if np.array_equal(order.to_numpy(), np.arange(rows.height)) else rows[order]
