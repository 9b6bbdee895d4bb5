"""One expiry's smile as a three-parameter SSVI slice, fitted to many slices at once.

Total variance at log-moneyness k = ln(K/F):

    w(k) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2))                          (1)

theta is the at-the-money total variance, rho the asymmetry, phi the curvature. No butterfly arbitrage exists when

    phi <= min(4 / (theta (1 + |rho|)), 2 / sqrt(theta (1 + |rho|)))                             (2)

which the parametrisation theta = e^a, rho = tanh b, phi = cap(theta, rho) / (1 + e^-c) builds in, so that every iterate
is arbitrage-free. Residuals are in half-spreads of total variance, under a Huber loss of one half-spread with a cut at
four, by iteratively reweighted Levenberg-Marquardt. Source: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility
surfaces", Quantitative Finance 14 (2014), theorem 4.2 and section 5.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats

HUBER_HALF_SPREADS = 1.0
CUT_HALF_SPREADS = 4.0
MAX_ITERATIONS = 60
CHUNK_SLICES = 256
"""Slices per pass: temporaries of [256, strikes] stay in the processor's cache."""
RHO_LIMIT = 4.0
SHAPE_LIMIT = 12.0


@dataclass(frozen=True, slots=True)
class Ssvi:
    """Slice parameters, ``[n]`` each."""

    theta: Floats
    rho: Floats
    phi: Floats

    def take(self, index: NDArray[np.intp] | slice) -> "Ssvi":
        """Some of the slices."""
        return Ssvi(self.theta[index], self.rho[index], self.phi[index])


@dataclass(frozen=True, slots=True)
class SsviFit:
    """A batch of fits: parameters, root mean square residual in half-spreads, quotes kept at full weight; ``[n]``."""

    slices: Ssvi
    rmse_half_spreads: Floats
    full_weight: NDArray[np.int64]


def phi_cap(theta: Floats, rho: Floats) -> Floats:
    """Return the largest phi without butterfly arbitrage, condition (2)."""
    spread = theta * (1.0 + np.abs(rho))
    cap: Floats = np.minimum(4.0 / spread, 2.0 / np.sqrt(spread))
    return cap


def total_variance(slices: Ssvi, k: Floats) -> tuple[Floats, Floats, Floats]:
    """Return w, dw/dk and d2w/dk2 of equation (1); slices ``[n]``, k ``[n, m]``, results ``[n, m]``."""
    theta, rho, phi = slices.theta[:, None], slices.rho[:, None], slices.phi[:, None]
    u = phi * k + rho
    root = np.sqrt(u * u + 1.0 - rho * rho)
    w = 0.5 * theta * (1.0 + rho * phi * k + root)
    first = 0.5 * theta * phi * (rho + u / root)
    second = 0.5 * theta * phi * phi * (1.0 - rho * rho) / root**3
    return w, first, second


def fit(k: Floats, w: Floats, half_spread_w: Floats, used: NDArray[np.bool_]) -> SsviFit:
    """Fit every row of ``[n, m]`` padded arrays of log-moneyness, total variance and its half-spread.

    ``used`` marks real quotes; a row needs at least four of them (caller's duty). A slice's result depends on its own
    row only: not on the batch, not on its place in it.
    """
    parts = [
        _fit_chunk(k[rows], w[rows], half_spread_w[rows], used[rows])
        for rows in (slice(i, i + CHUNK_SLICES) for i in range(0, len(k), CHUNK_SLICES))
    ]
    if not parts:
        empty = np.empty(0)
        return SsviFit(Ssvi(empty, empty, empty), empty, np.empty(0, dtype=np.int64))
    return SsviFit(
        Ssvi(*(np.concatenate([getattr(p.slices, name) for p in parts]) for name in ("theta", "rho", "phi"))),
        np.concatenate([p.rmse_half_spreads for p in parts]),
        np.concatenate([p.full_weight for p in parts]),
    )


def _fit_chunk(k: Floats, w: Floats, half_spread_w: Floats, used: NDArray[np.bool_]) -> SsviFit:
    k = np.where(used, k, 0.0)
    inverse = np.where(used, 1.0 / np.where(used, half_spread_w, 1.0), 0.0)
    target = np.where(used, w, 0.0)
    raw = _start(k, target, inverse, used)
    n = len(k)
    damping = np.full(n, 1e-3)
    residual, jacobian = _residuals(raw, k, target, inverse)
    cost = _huber_cost(residual, used)
    active = np.ones(n, dtype=bool)
    for _ in range(MAX_ITERATIONS):
        i = np.flatnonzero(active)
        if not len(i):
            break
        step = _step(residual[i], jacobian[i], used[i], damping[i])
        proposal = np.clip(raw[i] + step, [-20.0, -RHO_LIMIT, -SHAPE_LIMIT], [5.0, RHO_LIMIT, SHAPE_LIMIT])
        moved = np.abs(proposal - raw[i]).max(axis=1)
        new_residual, new_jacobian = _residuals(proposal, k[i], target[i], inverse[i])
        new_cost = _huber_cost(new_residual, used[i])
        better = new_cost <= cost[i]
        gain = cost[i] - new_cost
        j = i[better]
        raw[j], residual[j], jacobian[j], cost[j] = (
            proposal[better],
            new_residual[better],
            new_jacobian[better],
            new_cost[better],
        )
        damping[i] = np.where(better, damping[i] * 0.2, damping[i] * 6.0)
        settled = (better & (gain <= 1e-13 * (cost[i] + 1e-18))) | (moved < 1e-11) | (damping[i] > 1e12)
        active[i[settled]] = False
    slices = _slices(raw)
    count = _row_sum(used.astype(np.float64))
    rmse = np.sqrt(_row_sum(residual * residual) / np.maximum(count, 1.0))
    full = (used & (np.abs(residual) <= HUBER_HALF_SPREADS)).sum(axis=1)
    return SsviFit(slices, rmse, full.astype(np.int64))


def _slices(raw: Floats) -> Ssvi:
    theta, rho = np.exp(raw[:, 0]), np.tanh(raw[:, 1])
    return Ssvi(theta, rho, phi_cap(theta, rho) / (1.0 + np.exp(-raw[:, 2])))


def _row_sum(values: Floats) -> Floats:
    """Sum over the last axis in strict left-to-right order.

    NumPy's pairwise sum groups terms by the row's padded length, so the last bit of a slice's fit would depend on the
    widest slice of its batch, and a re-run of one session would not give the bytes of the backfill.
    """
    if len(values) == 1:
        # One row would be collapsed into a vector and summed pairwise after all.
        return np.cumsum(values, axis=-1)[:, -1]
    total: Floats = np.add.reduce(np.ascontiguousarray(values.T), axis=0)
    return total


def _start(k: Floats, w: Floats, inverse: Floats, used: NDArray[np.bool_]) -> Floats:
    """Starting point ``[n, 3]``: level and slope by a weighted line around the money, phi at a third of its cap."""
    scale = np.sqrt(np.maximum(_row_sum(w) / np.maximum(_row_sum(used.astype(np.float64)), 1.0), 1e-12))[:, None]
    near = np.where(used, np.exp(-0.5 * (k / scale) ** 2) + 1e-3, 0.0)
    s0, s1, s2 = _row_sum(near), _row_sum(near * k), _row_sum(near * k * k)
    t0, t1 = _row_sum(near * w), _row_sum(near * w * k)
    determinant = np.maximum(s0 * s2 - s1 * s1, 1e-300)
    level = np.maximum((s2 * t0 - s1 * t1) / determinant, 0.2 * np.maximum(t0 / s0, 1e-12))
    slope = np.where(determinant > 1e-14, (s0 * t1 - s1 * t0) / determinant, 0.0)
    raw = np.empty((len(k), 3))
    raw[:, 0] = np.log(level)
    # dw/dk(0) = theta phi rho; with phi at a third of its cap, rho follows up to its limits.
    reference = level * phi_cap(level, np.zeros_like(level)) / 3.0
    raw[:, 1] = np.arctanh(np.clip(slope / reference, -0.8, 0.8))
    raw[:, 2] = np.log(0.5)
    return raw


def _residuals(raw: Floats, k: Floats, target: Floats, inverse: Floats) -> tuple[Floats, Floats]:
    """Residuals ``[n, m]`` in half-spreads and their derivatives ``[n, m, 3]`` by (a, b, c)."""
    slices = _slices(raw)
    theta, rho, phi = slices.theta[:, None], slices.rho[:, None], slices.phi[:, None]
    u = phi * k + rho
    root = np.sqrt(u * u + 1.0 - rho * rho)
    w = 0.5 * theta * (1.0 + rho * phi * k + root)
    by_phi = 0.5 * theta * k * (rho + u / root)
    by_rho = 0.5 * theta * phi * k * (1.0 + 1.0 / root)
    one_minus = 1.0 - rho * rho
    spread = theta * (1.0 + np.abs(rho))
    # ln cap is -ln spread where the first bound binds and -ln(spread)/2 where the second does.
    exponent = np.where(spread >= 4.0, -1.0, -0.5)
    share = 1.0 / (1.0 + np.exp(-raw[:, 2]))[:, None]
    jacobian = np.empty((*k.shape, 3))
    jacobian[..., 0] = (w + by_phi * phi * exponent) * inverse
    jacobian[..., 1] = (by_rho * one_minus + by_phi * phi * exponent * np.sign(rho) * (1.0 - np.abs(rho))) * inverse
    jacobian[..., 2] = by_phi * phi * (1.0 - share) * inverse
    return (w - target) * inverse, jacobian


def _huber_cost(residual: Floats, used: NDArray[np.bool_]) -> Floats:
    size = np.minimum(np.abs(residual), CUT_HALF_SPREADS)
    loss = np.where(
        size <= HUBER_HALF_SPREADS, 0.5 * size * size, HUBER_HALF_SPREADS * (size - 0.5 * HUBER_HALF_SPREADS)
    )
    # Past the cut the loss keeps a faint slope, so that a slice whose start is far off still moves.
    tail = 1e-3 * np.maximum(np.abs(residual) - CUT_HALF_SPREADS, 0.0)
    return _row_sum(np.where(used, loss + tail, 0.0))


def _step(residual: Floats, jacobian: Floats, used: NDArray[np.bool_], damping: Floats) -> Floats:
    size = np.abs(residual)
    weight = np.where(size <= HUBER_HALF_SPREADS, 1.0, HUBER_HALF_SPREADS / np.maximum(size, HUBER_HALF_SPREADS))
    weight = np.where(size <= CUT_HALF_SPREADS, weight, 1e-3 / np.maximum(size, 1.0))
    weight = np.where(used, weight, 0.0)
    n = len(residual)
    normal, gradient = np.empty((n, 3, 3)), np.empty((n, 3, 1))
    for a in range(3):
        weighted = weight * jacobian[..., a]
        gradient[:, a, 0] = _row_sum(weighted * residual)
        for b in range(a, 3):
            normal[:, a, b] = normal[:, b, a] = _row_sum(weighted * jacobian[..., b])
    diagonal = normal[:, range(3), range(3)]
    normal[:, range(3), range(3)] = diagonal * (1.0 + damping[:, None]) + 1e-12 * diagonal.max(axis=1)[:, None] + 1e-300
    step: Floats = np.asarray(-np.linalg.solve(normal, gradient)[..., 0], dtype=np.float64)
    return np.clip(step, -1.5, 1.5)
