"""Data-quality verdicts: pure functions from the rows of a range to a verdict with a reason code.

They test what is stored, not what a parser promised. Closed days never alarm: every expectation comes from the
market's own calendar.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from hydra_assets.columns import COLUMNS, DatasetSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.quality_deliveries import DeliveryOutcome, check_deliveries, check_quarantine
from hydra_assets.quality_prices import check_parity, check_price_jumps
from hydra_assets.verdict import Severity, Verdict

__all__ = [
    "DeliveryOutcome",
    "Severity",
    "Verdict",
    "check_continuity",
    "check_coverage",
    "check_deliveries",
    "check_freshness",
    "check_holidays",
    "check_parity",
    "check_price_jumps",
    "check_quarantine",
    "check_schema",
    "check_timestamps",
    "check_versions",
]

MAX_MISSING_SHARE = 0.02
MAX_GAP = 4
"""Sessions (or report weeks) in a row without rows from which on a gap counts, however long the range is."""
MASS_RESTATEMENT_SHARE = 0.5
MIN_CONTINUED_SHARE = 0.6
"""Share of a session's living contracts that the next one must price again."""
MIN_CONTRACTS = 3
"""Below so many contracts a share says nothing."""


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


def check_versions(rows: pl.DataFrame, spec: DatasetSpec, before: pl.DataFrame | None = None) -> Verdict:
    """No two rows claim the same key at the same instant; no session is restated as a whole.

    ``before`` are rows known before the range, so that what restates them is recognised. Duplicates are an ERROR.
    Single restatements are counted; half of a session's contracts restated at once is a WARN, since it usually is a
    file under the wrong date. Reports are exempt: a corrected report restates all its categories.
    """
    key = [*spec.key, "source"]
    duplicates = rows.height - rows.select([*key, "known_at"]).n_unique()
    known = rows if before is None else pl.concat([before.select(rows.columns), rows])
    versions = known.unique([*key, "known_at"]).with_columns(
        pl.col("known_at").rank("dense").over(key).alias("version"),
        (pl.col(spec.partition_column) >= _first(rows, spec.partition_column)).alias("inside"),
    )
    restated = versions.filter((pl.col("version") > 1) & pl.col("inside"))
    mass = pl.DataFrame(schema={"market": pl.String, "event_session": pl.Date})
    if "event_session" in spec.columns:
        about = ["market", "event_session", "record", "source"]
        counts = versions.group_by(about).agg(pl.struct(spec.key).n_unique().alias("keys"))
        mass = (
            restated.group_by(about)
            .agg(pl.struct(spec.key).n_unique().alias("restated"))
            .join(counts, on=about)
            .filter((pl.col("keys") >= MIN_CONTRACTS) & (pl.col("restated") >= MASS_RESTATEMENT_SHARE * pl.col("keys")))
            .select("market", "event_session")
            .unique()
            .sort("event_session", "market")
        )
    if duplicates:
        severity, reason = Severity.ERROR, "duplicate_rows"
    else:
        severity, reason = Severity.WARN, "ok" if mass.is_empty() else "session_restated"
    where = ", ".join(f"{m} {s}" for m, s in mass.head(3).iter_rows())
    return Verdict(
        "duplicates_and_restatements",
        reason == "ok",
        severity,
        reason,
        f"{duplicates} duplicate and {restated.height} restated rows" + (f"; restated whole: {where}" if where else ""),
        {"duplicates": duplicates, "restated": restated.height, "sessions_restated": mass.height},
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
    """Between a market's first session with data and the range's end, almost every session has rows.

    Fails past two per cent of missing sessions, and from four in a row on: a lost week must not drown in years.
    """
    missing: dict[str, list[date]] = {}
    asked, longest = 0, 0
    for market, sessions in expected.items():
        seen = present.get(market, set())
        since = [s for s in sessions if seen and s >= min(seen)]
        asked += len(since)
        gaps = [s for s in since if s not in seen]
        longest = max(longest, _longest_run([s not in seen for s in since]))
        if gaps:
            missing[market] = gaps
    count = sum(len(gaps) for gaps in missing.values())
    share = count / asked if asked else 0.0
    passed = share <= MAX_MISSING_SHARE and longest < MAX_GAP
    examples = "; ".join(
        f"{m} {gaps[0]}" + (f" and {len(gaps) - 1} more" if gaps[1:] else "") for m, gaps in missing.items()
    )
    return Verdict(
        "coverage",
        passed,
        Severity.WARN,
        "ok" if passed else "sessions_missing",
        f"{count} of {asked} sessions have no rows" + (f" ({examples})" if examples else ""),
        {"sessions": asked, "missing": count, "longest_gap": longest},
    )


def _longest_run(flags: Sequence[bool]) -> int:
    longest = run = 0
    for flag in flags:
        run = run + 1 if flag else 0
        longest = max(longest, run)
    return longest


def check_continuity(rows: pl.DataFrame, before: pl.DataFrame, name: str) -> Verdict:
    """Contracts that are priced in a session and live on are priced in the next one that has data, most of them.

    ``name`` is the column that names the contract. A file that was cut off at a line's end looks whole; this is what
    gives it away. A future lives on in the sessions of earlier months than its own, an option in those before its
    expiry.
    """
    priced = (
        pl.concat([before.select(rows.columns), rows])
        .filter(pl.col("record") == "price")
        .unique(["market", "source", name, "event_session"])
    )
    ends = pl.col("expiry") if "expiry" in rows.columns else pl.col("contract_month")
    placed = priced.select(
        "market",
        "source",
        name,
        "event_session",
        ends.alias("ends"),
        pl.col("event_session").rank("dense").over("market", "source").cast(pl.Int64).alias("place"),
    )
    following = placed.select("market", "source", "event_session", "place").unique()
    key = ["market", "source", "place"]
    again = placed.select(*key, name, pl.lit(value=True).alias("again"))
    living = (
        placed.drop("event_session")
        .with_columns(pl.col("place") + 1)
        .join(following, on=key)
        .filter(pl.col("ends") > pl.col("event_session"))
        .join(again, on=[*key, name], how="left")
    )
    thin = (
        living.group_by("market", "event_session", "source")
        .agg(pl.len().alias("living"), pl.col("again").is_not_null().mean().alias("share"))
        .filter((pl.col("living") > MIN_CONTRACTS) & (pl.col("share") < MIN_CONTINUED_SHARE))
        .filter(pl.col("event_session") >= _first(rows, "event_session"))
        .sort("event_session", "market")
    )
    where = ", ".join(f"{m} {s} ({share:.0%})" for m, s, share in thin.head(3).select(pl.nth(0, 1, 4)).iter_rows())
    return Verdict(
        "continuity",
        thin.is_empty(),
        Severity.WARN,
        "ok" if thin.is_empty() else "contracts_missing",
        f"sessions that price too few of the contracts before them: {where}"
        if where
        else "contracts are priced session after session",
        {"sessions_with_contracts_missing": thin.height},
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


def _first(rows: pl.DataFrame, column: str) -> pl.Expr:
    """First date of a column; of no rows a date after which nothing comes."""
    first = rows[column].min()
    return pl.lit(first if isinstance(first, date) else date.max)
