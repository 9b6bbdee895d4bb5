"""Asset checks: each dataset's verdicts over a run's whole range, in one read and one pass.

Checks of severity ERROR block what comes downstream in the same run. A failed one also raises an alert.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

import dagster as dg
import polars as pl

from hydra_assets.columns import (
    CLEAN_QUOTES,
    COT_POSITIONS,
    DATASETS,
    DENSITY_GATE,
    FUTURES_CURVE,
    GREEKS_FLOWS,
    IMPLIED_DENSITY,
    IMPLIED_MOMENTS,
    IMPLIED_VOLS,
    OPTION_QUOTES,
    RAW_COT_REPORTS,
    RAW_FUTURES_BARS,
    RAW_HEADLINES,
    RAW_INTRADAY_BARS,
    RAW_OPTION_CHAINS,
    RAW_POSTS,
    REAL_WORLD_DENSITY,
    TIME_OF_DAY_CURVE,
    VOL_SURFACE,
    DatasetSpec,
    Layer,
    PartitionedBy,
)
from hydra_assets.curated.positions import monday_of
from hydra_assets.defs.curated import expected_reports
from hydra_assets.defs.ranges import MarketRange, cutoff_frame, requested
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.markets.sessions import WEEKDAYS
from hydra_assets.quality import (
    Severity,
    Verdict,
    check_continuity,
    check_coverage,
    check_deliveries,
    check_freshness,
    check_holidays,
    check_parity,
    check_price_jumps,
    check_quarantine,
    check_schema,
    check_timestamps,
    check_versions,
)
from hydra_assets.quality_options import (
    BLOCKING_RULES,
    DENSITY_RULES,
    JUMP_DAYS_BEFORE,
    MOMENT_RULES,
    SURFACE_RULES,
    DensityRule,
    check_rule,
    density_findings,
    moment_findings,
    surface_findings,
)
from hydra_assets.sources.cftc.calendar import WEEKLY_SINCE, release_time, report_date_of_week
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.payloads import run_deliveries, run_row_counts
from hydra_assets.state.records import Alert, AlertLevel

LOOK_BACK = timedelta(days=10)
"""Rows known up to so long before a range are read with it: what they are compared with."""
FRESH_WITHIN_SESSIONS = 1
RAW_CHECKS = ("schema", "monotone_timestamps", "duplicates_and_restatements", "deliveries", "quarantine_share")
SESSION_CHECKS = (*RAW_CHECKS, "holidays", "coverage", "continuity", "freshness")
CHECKS: dict[str, tuple[str, ...]] = {
    RAW_FUTURES_BARS.name: (*SESSION_CHECKS, "price_jumps"),
    RAW_INTRADAY_BARS.name: RAW_CHECKS,
    RAW_OPTION_CHAINS.name: SESSION_CHECKS,
    RAW_HEADLINES.name: RAW_CHECKS,
    RAW_POSTS.name: RAW_CHECKS,
    RAW_COT_REPORTS.name: (*RAW_CHECKS, "coverage", "freshness"),
    FUTURES_CURVE.name: ("schema", "coverage"),
    TIME_OF_DAY_CURVE.name: ("schema", "coverage"),
    COT_POSITIONS.name: ("schema",),
    OPTION_QUOTES.name: ("schema", "put_call_parity"),
    CLEAN_QUOTES.name: ("schema",),
    IMPLIED_VOLS.name: ("schema",),
    VOL_SURFACE.name: ("schema", *map(str, SURFACE_RULES)),
    IMPLIED_DENSITY.name: ("schema", *map(str, DENSITY_RULES)),
    IMPLIED_MOMENTS.name: ("schema", *map(str, MOMENT_RULES)),
    GREEKS_FLOWS.name: ("schema",),
    REAL_WORLD_DENSITY.name: ("schema",),
    DENSITY_GATE.name: ("schema",),
}
"""Names of the checks on each dataset."""
BLOCKING = frozenset(
    {
        "schema",
        "monotone_timestamps",
        "duplicates_and_restatements",
        "holidays",
        "price_jumps",
        *map(str, BLOCKING_RULES),
    }
)
DESCRIPTIONS = {
    "schema": "Types, required values, bounds and codes of the column dictionary hold in every stored row.",
    "monotone_timestamps": "Nothing is known before it happened.",
    "duplicates_and_restatements": "No two rows claim the same key at the same instant; no session is restated whole.",
    "deliveries": "Every delivery of the run could be had and read, with the columns that its layout promises.",
    "quarantine_share": "At most one row in twenty of what was delivered is malformed.",
    "holidays": "No row is about a day on which its exchange was closed.",
    "coverage": "Almost every session (report week) of the range has rows, and no four in a row are missing.",
    "continuity": "Contracts that are priced in a session and live on are priced in the next one, most of them.",
    "freshness": "The newest event is as new as the calendar says that it can be.",
    "price_jumps": "Settles do not change unit overnight; single large moves are counted.",
    "put_call_parity": "Calls minus puts agree with the future, allowing spread, interest and early exercise.",
    DensityRule.UNIT_MASS: "Every published density integrates to one within 1e-6.",
    DensityRule.MARTINGALE: "Every published density has its future's settle for a mean, within 1e-6 of it.",
    DensityRule.BUTTERFLY: "No published density is negative on 2,001 points to 8 standard deviations.",
    DensityRule.CALENDAR: "Total variance never falls from one expiry to the next of the same future.",
    DensityRule.GRADE_SHARE: "Of the slices of 14 to 200 days a quarter have grade C or better, nine sessions in ten.",
    DensityRule.PARITY_FORWARD: "Calls and puts agree with the settle within three half-spreads, nine sessions in ten.",
    DensityRule.ATM_VOL_JUMP: "The 60-day volatility moves as it used to: one jump in a hundred sessions at most.",
    DensityRule.SKEW_JUMP: "The 60-day skew moves as it used to: one jump in a hundred sessions at most.",
}
"""What each check says when it passes, as the UI shows it."""


def dataset_checks(names: Sequence[str]) -> list[dg.AssetChecksDefinition]:
    """Checks of the named datasets."""
    return [_checks_of(DATASETS[name]) for name in names if name in CHECKS]


def _checks_of(spec: DatasetSpec) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"{spec.name}_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=spec.name, description=DESCRIPTIONS[name], blocking=name in BLOCKING)
            for name in CHECKS[spec.name]
        ],
        can_subset=False,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> Iterable[dg.AssetCheckResult]:
        sink = AlertSink(database.engine, home.config.webhook_url)
        for verdict in _verdicts(spec, context, home, lake, database):
            if not verdict.passed:
                sink.raise_alert(alert_of(spec.name, verdict, context.run.run_id))
            yield check_result(spec.name, verdict)

    return checks


def _verdicts(
    spec: DatasetSpec,
    context: dg.AssetCheckExecutionContext,
    home: HomeResource,
    lake: LakeResource,
    database: DatabaseResource,
) -> Iterable[Verdict]:
    weekly = spec.partitioned_by is PartitionedBy.REPORT_WEEK
    ranges = _week_range(context, home) if weekly else requested(context, home)
    # What came in after the newest cutoff belongs to a session that is not decided yet; it is judged with the run.
    open_ended = spec.layer is Layer.RAW and not weekly
    rows = _read(lake, spec, [(p.market, p.first, _open_end(home, p) if open_ended else p.last) for p in ranges])
    names = CHECKS[spec.name]
    yield check_schema(rows, spec)
    if spec.layer is Layer.RAW:
        before = _read(lake, spec, [(p.market, p.first - LOOK_BACK, p.first - timedelta(days=1)) for p in ranges])
        yield check_timestamps(rows, spec)
        yield check_versions(rows, spec, before)
        yield check_deliveries(run_deliveries(database.engine, spec.name, context.run.run_id))
        yield check_quarantine(*run_row_counts(database.engine, spec.name, context.run.run_id))
        if "holidays" in names:
            yield from _session_verdicts(spec, home, ranges, rows, before)
    if weekly:
        yield _report_coverage(rows, home, ranges)
        yield _report_freshness(rows, home, ranges)
    elif spec.layer is not Layer.RAW and "coverage" in names:
        yield check_coverage(_present(rows, "session"), {p.market: p.sessions for p in ranges})
    if "put_call_parity" in names:
        yield check_parity(rows)
    yield from _density_verdicts(spec, lake, ranges, rows)


def _session_verdicts(
    spec: DatasetSpec, home: HomeResource, ranges: list[MarketRange], rows: pl.DataFrame, before: pl.DataFrame
) -> Iterable[Verdict]:
    """Verdicts on bars and chains: against each market's calendar, and against the sessions before the range."""
    always_open = {symbol for symbol, market in home.markets.items() if market.calendar == WEEKDAYS}
    bound = [p for p in ranges if any(spec.name in b.datasets for b in home.markets[p.market].sources)]
    # Yesterday's volume comes with today's file: only a price says that a session was delivered.
    priced = rows.filter(pl.col("record") == "price")
    newest = dict(priced.group_by("market").agg(pl.col("event_session").max()).iter_rows())
    yield check_holidays(rows, home.calendars, always_open)
    yield check_coverage(_present(priced, "event_session"), {p.market: p.sessions for p in bound})
    yield check_continuity(rows, before, "option" if "option" in spec.columns else "contract")
    last = {p.market: p.sessions[-1] for p in bound if p.sessions}
    yield check_freshness(newest, home.calendars, last, FRESH_WITHIN_SESSIONS)
    if "price_jumps" in CHECKS[spec.name]:
        limits = {symbol: market.price_jump_limit for symbol, market in home.markets.items()}
        yield check_price_jumps(pl.concat([before, rows]), limits)


def _density_verdicts(
    spec: DatasetSpec, lake: LakeResource, ranges: list[MarketRange], rows: pl.DataFrame
) -> Iterable[Verdict]:
    """Verdicts on surfaces, densities and moments, from the same findings as the density gate."""
    spans = [(p.market, p.first, p.last) for p in ranges]
    if spec is VOL_SURFACE:
        yield from (check_rule(rule, surface_findings(rows)) for rule in SURFACE_RULES)
    elif spec is IMPLIED_DENSITY:
        found = density_findings(rows, _read(lake, VOL_SURFACE, spans))
        yield from (check_rule(rule, found) for rule in DENSITY_RULES)
    elif spec is IMPLIED_MOMENTS:
        before = timedelta(days=JUMP_DAYS_BEFORE)
        found = moment_findings(_read(lake, spec, [(market, first - before, last) for market, first, last in spans]))
        wanted = rows.select("market", "session").unique()
        found = found.join(wanted, on=["market", "session"], how="semi", maintain_order="left")
        yield from (check_rule(rule, found) for rule in MOMENT_RULES)


def _open_end(home: HomeResource, part: MarketRange) -> date:
    """Last partition that a run over the range may have written: no limit where it reaches the newest session."""
    return date.max if part.last >= home.calendars[part.market].latest_finished(home.now()) else part.last


def _read(lake: LakeResource, spec: DatasetSpec, spans: Sequence[tuple[str, date, date]]) -> pl.DataFrame:
    parts = [lake.lake.read(spec.name, markets=[market], first=first, last=last) for market, first, last in spans]
    return pl.concat(parts or [pl.DataFrame(schema=spec.schema)])


def _present(rows: pl.DataFrame, about: str) -> dict[str, set[date]]:
    return {str(m): set(days) for m, days in rows.group_by("market").agg(pl.col(about).unique()).iter_rows()}


def _week_range(context: dg.AssetCheckExecutionContext, home: HomeResource) -> list[MarketRange]:
    weeks = sorted(date.fromisoformat(key) for key in context.partition_keys)
    return [MarketRange(market, weeks, weeks, {}) for market in home.markets]


def _report_coverage(rows: pl.DataFrame, home: HomeResource, ranges: list[MarketRange]) -> Verdict:
    """Each week whose report is public has one, for any market: thin markets drop out of single reports."""
    now = home.now()
    weeks = [w for w in (ranges[0].days if ranges else []) if w >= WEEKLY_SINCE]
    public = [week for week in weeks if release_time(report_date_of_week(week)) <= now]
    return check_coverage({"any market": set(rows["report_week"].unique())}, {"any market": public})


def _report_freshness(rows: pl.DataFrame, home: HomeResource, ranges: list[MarketRange]) -> Verdict:
    """The newest report that the release calendar says is public has arrived, for any market of the home."""
    coded = [symbol for symbol, market in home.markets.items() if market.cftc_codes]
    if not coded or not ranges:
        return Verdict("freshness", True, Severity.WARN, "ok", "no market of this home has a CFTC code")
    calendar = home.calendars[coded[0]]
    finished = min(calendar.latest_finished(home.now()), calendar.previous_session(ranges[0].last + timedelta(days=7)))
    expected = expected_reports(cutoff_frame(calendar, [finished]))["expected_report"][0]
    newest = rows["report_date"].max()
    fresh = isinstance(newest, date) and monday_of(newest) >= monday_of(expected)
    return Verdict(
        "freshness",
        fresh,
        Severity.WARN,
        "ok" if fresh else "report_late",
        f"newest report {newest!s}, the calendar expects {expected}",
        {"newest": str(newest), "expected": str(expected)},
    )


def check_result(asset: str, verdict: Verdict) -> dg.AssetCheckResult:
    """A verdict as Dagster takes it."""
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=verdict.name,
        passed=verdict.passed,
        severity=dg.AssetCheckSeverity(str(verdict.severity)),
        description=verdict.message,
        metadata={"reason": verdict.reason, "numbers": dg.MetadataValue.json(dict(verdict.numbers))},
    )


def alert_of(asset: str, verdict: Verdict, run_id: str) -> Alert:
    """The alert that a failed check raises; the same failure again is the same alert."""
    return Alert(
        level=AlertLevel.CRITICAL if verdict.severity is Severity.ERROR else AlertLevel.WARNING,
        code=f"check_{verdict.reason}",
        message=f"{asset}: {verdict.name}: {verdict.message}",
        dataset=asset,
        run_id=run_id,
        dedupe_key=f"check|{asset}|{verdict.name}|{verdict.reason}",
    )
