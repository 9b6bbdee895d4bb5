"""True moments of every listed expiry, and of the constant maturities between them, without pricing an option.

The simulated densities are a family of two parameters, total standard deviation and shift, so each of the engine's
statistics is a smooth function of these two: it is evaluated by the engine's own ``moments.statistics`` on a grid once
per process and interpolated by cubic splines (error below 1e-4 of a statistic's range).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.special import ndtr

from hydra_assets.options.mixture import LognormalMixture
from hydra_assets.options.moments import COLUMN, FINE, Statistic, at_the_money, statistics
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.mixture import MAX_SHIFT, MINOR_WEIGHT, mixture
from hydra_assets.sources.simulated.surface import Surface, surface_of
from hydra_assets.sources.simulated.world import strike_step

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Index = NDArray[np.int64]

TABLED = (
    Statistic.MEAN,
    Statistic.SD,
    Statistic.SKEW,
    Statistic.KURT,
    Statistic.ATM_TOTAL_VOL,
    Statistic.RISK_REVERSAL_TOTAL_VOL,
    Statistic.Q50,
    Statistic.MODE,
    Statistic.TILT_PROBABILITY,
)
"""Statistics that a maturity between two expiries is made of."""
_SD_NODES = np.exp(np.linspace(np.log(0.004), np.log(1.0), 26))
_SHIFT_NODES = np.linspace(-MAX_SHIFT, MAX_SHIFT, 23)
DAYS_A_YEAR = 365.0
CUTOFF_BEFORE_END_DAYS = 0.06
"""The engine counts the hours from a session's cutoff to the options' end too: an expiry in 60 days is in 60.06."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Listed expiries of one market, ``[n, m]`` over sessions and places in order of expiry; ``series`` -1: none there.

    ``days`` to expiry, ``width`` the standard deviation in strike steps, ``underlying`` the future's number, ``sd``
    and ``shift`` the density's parameters, ``values`` ``[n, m, len(TABLED)]`` to expiry.
    """

    surface: Surface
    series: Index
    days: Floats
    width: Floats
    underlying: Index
    sd: Floats
    shift: Floats
    values: Floats

    @property
    def listed(self) -> Bools:
        """Whether there is an expiry in the place, ``[n, m]``."""
        return self.series >= 0

    def value(self, name: Statistic) -> Floats:
        """One statistic, ``[n, m]``."""
        return np.asarray(self.values[:, :, TABLED.index(name)])


@dataclass(frozen=True, slots=True)
class Tenor:
    """A constant maturity of every session, all ``[n]``: the two places in use (-1: none), share of the second.

    ``across`` says that they have two underlyings. The statistics are a year's where they are volatilities, NaN where
    the maturity is not enclosed by usable expiries.
    """

    first: Index
    second: Index
    share: Floats
    across: Bools
    values: dict[str, Floats]


def slices_of(market: SimulatedMarket) -> Slices:
    """True slices of all sessions; ValueError for a market without options."""
    path, series = market.path, market.series
    if series is None:
        msg = f"{path.spec.symbol} has no options"
        raise ValueError(msg)
    surface = surface_of(path, market.futures, series, market.curve, slice(0, len(path.sessions)))
    row, which = np.nonzero(series.listed)
    place = np.arange(len(row)) - np.searchsorted(row, row)
    # As wide as any session can need, so that a longer history changes no shape.
    width = path.model.listed_expiries
    table = np.full((len(path.sessions), width), -1, dtype=np.int64)
    table[row, place] = which
    rows, at = np.arange(len(table))[:, None], np.maximum(table, 0)
    there = table >= 0
    sd = np.where(there, np.sqrt(surface.variance[rows, at]), np.nan)
    shift = np.where(there, np.clip(surface.shift[rows, at], -MAX_SHIFT, MAX_SHIFT), np.nan)
    return Slices(
        surface=surface,
        series=table,
        days=np.where(there, surface.years[rows, at] * DAYS_A_YEAR + CUTOFF_BEFORE_END_DAYS, np.nan),
        width=sd * surface.forward[rows, at] / strike_step(path.spec, path.model),
        underlying=np.where(there, series.underlying[at], -1),
        sd=sd,
        shift=shift,
        values=_tabled(sd, shift),
    )


def tenor(slices: Slices, usable: Bools, target: float) -> Tenor:
    """Moments at a constant maturity from the usable expiries, by the rules of ``options.maturities``.

    Of its rules one is simplified: quantiles and mode of the mixed standardised densities are those of the parts,
    weighted with the shares; a calibration on the engine's own numbers takes up the difference.
    """
    days, listed = slices.days, slices.listed & usable
    early, late = listed & (days <= target), listed & (days >= target)
    pair = early[:, :, None] & late[:, None, :]
    with np.errstate(invalid="ignore"):
        cost = days[:, None, :] - days[:, :, None]
    cost = cost + np.where(slices.underlying[:, :, None] == slices.underlying[:, None, :], 0.0, 1e9)
    width = days.shape[1]
    best = np.argmin(np.where(pair, cost, np.inf).reshape(len(days), -1), axis=1)
    some = pair.any(axis=(1, 2))
    i, j, row = best // width, best % width, np.arange(len(days))
    gap = days[row, j] - days[row, i]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(gap > 0.0, (target - days[row, i]) / gap, 0.0)
    across = slices.underlying[row, i] != slices.underlying[row, j]
    values = _mixed(slices, (i, j), share, across, target)
    return Tenor(
        np.where(some, i, -1),
        np.where(some, j, -1),
        np.where(some, share, np.nan),
        across & some,
        {name: np.where(some, x, np.nan) for name, x in values.items()},
    )


def _mixed(slices: Slices, at: tuple[Index, Index], share: Floats, across: Bools, target: float) -> dict[str, Floats]:
    row = np.arange(len(share))
    own = {name: np.stack([slices.value(name)[row, k] for k in at], axis=1) for name in TABLED}
    shares = np.stack([1.0 - share, share], axis=1)
    root_time = np.sqrt(target / np.stack([slices.days[row, k] for k in at], axis=1))

    def level(x: Floats) -> Floats:
        accrued, mixed = np.sqrt((shares * x * x).sum(axis=1)), (shares * x * root_time).sum(axis=1)
        return np.asarray(np.where(across, mixed, accrued))

    sds, vols = own[Statistic.SD], own[Statistic.ATM_TOTAL_VOL]
    sd, vol = level(sds), level(vols)
    mean_rule = np.where(across[:, None], shares * (sd[:, None] / sds) ** 2, shares)
    mean = (mean_rule * own[Statistic.MEAN]).sum(axis=1)
    year = np.sqrt(target / DAYS_A_YEAR)

    def tilted(name: Statistic) -> Floats:
        z = (shares * (own[name] - own[Statistic.MEAN]) / sds).sum(axis=1)
        return np.asarray((mean + sd * z + 0.5 * sd * sd) / sd)

    above = own[Statistic.TILT_PROBABILITY] + ndtr(-0.5 * sds)
    return {
        "tilt": tilted(Statistic.Q50),
        "tilt_mode": tilted(Statistic.MODE),
        "tilt_probability": (shares * above).sum(axis=1) - ndtr(-0.5 * sd),
        "risk_reversal_25": vol * (shares * own[Statistic.RISK_REVERSAL_TOTAL_VOL] / vols).sum(axis=1) / year,
        "skew": (shares * own[Statistic.SKEW]).sum(axis=1),
        "kurt": (shares * own[Statistic.KURT]).sum(axis=1),
        "atm_vol": vol / year,
    }


def _tabled(sd: Floats, shift: Floats) -> Floats:
    out = np.full((*sd.shape, len(TABLED)), np.nan)
    there = np.isfinite(sd)
    log_sd, at = np.log(sd[there]), shift[there]
    for k, spline in enumerate(_splines()):
        out[there, k] = spline.ev(log_sd, at)
    scaled = [k for k, name in enumerate(TABLED) if name in _PER_SD]
    out[:, :, scaled] *= sd[:, :, None]
    return out


_PER_SD = frozenset(
    {
        Statistic.MEAN,
        Statistic.SD,
        Statistic.ATM_TOTAL_VOL,
        Statistic.RISK_REVERSAL_TOTAL_VOL,
        Statistic.Q50,
        Statistic.MODE,
    }
)
"""Tabled in units of the standard deviation."""


@lru_cache(maxsize=1)
def _splines() -> tuple[RectBivariateSpline, ...]:
    sd, shift = (grid.ravel() for grid in np.meshgrid(_SD_NODES, _SHIFT_NODES, indexing="ij"))
    law = mixture(sd**2, shift)
    smiles = LognormalMixture(
        np.full(len(sd), MINOR_WEIGHT), law.mean_minor, law.mean_major, law.sd_minor, law.sd_major
    )
    values, _, _ = statistics(smiles, at_the_money(smiles), FINE)
    shape = len(_SD_NODES), len(_SHIFT_NODES)
    out = []
    for name in TABLED:
        column = values[:, COLUMN[name]] / (sd if name in _PER_SD else 1.0)
        out.append(RectBivariateSpline(np.log(_SD_NODES), _SHIFT_NODES, column.reshape(shape)))
    return tuple(out)
