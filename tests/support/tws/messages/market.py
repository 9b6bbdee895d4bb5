"""Contract details, market rules, ticks and bars."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ..book import Quote
from ..contracts import Future, FutureOption, Listed, MarketRule
from ..fields import Value, stamp
from ..kinds import Out
from .base import Message, message

LIVE, FROZEN, DELAYED, DELAYED_FROZEN = 1, 2, 3, 4


def contract_details(request: int, future: Future) -> Message:
    """Number 10, in the layout that holds from version 164 on."""
    return message(
        Out.CONTRACT,
        request,
        future.symbol,
        "FUT",
        future.expiry,
        0,
        "",
        future.exchange,
        future.currency,
        future.local_symbol,
        future.symbol,
        future.trading_class,
        future.con_id,
        future.min_tick,
        future.multiplier,
        "ACTIVETIM,ADJUST,DAY,GTC,LMT,MKT",
        future.exchange,
        future.price_magnifier,
        0,
        future.long_name,
        "",
        future.month,
        *("", "", ""),
        future.time_zone,
        future.trading_hours,
        future.liquid_hours,
        *("", 0),
        0,
        *(1, future.symbol, "IND", future.market_rule, future.expiry, ""),
        *(1, 1, 1),
    )


def option_details(request: int, option: FutureOption) -> Message:
    """Number 10 of an option on a future, in the layout that holds from version 164 on."""
    return message(
        Out.CONTRACT,
        request,
        option.symbol,
        "FOP",
        option.expiry,
        option.strike,
        option.right,
        option.exchange,
        option.currency,
        option.local_symbol,
        option.symbol,
        option.trading_class,
        option.con_id,
        option.min_tick,
        option.multiplier,
        "ACTIVETIM,ADJUST,DAY,GTC,LMT",
        option.exchange,
        option.price_magnifier,
        option.under_con_id,
        "",
        "",
        option.expiry[:6],
        *("", "", ""),
        option.time_zone,
        *("", ""),
        *("", 0),
        0,
        *(1, option.symbol, "FUT", "", option.expiry, ""),
        *(1, 1, 1),
    )


def option_parameters(request: int, options: Sequence[FutureOption]) -> Message:
    """Number 75: expiries and strikes of one class on one future, each for itself."""
    first = options[0]
    expiries, strikes = sorted({o.expiry for o in options}), sorted({o.strike for o in options})
    return message(
        Out.OPTION_PARAMETERS,
        request,
        first.exchange,
        first.under_con_id,
        first.trading_class,
        first.multiplier,
        len(expiries),
        *expiries,
        len(strikes),
        *strikes,
    )


def option_parameters_end(request: int) -> Message:
    """Number 76."""
    return message(Out.OPTION_PARAMETERS_END, request)


def contract_end(request: int) -> Message:
    """All contracts of a request are in."""
    return message(Out.CONTRACT_END, 1, request)


def market_rule(rule: MarketRule) -> Message:
    """Number 93."""
    steps: list[Value] = [value for step in rule.increments for value in step]
    return message(Out.MARKET_RULE, rule.rule, len(rule.increments), *steps)


def market_data_type(request: int, kind: int) -> Message:
    """Number 58: which of the four kinds the ticks are from here on."""
    return message(Out.MARKET_DATA_TYPE, 1, request, kind)


def tick_parameters(request: int, future: Listed) -> Message:
    """Number 81."""
    return message(Out.TICK_PARAMETERS, request, future.min_tick, "", 3)


def ticks(request: int, quote: Quote, *, delayed: bool) -> Iterator[Message]:
    """Bid, ask and last as ticks 1, 2, 4, or 66, 67, 68 where delayed. An empty side is price -1 of size 0."""
    bid, ask, last, volume = (66, 67, 68, 74) if delayed else (1, 2, 4, 8)
    sides = ((bid, quote.bid, quote.bid_size), (ask, quote.ask, quote.ask_size))
    for tick, price, size in sides:
        shown = (-1, 0) if price is None else (price, 1 if size is None else size)
        yield message(Out.TICK_PRICE, 6, request, tick, *shown, 0)
    if quote.last is not None:
        yield message(Out.TICK_PRICE, 6, request, last, quote.last, quote.last_size, 0)
    if quote.volume:
        yield message(Out.TICK_SIZE, 6, request, volume, quote.volume)


def snapshot_end(request: int) -> Message:
    """Number 57."""
    return message(Out.SNAPSHOT_END, 1, request)


@dataclass(frozen=True, slots=True)
class HistoryBar:
    """One bar; ``start`` is aware."""

    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: int
    average: float = 0.0
    count: int = 1


def history(request: int, bars: Sequence[HistoryBar], zone: str, *, daily: bool, epoch: bool) -> Message:
    """Number 17: all bars in one message. Days are dates, whatever format was asked for."""

    def when(bar: HistoryBar) -> str:
        if daily:
            return f"{bar.start:%Y%m%d}"
        return str(int(bar.start.timestamp())) if epoch else stamp(bar.start, zone)

    rows: list[Value] = []
    for bar in bars:
        rows += [when(bar), bar.open, bar.high, bar.low, bar.close, bar.volume, bar.average, bar.count]
    ends = (stamp(bars[0].start, zone), stamp(bars[-1].start, zone)) if bars else ("", "")
    return message(Out.HISTORY, request, *ends, len(bars), *rows)
