"""``vol_surface``: one row per expiry with its fitted smiles, and the smiles back from such rows."""

from dataclasses import fields
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.arrays import floats
from hydra_assets.options.average import MODELS, Average
from hydra_assets.options.batch import BATCHED, SLICE, QuoteBatch, batch_of
from hydra_assets.options.black76 import Floats
from hydra_assets.options.clean import QuoteReason
from hydra_assets.options.mixture import LognormalMixture
from hydra_assets.options.parity import MIN_PAIRS, parity_forwards
from hydra_assets.options.smile_fits import KINDS, Layout, SmileFits, fit_smiles
from hydra_assets.options.ssvi import Ssvi
from hydra_assets.options.svi import Svi

MISMATCH_HALF_SPREADS = 5.0
MISMATCH_SHARE = 0.02
"""A parity forward that far from the settle is another month's, or a settle of another day."""
PARAMETERS: dict[str, tuple[str, ...]] = {
    "ssvi": ("ssvi_theta", "ssvi_rho", "ssvi_phi"),
    "mixture": ("mixture_weight", "mixture_mean_1", "mixture_mean_2", "mixture_sd_1", "mixture_sd_2"),
    "svi": ("svi_a", "svi_b", "svi_rho", "svi_m", "svi_sigma"),
}
"""Columns of each model's parameters, in the order of its fields."""
MODEL_CLASSES: dict[str, type[Ssvi] | type[LognormalMixture] | type[Svi]] = {
    "ssvi": Ssvi,
    "mixture": LognormalMixture,
    "svi": Svi,
}
WEIGHTS = tuple(f"weight_{name}" for name in MODELS)

SHARED = ("underlying_contract", "days_to_expiry", "year_fraction", "rate", "exercise", "margin_style")
JUDGED = ("underlying_settle", "quote_reason", "half_spread", "mid", "synthetic_spread")


class SliceReason(StrEnum):
    """Why a slice has no parameters; ``ok`` where it has."""

    OK = "ok"
    TOO_FEW_QUOTES = "too_few_quotes"
    NOT_FITTED = "not_fitted"
    CALENDAR_ARBITRAGE = "calendar_arbitrage"
    """A thin slice whose smile lies below that of the expiry before it."""
    FORWARD_MISMATCH = "forward_mismatch"
    """Calls and puts agree with another forward than the underlying's settle."""


def fit_surface(quotes: pl.DataFrame, vols: pl.DataFrame) -> pl.DataFrame:
    """Fit one slice per (market, session, expiry) of ``clean_quotes``, with ``implied_vols`` of the same sessions.

    Every slice that has quotes has a row; those without parameters say why. Nothing of one slice, good or bad, enters
    another but the shape that thin slices borrow from their own session.
    """
    slices = _slices(quotes)
    gap = pl.col("parity_gap_half_spreads").abs() > MISMATCH_HALF_SPREADS
    away = (pl.col("parity_forward") / pl.col("forward") - 1.0).abs() > MISMATCH_SHARE
    mismatch = gap & away & (pl.col("parity_pairs") >= MIN_PAIRS)
    slices = slices.with_columns(mismatch.fill_null(value=False).alias("mismatch"))
    right_forward = slices.filter(~pl.col("mismatch")).select(SLICE)
    batch = batch_of(vols.select(BATCHED).join(right_forward, on=SLICE, how="semi", maintain_order="left"), slices)
    fits = fit_smiles(batch.quotes, _layout(slices, batch))
    standing = pl.Series(fits.average.standing)
    counted = pl.Series(batch.quotes.used.sum(axis=1).astype(np.int64))
    reason = (
        pl.when("mismatch")
        .then(pl.lit(str(SliceReason.FORWARD_MISMATCH)))
        .when(counted == 0)
        .then(pl.lit(str(SliceReason.TOO_FEW_QUOTES)))
        .when(pl.Series(fits.dropped))
        .then(pl.lit(str(SliceReason.CALENDAR_ARBITRAGE)))
        .when(~standing)
        .then(pl.lit(str(SliceReason.NOT_FITTED)))
        .otherwise(pl.lit(str(SliceReason.OK)))
    )
    numbers = _numbers(fits, batch, slices["year_fraction"].to_numpy())
    return slices.with_columns(
        reason.alias("slice_reason"),
        counted.alias("quotes_used"),
        *(pl.when(standing).then(pl.Series(v, nan_to_null=True)).alias(name) for name, v in numbers.items()),
        pl.when(standing).then(pl.Series([KINDS[i] for i in fits.kind.tolist()], dtype=pl.String)).alias("fit_kind"),
        pl.when(standing)
        .then(pl.Series(np.where(fits.by_theorem, "theorem", "grid").tolist(), dtype=pl.String))
        .alias("arbitrage_evidence"),
    ).drop("mismatch")


def average_of(surface: pl.DataFrame) -> Average:
    """Fitted smiles of ``vol_surface`` rows, in their order; NaN where a row has no parameters."""
    models = tuple(MODEL_CLASSES[name](*(floats(surface, column) for column in PARAMETERS[name])) for name in MODELS)
    return Average(
        models,
        np.nan_to_num(np.stack([floats(surface, name) for name in WEIGHTS], axis=1)),
        *(floats(surface, c) for c in ("rmse_half_spreads", "largest_residual_half_spreads", "down_weighted_share")),
    )


def _slices(quotes: pl.DataFrame) -> pl.DataFrame:
    """Every slice with what is the same for all its quotes, its counts and its parity forward."""
    used = pl.col("quote_reason") == QuoteReason.USED
    order = [*SLICE, "strike", "right"]
    ordered = quotes.select(*order, *SHARED, *JUDGED).sort(order, maintain_order=True)
    slices = ordered.group_by(SLICE, maintain_order=True).agg(
        pl.col(SHARED).first(),
        pl.col("underlying_settle").drop_nulls().first().alias("forward"),
        pl.len().cast(pl.Int64).alias("quotes_seen"),
        pl.col("strike").filter(used).n_unique().cast(pl.Int64).alias("strikes_used"),
        (pl.col("half_spread") / pl.col("mid")).filter(used).median().alias("median_half_spread_share"),
        (used & pl.col("synthetic_spread")).any().alias("synthetic_spread"),
    )
    rejected = (
        ordered.filter(~used)
        .group_by(*SLICE, "quote_reason")
        .len()
        .sort(*SLICE, "quote_reason")
        .group_by(SLICE, maintain_order=True)
        .agg(pl.concat_str("quote_reason", pl.lit("="), "len").str.join(",").alias("quotes_rejected"))
    )
    parity = parity_forwards(quotes).select(
        *SLICE,
        "parity_forward",
        pl.col("pairs_used").alias("parity_pairs"),
        pl.col("settle_gap_half_spreads").alias("parity_gap_half_spreads"),
    )
    return slices.join(rejected, on=SLICE, how="left", maintain_order="left").join(
        parity, on=SLICE, how="left", maintain_order="left"
    )


def _layout(slices: pl.DataFrame, batch: QuoteBatch) -> Layout:
    future = pl.coalesce("underlying_contract", pl.col("expiry").cast(pl.String))
    ranks = slices.select(
        (pl.struct("market", "session", future).rank("dense") - 1).cast(pl.Int64).alias("group"),
        (pl.struct("market", "session").rank("dense") - 1).cast(pl.Int64).alias("session"),
    )
    quoted = batch.quotes.used.any(axis=1)
    return Layout(
        ranks["group"].to_numpy(),
        ranks["session"].to_numpy(),
        slices["year_fraction"].to_numpy(),
        np.where(quoted, slices["strikes_used"].to_numpy(), 0),
    )


def _numbers(fits: SmileFits, batch: QuoteBatch, years: Floats) -> dict[str, NDArray[Any]]:
    smiles = fits.average
    out: dict[str, NDArray[Any]] = {}
    for name, model in zip(MODELS, smiles.models, strict=True):
        for column, field in zip(PARAMETERS[name], fields(MODEL_CLASSES[name]), strict=True):
            out[column] = getattr(model, field.name)
    for i, column in enumerate(WEIGHTS):
        out[column] = smiles.weights[:, i]
    left, right = lee_slopes(smiles)
    with np.errstate(invalid="ignore"):
        atm = np.sqrt(smiles.total_variance(np.zeros((len(smiles), 1)))[:, 0] / years)
    return out | {
        "rmse_half_spreads": smiles.rmse,
        "largest_residual_half_spreads": smiles.largest_residual,
        "down_weighted_share": smiles.down_weighted,
        "svi_min_g": fits.svi_min_g,
        "lee_slope_left": left,
        "lee_slope_right": right,
        "calendar_min_dw": fits.calendar_gain,
        "observed_k_min": batch.k_min,
        "observed_k_max": batch.k_max,
        "atm_vol": atm,
    }


def lee_slopes(smiles: Average) -> tuple[Floats, Floats]:
    """Asymptotic slopes of the average's total variance on the left and on the right, ``[n]``.

    The fattest tail rules a mixture: the largest slope among the models that hold weight. SSVI's are
    theta phi (1 -+ rho) / 2, raw SVI's b (1 -+ rho), the lognormals' zero.
    """
    ssvi, _, svi = smiles.models
    left, right = np.zeros(len(smiles)), np.zeros(len(smiles))
    if not isinstance(ssvi, Ssvi) or not isinstance(svi, Svi):
        msg = f"models must be {MODELS}"
        raise TypeError(msg)
    for column, (scale, rho) in ((0, (0.5 * ssvi.theta * ssvi.phi, ssvi.rho)), (2, (svi.b, svi.rho))):
        holds = smiles.weights[:, column] > 0.0
        left = np.where(holds, np.maximum(left, scale * (1.0 - rho)), left)
        right = np.where(holds, np.maximum(right, scale * (1.0 + rho)), right)
    return left, right
