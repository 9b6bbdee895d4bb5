"""American options on futures, after Andersen, Lake and Offengenden, for whole batches of contracts.

A future has no cost of carry, so in units of the strike a put depends only on l = ln(F/K), on s = sigma sqrt(T) and on
R = r T, and a call on (F, K) is a put on (K, F). Let v in [0, 1] be time in units of T. Kim (1990) writes the put as
the European one plus what exercise earns below the boundary b = ln(B/K), which depends on the time z^2 that remains:

    premium = R int_0^1 e^(-R v) [N(-d-(v, l - b)) - e^l N(-d+(v, l - b))] dv,   b taken at z^2 = 1 - v,
    d+-(v, x) = x / (s sqrt v) +- s sqrt(v) / 2.

The boundary solves the fixed-point system A of the paper, which converges faster than system B without carry: with n
the normal density, d+- = d+-(z^2 - u, b(z) - b(sqrt u)) under the integrals and d+-(z^2, b(z)) before them,

    e^b(z) = P/Q,  P = n(d-)/(s z) + R int_0^(z^2) e^(R u) n(d-)/(s sqrt(z^2 - u)) du,
                   Q = n(d+)/(s z) + N(d+) + R int_0^(z^2) e^(R u) [N(d+) + n(d+)/(s sqrt(z^2 - u))] du,

on Chebyshev points of z, between which b^2 is interpolated (b^2 ~ z^2 ln(1/z) near expiry). Time under an integral
is z^2 sin^2(theta), which makes the integrands smooth. The premium is stationary at the true boundary, so its error is
of second order in that of the boundary. Without a positive rate nothing is earned and the European price holds.

Sources: L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing", Journal of Computational
Finance 20 (2016), sections 3-5; I. J. Kim, "The analytic valuation of American options", Review of Financial Studies 3
(1990), 547-572; for the first guess of the boundary J. D. Evans, R. Kuske and J. B. Keller, "American options on assets
with dividends near expiry", Mathematical Finance 12 (2002), 219-237.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hydra_assets.options.black76 import SQRT_2PI, Floats, normalised_call

Bools = NDArray[np.bool_]
CHUNK: Final = 128
"""Contracts per pass: temporaries of [angles, nodes, contracts] stay in the processor's cache."""
NEAR_EXPIRY: Final = 1.0 / (4.0 * np.sqrt(np.pi))
"""b ~ -s z sqrt(2 ln(c / (R z^2))) near expiry, with this c."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Effort spent on a price. The default is off by less than 1e-9 of the strike, see the tests."""

    nodes: int = 12
    """Chebyshev points of the boundary, expiry not counted."""
    angles: int = 16
    """Gauss points of the boundary's integrals."""
    iterations: int = 9
    premium_angles: int = 40
    """Gauss points of the premium's integral, crowded at once where a forward near the boundary is exercised."""


STANDARD: Final = Accuracy()
FINE: Final = Accuracy(nodes=24, angles=32, iterations=16, premium_angles=96)
"""For tables and for checking the standard."""


def american_price(
    forward: Floats, strike: Floats, total_vol: Floats, rate_time: Floats, is_call: Bools, accuracy: Accuracy = STANDARD
) -> Floats:
    """Price today of American options on futures, premium paid up front, ``[n]``, in the forward's unit.

    ``total_vol`` is sigma sqrt(T) > 0, ``rate_time`` is r T, either sign; forward and strike are positive.
    """
    forward, strike, total_vol, rate_time, is_call = np.broadcast_arrays(forward, strike, total_vol, rate_time, is_call)
    log_forward = np.where(is_call, np.log(strike / forward), np.log(forward / strike))
    price: Floats = np.where(is_call, forward, strike) * put_price(log_forward, total_vol, rate_time, accuracy)
    return price


def put_price(log_forward: Floats, total_vol: Floats, rate_time: Floats, accuracy: Accuracy = STANDARD) -> Floats:
    """Price of American puts in units of the strike, ``[n]``, at ``log_forward`` = ln(F/K)."""
    european = np.exp(-rate_time) * european_put(log_forward, total_vol)
    value: Floats = european.copy()
    earning = np.flatnonzero(rate_time > 0.0)
    for start in range(0, len(earning), CHUNK):
        i = earning[start : start + CHUNK]
        boundary = exercise_boundary(total_vol[i], rate_time[i], accuracy)
        held = european[i] + put_premium(log_forward[i], total_vol[i], rate_time[i], boundary, accuracy)
        value[i] = np.where(log_forward[i] <= boundary[0], -np.expm1(log_forward[i]), held)
    return value


def european_put(log_forward: Floats, total_vol: Floats) -> Floats:
    """Undiscounted European puts in units of the strike, at ``log_forward`` = ln(F/K); any shape."""
    time_value = np.exp(0.5 * log_forward) * normalised_call(-np.abs(log_forward), total_vol)
    value: Floats = np.maximum(-np.expm1(log_forward), 0.0) + time_value
    return value


def exercise_boundary(total_vol: Floats, rate_time: Floats, accuracy: Accuracy = STANDARD) -> Floats:
    """Log of the put's exercise boundary over the strike, ``[nodes, n]``, from now (row 0) towards expiry.

    Row j has z_j^2 of the time left, z_j = (1 + cos(pi j / nodes)) / 2; at expiry the boundary is the strike. Rates
    are positive.
    """
    z, sine, cosine, weight, matrix = _boundary_rule(accuracy)
    v = total_vol * z[:, None]
    rho = 2.0 * rate_time / total_vol**2
    floor = -np.log1p((np.sqrt(0.25 + rho) + 0.5) / rho)
    b: Floats = np.maximum(floor, -v * np.sqrt(2.0 * np.log1p(NEAR_EXPIRY / (rate_time * z[:, None] ** 2))))
    left = z**2 * cosine[:, None] ** 2
    earned = rate_time * np.exp(rate_time * left[..., None]) * (2.0 * weight * sine * cosine)[:, None, None]
    earned = earned * (z**2)[:, None]
    root = v * sine[:, None, None]
    for _ in range(accuracy.iterations):
        later = -np.sqrt(np.maximum(_interpolate(matrix, b * b), 0.0)).reshape(root.shape)
        plus = (b - later) / root + 0.5 * root
        ahead = b / v + 0.5 * v
        top = _density(ahead - v) / v + _sum(earned * _density(plus - root) / root)
        density = _density(plus) / root
        bottom = _density(ahead) / v + ndtr(ahead) + _sum(earned * (ndtr(plus) + density))
        b = np.log(top / bottom)
    return b


def put_premium(
    log_forward: Floats, total_vol: Floats, rate_time: Floats, boundary: Floats, accuracy: Accuracy = STANDARD
) -> Floats:
    """What early exercise adds to the European put, in units of the strike, ``[n]``; above the boundary only."""
    sine, cosine, weight, matrix = _premium_rule(accuracy)
    later = -np.sqrt(np.maximum(_interpolate(matrix, boundary * boundary), 0.0))
    root = total_vol * sine[:, None]
    plus = (log_forward - later) / root + 0.5 * root
    flow = ndtr(root - plus) - np.exp(log_forward) * ndtr(-plus)
    discount = np.exp(-rate_time * (sine**2)[:, None]) * (2.0 * weight * sine * cosine)[:, None]
    premium: Floats = rate_time * _sum(discount * flow)
    return premium


def _density(x: Floats) -> Floats:
    value: Floats = np.exp(-0.5 * x * x) / SQRT_2PI
    return value


def _sum(terms: Floats) -> Floats:
    """Sum over the first axis, one row after the other, so that a contract's sum does not depend on its batch."""
    total: Floats = terms[0].copy()
    for row in terms[1:]:
        total += row
    return total


def _interpolate(matrix: Floats, values: Floats) -> Floats:
    """``matrix @ values`` without BLAS, whose order of summation depends on the width of the batch."""
    total: Floats = matrix[:, :1] * values[0]
    for column, row in zip(matrix.T[1:], values[1:], strict=True):
        total += column[:, None] * row
    return total


def _angles(count: int, power: int = 1) -> tuple[Floats, Floats, Floats]:
    """Sine, cosine and weight of Gauss-Legendre points of u, for angles pi/2 u^power in (0, pi/2)."""
    x, weight = np.polynomial.legendre.leggauss(count)
    u = 0.5 * (1.0 + x)
    theta = 0.5 * np.pi * u**power
    return np.sin(theta), np.cos(theta), 0.25 * np.pi * power * u ** (power - 1) * weight


def _nodes(count: int) -> Floats:
    nodes: Floats = 0.5 * (1.0 + np.cos(np.pi * np.arange(count) / count))
    return nodes


@lru_cache(maxsize=8)
def _boundary_rule(accuracy: Accuracy) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Nodes; sine, cosine and weight of the angles; interpolation matrix ``[angles * nodes, nodes]``."""
    z = _nodes(accuracy.nodes)
    sine, cosine, weight = _angles(accuracy.angles)
    return z, sine, cosine, weight, _lagrange(z, (cosine[:, None] * z).ravel())


@lru_cache(maxsize=8)
def _premium_rule(accuracy: Accuracy) -> tuple[Floats, Floats, Floats, Floats]:
    sine, cosine, weight = _angles(accuracy.premium_angles, power=2)
    return sine, cosine, weight, _lagrange(_nodes(accuracy.nodes), cosine)


def _lagrange(z: Floats, at: Floats) -> Floats:
    """Barycentric matrix from values at the nodes z, and zero at z = 0, to values ``at``, ``[at, nodes]``."""
    nodes = np.append(z, 0.0)
    sign = (-1.0) ** np.arange(len(nodes))
    sign[[0, -1]] *= 0.5
    distance = at[:, None] - nodes
    hit = np.abs(distance) < 1e-15
    terms = sign / np.where(hit, 1.0, distance)
    matrix = terms / terms.sum(axis=1, keepdims=True)
    exact = hit.any(axis=1)
    matrix[exact] = hit[exact].astype(np.float64)
    columns: Floats = np.ascontiguousarray(matrix[:, :-1])
    return columns
