"""The risk-neutral density of a slice, from its formula: no differencing of prices.

With w(k) the total variance at k = ln(K/F) and d2 = -k/sqrt(w) - sqrt(w)/2, the density of ln(S_T/F) is

    p(k) = g(k) exp(-d2^2/2) / sqrt(2 pi w)
    g(k) = (1 - k w'/(2w))^2 - w'^2/4 (1/w + 1/4) + w''/2                                        (Durrleman)

and the distribution P(ln(S_T/F) <= k) = N(-d2) + exp(-d2^2/2)/sqrt(2 pi) w'/(2 sqrt w). Source: Gatheral and Jacquier
(2014), section 2.2. The mean of S_T under this density is F whatever the smile, so it is a residual to check and never
a direction; direction is the tilt, the excess over the lognormal of equal total variance.
"""

from dataclasses import dataclass

import numpy as np

from hydra_assets.options.average import FREE_BY_THEOREM, MODELS, Average
from hydra_assets.options.black76 import SQRT_2PI, Floats
from hydra_assets.options.moments import FINE, Statistic, at_the_money, moments, statistics
from hydra_assets.options.slices import Bools, SmileSlices, VarianceSmile

Z_GRID: Floats = np.linspace(-8.0, 8.0, 129)
"""Published grid: k over sqrt(theta), 129 points."""


_Z_EVIDENCE: Floats = np.linspace(-8.0, 8.0, 2001)
_EVERY_EVIDENCE = 100
"""Every 100th point of the evidence carries a g in full; elsewhere the sign of the density is enough."""
_GAUSS_Z, _GAUSS_WEIGHT = np.polynomial.legendre.leggauss(64)
_SLICES_PER_PASS = 256
_EVIDENCE_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class DensitySummary:
    """What is published of each slice's density; ``[n]`` unless said otherwise. NaN where a slice has no smile.

    ``grid`` is ``[n, 129]``, density per unit of z = k / unit on ``Z_GRID``; ``unit`` is the total volatility at the
    money. ``values`` is ``[n, len(Statistic)]``. ``mass_residual`` is the integral of the density less 1 and
    ``martingale_residual`` that of S_T/F less 1, both by quadrature over all of it.

    ``min_density`` is the least density per unit of z and ``min_g``, at ``min_g_z``, the least Durrleman g, which has
    the density's sign. The sign is looked for on 2,001 points of z in [-8, 8], of whatever model is not positive by
    theorem. Where it is negative anywhere both are over the 2,001, so that no arbitrage on them is missed; elsewhere
    they are over ``Z_GRID`` and over 21 points.

    ``observed`` is ``[n, 4]``: mean, sd, skew and kurtosis given that S_T falls between the outermost strikes used.
    ``beyond_low`` and ``beyond_high`` are the probabilities outside them, which no quote has priced.
    """

    unit: Floats
    grid: Floats
    values: Floats
    mass_residual: Floats
    martingale_residual: Floats
    min_g: Floats
    min_g_z: Floats
    min_density: Floats
    observed: Floats
    beyond_low: Floats
    beyond_high: Floats

    def __getitem__(self, name: Statistic) -> Floats:
        """One statistic, ``[n]``."""
        column: Floats = self.values[:, list(Statistic).index(name)]
        return column


def summarise(smiles: SmileSlices, k_min: Floats, k_max: Floats, unit: Floats | None = None) -> DensitySummary:
    """Density, statistics, residuals and evidence of every slice.

    Parameters
    ----------
    smiles
        Slices of any model, or their average.
    k_min, k_max
        ln(K/F) of the outermost quotes used, ``[n]``.
    unit
        Total volatility at the money, ``[n]``; evaluated if not given.
    """
    n = len(smiles)
    unit = at_the_money(smiles) if unit is None else unit
    starts = range(0, max(n, 1), _SLICES_PER_PASS)
    rows = [slice(i, i + _SLICES_PER_PASS) for i in starts]
    parts = [_summarise(smiles.take(i), k_min[i], k_max[i], unit[i]) for i in rows]
    return DensitySummary(**{f: np.concatenate([getattr(p, f) for p in parts]) for f in DensitySummary.__slots__})


def _summarise(smiles: SmileSlices, k_min: Floats, k_max: Floats, unit: Floats) -> DensitySummary:
    values, mass, price = statistics(smiles, unit, FINE)
    with np.errstate(all="ignore"):
        grid = smiles.density(Z_GRID * unit[:, None]) * unit[:, None]
        lowest = grid.min(axis=1)
        min_g, min_g_z = _least_g(smiles, _Z_EVIDENCE[::_EVERY_EVIDENCE], unit)
        negative = np.flatnonzero(_negative_somewhere(smiles, unit))
        if len(negative):
            suspect, its_unit = smiles.take(negative), unit[negative]
            lowest[negative] = suspect.density(_Z_EVIDENCE * its_unit[:, None]).min(axis=1) * its_unit
            min_g[negative], min_g_z[negative] = _least_g(suspect, _Z_EVIDENCE, its_unit)
        half = 0.5 * (k_max - k_min)[:, None]
        inside = 0.5 * (k_max + k_min)[:, None] + half * _GAUSS_Z
        observed = moments(inside, smiles.density(inside) * (_GAUSS_WEIGHT * half))
        outside = smiles.distribution(np.stack([k_min, k_max], axis=1))
    return DensitySummary(
        unit=unit,
        grid=grid,
        values=values,
        mass_residual=mass - 1.0,
        martingale_residual=price - 1.0,
        min_g=min_g,
        min_g_z=min_g_z,
        min_density=lowest,
        observed=observed,
        beyond_low=outside[:, 0],
        beyond_high=1.0 - outside[:, 1],
    )


def _negative_somewhere(smiles: SmileSlices, unit: Floats) -> Bools:
    """Where a model that is not positive by theorem is negative on the 2,001 points, ``[n]``."""
    if isinstance(smiles, Average):
        negative = np.zeros(len(unit), dtype=np.bool_)
        for column, name in enumerate(MODELS):
            rows = np.flatnonzero(smiles.weights[:, column] > 0.0)
            if name not in FREE_BY_THEOREM and len(rows):
                negative[rows] |= _negative_somewhere(smiles.models[column].take(rows), unit[rows])
        return negative
    sign = smiles.durrleman if isinstance(smiles, VarianceSmile) else smiles.density
    blocks = np.array_split(_Z_EVIDENCE, _EVIDENCE_BLOCKS)
    return np.asarray(np.any([(sign(z * unit[:, None]) < 0.0).any(axis=1) for z in blocks], axis=0), dtype=np.bool_)


def _least_g(smiles: SmileSlices, z: Floats, unit: Floats) -> tuple[Floats, Floats]:
    """Least g = p sqrt(2 pi w) exp(d2^2/2) on the points z, ``[n]``, and where."""
    k = z * unit[:, None]
    root = np.sqrt(smiles.total_variance(k))
    d2 = -k / root - 0.5 * root
    g = smiles.density(k) * (SQRT_2PI * root * np.exp(0.5 * d2 * d2))
    # Where prices fall below the smallest number there is neither a variance nor a density to judge.
    judged = np.where(np.isfinite(g), g, np.inf)
    place = np.argmin(judged, axis=1)
    least = judged[np.arange(len(g)), place]
    known = np.isfinite(least)
    return np.where(known, least, np.nan), np.where(known, z[place], np.nan)
