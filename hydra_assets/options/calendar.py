"""Expiries on one underlying future, fitted in turn so that total variance never falls with time at any strike.

Between an SSVI slice (theta_1, rho_1, phi_1) and the next one of the same future there is no calendar arbitrage when,
with psi = theta phi,

    theta_2 >= theta_1,  psi_2 - psi_1 >= |rho_2 psi_2 - rho_1 psi_1|,  phi_2 <= phi_1          (1)

In L = psi (1 - rho) and R = psi (1 + rho), the slopes of the wings (twice dw/d|k|), the second condition is L_2 >= L_1
and R_2 >= R_1; the third and the butterfly bounds of a slice are

    theta >= max(theta_1, psi / phi_1, psi max(L, R) / 4),  L, R <= 4                           (2)

so that (ln theta - ln of its bound, ln L, ln R) lives in a box, which is never empty: the earlier smile is in it. No
condition binds expiries on different futures: they are different goods. Source: J. Gatheral and A. Jacquier,
"Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014), sections 4 and 5; S. Hendriks and C. Martini,
"The extended SSVI volatility surface", J. Computational Finance 22 (2019), for a rho of each expiry.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats
from hydra_assets.options.observations import Observations, observations
from hydra_assets.options.robust import Limits, Window, fit_robustly
from hydra_assets.options.slices import Bools, Fit, SliceQuotes, SmileSlices
from hydra_assets.options.ssvi import MAX_ITERATIONS, Ssvi, fit_slices

WING_LIMIT = 4.0
MAX_LOG_EXCESS = 12.0
"""Largest ln theta over its bound."""


def fit_sequence(
    quotes: SliceQuotes,
    order: NDArray[np.int64] | Floats,
    group: NDArray[np.int64],
    max_iterations: int = MAX_ITERATIONS,
) -> Fit[Ssvi]:
    """Fit SSVI to every slice, in rising ``order`` (time to expiry) within each ``group``; ``[n]`` each.

    A group is one session's expiries on one underlying future. The first stands as it is fitted alone; a later one that
    breaks (1) is fitted again within (1). A slice that has too few quotes is passed over.
    """
    alone = fit_slices(quotes, max_iterations=max_iterations)
    theta, rho, phi = alone.slices.theta.copy(), alone.slices.rho.copy(), alone.slices.phi.copy()
    residual = alone.residual.copy()
    fitted = np.flatnonzero(alone.fitted)
    data = observations(quotes)
    place, depth = _depths(np.asarray(order, dtype=np.float64)[fitted], np.asarray(group)[fitted])
    before = np.full(len(quotes), -1, dtype=np.intp)
    before[fitted] = np.where(place >= 0, fitted[place], -1)
    for level in range(1, int(depth.max(initial=0)) + 1):
        rows = fitted[depth == level]
        slices, earlier = Ssvi(theta, rho, phi), Ssvi(theta, rho, phi).take(before[rows])
        rows_bad = ~free_of_calendar_arbitrage(earlier, slices.take(rows))
        rows, earlier = rows[rows_bad], earlier.take(np.flatnonzero(rows_bad))
        if not len(rows):
            continue
        part = data.take(rows)
        found = _fit_after(part, earlier, slices.take(rows), max_iterations)
        theta[rows], rho[rows], phi[rows] = found.theta, found.rho, found.phi
        residual[rows] = np.where(part.used, (found.total_variance(part.k) - part.w) * part.inverse, 0.0)
    return Fit(Ssvi(theta, rho, phi), residual, alone.fitted)


def free_of_calendar_arbitrage(earlier: Ssvi, later: Ssvi) -> Bools:
    """Whether (1) holds, ``[n]``: no strike at all has less total variance later."""
    left_1, right_1 = _wings(earlier)
    left_2, right_2 = _wings(later)
    return (later.theta >= earlier.theta) & (left_2 >= left_1) & (right_2 >= right_1) & (later.phi <= earlier.phi)


def calendar_violation(earlier: SmileSlices, later: SmileSlices, k: Floats) -> Floats:
    """Least gain of total variance from one expiry to the next over k ``[n, m]``; negative is an arbitrage, ``[n]``."""
    gain: Floats = (later.total_variance(k) - earlier.total_variance(k)).min(axis=1)
    return gain


def _wings(slices: Ssvi) -> tuple[Floats, Floats]:
    psi = slices.theta * slices.phi
    return psi * (1.0 - slices.rho), psi * (1.0 + slices.rho)


def _depths(order: Floats, group: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the place of the slice before each one in its group (-1 for the first), and how many are before it."""
    n = len(group)
    rank = np.lexsort((np.arange(n), order, group))
    first = np.ones(n, dtype=np.bool_)
    first[1:] = group[rank][1:] != group[rank][:-1]
    here = np.arange(n)
    since = here - np.maximum.accumulate(np.where(first, here, 0))
    before, depth = np.empty(n, dtype=np.intp), np.empty(n, dtype=np.intp)
    depth[rank] = since
    before[rank] = np.where(first, -1, np.roll(rank, 1))
    return before, depth


def _fit_after(data: Observations, earlier: Ssvi, alone: Ssvi, max_iterations: int) -> Ssvi:
    """Fit within (1) and (2), from the nearest point of the box to the slice's own fit."""
    left, right = _wings(earlier)
    data = replace(data, constants=np.stack([earlier.theta, 1.0 / earlier.phi]))
    # A wing that is flat to the last digit has no logarithm.
    low = np.log(np.maximum(np.stack([left, right]), 1e-12))
    high = np.maximum(np.full_like(low, np.log(WING_LIMIT)), low)
    zero = np.zeros((1, len(alone)))
    limits = Limits(np.concatenate([zero, low]), np.concatenate([zero + MAX_LOG_EXCESS, high]))
    own = np.log(np.maximum(np.stack(_wings(alone)), 1e-12))
    start = np.concatenate([zero, np.minimum(np.maximum(own, low), high)])
    bound = _bound(np.exp(start[1]), np.exp(start[2]), data.constants)[0]
    start[0] = np.minimum(np.maximum(np.log(alone.theta / bound), 0.0), MAX_LOG_EXCESS)
    raw, _ = fit_robustly(_model, data, start, limits, max_iterations)
    return _slices(raw, data.constants)


def _bound(left: Floats, right: Floats, constants: Floats) -> tuple[Floats, Floats, Floats]:
    """Return theta's lower bound of (2) and the derivatives of its logarithm by ln L and ln R, ``[n]``."""
    theta_1, inverse_phi_1 = constants
    psi = 0.5 * (left + right)
    by_phi, by_wing = psi * inverse_phi_1, 0.25 * psi * np.maximum(left, right)
    bound = np.maximum(np.maximum(theta_1, by_phi), by_wing)
    bends = (bound > theta_1).astype(np.float64)
    steep = (by_wing >= bound) * bends
    by_left = bends * 0.5 * left / psi + steep * (left >= right)
    by_right = bends * 0.5 * right / psi + steep * (right > left)
    return bound, by_left, by_right


def _slices(raw: Floats, constants: Floats) -> Ssvi:
    left, right = np.exp(raw[1]), np.exp(raw[2])
    theta = np.exp(raw[0]) * _bound(left, right, constants)[0]
    return Ssvi(theta, (right - left) / (right + left), 0.5 * (left + right) / theta)


def _model(raw: Floats, window: Window) -> tuple[Floats, Floats]:
    """Residuals ``[m, n]`` and derivatives ``[3, m, n]`` by (ln theta - ln of its bound, ln L, ln R)."""
    left, right = np.exp(raw[1]), np.exp(raw[2])
    bound, bound_by_left, bound_by_right = _bound(left, right, window.constants)
    theta = np.exp(raw[0]) * bound
    psi = 0.5 * (left + right)
    rho, phi = 0.5 * (right - left) / psi, psi / theta
    v = phi * window.k
    one_minus = left * right / (psi * psi)
    u = v + rho
    root = np.sqrt(u * u + one_minus)
    half = (0.5 * theta) * window.inverse
    v_half = v * half
    w = half + rho * v_half + half * root
    by_phi = v_half * (rho + u / root)
    by_rho = v_half * (1.0 + 1.0 / root)
    by_theta = w - by_phi
    jacobian = np.empty((3, *v.shape))
    jacobian[0] = by_theta
    for row, share, sign, bound_by in ((1, left, -0.5, bound_by_left), (2, right, 0.5, bound_by_right)):
        jacobian[row] = bound_by * by_theta + (0.5 * share / psi) * by_phi + (sign * one_minus) * by_rho
    return w - window.w * window.inverse, jacobian
