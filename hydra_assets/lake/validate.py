"""Row validation against the column dictionary: what a raw table accepts, and why it refuses the rest."""

from datetime import datetime
from enum import StrEnum

import polars as pl

from hydra_assets.columns import COLUMNS, DatasetSpec
from hydra_assets.markets.sessions import SessionCalendar


class RowFault(StrEnum):
    """Why a parsed row goes to quarantine."""

    REQUIRED_MISSING = "required_missing"
    OUT_OF_BOUNDS = "out_of_bounds"
    NOT_FINITE = "not_finite"
    NOT_ALLOWED = "not_allowed"
    HIGH_BELOW_LOW = "high_below_low"
    EVENT_IN_FUTURE = "event_in_future"
    NOT_A_SESSION = "not_a_session"
    BEYOND_CALENDAR = "beyond_calendar"
    OLDER_VINTAGE = "older_vintage"
    """The lake already holds other values for this key from a vintage that was public later."""
    CONFLICTING_DUPLICATE = "conflicting_duplicate"
    """Another row of the same payload gives the same key other values."""


def faults(
    rows: pl.DataFrame, spec: DatasetSpec, now: datetime, calendar: SessionCalendar | None = None
) -> pl.DataFrame:
    """First fault of each row: the frame with columns ``fault`` (null where good) and ``fault_detail``.

    ``calendar``, where given, is the market's: a bar or quote of a day without a session is a fault.
    """
    checks: list[tuple[pl.Expr, RowFault, str]] = []
    for name in spec.columns:
        column = COLUMNS[name]
        here = pl.col(name)
        if name in spec.required and name != "session":
            checks.append((here.is_null(), RowFault.REQUIRED_MISSING, f"{name} is missing"))
        if column.dtype.is_float():
            checks.append((~here.is_finite(), RowFault.NOT_FINITE, f"{name} is not a finite number"))
        if column.minimum is not None:
            checks.append((here < column.minimum, RowFault.OUT_OF_BOUNDS, f"{name} below {column.minimum:g}"))
        if column.maximum is not None:
            checks.append((here > column.maximum, RowFault.OUT_OF_BOUNDS, f"{name} above {column.maximum:g}"))
        if column.allowed:
            codes = list(column.allowed)
            checks.append((~here.is_in(codes), RowFault.NOT_ALLOWED, f"{name} is none of {', '.join(codes)}"))
    if {"high", "low"} <= set(spec.columns):
        checks.append((pl.col("high") < pl.col("low"), RowFault.HIGH_BELOW_LOW, "high is below low"))
    checks.append((pl.col("event_time") > now, RowFault.EVENT_IN_FUTURE, "the event lies after the present"))
    if calendar is not None and "event_session" in spec.columns:
        sessions = pl.Series(calendar.sessions).cast(pl.Date)
        checks.append(
            (~pl.col("event_session").is_in(sessions.implode()), RowFault.NOT_A_SESSION, "no session on that date")
        )
    checks.append((pl.col(spec.partition_column).is_null(), RowFault.BEYOND_CALENDAR, "known after the calendar ends"))
    fault = pl.coalesce(*[pl.when(bad).then(pl.lit(str(code))) for bad, code, _ in checks])
    detail = pl.coalesce(*[pl.when(bad).then(pl.lit(text)) for bad, _, text in checks])
    return rows.with_columns(fault.alias("fault"), detail.alias("fault_detail"))
