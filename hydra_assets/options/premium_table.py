"""Early-exercise premium of American options on futures, from a table.

Without cost of carry the premium of a put, as a fraction of the European one, depends on x = ln(F/K)/s, on
s = sigma sqrt(T) and on R = r T only; a call on (F, K) is a put on (K, F). Tabulated is

    root(y, s, R) = sqrt(premium / (R * European)),   y = x - x_b(s, R) >= 0,

with x_b the exercise boundary in the same unit, which has a table of its own. Measured from the boundary the root is
smooth, and so close to one at it that the fraction is known best where the price depends on it most; across the
boundary its second derivative would jump. Both are smooth in R^(1/8): x_b grows like sqrt(ln(1/R)). In between, tensor
cubic splines with not-a-knot ends.

``scripts/premium_table.py`` writes the file beside this module from ``american.py``.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
from scipy.ndimage import map_coordinates

from hydra_assets.options.american import FINE, european_put, exercise_boundary, put_premium
from hydra_assets.options.black76 import Floats

FILE: Final = "premium_table.npz"
EXCESS_RANGE: Final = (0.0, 12.0)
"""y, in deviations from the exercise boundary."""
TOTAL_VOL_RANGE: Final = (0.002, 1.8)
RATE_TIME_RANGE: Final = (1e-6, 0.3)
SHAPE: Final = (80, 14, 38)
"""Nodes of y, s and R^(1/8), evenly spaced."""
BOUNDARY_SHAPE: Final = (14, 76)
"""Nodes of s and R^(1/8) of the boundary's table."""


def excess_nodes() -> Floats:
    """Nodes of y."""
    return np.linspace(*EXCESS_RANGE, SHAPE[0])


def total_vol_nodes() -> Floats:
    """Nodes of s, of both tables."""
    return np.linspace(*TOTAL_VOL_RANGE, SHAPE[1])


def rate_time_nodes(count: int) -> Floats:
    """Nodes of R, evenly spaced in R^(1/8)."""
    low, high = RATE_TIME_RANGE
    nodes: Floats = np.linspace(low**0.125, high**0.125, count) ** 8
    nodes[[0, -1]] = RATE_TIME_RANGE
    return nodes


def boundary_column(total_vol: Floats, rate_time: Floats) -> Floats:
    """x_b = ln(B/K)/s of the exercise boundary, ``[n]``, computed and not looked up."""
    column: Floats = exercise_boundary(total_vol, rate_time, FINE)[0] / total_vol
    return column


def root_columns(excess: Floats, total_vol: Floats, rate_time: Floats) -> Floats:
    """Roots of the premium fraction at ``excess`` ``[m]`` of contracts ``[n]``, computed: ``[m, n]``."""
    boundary = exercise_boundary(total_vol, rate_time, FINE)
    columns = np.empty((len(excess), len(total_vol)))
    for row, y in zip(columns, excess, strict=True):
        log_forward = boundary[0] + y * total_vol
        premium = put_premium(log_forward, total_vol, rate_time, boundary, FINE)
        row[:] = np.sqrt(premium / (rate_time * np.exp(-rate_time) * european_put(log_forward, total_vol)))
    return columns


@dataclass(frozen=True, slots=True)
class PremiumTable:
    """Spline coefficients of the root, ``[y, s, R]``, and of the boundary, ``[s, R]``, one more at either end."""

    root: Floats
    boundary: Floats

    @classmethod
    def of_nodes(cls, root: Floats, boundary: Floats) -> "PremiumTable":
        """From the values at the nodes, of shapes ``SHAPE`` and ``BOUNDARY_SHAPE``."""
        if root.shape != SHAPE or boundary.shape != BOUNDARY_SHAPE:
            raise ValueError(f"premium table of {root.shape} and {boundary.shape}, not {SHAPE} and {BOUNDARY_SHAPE}")
        return cls(_spline(root.astype(np.float64)), _spline(boundary.astype(np.float64)))

    def lookup(self, x: Floats, total_vol: Floats, rate_time: Floats) -> tuple[Floats, Floats]:
        """Premium over the European price, and y = x - x_b, ``[n]`` each; outside the ranges, that of the nearest edge.

        ``x`` is ln(F/K)/s of a put, ln(K/F)/s of a call; rates are positive.
        """
        return self.lookup_at(x, total_vol, rate_time, rate_place(rate_time))

    def lookup_at(self, x: Floats, total_vol: Floats, rate_time: Floats, place: Floats) -> tuple[Floats, Floats]:
        """Like ``lookup``, with ``rate_place(rate_time)`` given: it stays while a volatility is searched for."""
        at = np.empty((3, len(x)))
        at[1] = _place(total_vol, TOTAL_VOL_RANGE, SHAPE[1])
        at[2] = 1.0 + place * (BOUNDARY_SHAPE[1] - 1)
        excess = x - map_coordinates(self.boundary, at[1:], order=3, mode="nearest", prefilter=False)
        at[0] = _place(excess, EXCESS_RANGE, SHAPE[0])
        at[2] = 1.0 + place * (SHAPE[2] - 1)
        root = map_coordinates(self.root, at, order=3, mode="nearest", prefilter=False)
        return rate_time * root * root, excess


@lru_cache(maxsize=1)
def premium_table() -> PremiumTable:
    """Return the table, read from its file at the first call."""
    with (files("hydra_assets.options") / "data" / FILE).open("rb") as file, np.load(file, allow_pickle=False) as saved:
        return PremiumTable.of_nodes(saved["root"], saved["boundary"])


def rate_place(rate_time: Floats) -> Floats:
    """Where R lies between the ends of its range, in [0, 1], on the scale of R^(1/8)."""
    low, high = (end**0.125 for end in RATE_TIME_RANGE)
    # Three square roots take a tenth of the time of a power.
    eighth = np.sqrt(np.sqrt(np.sqrt(np.clip(rate_time, *RATE_TIME_RANGE))))
    place: Floats = (eighth - low) / (high - low)
    return place


def _place(value: Floats, ends: tuple[float, float], count: int) -> Floats:
    """Where a value lies among the spline's coefficients; node j is coefficient j + 1."""
    place: Floats = 1.0 + (np.clip(value, *ends) - ends[0]) * ((count - 1) / (ends[1] - ends[0]))
    return place


def _spline(nodes: Floats) -> Floats:
    """Coefficients of the tensor cubic B-spline through values on an even grid, two more than nodes on each axis."""
    for axis, count in enumerate(nodes.shape):
        system = np.zeros((count + 2, count + 2))
        inner = np.arange(count)
        for shift, weight in enumerate((1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0)):
            system[inner + 1, inner + shift] = weight
        # Not-a-knot: the third derivative does not jump at the second node, nor at the last but one.
        system[0, :5] = system[-1, -5:] = (1.0, -4.0, 6.0, -4.0, 1.0)
        ends = [(1, 1) if other == axis else (0, 0) for other in range(nodes.ndim)]
        known = np.moveaxis(np.pad(nodes, ends), axis, 0)
        solved = np.linalg.solve(system, np.reshape(known, (count + 2, -1)))
        nodes = np.asarray(np.moveaxis(np.reshape(solved, known.shape), 0, axis), dtype=np.float64)
    return np.ascontiguousarray(nodes)
