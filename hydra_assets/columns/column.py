"""What a column is, and the polars types the dictionary is written in."""

from dataclasses import dataclass

import polars as pl

UTC_US = pl.Datetime("us", "UTC")
F64, I64, STR, DATE, BOOL = pl.Float64(), pl.Int64(), pl.String(), pl.Date(), pl.Boolean()
LIST_F64 = pl.List(pl.Float64())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: polars type, unit, meaning, when its value can be known, and the bounds a value must keep."""

    dtype: pl.DataType
    unit: str
    description: str
    known_when: str = "with its row"
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
