"""Tables of option quotes or settlements, read by a column map; and the futures bars that stand beside them.

Known when. A settlement: at its publication, or when the vendor's own stamp says it was written, whichever is
later. A snapshot: at its instant plus the transport.

Prices in coin (Deribit, OKX: the premium of an option on one coin is paid in coin) become dollars by the vendor's
underlying price. With Deribit that is the forward of the option's expiry, so the dollar price is an undiscounted
one; with OKX it is the spot index, so the dollar price is a present value, and the index is not stored as if it
were the underlying of the option.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from hydra_assets.markets.contracts import STRIKE_DECIMALS, future_id, future_month, option_id_expr
from hydra_assets.markets.expiry import contracts_of, option_expiry, option_underlying_month
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.base import Dataset, ParseContext, ParseError, ParseResult, Payload
from hydra_assets.sources.csv_maps import ChainMap, UnderlyingColumn, UnderlyingMeaning
from hydra_assets.sources.csv_prices import result_of
from hydra_assets.sources.csv_rows import (
    bad_number,
    bound_markets,
    by_record,
    date_faults,
    dated,
    dates,
    evidence_expr,
    first_reason,
    number,
    shaped,
    stamped,
    vendor_root,
)
from hydra_assets.sources.csv_table import read_table, reject_rows

PRICES = ("bid", "ask", "bid_size", "ask_size", "close", "settle", "underlying_price")
MONEY = ("bid", "ask", "close", "settle")
ACTIVITY = ("volume", "open_interest")
SET_ASIDE = {"other_market", "synthetic_row", "no_value", "repeated_in_file", "not_a_listed_future"}
DETAILS: Mapping[str, str] = {
    "bad_date": "the date cannot be read",
    "date_out_of_range": "outside the exchange calendar",
    "intraday_bar": "an hour other than the daily close",
    "not_a_session": "the exchange was closed on that date",
    "bad_number": "a value is no finite number",
    "bad_expiry": "the expiry cannot be read, or the market lists no such option month",
    "expired_option": "the option had expired before the row's date",
    "bad_strike": "no strike above zero, or one beyond any market",
    "bad_right": "neither call nor put",
    "negative_price": "a price below zero",
    "no_rate": "a price in coin without an underlying price",
    "other_market": "a row of another market",
    "synthetic_row": "a row the vendor made up",
    "no_value": "no value at all",
    "repeated_in_file": "the future's price stands in an earlier row of the file",
    "not_a_listed_future": "no listed future ends on the option's expiry",
    "repeated_settlement": "one price written at one time for several contract months: a filler",
    "no_underlying_price": "no price of the underlying future",
}
MIN_FILLED_MONTHS = 3
LARGEST_STRIKE = 1e12
"""Ids write strikes exactly up to here."""


def parse_chain(payload: Payload, context: ParseContext, column_map: ChainMap) -> ParseResult:
    """Canonical rows of a chain: options, or the underlying futures where the payload is for futures bars.

    Quarantined: ``bad_date``, ``date_out_of_range``, ``not_a_session``, ``bad_number``, ``bad_expiry``,
    ``expired_option``, ``bad_strike``, ``bad_right``, ``negative_price``, ``no_rate``, ``repeated_settlement``,
    ``no_underlying_price`` and what :func:`read_table` finds. Set aside: ``other_market``, ``synthetic_row``,
    ``no_value``, and of futures ``repeated_in_file`` and ``not_a_listed_future``.
    """
    table = read_table(payload.content, column_map.layout, column_map.columns)
    texts = dated(table.frame, column_map.when, payload)
    read = _futures if payload.dataset is Dataset.FUTURES_BARS else _options
    parts = []
    for spec in bound_markets(payload, context):
        good, refused = _judged(texts, spec, payload, context, column_map)
        rows, late = read(good, spec, context, column_map)
        late = late.with_columns(pl.col("reason").replace_strict(DETAILS).alias("detail"))
        columns = ["source_row", "reason", "detail", "raw"]
        parts.append((rows, reject_rows(pl.concat([refused.select(columns), late.select(columns)]), "", SET_ASIDE)))
    return result_of(table, pl.concat([rows for rows, _ in parts]), pl.concat([rejects for _, rejects in parts]))


def _judged(
    texts: pl.DataFrame, spec: MarketSpec, payload: Payload, context: ParseContext, column_map: ChainMap
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with typed columns and no fault, and the others with their reason."""
    if spec.options is None:
        raise ParseError("no_options", f"{spec.symbol} lists no options in its market file")
    layout = column_map.layout
    values: dict[str, str] = dict((*column_map.prices.items(), *column_map.activity.items()))
    columns = [*values.values(), column_map.strike]
    if column_map.underlying is not None:
        columns.append(column_map.underlying.column)
    if column_map.vendor_iv is not None:
        columns.append(column_map.vendor_iv.column)
    terms = texts.with_columns(
        _expiry(texts, spec, column_map),
        (number(column_map.strike, layout) * column_map.strike_scale).round(STRIKE_DECIMALS).alias("strike_value"),
        pl.col(column_map.right)
        .replace_strict(list(column_map.right_names), list(column_map.right_names.values()), default=None)
        .cast(pl.String)
        .alias("right_code"),
        evidence_expr(column_map.known.evidence),
    )
    faults: list[tuple[pl.Expr, str]] = []
    if column_map.market is not None:
        faults.append((pl.col(column_map.market).ne_missing(pl.lit(vendor_root(payload, spec))), "other_market"))
    faults += [
        (pl.col(c).is_in(list(texts_)).fill_null(False), "synthetic_row") for c, texts_ in column_map.synthetic.items()
    ]
    faults += date_faults(column_map.when, spec, context.calendars[spec.symbol])
    faults += [
        (bad_number(columns, layout), "bad_number"),
        (pl.col("expiry_date").is_null(), "bad_expiry"),
        (pl.col("expiry_date") < pl.col("event_session"), "expired_option"),
        (~((pl.col("strike_value") > 0) & (pl.col("strike_value") < LARGEST_STRIKE)).fill_null(False), "bad_strike"),
        (pl.col("right_code").is_null(), "bad_right"),
        (
            pl.any_horizontal(number(c, layout) < 0 for n, c in column_map.prices.items() if n in MONEY),
            "negative_price",
        ),
        (pl.all_horizontal(number(c, layout).is_null() for c in values.values()), "no_value"),
    ]
    if column_map.price_in_coin and column_map.underlying is not None:
        rate = number(column_map.underlying.column, layout)
        faults.append((~(rate > 0).fill_null(False), "no_rate"))
    judged = terms.with_columns(first_reason(faults))
    refused = judged.filter(pl.col("reason").is_not_null()).with_columns(
        pl.col("reason").replace_strict(DETAILS).alias("detail")
    )
    return judged.filter(pl.col("reason").is_null()), refused


def _expiry(texts: pl.DataFrame, spec: MarketSpec, column_map: ChainMap) -> pl.Expr:
    """Expiry date, with ``option_month`` where the vendor names the month instead of the date."""
    given = dates(column_map.expiry, column_map.expiry_formats)
    if column_map.expiry_is == "date":
        return given.alias("expiry_date")
    months = texts.select(given.dt.truncate("1mo").unique().drop_nulls()).to_series().to_list()
    in_range = [m for m in months if 1970 <= m.year <= 2030]
    by_rule = {m: option_expiry(spec, m) for m in in_range}
    return (
        given.dt.truncate("1mo")
        .replace_strict(list(by_rule), list(by_rule.values()), default=None, return_dtype=pl.Date)
        .alias("expiry_date")
    )


def _underlying_contract(good: pl.DataFrame, spec: MarketSpec, column_map: ChainMap) -> pl.Expr:
    """Future of the option: by its option month, or the listed one that ends on the option's expiry (else null)."""
    if column_map.expiry_is == "contract_month":
        month = dates(column_map.expiry, column_map.expiry_formats).dt.truncate("1mo")
        names: dict[date, str | None] = {}
        for m in good.select(month.unique().drop_nulls()).to_series().to_list():
            under = option_underlying_month(spec, m)
            names[m] = future_id(spec.root, under) if under is not None else None
        key = month
    else:
        table = contracts_of(spec)
        names = dict(zip(table["last_trade"].to_list(), table["contract"].to_list(), strict=True))
        key = pl.col("expiry_date")
    mapped = key.replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    return mapped.alias("underlying_contract")


def _options(
    good: pl.DataFrame, spec: MarketSpec, context: ParseContext, column_map: ChainMap
) -> tuple[pl.DataFrame, pl.DataFrame]:
    layout, under = column_map.layout, column_map.underlying
    columns: dict[str, str] = dict((*column_map.prices.items(), *column_map.activity.items()))
    rate = number(under.column, layout) if column_map.price_in_coin and under is not None else pl.lit(1.0)
    values = []
    for name in (*PRICES[:6], *ACTIVITY):
        value = number(columns[name], layout) if name in columns else pl.lit(None, dtype=pl.Float64)
        if name in column_map.zero_is_missing:
            value = pl.when(value != 0).then(value)
        values.append((value * rate if name in MONEY else value).alias(name))
    iv = pl.lit(None, dtype=pl.Float64)
    if column_map.vendor_iv is not None:
        unit = 0.01 if column_map.vendor_iv.unit == "percent" else 1.0
        iv = number(column_map.vendor_iv.column, layout) * unit
    price = pl.lit(None, dtype=pl.Float64)
    if under is not None and under.meaning is not UnderlyingMeaning.INDEX:
        price = pl.when(~_is_filler(under, column_map)).then(number(under.column, layout))
    root = (spec.options.root if spec.options else spec.root) + column_map.option_root_suffix
    typed = good.select(
        "source_row",
        "raw",
        "event_session",
        "moment",
        "written_at",
        pl.lit(spec.symbol).alias("market"),
        pl.col("expiry_date").alias("expiry"),
        pl.col("strike_value").alias("strike"),
        pl.col("right_code").alias("right"),
        option_id_expr(root, pl.col("expiry_date"), pl.col("right_code"), pl.col("strike_value")).alias("option"),
        _underlying_contract(good, spec, column_map),
        price.alias("underlying_price"),
        iv.alias("vendor_iv"),
        *values,
    )
    records = by_record(typed, PRICES[:6], ACTIVITY, also=("underlying_price", "vendor_iv"))
    rows = stamped(records, column_map.known, context.calendars[spec.symbol])
    out = shaped(rows, Dataset.OPTION_CHAINS).sort("source_row", maintain_order=True)
    empty = typed.join(out.select("source_row").unique(), on="source_row", how="anti")
    return out, empty.select("source_row", "raw", pl.lit("no_value").alias("reason"))


def _is_filler(under: UnderlyingColumn, column_map: ChainMap) -> pl.Expr:
    if under.evidence is None:
        return pl.lit(False)
    group = (pl.col(under.column), pl.col(under.evidence.column))
    return pl.col(column_map.expiry).n_unique().over(*group) >= MIN_FILLED_MONTHS


def _futures(
    good: pl.DataFrame, spec: MarketSpec, context: ParseContext, column_map: ChainMap
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One bar per future and date from the underlying prices beside the options: the first row of each."""
    under = column_map.underlying
    if under is None or under.meaning is UnderlyingMeaning.INDEX:
        raise ParseError("no_futures", f"the map {column_map.name} holds no futures prices")
    named = good.with_columns(
        _underlying_contract(good, spec, column_map),
        number(under.column, column_map.layout).alias("price"),
        _is_filler(under, column_map).alias("filler"),
    )
    seen = pl.col("source_row") > pl.col("source_row").min().over("underlying_contract", "event_session")
    judged = named.with_columns(
        first_reason(
            [
                (pl.col("underlying_contract").is_null(), "not_a_listed_future"),
                (~(pl.col("price") > 0).fill_null(False), "no_underlying_price"),
                (seen, "repeated_in_file"),
                (pl.col("filler"), "repeated_settlement"),
            ]
        )
    )
    bars = judged.filter(pl.col("reason").is_null()).select(
        "source_row",
        "event_session",
        "moment",
        pl.lit(spec.symbol).alias("market"),
        pl.col("underlying_contract").alias("contract"),
        pl.col("price").alias("settle"),
        pl.lit("price").alias("record"),
        evidence_expr(under.evidence),
    )
    months = {name: future_month(name) for name in bars["contract"].unique().to_list()}
    bars = bars.with_columns(
        pl.col("contract")
        .replace_strict(list(months), list(months.values()), default=None, return_dtype=pl.Date)
        .alias("contract_month")
    )
    rows = stamped(bars, column_map.known, context.calendars[spec.symbol])
    return shaped(rows, Dataset.FUTURES_BARS), judged.filter(pl.col("reason").is_not_null()).select(
        "source_row", "raw", "reason"
    )
