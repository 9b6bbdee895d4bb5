"""Daily bars as they were archived, to canonical rows. Pure.

Known when. Prices at the settlement publication of their session, volume one session later. A bar's close is the last
trade until the exchange's settlement has reached Interactive Brokers, hours after its publication, and the settlement
from then on; so it is read as a settlement only where the bar was asked for late enough, and as a close alone before.
The ingest puts what is restated by that into the session that learns of it.
"""

import math
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.sources.base import (
    Dataset,
    Disposition,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    rejects_frame,
)
from hydra_assets.sources.csv_rows import LARGEST_NUMBER, by_record, shaped
from hydra_assets.sources.ib.codes import AskError
from hydra_assets.sources.ib.listing import Listed, listed
from hydra_assets.sources.ib.payload import BAR_FIELDS, BARS_FORMAT, instant, read, records, table
from hydra_assets.sources.ib.reasons import DETAILS, Reason, disposition

PRICES = ("open", "high", "low", "close", "settle")
ACTIVITY = ("volume",)
_SCHEMA: dict[str, pl.DataType] = {
    "source_row": pl.Int64(),
    "contract": pl.String(),
    "contract_month": pl.Date(),
    "event_session": pl.Date(),
    **dict.fromkeys((*PRICES, *ACTIVITY), pl.Float64()),
}


def parse_bars(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical ``raw_futures_bars`` of a payload of bars; rows are the bars in their order.

    Raises
    ------
    ParseError
        It is no such payload, or of a market that is not configured.
    """
    document = read(payload.content, BARS_FORMAT)
    try:
        return _parsed(document, context)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ParseError("unknown_layout", f"{type(error).__name__}: {error}") from error


def market_of(document: dict[str, Any], context: ParseContext) -> tuple[MarketSpec, SessionCalendar, datetime]:
    """Market of a document, its calendar, and when the terminal was asked."""
    symbol, asked = document.get("market"), instant(document.get("asked_at"))
    if not isinstance(symbol, str) or symbol not in context.markets:
        raise ParseError("no_market", f"{symbol} is no configured market")
    if asked is None:
        raise ParseError("unknown_layout", "asked_at is no instant")
    return context.markets[symbol], context.calendars[symbol], asked


def notes_of(document: dict[str, Any]) -> list[str]:
    """Remarks on what was asked and gave nothing, and on an answer that broke off."""
    silent = [f"silent:{one['name']}:{one['fault']}" for one in document.get("silent", [])]
    return [*silent, *([f"incomplete:{document['incomplete']}"] if document.get("incomplete") else [])]


def _parsed(document: dict[str, Any], context: ParseContext) -> ParseResult:
    spec, calendar, asked = market_of(document, context)
    settled_after = timedelta(hours=float(document["settle_hours"]))
    months, refused, notes = _months(spec, records(document, "contracts"))
    rejects: list[tuple[int, Disposition, str, str, str]] = []
    rows: list[tuple[Any, ...]] = []
    for number, bar in enumerate(table(document, "bars", len(BAR_FIELDS))):
        con_id, day, prices, volume = bar[0], _date(bar[1]), bar[2:6], _number(bar[6])
        values = [_number(price) for price in prices]
        reason = _reason(con_id, months, refused, day, values, calendar, asked)
        if reason is not None or day is None:
            why = reason or Reason.BAD_DATE
            text = refused.get(con_id, DETAILS[why])
            rejects.append((number, disposition(why), str(why), text, str(bar)))
            continue
        month = months[con_id]
        ours = [None if value is None else month.inward(value) for value in values]
        final = asked >= calendar.at_local(day, calendar.settlement_published) + settled_after
        known_activity = volume is not None and volume >= 0
        settle, traded = ours[3] if final else None, volume if known_activity else None
        rows.append((number, month.contract, month.month, day, *ours, settle, traded))
    frame = _stamped(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), spec, calendar)
    total = len(document["bars"])
    return ParseResult(frame, rejects_frame(rejects), total, (*notes, *notes_of(document)))


def _months(
    spec: MarketSpec, details: Sequence[dict[str, Any]]
) -> tuple[dict[int, Listed], dict[int, str], tuple[str, ...]]:
    """Months by the broker's number, what is wrong with the others, and remarks."""
    months: dict[int, Listed] = {}
    refused: dict[int, str] = {}
    for one in details:
        try:
            month = listed(spec, one)
        except AskError as error:
            refused[one["contract"]["conId"]] = error.detail
            continue
        months[month.con_id] = month
    taken = [month.contract for month in months.values()]
    for con_id, month in list(months.items()):
        if taken.count(month.contract) > 1:
            refused[con_id] = f"{month.contract} is listed twice; name the trading_class in the market's file, under ib"
            del months[con_id]
    return months, refused, tuple(remark for month in months.values() for remark in month.remarks)


def _reason(
    con_id: Any,
    months: dict[int, Listed],
    refused: dict[int, str],
    day: date | None,
    values: Sequence[float | None],
    calendar: SessionCalendar,
    asked: datetime,
) -> Reason | None:
    inside = day is not None and calendar.is_session(day) and day < calendar.sessions[-1].astype(object)
    over = inside and day is not None and asked >= calendar.at_local(day, calendar.settlement_published)
    faults = (
        (con_id in refused, Reason.OTHER_TERMS),
        (con_id not in months, Reason.UNKNOWN_CONTRACT),
        (day is None, Reason.BAD_DATE),
        (not inside, Reason.OUTSIDE_A_SESSION),
        (not over, Reason.SESSION_NOT_OVER),
        (any(value is None for value in values), Reason.BAD_NUMBER),
        (any(value is not None and value <= 0 for value in values), Reason.NOT_POSITIVE_PRICE),
    )
    return next((reason for holds, reason in faults if holds), None)


def _stamped(values: pl.DataFrame, spec: MarketSpec, calendar: SessionCalendar) -> pl.DataFrame:
    rows = by_record(values, PRICES, ACTIVITY)
    public = calendar.settlement_known_at(rows["event_session"])
    later = calendar.activity_known_at(rows["event_session"])
    stamped = rows.with_columns(
        pl.lit(spec.symbol).alias("market"),
        public.alias("event_time"),
        pl.when(pl.col("record") == "activity").then(later).otherwise(public).alias("known_at"),
    )
    return shaped(stamped, Dataset.FUTURES_BARS).sort("source_row", maintain_order=True)


def _date(text: Any) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007  a date, not an instant
    except (TypeError, ValueError):
        return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < LARGEST_NUMBER else None
