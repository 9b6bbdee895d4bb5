"""Pictures of fitted smiles, densities and models."""

import numpy as np
import polars as pl

from hydra_assets.defs.pictures import canvas, png
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.ssvi import total_variance
from hydra_assets.options.surface import SliceReason, slice_parameters

MAX_SLICES = 6


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    """Slices of the newest session of the first market, nearest expiry first."""
    market = rows["market"].min()
    one = rows.filter(pl.col("market") == market)
    return one.filter(pl.col("session") == one["session"].max()).sort("expiry").head(MAX_SLICES)


def fitted_smiles(rows: pl.DataFrame) -> bytes | None:
    """Fitted implied volatility against log-moneyness, per expiry of the newest session."""
    good = rows.filter(pl.col("slice_reason") == SliceReason.OK)
    if good.is_empty():
        return None
    part = _newest(good)
    market, session = part["market"][0], part["session"][0]
    k = np.linspace(-2.0, 2.0, 81)[None, :] * np.sqrt(part["atm_total_variance"].to_numpy())[:, None]
    w, _, _ = total_variance(slice_parameters(part), k)
    with canvas(f"{market} fitted smiles of {session}", [market]) as (figure, axes):
        for i, (expiry, years) in enumerate(part.select("expiry", "year_fraction").iter_rows()):
            axes.plot(k[i], 100.0 * np.sqrt(w[i] / years), label=str(expiry), linewidth=1)
        axes.set_xlabel("ln(strike / forward)")
        axes.set_ylabel("implied volatility, % a year")
        axes.legend(fontsize=8)
        return png(figure)


def density_fan(rows: pl.DataFrame) -> bytes | None:
    """Densities of the newest session beside the standard normal."""
    if rows.is_empty():
        return None
    part = _newest(rows)
    market, session = part["market"][0], part["session"][0]
    with canvas(f"{market} implied densities of {session}", [market]) as (figure, axes):
        for expiry, values in part.select("expiry", "density").iter_rows():
            axes.plot(Z_GRID, values, label=str(expiry), linewidth=1)
        axes.plot(Z_GRID, np.exp(-0.5 * Z_GRID**2) / np.sqrt(2 * np.pi), "k:", label="normal", linewidth=1)
        axes.set_xlim(-4, 4)
        axes.set_xlabel("ln(strike / forward) over the at-the-money deviation")
        axes.set_ylabel("density")
        axes.legend(fontsize=8)
        return png(figure)


def bars(names: list[str], values: list[float], title: str, unit: str, markets: list[str]) -> bytes | None:
    """Horizontal bars, largest on top."""
    if not names:
        return None
    order = np.argsort(values)
    with canvas(title, markets) as (figure, axes):
        axes.barh([names[i] for i in order], [values[i] for i in order])
        axes.set_xlabel(unit)
        axes.tick_params(axis="y", labelsize=7)
        return png(figure)
