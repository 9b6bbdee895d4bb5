"""Data-quality verdicts: pure functions from the rows of a range to a verdict with a reason code.

They test what is stored, not what a parser promised. Closed days never alarm: every expectation comes from the
market's own calendar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import numpy as np
import polars as pl

from hydra_assets.columns import COLUMNS, DatasetSpec
from hydra_assets.markets.sessions import SessionCalendar

UNIT_CHANGE_FACTOR = 5.0
"""A settle that moves by this factor overnight is a change of unit, not of price."""
UNIT_CHANGE_SHARE = 0.5
"""Share of a session's contracts that must move so, before it is called a unit change."""
MAX_QUARANTINE_SHARE = 0.05
MAX_MISSING_SHARE = 0.02
MAX_PARITY_VIOLATIONS = 0.2


class Severity(StrEnum):
    """How much a failed check matters: an ERROR poisons what is computed from the rows."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of one check over a range."""

    name: str
    passed: bool
    severity: Severity
    reason: str
    message: str
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)


def check_schema(rows: pl.DataFrame, spec: DatasetSpec) -> Verdict:
    """Types, required values, bounds and codes of the column dictionary hold in every stored row."""
    wrong: dict[str, int | float | str] = {}
    for name, dtype in spec.schema.items():
        if rows.schema.get(name) != dtype:
            wrong[name] = f"is {rows.schema.get(name)}, not {dtype}"
            continue
        column = COLUMNS[name]
        bad = pl.lit(value=False)
        if name in spec.required:
            bad = bad | pl.col(name).is_null()
        if column.minimum is not None:
            bad = bad | (pl.col(name) < column.minimum)
        if column.maximum is not None:
            bad = bad | (pl.col(name) > column.maximum)
        if column.allowed:
            bad = bad | ~pl.col(name).is_in(list(column.allowed))
        count = rows.select(bad.fill_null(value=False).sum()).item()
        if count:
            wrong[name] = int(count)
    message = "every row obeys the column dictionary" if not wrong else f"columns in fault: {', '.join(wrong)}"
    return Verdict("schema", not wrong, Severity.ERROR, "ok" if not wrong else "schema_fault", message, wrong)


def check_timestamps(rows: pl.DataFrame, spec: DatasetSpec) -> Verdict:
    """Nothing is known before it happened."""
    early = rows.filter(pl.col("known_at") < pl.col("event_time")).height
    return Verdict(
        "monotone_timestamps",
        early == 0,
        Severity.ERROR,
        "ok" if early == 0 else "known_before_event",
        f"{early} of {rows.height} rows of {spec.name} were known before they happened",
        {"rows": rows.height, "known_before_event": early},
    )


def check_versions(rows: pl.DataFrame, spec: DatasetSpec) -> Verdict:
    """No two rows claim the same key at the same instant; restatements are counted."""
    key = [*spec.key, "source"]
    duplicates = rows.height - rows.select([*key, "known_at"]).n_unique()
    restated = rows.select([*key, "known_at"]).n_unique() - rows.select(key).n_unique()
    return Verdict(
        "duplicates_and_restatements",
        duplicates == 0,
        Severity.ERROR,
        "ok" if duplicates == 0 else "duplicate_rows",
        f"{duplicates} duplicate and {restated} restated rows",
        {"duplicates": duplicates, "restated": restated},
    )


def check_holidays(rows: pl.DataFrame, calendars: Mapping[str, SessionCalendar], always_open: set[str]) -> Verdict:
    """No row is about a day on which its exchange was closed."""
    strays = 0
    for (market,), part in rows.group_by(["market"]):
        if str(market) not in always_open:
            sessions = pl.Series(calendars[str(market)].sessions).cast(pl.Date)
            strays += part.filter(~pl.col("event_session").is_in(sessions.implode())).height
    return Verdict(
        "holidays",
        strays == 0,
        Severity.ERROR,
        "ok" if strays == 0 else "row_on_closed_day",
        f"{strays} rows are about closed days",
        {"rows_on_closed_days": strays},
    )


def check_coverage(present: Mapping[str, set[date]], expected: Mapping[str, Sequence[date]]) -> Verdict:
    """Between a market's first session with data and the range's end, almost every session has rows."""
    missing: dict[str, list[date]] = {}
    asked = 0
    for market, sessions in expected.items():
        seen = present.get(market, set())
        since = [s for s in sessions if seen and s >= min(seen)]
        asked += len(since)
        gaps = [s for s in since if s not in seen]
        if gaps:
            missing[market] = gaps
    count = sum(len(gaps) for gaps in missing.values())
    share = count / asked if asked else 0.0
    examples = "; ".join(
        f"{m} {gaps[0]}" + (f" and {len(gaps) - 1} more" if gaps[1:] else "") for m, gaps in missing.items()
    )
    return Verdict(
        "coverage",
        share <= MAX_MISSING_SHARE,
        Severity.WARN,
        "ok" if share <= MAX_MISSING_SHARE else "sessions_missing",
        f"{count} of {asked} sessions have no rows" + (f" ({examples})" if examples else ""),
        {"sessions": asked, "missing": count},
    )


def check_freshness(
    newest: Mapping[str, date], calendars: Mapping[str, SessionCalendar], last: Mapping[str, date], limit_sessions: int
) -> Verdict:
    """The newest event of each market is at most ``limit_sessions`` behind the range's last decided session."""
    late = {}
    for market, session in last.items():
        calendar = calendars[market]
        if market not in newest:
            late[market] = "no rows at all"
            continue
        behind = int(
            np.searchsorted(calendar.sessions, np.datetime64(session, "D"))
            - np.searchsorted(calendar.sessions, np.datetime64(newest[market], "D"))
        )
        if behind > limit_sessions:
            late[market] = f"newest {newest[market]}, {behind} sessions behind"
    return Verdict(
        "freshness",
        not late,
        Severity.WARN,
        "ok" if not late else "stale",
        "; ".join(f"{m}: {why}" for m, why in late.items()) or "every market is up to date",
        dict(late),
    )


def check_price_jumps(bars: pl.DataFrame, limits: Mapping[str, float]) -> Verdict:
    """Settles do not change unit overnight; single large moves are counted.

    ``bars`` are price records of the range and the sessions before it. A session on which at least half of a market's
    contracts moved by a factor of five is a unit change and fails; single moves past the market's own limit are only
    counted, since limit moves and thin far contracts exist.
    """
    priced = bars.filter((pl.col("record") == "price") & (pl.col("settle") > 0))
    first_prints = priced.sort("known_at").unique(
        ["market", "contract", "source", "event_session"], keep="first", maintain_order=True
    )
    moved = (
        first_prints.sort("event_session")
        .with_columns(pl.col("settle").log().diff().over("market", "source", "contract").abs().alias("move"))
        .drop_nulls("move")
        .with_columns(pl.col("market").replace_strict(dict(limits), return_dtype=pl.Float64).alias("limit"))
    )
    large = moved.filter(pl.col("move") > pl.col("limit"))
    units = (
        moved.group_by("market", "event_session")
        .agg((pl.col("move") > np.log(UNIT_CHANGE_FACTOR)).mean().alias("share"))
        .filter(pl.col("share") >= UNIT_CHANGE_SHARE)
        .sort("event_session")
    )
    numbers: dict[str, float | int | str] = {"moves": moved.height, "large": large.height, "unit_changes": units.height}
    where = ", ".join(f"{m} {s}" for m, s, _ in units.head(3).iter_rows())
    return Verdict(
        "price_jumps",
        units.is_empty(),
        Severity.ERROR,
        "ok" if units.is_empty() else "unit_change",
        f"{large.height} of {moved.height} settles moved past their market's limit"
        + (f"; unit changes: {where}" if where else ""),
        numbers,
    )


def check_quarantine(loaded: int, superseded: int, quarantined: int) -> Verdict:
    """At most one row in twenty of what was delivered is malformed."""
    total = loaded + superseded + quarantined
    share = quarantined / total if total else 0.0
    return Verdict(
        "quarantine_share",
        share <= MAX_QUARANTINE_SHARE,
        Severity.WARN,
        "ok" if share <= MAX_QUARANTINE_SHARE else "quarantine_share",
        f"{quarantined} of {total} delivered rows are in quarantine ({share:.1%})",
        {"delivered": total, "quarantined": quarantined, "share": round(share, 6)},
    )


def check_parity(quotes: pl.DataFrame) -> Verdict:
    """Put-call parity within the quotes: C - P against F - K, allowing the spread, carry and early exercise.

    For options on futures without cost of carry and any discount factor in [0.8, 1]:
    min(D, 1)(F - K) <= C - P up to both half-spreads and the early-exercise difference, which is below (1 - D)|F - K|
    plus the same of the strike. A pair fails where no point of its bid-ask box lies in that band.
    """
    discount = 0.8
    two_sided = quotes.filter(
        (pl.col("bid") > 0) & (pl.col("ask") >= pl.col("bid")) & pl.col("underlying_settle").is_not_null()
    )
    calls = two_sided.filter(pl.col("right") == "C").select(
        "market",
        "session",
        "expiry",
        "strike",
        "underlying_contract",
        "underlying_settle",
        pl.col("bid").alias("call_bid"),
        pl.col("ask").alias("call_ask"),
    )
    puts = two_sided.filter(pl.col("right") == "P").select(
        "market",
        "session",
        "expiry",
        "strike",
        "underlying_contract",
        pl.col("bid").alias("put_bid"),
        pl.col("ask").alias("put_ask"),
    )
    keys = ["market", "session", "expiry", "strike", "underlying_contract"]
    pairs = calls.join(puts, on=keys, nulls_equal=True)
    intrinsic = pl.col("underlying_settle") - pl.col("strike")
    high = pl.col("call_ask") - pl.col("put_bid")
    low = pl.col("call_bid") - pl.col("put_ask")
    band = intrinsic.abs() * (1 - discount) + 0.01 * pl.col("underlying_settle").abs()
    violated = pairs.filter((low > intrinsic + band) | (high < intrinsic - band)).height
    share = violated / pairs.height if pairs.height else 0.0
    return Verdict(
        "put_call_parity",
        share <= MAX_PARITY_VIOLATIONS,
        Severity.WARN,
        "ok" if share <= MAX_PARITY_VIOLATIONS else "parity",
        f"{violated} of {pairs.height} two-sided pairs break put-call parity by more than their spread",
        {"pairs": pairs.height, "violations": violated},
    )
