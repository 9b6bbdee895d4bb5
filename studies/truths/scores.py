"""How far an estimated density is from the truth: L1 distance, and errors of standard deviation and skew.

L1 is the integral of |p - p_true| over x = ln(S_T/F): 0 for the truth itself, 2 where the two share nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from hydra_assets.options.implied_vol import solve_normalised
from hydra_assets.options.moments import COLUMN, FINE, Statistic, statistics
from hydra_assets.options.slices import Index, SmileSlices
from studies.truths import FORWARD, Floats, moments, truth
from studies.truths.chains import Cell

REACH_SDS = 10.0
POINTS = 1001


@dataclass(frozen=True, slots=True)
class TruthSlices:
    """Truths as a batch of slices, so that their statistics come from the pipeline's own formulas."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        """Count of slices."""
        return len(self.names)

    def take(self, index: Index) -> "TruthSlices":
        """Some of the slices."""
        return TruthSlices(tuple(np.array(self.names, dtype=object)[index]))

    def density(self, k: Floats) -> Floats:
        """Density of x."""
        return np.array([truth(name).density(row) for name, row in zip(self.names, k, strict=True)])

    def distribution(self, k: Floats) -> Floats:
        """P(x <= k)."""
        return np.array([truth(name).distribution(row) for name, row in zip(self.names, k, strict=True)])

    def call(self, k: Floats) -> Floats:
        """Undiscounted call struck at F e^k, over F."""
        rows = zip(self.names, k, strict=True)
        return np.array([truth(name).call(FORWARD * np.exp(row)) for name, row in rows]) / FORWARD

    def total_variance(self, k: Floats) -> Floats:
        """By inversion of the out-of-the-money leg."""
        leg = self.call(k) - np.maximum(-np.expm1(k), 0.0)
        x, price = np.ravel(-np.abs(k)), np.ravel(leg * np.exp(-0.5 * k))
        w: Floats = solve_normalised(x, price).reshape(k.shape) ** 2
        return w


def true_statistics(names: Sequence[str]) -> Floats:
    """Statistics of the truths, ``[n, len(Statistic)]``."""
    slices = TruthSlices(tuple(names))
    unit = np.sqrt(slices.total_variance(np.zeros((len(slices), 1)))[:, 0])
    return statistics(slices, unit, FINE)[0]


@dataclass(frozen=True, slots=True)
class Yardstick:
    """Grids of the cells, ``[n, m]``, with the true density on them, and the true moments, ``[n]``."""

    cells: tuple[Cell, ...]
    x: Floats
    density: Floats
    sd: Floats
    skew: Floats

    @staticmethod
    def of(cells: Sequence[Cell]) -> "Yardstick":
        """Yardstick of some cells."""
        names = sorted({cell.truth for cell in cells})
        known = {name: moments(truth(name)) for name in names}
        grids = {name: known[name].sd * np.linspace(-REACH_SDS, REACH_SDS, POINTS) for name in names}
        curves = {name: truth(name).density(grids[name]) for name in names}
        return Yardstick(
            tuple(cells),
            np.array([grids[cell.truth] for cell in cells]),
            np.array([curves[cell.truth] for cell in cells]),
            np.array([known[cell.truth].sd for cell in cells]),
            np.array([known[cell.truth].skew for cell in cells]),
        )

    def score(self, estimator: str, density: Floats, sd_skew: tuple[Floats, Floats] | None = None) -> pl.DataFrame:
        """One row per cell; moments of a density that is known on the grid alone are those of the grid."""
        step = self.x[:, 1] - self.x[:, 0]
        l1 = np.abs(density - self.density).sum(axis=1) * step
        sd, skew = _moments(self.x, density) if sd_skew is None else sd_skew
        return pl.DataFrame(
            {
                "cell": [cell.name for cell in self.cells],
                "truth": [cell.truth for cell in self.cells],
                "strikes": [cell.strikes for cell in self.cells],
                "half_spread": [cell.half_spread for cell in self.cells],
                "stale": [cell.stale for cell in self.cells],
                "estimator": estimator,
                "l1": l1,
                "sd_error": np.abs(sd / self.sd - 1.0),
                "skew_error": np.abs(skew - self.skew),
            }
        )

    def score_slices(self, estimator: str, smiles: SmileSlices, unit: Floats) -> pl.DataFrame:
        """Score fitted slices, with the moments that the pipeline publishes."""
        found = statistics(smiles, unit, FINE)[0]
        with np.errstate(all="ignore"):
            density = smiles.density(self.x)
        return self.score(estimator, density, (found[:, COLUMN[Statistic.SD]], found[:, COLUMN[Statistic.SKEW]]))


def _moments(x: Floats, density: Floats) -> tuple[Floats, Floats]:
    mass = density.sum(axis=1)
    centred = x - ((density * x).sum(axis=1) / mass)[:, None]
    sd = np.sqrt((density * centred**2).sum(axis=1) / mass)
    return sd, (density * centred**3).sum(axis=1) / mass / sd**3
