"""``real_world_density``: the densities of a range of sessions, adjusted by what past expiries taught until then."""

from datetime import timedelta

import numpy as np
import polars as pl

from hydra_assets.options.real_world import apply
from hydra_assets.options.real_world_grid import POINTS
from hydra_assets.options.real_world_history import observations
from hydra_assets.options.real_world_score import score, uniformity
from hydra_assets.options.recalibration import FitStatus, fit_expanding, parameters

SETTLE_WITHIN_DAYS = 5
"""A future that was last settled longer before its option's expiry says nothing of the price at expiry."""


def outcomes_of(densities: pl.DataFrame, curve: pl.DataFrame) -> pl.DataFrame:
    """Settles of the underlying futures at their options' expiries, and when they were known.

    Parameters
    ----------
    densities
        Rows of ``implied_density`` of one market.
    curve
        Rows of ``futures_curve`` of the market: settles as known at each session's cutoff.

    Returns
    -------
    ``market``, ``expiry``, ``underlying_contract``, ``settle_at_expiry`` and ``known_session``, the first session on or
    after the expiry. The settle is the newest of its own session on or before the expiry, at most five days older.
    """
    sessions = curve.select("market", pl.col("session").alias("known_session")).unique().sort("known_session")
    expiries = (
        densities.select("market", "expiry", "underlying_contract").unique().sort("expiry", "underlying_contract")
    )
    known = expiries.join_asof(
        sessions, left_on="expiry", right_on="known_session", by="market", strategy="forward", check_sortedness=False
    ).drop_nulls("known_session")
    settles = (
        curve.filter(pl.col("settle_age_sessions") == 0)
        .select(
            "market",
            pl.col("contract").alias("underlying_contract"),
            "session",
            pl.col("settle").alias("settle_at_expiry"),
        )
        .drop_nulls()
        .sort("session")
    )
    return (
        known.join_asof(
            settles,
            left_on="expiry",
            right_on="session",
            by=["market", "underlying_contract"],
            strategy="backward",
            check_sortedness=False,
            tolerance=timedelta(days=SETTLE_WITHIN_DAYS),
        )
        .drop_nulls("settle_at_expiry")
        .select("market", "expiry", "underlying_contract", "settle_at_expiry", "known_session")
    )


def history_of(densities: pl.DataFrame, curve: pl.DataFrame) -> pl.DataFrame:
    """One observation per realised expiry of one market, from all its densities so far."""
    slices = densities.filter(pl.col("density").is_not_null()).rename({"density_unit": "unit"})
    return observations(slices, outcomes_of(slices, curve))


def real_world_densities(densities: pl.DataFrame, history: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Adjust the densities of the wanted sessions of one market.

    ``densities`` are the rows of ``implied_density`` of ``sessions``; ``history`` may hold later observations, which
    are not used: a session's parameters rest on what was known at its cutoff.
    """
    rows = densities.filter(pl.col("density").is_not_null()).join(
        sessions.select("market", "session"), on=["market", "session"], how="semi", maintain_order="left"
    )
    days = rows["session"].unique().sort()
    fitted = fit_expanding(history, days)
    per_slice = rows.select("session").join(fitted, on="session", how="left", maintain_order="left")
    grid = np.array(rows["density"].to_list(), dtype=np.float64).reshape(rows.height, POINTS)
    unit = rows["density_unit"].to_numpy()
    found = apply(grid, unit, parameters(per_slice))
    return rows.select(
        "market",
        "session",
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "year_fraction",
        "forward",
        "grade",
        "density_unit",
    ).with_columns(
        pl.Series("real_world_density", found.density.tolist(), dtype=pl.List(pl.Float64)),
        pl.Series("expected_log_return", found.expected_log_return),
        pl.Series("expected_log_return_se", found.expected_log_return_se),
        pl.Series("expected_return", found.expected_return),
        pl.Series("expected_return_se", found.expected_return_se),
        pl.Series("real_world_sd", found.sd),
        pl.Series("real_world_skew", found.skew),
        pl.Series("probability_above_forward", found.probability_above_forward),
        per_slice["gamma"].alias("risk_gamma"),
        per_slice["a"].alias("calibration_a"),
        per_slice["b"].alias("calibration_b"),
        per_slice["expiries"].alias("expiries_realised"),
        pl.when(per_slice["status"] == FitStatus.FITTED)
        .then(pl.lit("ok"))
        .otherwise(pl.lit("too_few_expiries"))
        .alias("real_world_reason"),
    )


def scores_of(history: pl.DataFrame) -> dict[str, object]:
    """How the adjusted densities did on expiries that their parameters had not seen: numbers for a person to read."""
    scored = score(history)
    out: dict[str, object] = {"expiries": scored.height}
    if not scored.height:
        return out
    last = scored.row(-1, named=True)
    out |= {name: last[name] for name in ("scored", "mean_gain", "mean_gain_se")}
    out["uniformity"] = uniformity(scored).to_dicts()
    return out
