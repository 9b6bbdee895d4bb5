"""What the table parsers share: numbers, dates, reasons, instants and the shape of canonical rows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import polars as pl

from hydra_assets.columns import DATASETS, UTC_US
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import FIRST_DATE, LAST_DATE, WEEKDAYS, SessionCalendar
from hydra_assets.sources.base import Dataset, ParseContext, ParseError, Payload
from hydra_assets.sources.csv_layout import Layout
from hydra_assets.sources.csv_maps import Evidence, Known, When

LARGEST_NUMBER = 1e15
"""A price, size or strike from here on is none; products of two numbers stay finite below it."""
ADDED_BY_INGEST = {"session", "ingested_at", "source", "payload_sha256"}


def bound_markets(payload: Payload, context: ParseContext) -> list[MarketSpec]:
    """Markets that a payload was fetched for: ``meta["markets"]``, or the one of ``meta["market"]``."""
    symbols = [s for s in (payload.meta.get("markets") or payload.meta.get("market") or "").split(",") if s]
    unknown = [s for s in symbols if s not in context.markets]
    if unknown or not symbols:
        raise ParseError("no_market", f"payload {payload.name} names no configured market ({', '.join(unknown)})")
    return [context.markets[s] for s in symbols]


def vendor_root(payload: Payload, spec: MarketSpec) -> str:
    """The vendor's name of a market: the binding's ``root``, or the exchange root."""
    return payload.meta.get(f"root.{spec.symbol}") or spec.root


def number(column: str, layout: Layout) -> pl.Expr:
    """Column of texts as Float64; null where missing and where it is no number of any market's size."""
    text = pl.col(column)
    if layout.thousands:
        text = text.str.replace_all(layout.thousands, "", literal=True)
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.abs() < LARGEST_NUMBER).then(value)


def bad_number(columns: Sequence[str], layout: Layout) -> pl.Expr:
    """Whether any of the columns holds a text that is no number, or one of no market's size."""
    return pl.any_horizontal(
        [pl.col(c).is_not_null() & number(c, layout).is_null() for c in dict.fromkeys(columns)] or [pl.lit(False)]
    )


def instants(column: str, formats: Sequence[str]) -> pl.Expr:
    """Column of texts as naive Datetime by the first format that fits; null where none does."""
    return pl.coalesce([pl.col(column).str.to_datetime(f, time_unit="us", strict=False) for f in formats])


def dates(column: str, formats: Sequence[str]) -> pl.Expr:
    """Column of texts as Date by the first format that fits; null where none does."""
    return pl.coalesce([pl.col(column).str.to_date(f, strict=False) for f in formats])


def dated(frame: pl.DataFrame, when: When, payload: Payload) -> pl.DataFrame:
    """Add ``moment`` (naive Datetime) and ``event_session`` (Date) as the map says; null where unreadable."""
    if when.file_name is not None:
        stamp = pl.Series([payload.name]).str.extract(when.file_name, 1).str.to_date(when.formats[0], strict=False)
        if stamp.item() is None:
            raise ParseError("no_date_in_name", f"{payload.name!r} does not match {when.file_name!r}")
        moment = pl.lit(stamp.item()).cast(pl.Datetime("us"))
    else:
        timed = any("%H" in f or "%T" in f for f in when.formats)
        column = when.column or ""
        moment = instants(column, when.formats) if timed else dates(column, when.formats).cast(pl.Datetime("us"))
    return frame.with_columns(moment.alias("moment")).with_columns(pl.col("moment").dt.date().alias("event_session"))


def date_faults(when: When, spec: MarketSpec, calendar: SessionCalendar) -> list[tuple[pl.Expr, str]]:
    """Conditions and reasons on ``event_session``, in order.

    ``bad_date`` and ``date_out_of_range``; ``intraday_bar`` for the hours other than the daily one and for a
    weekend's evening bar among them; ``not_a_session`` for any other day without trading.
    """
    day = pl.col("event_session")
    faults: list[tuple[pl.Expr, str]] = [
        (day.is_null(), "bad_date"),
        # A year inside the calendar, so that one session later still exists.
        (~day.is_between(FIRST_DATE + timedelta(days=366), LAST_DATE - timedelta(days=366)), "date_out_of_range"),
    ]
    if when.daily_at is not None:
        close = pl.lit(when.daily_at).str.to_time("%H:%M:%S")
        faults.append((pl.col("moment").dt.time() != close, "intraday_bar"))
        faults.append((day.dt.weekday() > 5, "intraday_bar"))
    if spec.calendar != WEEKDAYS:
        sessions = pl.Series(calendar.sessions).cast(pl.Date)
        faults.append((~day.is_in(sessions.implode()), "not_a_session"))
    return faults


def first_reason(faults: Sequence[tuple[pl.Expr, str]]) -> pl.Expr:
    """Reason of the first condition that holds, null where none does."""
    return pl.coalesce([pl.when(bad).then(pl.lit(reason)) for bad, reason in faults]).alias("reason")


def evidence_expr(evidence: Evidence | None) -> pl.Expr:
    """UTC instant at which the vendor wrote the row, null without such a column."""
    if evidence is None:
        return pl.lit(None, dtype=UTC_US).alias("written_at")
    local = pl.col(evidence.column).str.to_datetime(evidence.format, time_unit="us", strict=False)
    # A wall time that clocks going back make double is taken as the later one; one that they skip is none.
    zoned = local.dt.replace_time_zone(evidence.timezone, ambiguous="latest", non_existent="null")
    return zoned.dt.convert_time_zone("UTC").alias("written_at")


def stamped(frame: pl.DataFrame, known: Known, calendar: SessionCalendar) -> pl.DataFrame:
    """Add ``event_time`` and ``known_at`` from ``event_session``, ``moment``, ``record`` and ``written_at``."""
    if known.rule == "instant":
        event = frame["moment"].dt.replace_time_zone("UTC")
        public = event + timedelta(minutes=known.transport_minutes)
    else:
        event = calendar.settlement_known_at(frame["event_session"])
        later = calendar.activity_known_at(frame["event_session"])
        public = (
            frame.select("record", price=event, activity=later)
            .select(pl.when(pl.col("record") == "activity").then("activity").otherwise("price"))
            .to_series()
        )
    return frame.with_columns(
        event.alias("event_time"), pl.max_horizontal(public.alias("public"), pl.col("written_at")).alias("known_at")
    )


def by_record(
    frame: pl.DataFrame, prices: Sequence[str], activity: Sequence[str], also: Sequence[str] = ()
) -> pl.DataFrame:
    """Split rows into price and activity records; a record without any value is not made.

    ``also`` are columns of the price record that alone do not make one (the vendor's implied volatility).
    """
    parts = []
    for record, own, other in (("price", prices, activity), ("activity", activity, [*prices, *also])):
        if own:
            part = frame.filter(pl.any_horizontal(pl.col(c).is_not_null() for c in own))
            blank = [pl.lit(None, dtype=frame.schema[c]).alias(c) for c in other]
            parts.append(part.with_columns(pl.lit(record).alias("record"), *blank))
    return pl.concat(parts)


def shaped(frame: pl.DataFrame, dataset: Dataset) -> pl.DataFrame:
    """Canonical columns of a dataset in order, absent ones null, without those the ingest adds."""
    schema: Mapping[str, pl.DataType] = {
        name: dtype for name, dtype in DATASETS[dataset].schema.items() if name not in ADDED_BY_INGEST
    }
    absent = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(absent).select(pl.col(name).cast(dtype) for name, dtype in schema.items())
