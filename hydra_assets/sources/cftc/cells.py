"""Cells of a CFTC table to typed values: identity, dates and numbers of each row, and which were unreadable."""

from enum import StrEnum

import polars as pl

from hydra_assets.sources.cftc.layout import CATEGORIES, QUANTITIES, SCOPE_VALUES, Layout
from hydra_assets.sources.cftc.tables import Table


def _text(position: int) -> pl.Expr:
    """A cell stripped of blanks and stray quotes; null where nothing is left."""
    cell = pl.col(f"f{position}").str.strip_chars(' \t"')
    return pl.when(cell != "").then(cell)


def number_fields(layout: Layout) -> list[str]:
    """Fields of a layout that hold numbers: open interest and the categories' quantities."""
    names = {f"{c}.{q}" for c in CATEGORIES[layout.dialect.family] for q in QUANTITIES}
    return [f for f in layout.positions if f == "open_interest" or f in names]


def typed_rows(table: Table, layout: Layout, scope: StrEnum | None) -> pl.DataFrame:
    """One row per well-formed payload row: identity, dates and numbers, with ``bad`` naming unreadable numbers."""
    at, numeric = layout.positions, number_fields(layout)
    cleaned = {
        f: _text(at[f]).str.replace_all(",", "", literal=True).str.strip_chars().replace(".", None) for f in numeric
    }
    readable = {f: e.str.contains(r"^-?\d{1,12}(\.\d*)?$") for f, e in cleaned.items()}
    code = _text(at["code"]).str.replace(r"^(\d+)\.0$", "$1").str.to_uppercase()
    day = _text(at["report_date"])
    own = (
        pl.col("own_scope").replace_strict(SCOPE_VALUES, default=None, return_dtype=pl.String)
        if "scope" in at
        else pl.lit(str(scope))
    )
    return (
        table.cells.select(
            "source_row",
            "raw",
            pl.when(code.str.contains(r"^\d{1,5}$")).then(code.str.zfill(6)).otherwise(code).alias("code"),
            (_text(at["name"]) if "name" in at else pl.lit(None, pl.String)).alias("name"),
            pl.coalesce(
                day.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False),
                day.str.extract(r"^(\d{1,2}/\d{1,2}/\d{4})").str.to_date("%m/%d/%Y", strict=False),
            ).alias("iso"),
            _yymmdd(layout).alias("yymmdd"),
            (_text(at["scope"]).str.to_lowercase() if "scope" in at else pl.lit(None, pl.String)).alias("own_scope"),
            *(pl.when(readable[f]).then(e.cast(pl.Float64, strict=False)).alias(f) for f, e in cleaned.items()),
            pl.concat_str(
                [
                    pl.when(cleaned[f].is_not_null() & ~readable[f]).then(pl.lit(f + " ")).otherwise(pl.lit(""))
                    for f in numeric
                ]
            ).alias("bad"),
        )
        .with_columns(
            pl.coalesce("iso", pl.col("yymmdd").str.to_date("%y%m%d", strict=False)).alias("report_date"),
            own.alias("scope"),
        )
        .with_columns(
            # A scope that the file names or the binding declare must not be contradicted row by row.
            pl.when(pl.lit(scope is None) | (pl.col("scope") == str(scope))).then(pl.col("scope")).alias("scope")
        )
    )


def _yymmdd(layout: Layout) -> pl.Expr:
    """The second date as six digits, leading zeros restored (``70102`` is 2007-01-02); null where there is none.

    The public reporting site has no such column, but its row ``id`` begins with the date.
    """
    if "yymmdd" not in layout.positions:
        return pl.lit(None, pl.String)
    cell = _text(layout.positions["yymmdd"])
    if layout.spelling["yymmdd"] == "id":
        return cell.str.extract(r"^(\d{6})[0-9A-Z+]{6}[FC]$")
    return pl.when(cell.str.contains(r"^\d{1,6}$")).then(cell.str.zfill(6)).otherwise(cell)
