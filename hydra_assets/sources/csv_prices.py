"""Tables of futures bars, read by a column map.

Known when. Prices of a session are known at its settlement publication; volume and open interest one session later.
A file that a vendor sells today says nothing on when its rows were first public: the publisher's rule stands.
"""

import re
from collections.abc import Mapping

import polars as pl

from hydra_assets.markets.contracts import contract_month_expr, future_id_expr
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.sources.base import Dataset, ParseContext, ParseResult, Payload
from hydra_assets.sources.csv_maps import BarsMap, Leg
from hydra_assets.sources.csv_rows import (
    bad_number,
    bound_markets,
    by_record,
    date_faults,
    dated,
    evidence_expr,
    first_reason,
    number,
    shaped,
    stamped,
    vendor_root,
)
from hydra_assets.sources.csv_table import TextTable, read_table, reject_rows

PRICES = ("open", "high", "low", "close", "settle", "bid", "ask", "bid_size", "ask_size")
ACTIVITY = ("volume", "open_interest")
SET_ASIDE = {"intraday_bar", "no_price", "other_market"}
DETAILS: Mapping[str, str] = {
    "bad_date": "the date cannot be read",
    "date_out_of_range": "outside the exchange calendar",
    "intraday_bar": "an hour other than the daily close",
    "not_a_session": "the exchange was closed on that date",
    "bad_number": "a value is no finite number",
    "not_positive_price": "a price of zero or less",
    "bad_contract": "a value without a readable contract month",
    "no_price": "no value at all",
    "other_market": "a contract of another root",
}


def parse_prices(payload: Payload, context: ParseContext, column_map: BarsMap) -> ParseResult:
    """Canonical ``raw_futures_bars`` of a table of bars; ParseError where the table cannot be read.

    A row gives one price record per leg with a price and one activity record per leg with volume or open interest.
    Quarantined: ``bad_date``, ``date_out_of_range``, ``not_a_session``, ``bad_number``, ``not_positive_price``,
    ``bad_contract`` and what :func:`read_table` finds. Set aside: ``intraday_bar``, ``no_price``, ``other_market``.
    """
    table = read_table(payload.content, column_map.layout, column_map.columns)
    texts = dated(table.frame, column_map.when, payload)
    parts = [_of_market(texts, spec, payload, context, column_map) for spec in bound_markets(payload, context)]
    rows = pl.concat([rows for rows, _ in parts])
    return result_of(table, rows, pl.concat([rejects for _, rejects in parts]))


def result_of(table: TextTable, rows: pl.DataFrame, rejects: pl.DataFrame) -> ParseResult:
    """One result of a table whose rows were read for one market or several.

    A row that one market took is no reject of another; a row that none took keeps its first reason.
    """
    left = rejects.join(rows.select("source_row").unique(), on="source_row", how="anti")
    # Another market's row is set aside only where no market has a worse word on it.
    left = left.sort(pl.col("reason") == "other_market", maintain_order=True).unique(
        "source_row", keep="first", maintain_order=True
    )
    return ParseResult(rows, pl.concat([table.rejects, left]), table.total_rows, table.notes)


def _of_market(
    texts: pl.DataFrame, spec: MarketSpec, payload: Payload, context: ParseContext, column_map: BarsMap
) -> tuple[pl.DataFrame, pl.DataFrame]:
    calendar = context.calendars[spec.symbol]
    layout = column_map.layout
    numbers = [c for leg in column_map.legs for c in (*leg.prices.values(), *leg.activity.values())]
    prices = [c for leg in column_map.legs for name, c in leg.prices.items() if name not in column_map.zero_is_missing]
    zero_ok = [c for leg in column_map.legs for name, c in leg.prices.items() if name in column_map.zero_is_missing]
    empty_row = pl.all_horizontal(pl.col(c).is_null() for c in numbers)
    faults = [(empty_row, "no_price"), *date_faults(column_map.when, spec, calendar)]
    if column_map.contract_roots == "checked":
        faults.append((_other_root(column_map.legs[0], vendor_root(payload, spec)), "other_market"))
    faults.append((bad_number(numbers, layout), "bad_number"))
    if not column_map.negative_prices:
        low = [number(c, layout) <= 0 for c in prices] + [number(c, layout) < 0 for c in zero_ok]
        faults.append((pl.any_horizontal(low or [pl.lit(False)]), "not_positive_price"))
    unreadable = [
        pl.any_horizontal(pl.col(c).is_not_null() for c in (*leg.prices.values(), *leg.activity.values()))
        & contract_month_expr(pl.col(leg.contract), pl.col("event_session")).is_null()
        for leg in column_map.legs
    ]
    faults.append((pl.any_horizontal(unreadable), "bad_contract"))
    judged = texts.with_columns(first_reason(faults), evidence_expr(column_map.known.evidence))
    refused = judged.filter(pl.col("reason").is_not_null()).with_columns(
        pl.col("reason").replace_strict(DETAILS).alias("detail")
    )
    good = judged.filter(pl.col("reason").is_null())
    legs = [_leg_rows(good, leg, spec, column_map) for leg in column_map.legs]
    values = _once_per_contract(pl.concat(legs))
    values = _published(values, column_map)
    rows = _records(values, spec, calendar, column_map)
    # A row whose only values were zeros that mean missing has become one without a price.
    empty = good.join(rows.select("source_row").unique(), on="source_row", how="anti").with_columns(
        pl.lit("no_price").alias("reason"), pl.lit(DETAILS["no_price"]).alias("detail")
    )
    columns = ["source_row", "reason", "detail", "raw"]
    return rows, reject_rows(pl.concat([refused.select(columns), empty.select(columns)]), "", SET_ASIDE)


def _other_root(leg: Leg, root: str) -> pl.Expr:
    named = pl.col(leg.contract).str.to_uppercase()
    return ~named.str.contains(rf"^{re.escape(root.upper())} ?[FGHJKMNQUVXZ]?[0-9]").fill_null(False)


def _leg_rows(good: pl.DataFrame, leg: Leg, spec: MarketSpec, column_map: BarsMap) -> pl.DataFrame:
    columns: dict[str, str] = dict((*leg.prices.items(), *leg.activity.items()))
    values = []
    for name in (*PRICES, *ACTIVITY):
        if name not in columns:
            values.append(pl.lit(None, dtype=pl.Float64).alias(name))
            continue
        value = number(columns[name], column_map.layout)
        if name in column_map.zero_is_missing:
            value = pl.when(value != 0).then(value)
        values.append((value * column_map.price_scale if name in PRICES[:7] else value).alias(name))
    month = contract_month_expr(pl.col(leg.contract), pl.col("event_session")).alias("contract_month")
    return (
        good.select("source_row", "event_session", "moment", "written_at", month, *values)
        .with_columns(future_id_expr(spec.root, pl.col("contract_month")).alias("contract"))
        .filter(pl.any_horizontal(pl.col(c).is_not_null() for c in (*PRICES, *ACTIVITY)))
    )


def _once_per_contract(values: pl.DataFrame) -> pl.DataFrame:
    """Two legs of a row that say the same of one contract are one; where they differ both stay for the ingest."""
    return values.unique(["source_row", "contract", *PRICES, *ACTIVITY], keep="first", maintain_order=True)


def _published(values: pl.DataFrame, column_map: BarsMap) -> pl.DataFrame:
    for name in column_map.zero_until_published:
        day = pl.col("event_session")
        last = pl.when(pl.col(name) > 0).then(day).max().over("contract")
        values = values.with_columns(pl.when(~((pl.col(name) == 0) & (day > last).fill_null(False))).then(pl.col(name)))
    return values


def _records(values: pl.DataFrame, spec: MarketSpec, calendar: SessionCalendar, column_map: BarsMap) -> pl.DataFrame:
    records = by_record(values, PRICES, ACTIVITY)
    rows = stamped(records, column_map.known, calendar).with_columns(pl.lit(spec.symbol).alias("market"))
    return shaped(rows, Dataset.FUTURES_BARS).sort("source_row", maintain_order=True)
