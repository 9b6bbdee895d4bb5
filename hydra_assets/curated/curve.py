"""``futures_curve``: the listed contracts of each session as known at its cutoff, their roll, carry and return.

The roll is a calendar rule, so that no session's front depends on volume or open interest of a later one. The return
of a session is earned in the contract that was the front at the end of the session before: a roll never
shows up as a return.
"""

from datetime import date

import numpy as np
import polars as pl

from hydra_assets.columns import FUTURES_CURVE, RAW_FUTURES_BARS
from hydra_assets.lake.asof import known_versions, latest_known
from hydra_assets.markets.sessions import SessionCalendar

YEAR_DAYS = 365.25
MONTHS_A_YEAR = 12


def futures_curve(
    bars: pl.DataFrame, market: str, calendar: SessionCalendar, sessions: list[date], contracts: pl.DataFrame
) -> pl.DataFrame:
    """Curve of one market over its sessions.

    Parameters
    ----------
    bars
        Rows of ``raw_futures_bars`` of the market with ``source_rank``, about sessions from ``max_lag + 1`` before
        the first one.
    contracts
        One row per contract: ``contract``, ``last_trade``, ``first_notice`` (or null) and ``roll``, the first
        session on which the contract is no longer held.

    Returns
    -------
    Rows of ``futures_curve``. A contract is listed where it settled within the staleness limit and has not
    expired. Every figure is known at the session's cutoff.
    """
    max_lag = RAW_FUTURES_BARS.staleness_days or 0
    key = ("contract", "record")
    # A vendor without settlements still has a last trade.
    bars = bars.with_columns(pl.coalesce("settle", "close").alias("settle"))
    priced = bars.filter((pl.col("record") == "price") & pl.col("settle").is_not_null())
    active = bars.filter(pl.col("record") == "activity")
    columns = [*key, "source_rank", "event_session", "known_at", "contract_month", "settle", "volume", "open_interest"]
    versions = known_versions(priced.select(columns), calendar, _with_previous(calendar, sessions), key, max_lag + 1)
    settles = versions.filter(pl.col("lag") <= max_lag).unique(
        ["contract", "target"], keep="first", maintain_order=True
    )
    activity = latest_known(active.select(columns), calendar, sessions, key, max_lag + 1).select(
        "contract", pl.col("target").alias("session"), "volume", "open_interest"
    )
    listed = (
        settles.select(
            pl.col("target").alias("session"),
            "contract",
            "contract_month",
            "settle",
            pl.col("lag").alias("settle_age_sessions"),
        )
        .join(contracts, on="contract")
        .filter(pl.col("session") <= pl.col("last_trade"))
        .sort("session", "contract_month")
    )
    listed = listed.with_columns(_role())
    asked = listed.filter(pl.col("session").is_in(sessions))
    front = _per_session(asked).join(_held_returns(listed, versions, calendar, sessions), on="session", how="left")
    return (
        asked.join(activity, on=["session", "contract"], how="left")
        .with_columns((pl.col("last_trade") - pl.col("session")).dt.total_days().alias("days_to_last_trade"))
        .join(front, on=["session", "contract"], how="left")
        .with_columns(pl.lit(market).alias("market"))
        .select(pl.col(name).cast(dtype) for name, dtype in FUTURES_CURVE.schema.items())
        .sort(FUTURES_CURVE.key)
    )


def _with_previous(calendar: SessionCalendar, sessions: list[date]) -> list[date]:
    """Add the session before the first one: its front is what the first return is earned in."""
    return [calendar.previous_session(sessions[0]), *sessions] if sessions else []


def _role() -> pl.Expr:
    """Place in the roll schedule: contracts past their roll are expiring, then front, next, deferred."""
    rolled = pl.col("session") >= pl.col("roll")
    place = (~rolled).cast(pl.Int64).cum_sum().over("session")
    return (
        pl.when(rolled)
        .then(pl.lit("expiring"))
        .when(place == 1)
        .then(pl.lit("front"))
        .when(place == 2)
        .then(pl.lit("next"))
        .otherwise(pl.lit("deferred"))
        .alias("role")
    )


def _per_session(listed: pl.DataFrame) -> pl.DataFrame:
    """Carry and slope of each session, keyed by its front contract.

    carry = ln(F_front / F_next) / (months between / 12): positive in backwardation.
    slope = OLS coefficient of ln F on years to last trade over all listed contracts with a positive settle.
    """
    years = (pl.col("last_trade") - pl.col("session")).dt.total_days() / YEAR_DAYS
    positive = listed.filter(pl.col("settle") > 0).with_columns(years.alias("t"), pl.col("settle").log().alias("y"))
    slope = positive.group_by("session").agg(
        pl.when((pl.len() > 1) & (pl.col("t").var() > 0)).then(pl.cov("t", "y") / pl.col("t").var()).alias("slope")
    )
    front = listed.filter(pl.col("role") == "front").select("session", "contract", "contract_month", "settle")
    following = listed.filter(pl.col("role") == "next").select(
        "session", pl.col("contract_month").alias("next_month"), pl.col("settle").alias("next_settle")
    )
    months = (pl.col("next_month").dt.year() - pl.col("contract_month").dt.year()) * MONTHS_A_YEAR + (
        pl.col("next_month").dt.month().cast(pl.Int32) - pl.col("contract_month").dt.month().cast(pl.Int32)
    )
    both_positive = (pl.col("settle") > 0) & (pl.col("next_settle") > 0)
    carry = pl.when(both_positive).then((pl.col("settle") / pl.col("next_settle")).log() / (months / MONTHS_A_YEAR))
    return (
        front.join(following, on="session", how="left")
        .join(slope, on="session", how="left")
        .select("session", "contract", carry.alias("carry"), "slope")
    )


def _held_returns(
    listed: pl.DataFrame, versions: pl.DataFrame, calendar: SessionCalendar, sessions: list[date]
) -> pl.DataFrame:
    """Return of each session, earned in the previous session's front, both settles as known at this cutoff.

    Missing where that contract did not settle on both sessions: a stale price earns nothing.
    """
    all_sessions = _with_previous(calendar, sessions)
    steps = pl.DataFrame(
        {"previous": all_sessions[:-1], "session": all_sessions[1:]},
        schema={"previous": pl.Date(), "session": pl.Date()},
    )
    index = np.searchsorted(calendar.sessions, np.array(all_sessions, dtype="datetime64[D]"))
    # A range with a hole in it has no return across the hole.
    consecutive = pl.Series(np.diff(index) == 1, dtype=pl.Boolean)
    fronts = listed.filter(pl.col("role") == "front").select(
        pl.col("session").alias("previous"), pl.col("contract").alias("held_contract")
    )
    prices = versions.select("contract", "target", "lag", "settle")
    today = prices.filter(pl.col("lag") == 0).select(
        pl.col("contract").alias("held_contract"), pl.col("target").alias("session"), pl.col("settle").alias("now")
    )
    before = prices.filter(pl.col("lag") == 1).select(
        pl.col("contract").alias("held_contract"), pl.col("target").alias("session"), pl.col("settle").alias("then")
    )
    return (
        steps.filter(consecutive)
        .join(fronts, on="previous")
        .join(today, on=["held_contract", "session"], how="left")
        .join(before, on=["held_contract", "session"], how="left")
        .select(
            "session",
            "held_contract",
            pl.when(pl.col("then") > 0).then(pl.col("now") / pl.col("then") - 1).alias("held_return"),
        )
    )
