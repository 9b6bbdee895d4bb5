"""Tables of intraday bars, read by a column map.

Known when: as the map says, and never before the bar was over. A bar belongs to the session whose cutoff is the first
at or after the bar's end, so that an evening's bars are the next session's.
"""

import re
from collections.abc import Mapping
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from hydra_assets.columns import UTC_US
from hydra_assets.markets.contracts import contract_month_expr, future_id_expr
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import FIRST_DATE, LAST_DATE, WEEKDAYS, SessionCalendar
from hydra_assets.sources.base import Dataset, ParseContext, ParseError, ParseResult, Payload
from hydra_assets.sources.csv_intraday_map import BarValue, IntradayMap
from hydra_assets.sources.csv_prices import result_of
from hydra_assets.sources.csv_rows import (
    bound_markets,
    first_reason,
    instants,
    number,
    shaped,
    vendor_root,
)
from hydra_assets.sources.csv_table import read_table, reject_rows

PRICES: tuple[BarValue, ...] = ("open", "high", "low", "close")
VALUES: tuple[BarValue, ...] = (*PRICES, "volume")
SET_ASIDE = {"other_market", "nothing_traded", "outside_a_session"}
DETAILS: Mapping[str, str] = {
    "bad_instant": "the bar's beginning cannot be read, or is a wall time that clocks skip or repeat",
    "date_out_of_range": "outside the exchange calendar",
    "bad_bar_length": "no whole number of minutes from 1 to 1440",
    "other_market": "a contract of another root",
    "bad_contract": "no readable contract month",
    "bad_number": "a value is missing or no finite number",
    "not_positive_price": "a price of zero or less",
    "negative_volume": "a volume below zero",
    "high_below_low": "the high is below the low",
    "price_outside_range": "open or close lies outside low to high",
    "nothing_traded": "a bar without volume",
    "outside_hours": "outside the hours that the market's binding says it trades in",
    "outside_a_session": "more than a day before the next session's cutoff: a weekend or a holiday",
    "duplicate_bar": "an earlier row of the file is the same contract's bar",
}
DAY = timedelta(days=1)
_HOURS = re.compile(r"^(\d{2}:\d{2})-(\d{2}:\d{2})$")


def parse_intraday(payload: Payload, context: ParseContext, column_map: IntradayMap) -> ParseResult:
    """Canonical ``raw_intraday_bars`` of a table; ParseError where the table cannot be read.

    The binding's option ``hours`` (``"08:30-13:20"``, local; over midnight where the end is the earlier one) says when
    the market trades: a bar that is not wholly in them is malformed. Quarantined: every reason of ``DETAILS`` but those
    of ``SET_ASIDE``, and what :func:`read_table` finds.
    """
    table = read_table(payload.content, column_map.layout, column_map.columns)
    parts = [_of_market(table.frame, spec, payload, context, column_map) for spec in bound_markets(payload, context)]
    return result_of(table, pl.concat([rows for rows, _ in parts]), pl.concat([rejects for _, rejects in parts]))


def _of_market(
    texts: pl.DataFrame, spec: MarketSpec, payload: Payload, context: ParseContext, column_map: IntradayMap
) -> tuple[pl.DataFrame, pl.DataFrame]:
    calendar, layout = context.calendars[spec.symbol], column_map.layout
    local = instants(column_map.start, column_map.start_formats)
    start = local.dt.replace_time_zone(column_map.timezone, ambiguous="null", non_existent="null")
    length = column_map.minutes
    minutes = number(length, layout) if isinstance(length, str) else pl.lit(float(length))
    values = [
        (number(column_map.values[name], layout) * (column_map.price_scale if name in PRICES else 1.0)).alias(name)
        for name in VALUES
    ]
    typed = texts.with_columns(start.dt.convert_time_zone("UTC").alias("bar_start"), minutes.alias("minutes"), *values)
    month = contract_month_expr(pl.col(column_map.contract), pl.col("bar_start").dt.date())
    typed = typed.with_columns(month.alias("contract_month"))
    judged = typed.with_columns(first_reason(_faults(spec, payload, column_map)))
    good = judged.filter(pl.col("reason").is_null()).with_columns(
        pl.col("minutes").cast(pl.Int64).alias("bar_minutes"),
        future_id_expr(spec.root, pl.col("contract_month")).alias("contract"),
        pl.lit(spec.symbol).alias("market"),
        (pl.col("bar_start") + pl.duration(minutes=pl.col("minutes").cast(pl.Int64))).cast(UTC_US).alias("event_time"),
    )
    good = good.with_columns(first_reason(_misplaced(good, spec, calendar, payload.meta.get(f"hours.{spec.symbol}"))))
    rows = _stamped(good.filter(pl.col("reason").is_null()), payload, calendar, column_map)
    columns = ["source_row", "reason", "raw"]
    refused = pl.concat([part.filter(pl.col("reason").is_not_null()).select(columns) for part in (judged, good)])
    refused = refused.with_columns(pl.col("reason").replace_strict(DETAILS, return_dtype=pl.String).alias("detail"))
    return shaped(rows, Dataset.INTRADAY_BARS).sort("source_row", maintain_order=True), reject_rows(
        refused, "", SET_ASIDE
    )


def _faults(spec: MarketSpec, payload: Payload, column_map: IntradayMap) -> list[tuple[pl.Expr, str]]:
    """What can be wrong with a row by itself, in order."""
    named = pl.col(column_map.contract).fill_null("").str.to_uppercase()
    root = re.escape(vendor_root(payload, spec).upper())
    day, minutes = pl.col("bar_start").dt.date(), pl.col("minutes")
    low, high = pl.col("low"), pl.col("high")
    faults = [
        (pl.col("bar_start").is_null(), "bad_instant"),
        # A year inside the calendar, so that the next session still exists.
        (~day.is_between(FIRST_DATE + 366 * DAY, LAST_DATE - 366 * DAY), "date_out_of_range"),
        (~(minutes.is_between(1, 1440) & (minutes == minutes.round())).fill_null(value=False), "bad_bar_length"),
    ]
    if column_map.contract_roots == "checked":
        faults.append((~named.str.contains(rf"^{root} ?[FGHJKMNQUVXZ]?[0-9]"), "other_market"))
    return [
        *faults,
        (pl.col("contract_month").is_null(), "bad_contract"),
        (pl.any_horizontal(pl.col(name).is_null() for name in VALUES), "bad_number"),
        (pl.any_horizontal(pl.col(c) <= 0 for c in PRICES), "not_positive_price"),
        (pl.col("volume") < 0, "negative_volume"),
        (high < low, "high_below_low"),
        (pl.any_horizontal((pl.col(c) < low) | (pl.col(c) > high) for c in ("open", "close")), "price_outside_range"),
        (pl.col("volume") == 0, "nothing_traded"),
    ]


def _misplaced(
    bars: pl.DataFrame, spec: MarketSpec, calendar: SessionCalendar, hours: str | None
) -> list[tuple[pl.Expr, str]]:
    """What can be wrong with a well-formed bar's place in time, and among the others."""
    faults: list[tuple[pl.Expr, str]] = []
    if hours:
        faults.append((~_within(hours, spec.timezone), "outside_hours"))
    if spec.calendar != WEEKDAYS:
        cutoffs = pl.Series(calendar.cutoffs).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        ends = bars["event_time"].dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
        following = cutoffs.gather(np.searchsorted(calendar.cutoffs, ends, side="left"))
        faults.append((pl.lit(bars["bar_start"] < following - DAY), "outside_a_session"))
    key = pl.struct("contract", "bar_start", "bar_minutes")
    return [*faults, (~key.is_first_distinct(), "duplicate_bar")]


def _within(hours: str, timezone: str) -> pl.Expr:
    """Whether a bar lies wholly in local hours; ParseError where they cannot be read."""
    found = _HOURS.match(hours)
    try:
        opening, closing = (time.fromisoformat(text) for text in found.groups()) if found else (None, None)
    except ValueError:
        opening = closing = None
    if opening is None or closing is None or opening == closing:
        raise ParseError("bad_hours", f"the binding's hours {hours!r} are not like 08:30-13:20")
    begin, end = (60 * t.hour + t.minute for t in (opening, closing))
    local = pl.col("bar_start").dt.convert_time_zone(timezone)
    # Minutes since the opening, on a clock of one day.
    since = (60 * local.dt.hour().cast(pl.Int64) + local.dt.minute().cast(pl.Int64) - begin) % 1440
    return since + pl.col("bar_minutes") <= (end - begin) % 1440


def _stamped(bars: pl.DataFrame, payload: Payload, calendar: SessionCalendar, column_map: IntradayMap) -> pl.DataFrame:
    rule = column_map.known.rule
    if rule == "bar_end":
        public = bars["event_time"] + timedelta(minutes=column_map.known.transport_minutes)
    elif rule == "settlement":
        public = calendar.settlement_known_at(calendar.session_for(bars["event_time"]))
    else:
        had: datetime = payload.available_at or payload.fetched_at
        public = pl.Series([had], dtype=UTC_US).new_from_index(0, bars.height)
    return bars.with_columns(pl.max_horizontal(public.cast(UTC_US).alias("public"), "event_time").alias("known_at"))
