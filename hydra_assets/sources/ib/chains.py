"""Snapshots of options as they were archived, to canonical rows. Pure.

Known when. A quote is known at the instant at which it was taken, and is about the session whose cutoff follows.
Prices of the underlying are of the same run, some seconds earlier. A last trade counts where the option has traded
that day: of an older one the snapshot does not say how old it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from hydra_assets.markets.contracts import STRIKE_DECIMALS, option_id
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
from hydra_assets.sources.csv_rows import LARGEST_NUMBER, shaped
from hydra_assets.sources.ib.bars import market_of, notes_of
from hydra_assets.sources.ib.codes import AskError
from hydra_assets.sources.ib.listing import Details, Listed, expiry_of, listed, price_scale, strike_factor
from hydra_assets.sources.ib.payload import CHAIN_FORMAT, QUOTE_FIELDS, instant, read, records, table
from hydra_assets.sources.ib.reasons import DETAILS, Reason, disposition

LIVE = 1
_PRICES = ("bid", "ask", "bid_size", "ask_size", "close")
_SCHEMA: dict[str, pl.DataType] = {
    "source_row": pl.Int64(),
    "option": pl.String(),
    "underlying_contract": pl.String(),
    "expiry": pl.Date(),
    "strike": pl.Float64(),
    "right": pl.String(),
    **dict.fromkeys((*_PRICES, "underlying_price"), pl.Float64()),
    "known_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class Under:
    """A future on which options are quoted; ``price`` (ours) is its middle, else its last trade, else unknown."""

    month: Listed
    price: float | None
    strike_factor: float


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    under: Under
    expiry: date
    strike: float
    right: str
    scale: float


def parse_chain(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical ``raw_option_chains`` of a payload of snapshots; rows are the quotes of options in their order.

    Raises
    ------
    ParseError
        It is no such payload, or of a market that is not configured or lists no options.
    """
    document = read(payload.content, CHAIN_FORMAT)
    try:
        return _parsed(document, context)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ParseError("unknown_layout", f"{type(error).__name__}: {error}") from error


def price_of(quote: Mapping[str, Any]) -> float | None:
    """Their price of a future now: the middle of both sides, else the last trade; None without either."""
    bid, ask, last = (positive(quote.get(name)) for name in ("bid", "ask", "last"))
    return (bid + ask) / 2.0 if bid is not None and ask is not None else last


def positive(value: Any) -> float | None:
    """A price above zero, None otherwise: an empty side is told as -1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < LARGEST_NUMBER else None


def quotes_of(rows: list[list[Any]]) -> dict[int, dict[str, Any]]:
    """Rows of a table of quotes by contract number, the last of each."""
    return {row[0]: dict(zip(QUOTE_FIELDS, row, strict=True)) for row in rows}


def _parsed(document: dict[str, Any], context: ParseContext) -> ParseResult:
    spec, calendar, asked = market_of(document, context)
    if spec.options is None:
        raise ParseError("no_options", f"{spec.symbol} lists no options in its market file")
    unders, notes = _unders(spec, document)
    options = {one["contract"]["conId"]: one for one in records(document, "contracts")}
    rejects: list[tuple[int, Disposition, str, str, str]] = []
    rows: list[tuple[Any, ...]] = []
    quotes = table(document, "quotes", len(QUOTE_FIELDS))
    for number, values in enumerate(quotes):
        quote = dict(zip(QUOTE_FIELDS, values, strict=True))
        taken = instant(quote["taken_at"])
        found = _option(spec, options.get(quote["con_id"]), unders, taken, calendar)
        row = found if isinstance(found, Reason) else _row(number, found, quote, taken)
        if isinstance(row, Reason):
            rejects.append((number, disposition(row), str(row), DETAILS[row], str(values)))
        else:
            rows.append(row)
    frame = _stamped(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), spec, calendar, asked)
    return ParseResult(frame, rejects_frame(rejects), len(quotes), (*notes, *notes_of(document)))


def _unders(spec: MarketSpec, document: dict[str, Any]) -> tuple[dict[int, Under], tuple[str, ...]]:
    priced = quotes_of(table(document, "underlying_quotes", len(QUOTE_FIELDS)))
    strikes: dict[int, list[float]] = {}
    for one in records(document, "contracts"):
        strike = positive(one["contract"].get("strike"))
        if strike is not None:
            strikes.setdefault(int(one.get("underConId", 0)), []).append(strike)
    unders: dict[int, Under] = {}
    notes: list[str] = []
    for one in records(document, "underlyings"):
        try:
            month = listed(spec, one)
        except AskError as error:
            notes.append(f"other_terms:{error.detail}")
            continue
        quote = priced.get(month.con_id, {})
        theirs = price_of(quote)
        near = theirs or positive(quote.get("close"))
        own = strikes.get(month.con_id, [])
        if near is None or not own:
            continue
        price = None if theirs is None else month.inward(theirs)
        unders[month.con_id] = Under(month, price, strike_factor(own, month.inward(near), month))
        notes += month.remarks
    return unders, tuple(notes)


def _option(
    spec: MarketSpec,
    details: Details | None,
    unders: Mapping[int, Under],
    taken: datetime | None,
    calendar: SessionCalendar,
) -> _Option | Reason:
    if details is None or details.get("underConId") not in unders or spec.options is None:
        return Reason.UNKNOWN_CONTRACT
    under = unders[details["underConId"]]
    expiry, right = expiry_of(details), details["contract"].get("right")
    strike = positive(details["contract"].get("strike"))
    try:
        scale = price_scale(spec, details)
    except AskError:
        return Reason.OTHER_TERMS
    if taken is None:
        return Reason.BAD_DATE
    if expiry is None or expiry < taken.astimezone(ZoneInfo(calendar.timezone)).date():
        return Reason.BAD_EXPIRY
    if strike is None or right not in {"C", "P"}:
        return Reason.BAD_STRIKE if strike is None else Reason.BAD_RIGHT
    ours = round(strike * under.strike_factor, STRIKE_DECIMALS)
    return _Option(option_id(spec.options.root, expiry, right, ours), under, expiry, ours, right, scale)


def _row(number: int, option: _Option, quote: Mapping[str, Any], taken: datetime | None) -> tuple[Any, ...] | Reason:
    if quote["data_type"] not in {None, LIVE}:
        return Reason.DELAYED_DATA

    def ours(name: str) -> float | None:
        theirs = positive(quote[name])
        return None if theirs is None else round(theirs / option.scale, 9)

    bid, ask = ours("bid"), ours("ask")
    last = ours("last") if positive(quote["volume"]) else None
    if bid is None and ask is None and last is None:
        return Reason.NO_VALUE
    sizes = [
        positive(quote[name]) if side is not None else None for name, side in (("bid_size", bid), ("ask_size", ask))
    ]
    under = option.under
    terms = (option.name, under.month.contract, option.expiry, option.strike, option.right)
    return (number, *terms, bid, ask, *sizes, last, under.price, taken)


def _stamped(rows: pl.DataFrame, spec: MarketSpec, calendar: SessionCalendar, asked: datetime) -> pl.DataFrame:
    # The run's own instant is before its last snapshots; an event is never after the run that tells of it.
    event = pl.min_horizontal(pl.col("known_at"), pl.lit(asked).cast(pl.Datetime("us", "UTC")))
    stamped = rows.with_columns(
        pl.lit(spec.symbol).alias("market"),
        pl.lit("price").alias("record"),
        calendar.session_for(rows["known_at"]).alias("event_session"),
        event.alias("event_time"),
    )
    return shaped(stamped, Dataset.OPTION_CHAINS)
