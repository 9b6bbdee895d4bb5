"""What a dataset is: columns, key, layer, partitioning and limits."""

from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from hydra_assets.columns.dictionary import COLUMNS


class Layer(StrEnum):
    """Where a dataset stands in the flow, and with it how it is written."""

    RAW = "raw"
    """Append-only and bitemporal."""
    DERIVED = "derived"
    """Replaced by (market, session range)."""


class PartitionedBy(StrEnum):
    """What one partition of a dataset is."""

    MARKET_SESSION = "market_session"
    REPORT_WEEK = "report_week"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One dataset: its columns in order, key, layer, partitioning and limits.

    ``required`` columns must not be null in any row. ``staleness_days`` is the age past which an as-of value
    is missing with the reason ``stale``.
    """

    name: str
    description: str
    layer: Layer
    partitioned_by: PartitionedBy
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: tuple[str, ...]
    staleness_days: int | None = None
    partition_column: str = field(default="session")

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Polars schema in column order."""
        return {name: COLUMNS[name].dtype for name in self.columns}


def checked(spec: DatasetSpec) -> DatasetSpec:
    """Give the dataset back; a column that the dictionary does not know is a programming error."""
    unknown = [name for name in (*spec.columns, *spec.key, *spec.required) if name not in COLUMNS]
    if unknown:
        msg = f"dataset {spec.name}: unknown columns {', '.join(unknown)}"
        raise ValueError(msg)
    return spec


def derived(
    name: str, description: str, columns: tuple[str, ...], key: tuple[str, ...], required: tuple[str, ...]
) -> DatasetSpec:
    """Build a derived dataset partitioned by market and session; both are added to columns, key and required."""
    common = ("market", "session")
    return checked(
        DatasetSpec(
            name=name,
            description=description,
            layer=Layer.DERIVED,
            partitioned_by=PartitionedBy.MARKET_SESSION,
            columns=(*common, *columns),
            key=(*common, *key),
            required=(*common, *key, *required),
        )
    )
