"""Which contract an instrument id stands for: from definition records, or from a file's symbol mappings.

A definition says all: class, month, expiration, strike, underlying. A symbol mapping says only the raw symbol, which
is enough for an outright future and not for an option (its strike's scale and its expiry stand in the definition).
Ids are reused over the years: a record belongs to the newest definition that is not after it, or to the first one
after it (a day's definitions may be stamped after its first quote), and never to one that expired before it.
"""

from datetime import timedelta
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.markets.contracts import contract_month_expr, future_id_expr, option_id_expr
from hydra_assets.markets.model import MONTH_CODES
from hydra_assets.sources.base import ParseContext
from hydra_assets.sources.databento_files import SymbolInterval

UNDEFINED_PRICE = 2**63 - 1
PRICE_SCALE = 1e-9
"""Prices are integers of this unit."""
EARLIEST, LATEST = "1990-01-01", "2032-06-30"
"""Instants outside are undefined or corrupt."""
AFTER_EXPIRATION = timedelta(days=10)
"""A statistic may follow a contract's last trade by a few days, not by more."""
_SYMBOL = rf"^([A-Z0-9]{{1,5}}?)([{MONTH_CODES}])(\d{{1,2}})(?: |$)"


class Kind(StrEnum):
    """What an instrument is to us."""

    FUTURE = "future"
    OPTION = "option"
    SPREAD = "spread"
    OTHER = "other"


INSTRUMENT_SCHEMA: dict[str, pl.DataType] = {
    "instrument_id": pl.Int64(),
    "valid_from": pl.Datetime("us", "UTC"),
    "expires": pl.Datetime("us", "UTC"),
    "kind": pl.String(),
    "market": pl.String(),
    "dated": pl.Boolean(),
    "contract": pl.String(),
    "contract_month": pl.Date(),
    "option": pl.String(),
    "underlying_contract": pl.String(),
    "expiry": pl.Date(),
    "strike": pl.Float64(),
    "right": pl.String(),
}
"""One instrument over one span: ``dated`` marks a weekly or daily contract of a configured market."""


def instants(nanoseconds: NDArray[np.uint64]) -> pl.Series:
    """UTC instants, rounded up to the microsecond so that nothing is known before it was; null where undefined."""
    micros = nanoseconds // np.uint64(1000) + (nanoseconds % np.uint64(1000) > 0)
    low, high = (np.datetime64(day, "us").astype(np.int64) for day in (EARLIEST, LATEST))
    inside = (micros >= np.uint64(low)) & (micros < np.uint64(high))
    values = pl.Series(np.where(inside, micros, 0).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
    return values.set(~pl.Series(inside), None)


def prices(raw: NDArray[np.int64]) -> pl.Series:
    """Prices in the venue's unit; null where undefined."""
    # Division by a power of ten that a float holds exactly is correctly rounded; multiplication by 1e-9 is not.
    values = pl.Series(raw.astype(np.float64) / 1e9)
    return values.set(pl.Series(raw == UNDEFINED_PRICE), None)


def texts(raw: NDArray[np.bytes_]) -> pl.Series:
    """Texts of a fixed-width field; a byte that is not ASCII becomes a question mark."""
    width = raw.dtype.itemsize
    cells = np.ascontiguousarray(raw).view(np.uint8).reshape(-1, width).copy()
    cells[cells > 127] = ord("?")
    return pl.Series(cells.view(f"S{width}").reshape(-1).astype(str), dtype=pl.String)


def no_instruments() -> pl.DataFrame:
    """The table without a row."""
    return pl.DataFrame(schema=INSTRUMENT_SCHEMA)


def from_definitions(array: NDArray[np.void], context: ParseContext) -> pl.DataFrame:
    """Instruments, ``[k]`` rows of INSTRUMENT_SCHEMA, from ``[k]`` definition records of any version."""
    year, month = array["maturity_year"].astype(np.int64), array["maturity_month"].astype(np.int64)
    known = (year >= 1990) & (year <= 2100) & (month >= 1) & (month <= 12)
    frame = pl.DataFrame(
        {
            "instrument_id": pl.Series(array["instrument_id"].astype(np.int64)),
            "valid_from": instants(array["ts_recv"]),
            "expires": instants(array["expiration"]),
            "class": texts(array["instrument_class"]),
            "symbol": texts(array["raw_symbol"]),
            "asset": texts(array["asset"]),
            "underlying": texts(array["underlying"]),
            "strike": prices(array["strike_price"]),
            "year": pl.Series(np.where(known, year, 0)),
            "month": pl.Series(np.where(known, month, 0)),
        }
    )
    kinds = {"F": Kind.FUTURE, "C": Kind.OPTION, "P": Kind.OPTION, "S": Kind.SPREAD, "T": Kind.SPREAD, "M": Kind.SPREAD}
    matured = pl.when(pl.col("month") > 0).then(
        pl.date(pl.when(pl.col("month") > 0).then("year").otherwise(2000), pl.max_horizontal("month", 1), 1)
    )
    return _identified(
        frame.with_columns(
            pl.col("class").replace_strict(kinds, default=Kind.OTHER, return_dtype=pl.String).alias("kind"),
            pl.when(pl.col("class").is_in(["C", "P"])).then("class").alias("right"),
            pl.coalesce(matured, contract_month_expr(pl.col("symbol"), pl.col("valid_from").dt.date())).alias(
                "contract_month"
            ),
        ),
        context,
    )


def from_symbols(symbols: tuple[SymbolInterval, ...], context: ParseContext) -> pl.DataFrame:
    """Instruments from symbol mappings: outright futures and spreads; other symbols name nothing."""
    frame = pl.DataFrame(
        [(s.instrument_id, s.symbol, str(s.first), str(s.end)) for s in symbols],
        schema={"instrument_id": pl.Int64, "symbol": pl.String, "first": pl.String, "end": pl.String},
        orient="row",
    ).with_columns(
        pl.col("first", "end").str.to_date("%Y%m%d", strict=False).cast(pl.Datetime("us", "UTC")),
        pl.lit("").alias("asset"),
        pl.lit("").alias("underlying"),
        pl.lit(None, dtype=pl.Float64).alias("strike"),
        pl.lit(None, dtype=pl.String).alias("right"),
    )
    future = pl.col("symbol").str.contains(_SYMBOL.replace("(?: |$)", "$"))
    spread = pl.col("symbol").str.contains(r"^UD:|-|:")
    kind = pl.when(future).then(pl.lit(str(Kind.FUTURE))).when(spread).then(pl.lit(str(Kind.SPREAD)))
    return _identified(
        frame.filter((future | spread) & pl.col("first").is_not_null()).with_columns(
            kind.alias("kind"),
            pl.col("first").alias("valid_from"),
            pl.col("end").alias("expires"),
            contract_month_expr(pl.col("symbol"), pl.col("first").dt.date()).alias("contract_month"),
        ),
        context,
    )


def resolve(records: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Records, ``[n]`` rows with ``instrument_id`` and ``at``, with the instrument's columns (null where unknown)."""
    # An expiration that is not known ends nothing.
    table = instruments.drop_nulls("valid_from").sort("valid_from").with_columns(pl.lit(value=True).alias("resolved"))
    ordered = records.sort("at", nulls_last=True)
    dated, undated = ordered.drop_nulls("at"), ordered.filter(pl.col("at").is_null())
    extra = [name for name in table.columns if name not in records.columns]
    before = dated.join_asof(
        table, left_on="at", right_on="valid_from", by="instrument_id", coalesce=False, check_sortedness=False
    )
    late = before.filter(pl.col("resolved").is_null()).select(records.columns)
    after = late.join_asof(
        table,
        left_on="at",
        right_on="valid_from",
        by="instrument_id",
        strategy="forward",
        coalesce=False,
        check_sortedness=False,
    )
    found = pl.concat([before.filter(pl.col("resolved").is_not_null()), after]).select(*records.columns, *extra)
    gone = pl.col("at") > pl.col("expires") + AFTER_EXPIRATION
    found = found.with_columns(pl.col("resolved").fill_null(value=False) & ~gone.fill_null(value=False))
    return pl.concat([found, undated.with_columns(pl.lit(value=False).alias("resolved"))], how="diagonal")


def _identified(frame: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    """Add the market and the canonical names; a symbol's own root decides, its asset tells a weekly contract."""
    root = pl.col("symbol").str.extract(_SYMBOL, 1)
    parts = []
    for kind in Kind:
        part = frame.filter(pl.col("kind") == str(kind))
        roots: dict[str, str] = {}
        for symbol, spec in sorted(context.markets.items()):
            code = (spec.options.root if spec.options else None) if kind is Kind.OPTION else spec.root
            if code is not None:
                roots.setdefault(code, symbol)
        market = root.replace_strict(roots, default=None, return_dtype=pl.String)
        by_asset = pl.col("asset").replace_strict(roots, default=None, return_dtype=pl.String)
        parts.append(
            part.with_columns(
                pl.coalesce(market, by_asset).alias("market"),
                (market.is_null() & by_asset.is_not_null()).alias("dated"),
            )
        )
    return pl.concat([_named(pl.concat(parts), symbol, context) for symbol in (None, *sorted(context.markets))])


def _named(frame: pl.DataFrame, symbol: str | None, context: ParseContext) -> pl.DataFrame:
    if symbol is None:
        part = frame.filter(pl.col("market").is_null()).with_columns(
            pl.lit(None, dtype=t).alias(n)
            for n, t in INSTRUMENT_SCHEMA.items()
            if n in {"contract", "option", "underlying_contract", "expiry"}
        )
        return part.select(pl.col(n).cast(t) for n, t in INSTRUMENT_SCHEMA.items())
    spec = context.markets[symbol]
    under = contract_month_expr(pl.col("underlying"), pl.col("expiry"))
    part = frame.filter(pl.col("market") == symbol).with_columns(
        pl.col("expires").dt.convert_time_zone(spec.timezone).dt.date().alias("expiry")
    )
    option_root = spec.options.root if spec.options else spec.root
    part = part.with_columns(
        future_id_expr(spec.root, pl.col("contract_month")).alias("contract"),
        option_id_expr(option_root, pl.col("expiry"), pl.col("right"), pl.col("strike")).alias("option"),
        future_id_expr(spec.root, under).alias("underlying_contract"),
    )
    return part.select(pl.col(n).cast(t) for n, t in INSTRUMENT_SCHEMA.items())
