"""Hedging flows and real-world densities of one market, from true densities by the engine's own formulas.

Open interest is the simulated exchange's own, contract by contract; what is left out are the quotes, and with them the
engine's error of the volatility at a strike, to which balances of exposures hardly react. The contracts' numbers come
from private functions of the simulated chains: they are the half of a chain that costs nothing.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.markets.contracts import future_id
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.greeks import flow_greeks
from hydra_assets.options.moments import Statistic
from hydra_assets.options.real_world import apply
from hydra_assets.options.real_world_density import outcomes_of
from hydra_assets.options.real_world_grid import POINTS
from hydra_assets.options.real_world_history import HORIZON_DAYS, HORIZON_TOLERANCE_DAYS, observations
from hydra_assets.options.recalibration import FitStatus, fit_expanding, parameters
from hydra_assets.sources.simulated.chains import Quotes, _activity, _flatten, _listed_strikes
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.mixture import log_density, mixture
from hydra_assets.sources.simulated.world import strike_step
from studies.worlds.draws import Drawn, philox
from studies.worlds.slices import CUTOFF_BEFORE_END_DAYS, DAYS_A_YEAR, TABLED, Slices

Floats = NDArray[np.float64]
Index = NDArray[np.int64]

STREAM = 4002
LEAST_DAYS = 3
"""Expiries nearer than this have no smile in the engine, and no figures."""
_LUCK_COLUMN, _LUCK_COLUMNS = 6, 7
"""The chain's noise has seven numbers a contract, of which activity takes the last."""
_EXPOSURES = {"gex": "per_percent", "vanna": "per_vol_point", "charm": "per_day"}


def flow_rows(market: SimulatedMarket, keys: pl.DataFrame, slices: Slices) -> pl.DataFrame:
    """Rows of ``greeks_flows`` at the level of the market, with the columns that features read."""
    path, series = market.path, market.series
    if series is None:
        msg = f"{path.spec.symbol} has no options"
        raise ValueError(msg)
    surface, everything = slices.surface, slice(0, len(path.sessions))
    step = strike_step(path.spec, path.model)
    grid = _listed_strikes(surface, series.listed, step)
    quotes = _flatten(path, series, grid, surface, 0, step)
    # Drawn for all that is listed, so that what has a smile changes no other contract's number.
    per_day = np.bincount(quotes.row, minlength=len(path.sessions))
    luck = np.concatenate(
        [
            philox(path.seed, path.key, day, STREAM, count)
            for day, count in zip(path.days.tolist(), per_day.tolist(), strict=True)
        ]
    )
    noise = np.broadcast_to(luck[:, None], (len(luck), _LUCK_COLUMNS))
    volume, interest = _activity(path, series, grid, everything, quotes, noise)
    left = surface.years[quotes.row, quotes.series]
    smiled = np.round(left * DAYS_A_YEAR) >= LEAST_DAYS
    quotes = Quotes(*(getattr(quotes, name)[smiled] for name in Quotes.__slots__))
    volume, interest, left = volume[smiled], interest[smiled], left[smiled]
    forward, sd = surface.forward[quotes.row, quotes.series], np.sqrt(surface.variance[quotes.row, quotes.series])
    greeks = flow_greeks(forward, quotes.strike, sd, left, path.world.rate, quotes.call, True)
    each = {"gex": greeks.gamma * forward, "vanna": greeks.vanna, "charm": greeks.charm}
    out = []
    for basis, held in (("open_interest", interest), ("volume", volume)):
        lots = np.where(np.isfinite(held), held, 0.0)
        there = np.bincount(quotes.row, np.isfinite(held), len(path.sessions)) > 0

        def total(values: Floats, there: NDArray[np.bool_] = there) -> Floats:
            return np.where(there, np.bincount(quotes.row, values, len(there)), np.nan)

        columns = {"contracts": total(lots), "put_contracts": total(np.where(quotes.call, 0.0, lots))}
        sign = np.where(quotes.call, 1.0, -1.0)
        for name, unit in _EXPOSURES.items():
            exposure = each[name] * lots * forward
            columns[f"{name}_unsigned_{unit}"] = total(np.abs(exposure))
            columns[f"{name}_signed_{unit}"] = total(sign * exposure)
        out.append(
            keys.with_columns(
                pl.lit("market").alias("level"),
                pl.lit(basis).alias("basis"),
                *(pl.Series(name, values, nan_to_null=True) for name, values in columns.items()),
            )
        )
    return pl.concat(out)


@dataclass(frozen=True, slots=True)
class _Flat:
    """Usable slices, ``[k]``, in order of session and expiry."""

    row: Index
    place: Index
    days: Index


def real_world_rows(
    market: SimulatedMarket, keys: pl.DataFrame, slices: Slices, drawn: Drawn, curve: pl.DataFrame
) -> pl.DataFrame:
    """Rows of ``real_world_density`` for the usable expiry nearest 60 days of each session.

    Densities are the true ones. What an adjustment learns from is the pipeline's own: outcomes, their order, the fit.
    """
    row, place = np.nonzero(drawn.rank > 0)
    days = np.round(slices.days[row, place] - CUTOFF_BEFORE_END_DAYS).astype(np.int64)
    flat = _Flat(row, place, days)
    learning = np.abs(days - HORIZON_DAYS) <= HORIZON_TOLERANCE_DAYS
    seen = _with_density(market, keys, slices, _take(flat, learning))
    history = observations(seen, outcomes_of(seen, curve))
    away = np.abs(days - 60)
    order = np.lexsort((days, away, row))
    first = np.unique(row[order], return_index=True)[1]
    near = _take(flat, order[first])
    grid, unit = _densities(slices, near)
    sessions = keys["session"].gather(near.row)
    fitted = fit_expanding(history, sessions)
    found = apply(grid, unit, parameters(fitted))
    off = np.where(np.isfinite(drawn.shift[near.row]), drawn.shift[near.row], 0.0)
    return _picked(keys, near).with_columns(
        _expiries(market, slices, near),
        pl.Series("days_to_expiry", near.days),
        pl.Series("expected_log_return", found.expected_log_return),
        pl.Series("expected_return", found.expected_return),
        pl.Series("expected_return_se", found.expected_return_se),
        pl.Series("probability_above_forward", found.probability_above_forward + off),
        pl.when(fitted["status"] == FitStatus.FITTED)
        .then(pl.lit("ok"))
        .otherwise(pl.lit("too_few_expiries"))
        .alias("real_world_reason"),
    )


def _take(flat: _Flat, which: NDArray[np.bool_] | Index) -> _Flat:
    return _Flat(flat.row[which], flat.place[which], flat.days[which])


def _densities(slices: Slices, flat: _Flat) -> tuple[Floats, Floats]:
    """Densities per unit of z on the engine's grid, ``[k, 129]``, and the unit: total volatility at the money."""
    at = flat.row, flat.place
    law = mixture(slices.sd[at][:, None] ** 2, slices.shift[at][:, None])
    unit = slices.values[:, :, TABLED.index(Statistic.ATM_TOTAL_VOL)][at]
    k = unit[:, None] * Z_GRID[None, :]
    return np.asarray(log_density(law, k) * unit[:, None]).reshape(-1, POINTS), unit


def _picked(keys: pl.DataFrame, flat: _Flat) -> pl.DataFrame:
    return keys.select(pl.all().gather(pl.Series(flat.row)))


def _expiries(market: SimulatedMarket, slices: Slices, flat: _Flat) -> pl.Series:
    series = market.series
    ends = series.expiry if series is not None else np.zeros(0, dtype="datetime64[D]")
    return pl.Series("expiry", ends[slices.series[flat.row, flat.place]]).cast(pl.Date)


def _with_density(market: SimulatedMarket, keys: pl.DataFrame, slices: Slices, flat: _Flat) -> pl.DataFrame:
    grid, unit = _densities(slices, flat)
    names = pl.Series([future_id(market.path.spec.root, month) for month in market.futures.months])
    which = slices.series[flat.row, flat.place]
    return _picked(keys, flat).with_columns(
        _expiries(market, slices, flat),
        names.gather(slices.underlying[flat.row, flat.place]).alias("underlying_contract"),
        pl.Series("days_to_expiry", flat.days),
        pl.Series("unit", unit),
        pl.Series("forward", slices.surface.forward[flat.row, which]),
        pl.Series("density", grid).arr.to_list(),
    )
