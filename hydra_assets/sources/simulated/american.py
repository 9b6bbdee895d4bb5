"""Early-exercise premium of American options on futures, as a table made at first use.

On a future (no cost of carry) the premium over the European price depends, in units of the strike, only on
x = ln(K/F)/s for a put, s = sigma sqrt(T) and rho = r/sigma^2; a call on (F, K) is a put on (K, F). The table is
filled from Kim's integral (1990)

    premium = rho int_0^{s^2} e^{-rho (s^2-u)} [K N(-d-(s^2-u, F/B(u))) - F N(-d+(s^2-u, F/B(u)))] du

with the exercise boundary B solved by the fixed point "B" of Andersen, Lake and Offengenden, "High-performance
American option pricing", J. Comp. Finance 20 (2016), on Chebyshev nodes of sqrt(u), where ln(B/K)^2 is smooth. Time
runs in units of variance. Against binomial trees of 2,000 steps the interpolated premium is off by less than 1e-5 of
the strike in the table's domain (``tests/.../test_american.py``), a thousandth of the narrowest option tick.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, spline_filter
from scipy.special import ndtr

Array = NDArray[np.float64]

S_RANGE: Final = (0.004, 1.5)
RHO_RANGE: Final = (0.02, 25.0)
REACH: Final = 9.0
"""Standard deviations from the boundary that the table covers; farther out the premium is nil."""
_SHAPE: Final = (121, 26, 20)
_NODES: Final = 10
_ITERATIONS: Final = 10


def exercise_boundary(s: Array, rho: Array, nodes: int = _NODES) -> tuple[Array, Array]:
    """Exercise boundary of the put with strike 1 at the Chebyshev nodes of sqrt(u/s^2).

    Takes ``[n]`` totals of volatility and ``[n]`` rates over variance. Returns nodes z, ``[m]``, from 1 down to 0, and
    ln(B)^2, ``[n, m]``: the boundary with remaining variance u = s^2 z^2.
    """
    z = 0.5 * (1 + np.cos(np.pi * np.arange(nodes + 1) / nodes))
    y, weight = _gauss(32)
    # u = tau_i (1 - y^2): the square takes the singularity out of d at u -> tau_i.
    at = z[:-1, None] * np.sqrt(1 - y**2)[None, :]
    matrix = _interpolation(z, at.ravel())
    tau = (s[:, None] * z[None, :-1]) ** 2
    left = tau[:, :, None] * y**2
    gamma = 0.5 - np.sqrt(0.25 + 2 * rho)
    perpetual = (gamma / (gamma - 1))[:, None]
    log_b = np.log(perpetual + (1 - perpetual) * np.exp(-2 * np.sqrt(tau) / (1 - perpetual)))
    growth = (
        rho[:, None, None] * 2 * tau[:, :, None] * y * weight * np.exp(rho[:, None, None] * (tau[..., None] - left))
    )
    for _ in range(_ITERATIONS):
        h = np.concatenate([log_b**2, np.zeros((len(s), 1))], axis=1)
        inner = -np.sqrt(np.maximum(h @ matrix.T, 0.0)).reshape(len(s), *at.shape)
        root = np.sqrt(left)
        minus = (log_b[..., None] - inner) / root - 0.5 * root
        top = ndtr(log_b / np.sqrt(tau) - 0.5 * np.sqrt(tau)) + (growth * ndtr(minus)).sum(-1)
        bottom = ndtr(log_b / np.sqrt(tau) + 0.5 * np.sqrt(tau)) + (growth * ndtr(minus + root)).sum(-1)
        log_b = np.log(top / bottom)
    return z, np.concatenate([log_b**2, np.zeros((len(s), 1))], axis=1)


def put_premium(x: Array, s: Array, rho: Array) -> Array:
    """Premium over the European put in units of the strike, ``[x, n]``, for ``[n]`` pairs s, rho.

    ``x`` = ln(K/F)/s is ``[x, 1]`` or ``[x, n]``. Past the boundary it is what immediate exercise adds.
    """
    z, h = exercise_boundary(s, rho)
    y, weight = _gauss(48)
    boundary = -np.sqrt(np.maximum(h @ _interpolation(z, np.sqrt(1 - y**2)).T, 0.0))
    tau = s**2
    left = tau[:, None] * y**2
    log_f = -x * s
    root = np.sqrt(left)
    plus = (log_f[..., None] - boundary) / root + 0.5 * root
    flow = ndtr(-(plus - root)) - np.exp(log_f)[..., None] * ndtr(-plus)
    discount = 2 * y * weight * np.exp(-rho[:, None] * left) * (rho * tau)[:, None]
    premium: Array = (discount * flow).sum(-1)
    exercised = log_f <= -np.sqrt(h[:, 0])
    return np.where(exercised, _exercise_now(x, s, rho * tau), premium)


def early_exercise_premium(forward: Array, strike: Array, s: Array, rate_time: Array, *, call: bool) -> Array:
    """Premium of American over European options on futures, in the price unit, ``[n]``.

    ``s`` is the total volatility sigma sqrt(T) at the strike, ``rate_time`` is r T. Outside the table's ranges of s
    and rho the nearest edge is used, with the premium in proportion to r T.
    """
    base = forward if call else strike
    x = np.log(forward / strike) / s * (1 if call else -1)
    rho = rate_time / s**2
    across = np.log(np.clip(s, *S_RANGE) / S_RANGE[0]) / np.log(S_RANGE[1] / S_RANGE[0]) * (_SHAPE[1] - 1)
    along = np.log(np.clip(rho, *RHO_RANGE) / RHO_RANGE[0]) / np.log(RHO_RANGE[1] / RHO_RANGE[0]) * (_SHAPE[2] - 1)
    premium, boundary = _tables()
    to_boundary = x - map_coordinates(boundary, [across, along], order=3, prefilter=False, mode="nearest")
    place = (np.clip(to_boundary, -REACH, 0.0) / REACH + 1) * (_SHAPE[0] - 1)
    scaled = map_coordinates(premium, [place, across, along], order=3, prefilter=False, mode="nearest")
    waiting = np.maximum(scaled, 0.0) * rate_time * s
    # Below the table's rho the boundary lies farther out than its edge says.
    stopped = (to_boundary >= 0) & (rho >= RHO_RANGE[0])
    return np.asarray(base * np.where(stopped, _exercise_now(x, s, rate_time), waiting))


def _exercise_now(x: Array, s: Array, rate_time: Array) -> Array:
    """Put exercised at once, less the European put, in units of the strike."""
    forward, minus_d2 = np.exp(-x * s), x + 0.5 * s
    european = np.exp(-rate_time) * (ndtr(minus_d2) - forward * ndtr(minus_d2 - s))
    return np.asarray(1 - forward - european)


@lru_cache(maxsize=1)
def _tables() -> tuple[Array, Array]:
    """Spline coefficients of premium / (r T s), ``[x to the boundary, s, rho]``, and of the boundary's x, ``[s, rho]``.

    Measured from the boundary the premium is smooth; across it its second derivative jumps.
    """
    s, rho = (
        a.ravel()
        for a in np.meshgrid(np.geomspace(*S_RANGE, _SHAPE[1]), np.geomspace(*RHO_RANGE, _SHAPE[2]), indexing="ij")
    )
    _, h = exercise_boundary(s, rho)
    boundary = np.sqrt(h[:, 0]) / s
    # The last node lies a hair before the boundary, where the integral still holds.
    before = np.linspace(-REACH, 0.0, _SHAPE[0])[:, None] - 1e-9
    premium = put_premium(boundary + before, s, rho) / (rho * s**3)
    return (
        np.asarray(spline_filter(premium.reshape(_SHAPE), order=3, mode="nearest")),
        np.asarray(spline_filter(boundary.reshape(_SHAPE[1:]), order=3, mode="nearest")),
    )


def _gauss(n: int) -> tuple[Array, Array]:
    """Gauss-Legendre nodes and weights on (0, 1)."""
    node, weight = np.polynomial.legendre.leggauss(n)
    return 0.5 * (node + 1), 0.5 * weight


def _interpolation(nodes: Array, at: Array) -> Array:
    """Barycentric Lagrange matrix, ``[at, nodes]``, for Chebyshev points of the second kind."""
    sign = (-1.0) ** np.arange(len(nodes))
    sign[[0, -1]] *= 0.5
    distance = at[:, None] - nodes[None, :]
    hit = np.abs(distance) < 1e-15
    terms = sign / np.where(hit, 1.0, distance)
    matrix = terms / terms.sum(axis=1, keepdims=True)
    exact = hit.any(axis=1)
    matrix[exact] = hit[exact].astype(np.float64)
    return np.asarray(matrix)
