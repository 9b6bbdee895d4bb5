"""A stress report as rows, one per scenario. Quantiles are values of paths: with a few dates 5 % is the lowest."""

import polars as pl

from hydra_assets.stress.plan import Scenario
from hydra_assets.stress.records import ScenarioResult, StressReport

REPORT_SCHEMA: dict[str, type[pl.DataType]] = {
    "scenario": pl.String,
    "stress_reason": pl.String,
    "message": pl.String,
    "paths": pl.Int64,
    "sharpe": pl.Float64,
    "sharpe_p05": pl.Float64,
    "sharpe_p95": pl.Float64,
    "net": pl.Float64,
    "net_p05": pl.Float64,
    "net_change": pl.Float64,
    "max_drawdown": pl.Float64,
    "max_drawdown_p95": pl.Float64,
    "drawdown_change": pl.Float64,
    "worst_session": pl.Float64,
    "worst_month": pl.Float64,
    "ruin_paths": pl.Int64,
    "breaker_trips": pl.Float64,
    "breaker_trips_change": pl.Float64,
    "breakers_recovered": pl.Float64,
    "breakers_stuck": pl.Int64,
    "participation_max": pl.Float64,
    "participation_of_cap_max": pl.Float64,
    "sessions_to_recover": pl.Int64,
    "unrecovered_paths": pl.Int64,
    "held_into_stress": pl.Float64,
}

UNITS: dict[str, str] = {
    "scenario": "code of Scenario",
    "stress_reason": "code of StressReason",
    "message": "words",
    "paths": "paths or dates replayed",
    "sharpe": "per year, median path; null where no path has one",
    "sharpe_p05": "per year, 5 % quantile of paths",
    "sharpe_p95": "per year, 95 % quantile of paths",
    "net": "money, median path",
    "net_p05": "money, 5 % quantile of paths",
    "net_change": "money, 5 % quantile of paths less the unstressed run; the worst date of a dated scenario",
    "max_drawdown": "share of peak equity, median path",
    "max_drawdown_p95": "share of peak equity, 95 % quantile of paths",
    "drawdown_change": "share of peak equity, the 95 % quantile less the unstressed run",
    "worst_session": "share of the equity before, 5 % quantile of the paths' worst sessions",
    "worst_month": "share of the equity before, 5 % quantile of the paths' worst 21 sessions in a row",
    "ruin_paths": "paths on which equity reached zero",
    "breaker_trips": "trips per path, from the stress on",
    "breaker_trips_change": "trips per path less those of the unstressed run from the same session on",
    "breakers_recovered": "share of the trips that were active again before the end; null without a trip",
    "breakers_stuck": "breakers of all paths that had not come back though inputs were good",
    "participation_max": "share of lagged average volume, largest of all paths",
    "participation_of_cap_max": "the same over the market's cap",
    "sessions_to_recover": "sessions, longest of the paths that came back; spells below a peak where paths are drawn",
    "unrecovered_paths": "dates after which equity did not see its peak again; null where paths are drawn",
    "held_into_stress": "share of equity, median gross value held before the stress; null where paths are drawn",
}
"""Unit and meaning of each column."""


def report_frame(report: StressReport) -> pl.DataFrame:
    """One row per scenario that was asked for, in the schema; an input without results gives no rows."""
    base = report.result(Scenario.UNSTRESSED)
    return pl.DataFrame([_row(result, base) for result in report.results], schema=REPORT_SCHEMA)


def _row(result: ScenarioResult, base: ScenarioResult | None) -> dict[str, object]:
    paths, q = result.paths, result.quantile
    trips = sum(path.breaker_trips for path in paths)
    usual = sum(path.breaker_trips_unstressed for path in paths)
    dated = bool(paths) and paths[0].start is not None
    worst, deepest = q("net", 0.05), q("max_drawdown", 0.95)
    recovery = q("sessions_to_recover", 1.0)
    return {
        "scenario": result.scenario.value,
        "stress_reason": result.reason.value,
        "message": result.message,
        "paths": len(paths),
        "sharpe": q("sharpe", 0.5),
        "sharpe_p05": q("sharpe", 0.05),
        "sharpe_p95": q("sharpe", 0.95),
        "net": q("net", 0.5),
        "net_p05": worst,
        "net_change": _less(worst, base, "net"),
        "max_drawdown": q("max_drawdown", 0.5),
        "max_drawdown_p95": deepest,
        "drawdown_change": _less(deepest, base, "max_drawdown"),
        "worst_session": q("worst_session", 0.05),
        "worst_month": q("worst_month", 0.05),
        "ruin_paths": sum(path.lowest_equity <= 0.0 for path in paths) if paths else None,
        "breaker_trips": trips / len(paths) if paths else None,
        "breaker_trips_change": (trips - usual) / len(paths) if paths else None,
        "breakers_recovered": sum(path.breakers_recovered for path in paths) / trips if trips else None,
        "breakers_stuck": sum(path.breakers_stuck for path in paths) if paths else None,
        "participation_max": q("participation", 1.0),
        "participation_of_cap_max": q("participation_of_cap", 1.0),
        "sessions_to_recover": None if recovery is None else int(recovery),
        "unrecovered_paths": sum(path.sessions_to_recover is None for path in paths) if dated else None,
        "held_into_stress": q("held_share", 0.5),
    }


def _less(value: float | None, base: ScenarioResult | None, name: str) -> float | None:
    """Difference to the unstressed run."""
    return None if value is None or base is None else value - float(getattr(base.paths[0], name))
