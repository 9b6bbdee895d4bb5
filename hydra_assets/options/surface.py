"""From quotes to slices, densities and moments: frames in, frames out, one pass over any number of sessions."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import polars as pl

from hydra_assets.options.density import densities
from hydra_assets.options.quotes import QuoteReason, clean
from hydra_assets.options.ssvi import Ssvi, fit

SLICE = ("market", "session", "expiry")
MIN_QUOTES = 5
MIN_QUOTES_PER_WING = 2
MAX_RMSE_HALF_SPREADS = 5.0
TARGET_DAYS = 60
MIN_DAYS, MAX_DAYS = 14, 200
MAX_RESIDUAL = 5e-3
"""Largest mass or martingale residual of a density that feeds a signal; quadrature of fat tails reaches 2e-3."""


class SliceReason(StrEnum):
    """Why a slice has parameters, or none."""

    OK = "ok"
    TOO_FEW_QUOTES = "too_few_quotes"
    ONE_WING = "one_wing"
    """Fewer than two usable quotes on one side of the forward."""
    POOR_FIT = "poor_fit"
    """Parameters stand, no density is published."""


class MomentsReason(StrEnum):
    """Why a session has moments, or none."""

    OK = "ok"
    NO_QUOTES = "no_quotes"
    NO_USABLE_SLICE = "no_usable_slice"
    NO_EXPIRY_IN_RANGE = "no_expiry_in_range"


def fit_surface(option_quotes: pl.DataFrame, option_tick: Mapping[str, float]) -> pl.DataFrame:
    """Fit one slice per (market, session, expiry) of ``option_quotes``: ``vol_surface``, with every slice present."""
    judged = clean(option_quotes, option_tick).sort([*SLICE, "strike", "right"], maintain_order=True)
    used = pl.col("quote_reason") == QuoteReason.USED
    slices = judged.group_by(SLICE, maintain_order=True).agg(
        pl.col("underlying_contract").first(),
        pl.col("days_to_expiry").first(),
        pl.col("year_fraction").first(),
        pl.col("underlying_settle").drop_nulls().first().alias("forward"),
        pl.len().cast(pl.Int64).alias("quotes_seen"),
        used.sum().cast(pl.Int64).alias("quotes_used"),
        (used & (pl.col("log_moneyness") < 0.0)).sum().alias("puts_used"),
        (used & (pl.col("log_moneyness") >= 0.0)).sum().alias("calls_used"),
        (used & pl.col("synthetic_spread")).any().alias("synthetic_spread"),
    )
    slices = slices.join(_rejected(judged), on=SLICE, how="left", maintain_order="left").with_columns(
        pl.when(pl.col("quotes_used") < MIN_QUOTES)
        .then(pl.lit(str(SliceReason.TOO_FEW_QUOTES)))
        .when(pl.min_horizontal("puts_used", "calls_used") < MIN_QUOTES_PER_WING)
        .then(pl.lit(str(SliceReason.ONE_WING)))
        .otherwise(pl.lit(str(SliceReason.OK)))
        .alias("slice_reason")
    )
    fitted = _fit(judged.filter(used), slices.filter(pl.col("slice_reason") == SliceReason.OK).select(SLICE))
    poor = pl.col("rmse_half_spreads") > MAX_RMSE_HALF_SPREADS
    return (
        slices.join(fitted, on=SLICE, how="left", maintain_order="left")
        .with_columns(
            (pl.col("atm_total_variance") / pl.col("year_fraction")).sqrt().alias("atm_vol"),
            pl.when(poor).then(pl.lit(str(SliceReason.POOR_FIT))).otherwise("slice_reason").alias("slice_reason"),
        )
        .drop("puts_used", "calls_used")
    )


def _rejected(judged: pl.DataFrame) -> pl.DataFrame:
    """Rejected quotes per slice by reason, as ``reason=count`` in order of the reason's name."""
    return (
        judged.filter(pl.col("quote_reason") != QuoteReason.USED)
        .group_by(*SLICE, "quote_reason")
        .len()
        .sort(*SLICE, "quote_reason")
        .group_by(SLICE, maintain_order=True)
        .agg(pl.concat_str("quote_reason", pl.lit("="), "len").str.join(",").alias("quotes_rejected"))
    )


def _fit(quotes: pl.DataFrame, slices: pl.DataFrame) -> pl.DataFrame:
    place = quotes.join(slices.with_row_index("row"), on=SLICE, how="inner", maintain_order="left")
    place = place.with_columns(pl.int_range(pl.len()).over("row").alias("column"))
    n, width = len(slices), int(place["column"].to_numpy().max()) + 1 if len(place) else 0
    k, w, half_spread = (np.full((n, width), np.nan) for _ in range(3))
    where = place["row"].to_numpy(), place["column"].to_numpy()
    k[where], w[where] = place["log_moneyness"].to_numpy(), place["total_variance"].to_numpy()
    half_spread[where] = place["half_spread_variance"].to_numpy()
    result = fit(k, w, half_spread, np.isfinite(k))
    return slices.with_columns(
        pl.Series("atm_total_variance", result.slices.theta),
        pl.Series("ssvi_rho", result.slices.rho),
        pl.Series("ssvi_phi", result.slices.phi),
        pl.Series("rmse_half_spreads", result.rmse_half_spreads),
    )


def slice_parameters(surface: pl.DataFrame) -> Ssvi:
    """Parameters of ``vol_surface`` rows, none of which may be missing."""
    return Ssvi(*(surface[name].to_numpy() for name in ("atm_total_variance", "ssvi_rho", "ssvi_phi")))


def densities_of(surface: pl.DataFrame) -> pl.DataFrame:
    """Densities of the slices that fitted: rows of ``implied_density``."""
    good = surface.filter(pl.col("slice_reason") == SliceReason.OK)
    result = densities(slice_parameters(good))
    grid = pl.Series("density", result.grid.tolist(), dtype=pl.List(pl.Float64))
    return good.select(*SLICE, "underlying_contract", "days_to_expiry", "year_fraction", "atm_vol").with_columns(
        grid,
        *(
            pl.Series(name, getattr(result, field))
            for name, field in (
                ("mass_residual", "mass_residual"),
                ("martingale_residual", "martingale_residual"),
                ("min_durrleman_g", "min_g"),
                ("implied_sd", "sd"),
                ("implied_skew", "skew"),
                ("tilt", "tilt"),
                ("tilt_probability", "tilt_probability"),
            )
        ),
    )


def moments_at_target(density: pl.DataFrame, surface: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Moments of each session at the expiry nearest 60 days: rows of ``implied_moments``, one per (market, session).

    ``sessions`` has the columns market and session. Of two expiries equally near the earlier is taken. A session
    without a usable density has its reason and no numbers.
    """
    sound = (pl.col("mass_residual").abs() <= MAX_RESIDUAL) & (pl.col("martingale_residual").abs() <= MAX_RESIDUAL)
    in_range = pl.col("days_to_expiry").is_between(MIN_DAYS, MAX_DAYS)
    key = ["market", "session"]
    chosen = (
        density.filter(sound & in_range)
        .with_columns((pl.col("days_to_expiry") - TARGET_DAYS).abs().alias("distance"))
        .sort([*key, "distance", "expiry"], maintain_order=True)
        .unique(key, keep="first", maintain_order=True)
        .select(
            *key,
            "expiry",
            "underlying_contract",
            "days_to_expiry",
            "atm_vol",
            (pl.col("implied_sd") / pl.col("year_fraction").sqrt()).alias("implied_vol_of_density"),
            "implied_skew",
            "tilt",
            "tilt_probability",
        )
    )
    quoted = surface.group_by(key).agg(pl.len().alias("slices"))
    dense = density.group_by(key).agg(pl.len().cast(pl.Int64).alias("slices_usable"))
    reason = (
        pl.when(pl.col("expiry").is_not_null())
        .then(pl.lit(str(MomentsReason.OK)))
        .when(pl.col("slices").is_null())
        .then(pl.lit(str(MomentsReason.NO_QUOTES)))
        .when(pl.col("slices_usable").is_null())
        .then(pl.lit(str(MomentsReason.NO_USABLE_SLICE)))
        .otherwise(pl.lit(str(MomentsReason.NO_EXPIRY_IN_RANGE)))
    )
    return (
        sessions.select(key)
        .join(chosen, on=key, how="left", maintain_order="left")
        .join(quoted, on=key, how="left", maintain_order="left")
        .join(dense, on=key, how="left", maintain_order="left")
        .with_columns(reason.alias("moments_reason"), pl.col("slices_usable").fill_null(0))
        .drop("slices")
    )
