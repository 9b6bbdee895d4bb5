"""What a simulated market shows besides its options and texts: curve and positions, by the pipeline's own functions.

Rows go from the simulated states into the curated functions directly. What is left out is the writing and parsing of
payloads, which changes no number.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from hydra_assets.curated.curve import futures_curve
from hydra_assets.curated.positions import cot_positions, monday_of
from hydra_assets.markets.contracts import future_id
from hydra_assets.markets.expiry import contracts_of
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar, calendar_of
from hydra_assets.sources.cftc.calendar import release_time, report_date_of_week
from hydra_assets.sources.cftc.layout import Family, Scope
from hydra_assets.sources.simulated.curve import activity, settles
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.positions import cftc_code, is_reported, report_dates, report_rows

CROWD_SERIES = ("managed_money", "producer_merchant")
"""Categories of the disaggregated report, futures only, that features are made of: the first preference of each group,
and in a simulated market never absent where another report is there."""
REPORTS_BEFORE_DAYS = 120


@dataclass(frozen=True, slots=True)
class Grid:
    """Sessions ``[n]`` of a market with their cutoffs: ``frame`` has market, session and cutoff (UTC)."""

    spec: MarketSpec
    calendar: SessionCalendar
    sessions: list[date]
    frame: pl.DataFrame

    @property
    def keys(self) -> pl.DataFrame:
        """Columns market and session."""
        return self.frame.select("market", "session")


def grid_of(market: SimulatedMarket) -> Grid:
    """All sessions of a simulated market."""
    spec = market.path.spec
    calendar = calendar_of(spec)
    sessions = market.path.sessions.astype("datetime64[D]").tolist()
    index = np.searchsorted(calendar.sessions, market.path.sessions)
    frame = pl.DataFrame(
        {
            "market": pl.repeat(spec.symbol, len(sessions), eager=True),
            "session": pl.Series(sessions, dtype=pl.Date),
            "cutoff": pl.Series(calendar.cutoffs[index]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        }
    )
    return Grid(spec, calendar, sessions, frame)


def curve_rows(market: SimulatedMarket, grid: Grid) -> pl.DataFrame:
    """Rows of ``futures_curve``: settles at their own cutoff, volume and open interest one session late."""
    path, futures = market.path, market.futures
    everything = slice(0, len(path.sessions))
    settle = settles(path, market.curve)
    volume, interest = activity(path, futures, market.curve, everything)
    row, which = np.nonzero(futures.listed)
    names = pl.Series([future_id(path.spec.root, month) for month in futures.months])
    months = pl.Series(futures.months, dtype=pl.Date)
    known = _settlements(path.spec.model_dump_json(), tuple(grid.sessions))
    price = pl.DataFrame(
        {
            "contract": names.gather(which),
            "contract_month": months.gather(which),
            "record": pl.repeat("price", len(row), eager=True),
            "event_session": pl.Series(grid.sessions, dtype=pl.Date).gather(row),
            "known_at": known.gather(row),
            "settle": settle[row, which],
            "volume": pl.Series([None] * len(row), dtype=pl.Float64),
            "open_interest": pl.Series([None] * len(row), dtype=pl.Float64),
        }
    )
    # The exchange prints a session's activity with the next session's settlements, for what is listed then.
    late = row[(row > 0) & futures.listed[row - 1, which]]
    late_which = which[(row > 0) & futures.listed[row - 1, which]]
    active = pl.DataFrame(
        {
            "contract": names.gather(late_which),
            "contract_month": months.gather(late_which),
            "record": pl.repeat("activity", len(late), eager=True),
            "event_session": pl.Series(grid.sessions, dtype=pl.Date).gather(late - 1),
            "known_at": known.gather(late),
            "settle": pl.Series([None] * len(late), dtype=pl.Float64),
            "volume": volume[late - 1, late_which],
            "open_interest": interest[late - 1, late_which],
        }
    )
    bars = pl.concat([price, active]).with_columns(close=pl.col("settle"), source_rank=pl.lit(0, pl.Int64))
    contracts = contracts_of(path.spec).drop("contract_month")
    return futures_curve(bars, path.spec.symbol, grid.calendar, grid.sessions, contracts)


@lru_cache(maxsize=16)
def _settlements(spec_json: str, sessions: tuple[date, ...]) -> pl.Series:
    """Instants at which the settlements of the sessions are public, ``[n]``; the same in all worlds."""
    calendar = calendar_of(MarketSpec.model_validate_json(spec_json))
    return calendar.settlement_known_at(pl.Series(sessions, dtype=pl.Date))


def report_frame(market: SimulatedMarket, grid: Grid) -> pl.DataFrame:
    """Rows of ``raw_cot_reports`` that the crowd's scores rest on, released by the last cutoff."""
    path = market.path
    last = grid.frame["cutoff"][-1]
    dates = [
        day
        for day in report_dates(grid.sessions[0], grid.sessions[-1])
        if cftc_code(path, day) is not None and is_reported(path, day) and _release(day) <= last
    ]
    rows = report_rows(path, market.futures, market.curve, dates, Family.DISAGGREGATED, Scope.FUTURES_ONLY)
    released = pl.DataFrame(
        {"report_date": dates, "known_at": [_release(day) for day in dates]},
        schema={"report_date": pl.Date(), "known_at": pl.Datetime("us", "UTC")},
    )
    return (
        rows.filter(pl.col("category").is_in(CROWD_SERIES))
        .join(released, on="report_date")
        .with_columns(
            pl.lit(path.spec.symbol).alias("market"),
            pl.lit(str(Family.DISAGGREGATED)).alias("family"),
            pl.lit(str(Scope.FUTURES_ONLY)).alias("scope"),
        )
    )


def positions_of(reports: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Rows of ``cot_positions`` of one market from the reports of all."""
    cutoffs = grid.frame.select("session", "cutoff")
    expected = _expected(tuple(grid.sessions), tuple(cutoffs["cutoff"].to_list()))
    return cot_positions(reports, grid.spec.symbol, cutoffs, expected, bool(grid.spec.cftc_codes))


@lru_cache(maxsize=512)
def _release(day: date) -> datetime:
    return release_time(day).astimezone(UTC)


@lru_cache(maxsize=16)
def _expected(sessions: tuple[date, ...], cutoffs: tuple[datetime, ...]) -> pl.DataFrame:
    """Newest report date that is public by the calendar at each cutoff: ``session``, ``expected_report``."""
    monday = monday_of(sessions[0] - timedelta(days=REPORTS_BEFORE_DAYS))
    weeks = range((sessions[-1] - monday).days // 7 + 1)
    days = [report_date_of_week(monday + timedelta(days=7 * week)) for week in weeks]
    releases = pl.DataFrame(
        {"expected_report": days, "released": [_release(day) for day in days]},
        schema={"expected_report": pl.Date(), "released": pl.Datetime("us", "UTC")},
    ).sort("released")
    asked = pl.DataFrame(
        {"session": sessions, "cutoff": cutoffs}, schema={"session": pl.Date(), "cutoff": pl.Datetime("us", "UTC")}
    )
    return (
        asked.sort("cutoff")
        .join_asof(
            releases.with_columns(pl.col("expected_report").cum_max()),
            left_on="cutoff",
            right_on="released",
            strategy="backward",
        )
        .select("session", "expected_report")
    )
