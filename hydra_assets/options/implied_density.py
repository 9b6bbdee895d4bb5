"""``implied_density``: what each fitted slice says of the price at expiry, how well, and how far it can be trusted."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.options.average import MODELS, Average
from hydra_assets.options.batch import SLICE, QuoteBatch, batch_of, slice_ids
from hydra_assets.options.black76 import Floats
from hydra_assets.options.bootstrap import DRAWS, between_models, bootstrap
from hydra_assets.options.density import DensitySummary, summarise
from hydra_assets.options.grades import Evidence, Graded, grade, permitted, usable
from hydra_assets.options.moments import COLUMN, Statistic, per_year
from hydra_assets.options.ssvi import Ssvi
from hydra_assets.options.vol_surface import SliceReason, average_of

SEED = 20_260_101
"""Of the bootstrap: with the slice's market, session and expiry it fixes every draw."""
COLUMNS: Final[dict[str, Statistic]] = {
    "mean": Statistic.MEAN,
    "sd": Statistic.SD,
    "skew": Statistic.SKEW,
    "kurt": Statistic.KURT,
    "atm_vol": Statistic.ATM_TOTAL_VOL,
    "risk_reversal_25": Statistic.RISK_REVERSAL_TOTAL_VOL,
    "butterfly_25": Statistic.BUTTERFLY_TOTAL_VOL,
    "tilt": Statistic.TILT,
    "tilt_probability": Statistic.TILT_PROBABILITY,
    "tilt_mode": Statistic.TILT_MODE,
    "tilt_quantiles": Statistic.ASYMMETRY,
}
"""Columns with a standard error, and which statistic each is; volatilities are per year."""
QUANTILES: Final = [COLUMN[Statistic.Q01] + i for i in range(9)]


def densities_of(surface: pl.DataFrame, vols: pl.DataFrame, draws: int = DRAWS) -> pl.DataFrame:
    """Evaluate the slices of ``vol_surface`` that have parameters: rows of ``implied_density``.

    Parameters
    ----------
    surface, vols
        Rows of ``vol_surface`` and ``implied_vols`` of the same sessions.
    draws
        Refits of the bootstrap; 0 leaves the standard errors out.

    Returns
    -------
    One row per slice with a grade. What the grade does not bear is null: kurtosis below B, the density and what is
    read off it below C, the risk reversal below D.
    """
    good = surface.filter(pl.col("slice_reason") == SliceReason.OK)
    smiles, batch = average_of(good), batch_of(vols, good)
    summary = summarise(smiles, batch.k_min, batch.k_max)
    between, disagreement = between_models(smiles, summary.values, batch.quotes if draws else None)
    graded = grade(_evidence(good, smiles, batch, summary, disagreement))
    se = np.full_like(summary.values, np.nan)
    if draws:
        ssvi = smiles.models[MODELS.index("ssvi")]
        if not isinstance(ssvi, Ssvi):
            msg = "the first model of an average is SSVI"
            raise TypeError(msg)
        within, _ = bootstrap(batch.quotes, ssvi, SEED, slice_ids(good), draws)
        se = np.sqrt(within + between)
    rows = good.select(*SLICE, "underlying_contract", "days_to_expiry", "year_fraction", "forward", "synthetic_spread")
    rows = rows.with_columns(
        pl.Series("grade", graded.labels(), dtype=pl.String),
        pl.Series("grade_reasons", graded.reason_codes(), dtype=pl.String),
        *_numbers(good, summary, se, graded),
    )
    return rows.filter(pl.col("grade").is_not_null())


def _evidence(
    slices: pl.DataFrame, smiles: Average, batch: QuoteBatch, summary: DensitySummary, disagreement: Floats
) -> Evidence:
    nearest = np.where(batch.quotes.used, np.abs(batch.quotes.k), np.inf).min(axis=1, initial=np.inf)
    with np.errstate(invalid="ignore"):
        return Evidence(
            strikes=slices["strikes_used"].to_numpy(),
            z_min=batch.k_min / summary.unit,
            z_max=batch.k_max / summary.unit,
            z_nearest=nearest / summary.unit,
            half_spread=slices["median_half_spread_share"].fill_null(np.nan).to_numpy(),
            fitted=smiles.standing,
            rmse=smiles.rmse,
            down_weighted=smiles.down_weighted,
            mass_residual=summary.mass_residual,
            martingale_residual=summary.martingale_residual,
            sd_disagreement=disagreement,
        )


def _numbers(slices: pl.DataFrame, summary: DensitySummary, se: Floats, graded: Graded) -> list[pl.Series]:
    """Columns of numbers, null where the grade does not bear them or where they are not known."""
    years, forward = slices["year_fraction"].to_numpy(), slices["forward"].to_numpy()
    may, body = permitted(graded.code), usable(graded.code)
    values, errors = (np.where(may, per_year(part, years), np.nan) for part in (summary.values, se))
    out = []
    for name, statistic in COLUMNS.items():
        out += [_series(name, values[:, COLUMN[statistic]]), _series(f"{name}_se", errors[:, COLUMN[statistic]])]
    whole = {
        "mass_residual": summary.mass_residual,
        "martingale_residual": summary.martingale_residual,
        "min_density": summary.min_density,
        "observed_sd": summary.observed[:, 1],
        "observed_skew": summary.observed[:, 2],
        "extrapolated_left": summary.beyond_low,
        "extrapolated_right": summary.beyond_high,
        "atm_skew": values[:, COLUMN[Statistic.ATM_SKEW_TOTAL_VOL]],
        "atm_curvature": values[:, COLUMN[Statistic.ATM_CURVATURE_TOTAL_VOL]],
    }
    out += [_series(name, np.where(body, numbers, np.nan)) for name, numbers in whole.items()]
    with np.errstate(over="ignore"):
        prices = forward[:, None] * np.exp(summary.values[:, QUANTILES])
    return [
        *out,
        _series("density_unit", summary.unit),
        _lists("density", summary.grid, body),
        _lists("quantiles", prices, body),
        _lists("quantiles_se", prices * se[:, QUANTILES], body & np.isfinite(se[:, QUANTILES]).all(axis=1)),
    ]


def _series(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Float64, nan_to_null=True)


def _lists(name: str, values: Floats, keep: NDArray[np.bool_]) -> pl.Series:
    rows = [row if good else None for row, good in zip(values.tolist(), keep.tolist(), strict=True)]
    return pl.Series(name, rows, dtype=pl.List(pl.Float64))
