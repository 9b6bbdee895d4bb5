"""DBN records to events: what each record says about a contract and a session, and when it could be known.

An event is one row with the instrument it is about, ``at`` (its own instant, to look the instrument up), the session it
is about, ``floor`` (the vendor's evidence of when it was public), the values it brings, and ``reason`` where
it brings none.

==============  ===========================  =====================================  ===============================
schema          about                        brings                                 floor
==============  ===========================  =====================================  ===============================
ohlcv-1d        the UTC date of ``ts_event`` open, high, low, close; traded volume  the end of that UTC day
statistics      the date of ``ts_ref``       settle (3); cleared volume (6); open   ``ts_recv``
                                             interest (9)
bbo, mbp-1      the session whose cutoff     bid, ask and sizes                     ``ts_recv``
                follows ``ts_recv``
==============  ===========================  =====================================  ===============================
"""

from datetime import timedelta
from enum import IntFlag, StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.sources.base import Disposition
from hydra_assets.sources.databento_files import RecordType
from hydra_assets.sources.databento_symbology import instants, prices

PRICE_VALUES = ("open", "high", "low", "close", "settle", "bid", "ask", "bid_size", "ask_size")
ACTIVITY_VALUES = ("volume", "open_interest")
VALUES = (*PRICE_VALUES, *ACTIVITY_VALUES)

_SETTLEMENT, _CLEARED_VOLUME, _OPEN_INTEREST = 3, 6, 9
_DELETED = 2
_UNDEFINED_QUANTITIES = (2**31 - 1, 2**63 - 1)
"""Undefined statistic quantities of versions 1 and 2, and of 3."""
_UNDEFINED_VOLUME = 2**64 - 1


class SettlementFlag(IntFlag):
    """Flags of a settlement statistic: FIX tag 731 SettlPriceType as CME publishes it."""

    FINAL = 1
    ACTUAL = 2
    ROUNDED = 4
    INTRADAY = 8
    UNDEFINED = 128


class Reason(StrEnum):
    """Why a record is no canonical row."""

    UNUSED_RECORD = "unused_record"
    DEFINITION = "definition"
    UNUSED_STATISTIC = "unused_statistic"
    INTRADAY_SETTLEMENT = "intraday_settlement"
    EMPTY_BOOK = "empty_book"
    EARLIER_QUOTE = "earlier_quote"
    NO_VALUES = "no_values"
    OUTSIDE_A_SESSION = "outside_a_session"
    BEFORE_WINDOW = "before_window"
    SPREAD = "spread"
    NOT_A_FUTURE_OR_OPTION = "not_a_future_or_option"
    NOT_A_MONTHLY_CONTRACT = "not_a_monthly_contract"
    OTHER_DATASET = "other_dataset"
    MARKET_NOT_CONFIGURED = "market_not_configured"
    SUPERSEDED_BY_FINAL = "superseded_by_final"
    REPEATED_VALUE = "repeated_value"
    MERGED = "merged"
    UNKNOWN_LAYOUT = "unknown_layout"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    INCOMPLETE_DEFINITION = "incomplete_definition"
    IMPLAUSIBLE_TIME = "implausible_time"
    MISSING_REFERENCE_DATE = "missing_reference_date"
    UNDEFINED_VALUE = "undefined_value"
    STATISTIC_DELETED = "statistic_deleted"
    NOT_A_SESSION = "not_a_session"


QUARANTINED = {
    Reason.UNKNOWN_LAYOUT,
    Reason.UNKNOWN_INSTRUMENT,
    Reason.INCOMPLETE_DEFINITION,
    Reason.IMPLAUSIBLE_TIME,
    Reason.MISSING_REFERENCE_DATE,
    Reason.UNDEFINED_VALUE,
    Reason.STATISTIC_DELETED,
    Reason.NOT_A_SESSION,
}
"""Reasons that a check reports; the others are well-formed rows that are not ours."""


def disposition(reason: str) -> Disposition:
    """What becomes of a record with a reason."""
    return Disposition.QUARANTINED if Reason(reason) in QUARANTINED else Disposition.SET_ASIDE


EVENT_SCHEMA: dict[str, pl.DataType] = {
    "source_row": pl.Int64(),
    "instrument_id": pl.Int64(),
    "at": pl.Datetime("us", "UTC"),
    "about": pl.Date(),
    "floor": pl.Datetime("us", "UTC"),
    "quoted_at": pl.Datetime("us", "UTC"),
    "rank": pl.Int64(),
    **dict.fromkeys(VALUES, pl.Float64()),
    "reason": pl.String(),
}
"""``about`` is null for quotes (their session follows from the market's cutoffs); ``rank`` orders settlements."""


def events(rtype: int, rows: NDArray[np.int64], array: NDArray[np.void] | None) -> pl.DataFrame:
    """Events, ``[k]`` rows of EVENT_SCHEMA, of ``[k]`` records of one type."""
    if array is None:
        kinds = set(RecordType)
        return _refused(rows, Reason.UNKNOWN_LAYOUT if rtype in kinds else Reason.UNUSED_RECORD)
    if rtype == RecordType.DEFINITION:
        return _refused(rows, Reason.DEFINITION)
    base = pl.DataFrame(
        {"source_row": pl.Series(rows, dtype=pl.Int64), "instrument_id": array["instrument_id"].astype(np.int64)}
    )
    if rtype == RecordType.OHLCV_1D:
        found = _bars(base, array)
    elif rtype == RecordType.STATISTICS:
        found = _statistics(base, array)
    else:
        found = _quotes(base, array)
    absent = [pl.lit(None, dtype=t).alias(n) for n, t in EVENT_SCHEMA.items() if n not in found.columns]
    return found.with_columns(absent).select(pl.col(n).cast(t) for n, t in EVENT_SCHEMA.items())


def _refused(rows: NDArray[np.int64], reason: Reason) -> pl.DataFrame:
    frame = pl.DataFrame({"source_row": pl.Series(rows, dtype=pl.Int64)})
    return frame.select(
        (pl.lit(str(reason)) if n == "reason" else pl.col(n) if n == "source_row" else pl.lit(None)).cast(t).alias(n)
        for n, t in EVENT_SCHEMA.items()
    )


def _bars(base: pl.DataFrame, array: NDArray[np.void]) -> pl.DataFrame:
    volume = pl.Series(array["volume"].astype(np.float64)).set(pl.Series(array["volume"] == _UNDEFINED_VOLUME), None)
    frame = base.with_columns(
        instants(array["ts_event"]).alias("at"),
        *[prices(array[name]).alias(name) for name in ("open", "high", "low", "close")],
        volume.alias("volume"),
    )
    day = pl.col("at").dt.date()
    return frame.with_columns(
        day.alias("about"),
        # The vendor's daily bar covers the UTC day and is complete at its end.
        (day.cast(pl.Datetime("us", "UTC")) + timedelta(days=1)).alias("floor"),
        pl.lit(0).alias("rank"),
        pl.coalesce(
            _when(pl.col("at").is_null(), Reason.IMPLAUSIBLE_TIME),
            _when(pl.all_horizontal(pl.col("open", "high", "low", "close").is_null()), Reason.UNDEFINED_VALUE),
        ).alias("reason"),
    )


def _statistics(base: pl.DataFrame, array: NDArray[np.void]) -> pl.DataFrame:
    quantity = array["quantity"].astype(np.int64)
    amount = pl.Series(quantity.astype(np.float64)).set(pl.Series(np.isin(quantity, _UNDEFINED_QUANTITIES)), None)
    flags = array["stat_flags"].astype(np.int64)
    flags = np.where(flags & SettlementFlag.UNDEFINED, 0, flags)
    frame = base.with_columns(
        instants(array["ts_recv"]).alias("at"),
        instants(array["ts_ref"]).dt.date().alias("about"),
        pl.Series("type", array["stat_type"].astype(np.int64)),
        pl.Series("action", array["update_action"].astype(np.int64)),
        pl.Series("flags", flags),
        prices(array["price"]).alias("price"),
        amount.alias("amount"),
    )
    kind, flag = pl.col("type"), pl.col("flags")
    settlement = kind == _SETTLEMENT
    rank = (
        4 * (flag & SettlementFlag.FINAL).sign()
        + 2 * (flag & SettlementFlag.ACTUAL).sign()
        + (flag & SettlementFlag.ROUNDED).sign()
    )
    return frame.with_columns(
        pl.when(settlement).then("price").alias("settle"),
        pl.when(kind == _CLEARED_VOLUME).then("amount").alias("volume"),
        pl.when(kind == _OPEN_INTEREST).then("amount").alias("open_interest"),
        pl.col("at").alias("floor"),
        pl.when(settlement).then(rank).otherwise(0).alias("rank"),
    ).with_columns(
        pl.coalesce(
            _when(~kind.is_in([_SETTLEMENT, _CLEARED_VOLUME, _OPEN_INTEREST]), Reason.UNUSED_STATISTIC),
            _when(pl.col("action") == _DELETED, Reason.STATISTIC_DELETED),
            _when(settlement & ((flag & SettlementFlag.INTRADAY) > 0), Reason.INTRADAY_SETTLEMENT),
            _when(pl.col("at").is_null(), Reason.IMPLAUSIBLE_TIME),
            _when(pl.col("about").is_null(), Reason.MISSING_REFERENCE_DATE),
            _when(pl.all_horizontal(pl.col("settle", "volume", "open_interest").is_null()), Reason.UNDEFINED_VALUE),
        ).alias("reason")
    )


def _quotes(base: pl.DataFrame, array: NDArray[np.void]) -> pl.DataFrame:
    frame = base.with_columns(
        instants(array["ts_recv"]).alias("at"),
        prices(array["bid_px_00"]).alias("bid"),
        prices(array["ask_px_00"]).alias("ask"),
        pl.Series("bid_size", array["bid_sz_00"].astype(np.float64)),
        pl.Series("ask_size", array["ask_sz_00"].astype(np.float64)),
    )
    return frame.with_columns(
        pl.when(pl.col("bid").is_not_null()).then("bid_size").alias("bid_size"),
        pl.when(pl.col("ask").is_not_null()).then("ask_size").alias("ask_size"),
        pl.col("at").alias("floor"),
        pl.col("at").alias("quoted_at"),
        pl.lit(0).alias("rank"),
        pl.coalesce(
            _when(pl.col("at").is_null(), Reason.IMPLAUSIBLE_TIME),
            _when(pl.all_horizontal(pl.col("bid", "ask").is_null()), Reason.EMPTY_BOOK),
        ).alias("reason"),
    )


def _when(failed: pl.Expr, reason: Reason) -> pl.Expr:
    return pl.when(failed).then(pl.lit(str(reason)))
