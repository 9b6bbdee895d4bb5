"""Integrals of a density that is given on 129 points of z = ln(S_T/F) / unit.

Mass is STEP times the sum of the points, as for every smooth density that has died away at both ends. The distribution
is the integral of the cubic through four neighbouring points, cell by cell,

    int_{z_j}^{z_{j+1}} p dz = STEP/24 (-p_{j-1} + 13 p_j + 13 p_{j+1} - p_{j+2}),

the trapezoid rule in the two outermost cells, and STEP p at each end for the tail beyond the grid (exact for the tail
of a standard normal at 8). Between points it is the cubic Hermite interpolant, whose slopes are the density itself.
Error for a standard normal: 1e-5 (a test holds it).
"""

import numpy as np

from hydra_assets.options.black76 import Floats
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.slices import row_sum

POINTS = len(Z_GRID)
STEP = float(Z_GRID[1] - Z_GRID[0])
CENTRE = POINTS // 2
"""Index of z = 0, where S_T = F."""
_BISECTIONS = 50


def last_axis_sum(values: Floats) -> Floats:
    """Sum of ``[..., m]`` over its last axis, independent of what else is in the batch."""
    if not values.size:
        return np.zeros(values.shape[:-1])
    total: Floats = row_sum(values.reshape(-1, values.shape[-1])).reshape(values.shape[:-1])
    return total


def cells(p: Floats) -> Floats:
    """Integral of p between neighbouring points: ``[n, 129]`` to ``[n, 128]``. Linear in p."""
    out = 0.5 * STEP * (p[:, :-1] + p[:, 1:])
    out[:, 1:-1] = STEP / 24.0 * (13.0 * (p[:, 1:-2] + p[:, 2:-1]) - p[:, :-3] - p[:, 3:])
    return out


def tail_safe_cells(p: Floats, moment: Floats) -> tuple[Floats, Floats]:
    """Cells of a density and of its product with something; half the trapezoid where p is too steep for a cubic.

    Where p grows more than about tenfold from point to point, far in a tail, the cubic turns negative; a distribution
    must rise, and a conditional mean (moment over density) must stay between the values that are averaged.
    """
    cubic, half = cells(p), 0.25 * STEP * (p[:, :-1] + p[:, 1:])
    steep = cubic < half
    return np.where(steep, half, cubic), np.where(steep, 0.25 * STEP * (moment[:, :-1] + moment[:, 1:]), cells(moment))


def cumulate(p: Floats, cell: Floats) -> tuple[Floats, Floats]:
    """Integrals below and above every point, ``[n, 129]`` each, of p with the given integrals of its cells.

    The upper one is summed from its own end: one minus the lower would lose every digit of the upper tail.
    """
    below = np.cumsum(np.concatenate([STEP * p[:, :1], cell], axis=1), axis=1)
    above = np.cumsum(np.concatenate([STEP * p[:, -1:], cell[:, ::-1]], axis=1), axis=1)[:, ::-1]
    return below, above


def distribution(p: Floats) -> tuple[Floats, Floats]:
    """P(Z <= z_j) and P(Z > z_j) under p, ``[n, 129]`` each, adding up to one."""
    below, above = cumulate(p, tail_safe_cells(p, p)[0])
    total = below[:, -1:] + STEP * p[:, -1:]
    return below / total, above / total


def distribution_weights(z: Floats) -> Floats:
    """Weights ``[n, 129]`` whose product with a density is its integral below z ``[n]``, for z within the grid."""
    identity = np.eye(POINTS)
    below = cumulate(identity, cells(identity))[0].T
    j = np.clip(np.floor((z - Z_GRID[0]) / STEP).astype(np.intp), 0, POINTS - 2)
    t = ((z - Z_GRID[j]) / STEP)[:, None]
    h00, h10, h01, h11 = _hermite(t)
    weights: Floats = h00 * below[j] + h01 * below[j + 1] + STEP * (h10 * identity[j] + h11 * identity[j + 1])
    return weights


def log_density_at(p: Floats, z: Floats, floor: float) -> Floats:
    """Cubic Lagrange interpolation of ln max(p, floor), ``[n, 129]``, at one z ``[n]`` each within the grid."""
    j = np.clip(np.floor((z - Z_GRID[0]) / STEP).astype(np.intp), 1, POINTS - 3)
    rows = np.arange(len(z))
    t = (z - Z_GRID[j]) / STEP
    values = [np.log(np.maximum(p[rows, j + offset], floor)) for offset in (-1, 0, 1, 2)]
    factors = (
        -t * (t - 1.0) * (t - 2.0) / 6.0,
        (t + 1.0) * (t - 1.0) * (t - 2.0) / 2.0,
        -(t + 1.0) * t * (t - 2.0) / 2.0,
        (t + 1.0) * t * (t - 1.0) / 6.0,
    )
    total: Floats = sum((f * v for f, v in zip(factors, values, strict=True)), np.zeros(len(z)))
    return total


def quantiles(p: Floats, below: Floats, levels: Floats) -> Floats:
    """Return the z at which p reaches each level, ``[n, levels]``; ``below`` is the first of ``distribution(p)``."""
    n = len(p)
    rows = np.arange(n)[:, None]
    j = np.clip((below[:, None, :] < levels[:, None]).sum(axis=2) - 1, 0, POINTS - 2)
    density = p / (STEP * row_sum(p))[:, None] if n else p
    left, right = below[rows, j], below[rows, j + 1]
    slope_left, slope_right = STEP * density[rows, j], STEP * density[rows, j + 1]
    lower, upper = np.zeros(j.shape), np.ones(j.shape)
    for _ in range(_BISECTIONS):
        t = 0.5 * (lower + upper)
        h00, h10, h01, h11 = _hermite(t)
        short = h00 * left + h10 * slope_left + h01 * right + h11 * slope_right < levels
        lower, upper = np.where(short, t, lower), np.where(short, upper, t)
    found: Floats = Z_GRID[j] + STEP * 0.5 * (lower + upper)
    return np.where(np.isfinite(left), found, np.nan)


def _hermite(t: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Cubic Hermite basis: value and slope at 0, value and slope at 1."""
    s = 1.0 - t
    return (1.0 + 2.0 * t) * s * s, t * s * s, t * t * (3.0 - 2.0 * t), -t * t * s
