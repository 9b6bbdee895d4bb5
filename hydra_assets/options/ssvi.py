"""One expiry's smile as a three-parameter SSVI slice, fitted to many slices at once.

Total variance at log-moneyness k = ln(K/F):

    w(k) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2))                          (1)

theta is the at-the-money total variance, rho the asymmetry, phi the curvature. No butterfly arbitrage exists when

    phi <= min(4 / (theta (1 + |rho|)), 2 / sqrt(theta (1 + |rho|)))                             (2)

which the parametrisation theta = e^a, rho = tanh b, phi = cap(theta, rho) / (1 + e^-c) builds in, so that every iterate
is arbitrage-free. While theta (1 + |rho|) < 4, phi sqrt(theta) depends on (b, c) alone: the shape of a smile, whatever
its level, which is what a thin slice borrows from its prior. Source: J. Gatheral and A. Jacquier, "Arbitrage-free SVI
volatility surfaces", Quantitative Finance 14 (2014), theorem 4.2 and section 5.
"""

from dataclasses import dataclass

import numpy as np

from hydra_assets.options.black76 import Floats
from hydra_assets.options.observations import Observations, observations
from hydra_assets.options.robust import (
    Limits,
    Window,
    column_sum,
    fit_robustly,
)
from hydra_assets.options.slices import Bools, Fit, Index, SliceQuotes, VarianceSmile, row_sum

MAX_ITERATIONS = 60
MIN_QUOTES = 5
MIN_QUOTES_WITH_PRIOR = 2
NEAR_MONEY_DEVIATIONS = 0.5
_LOWER, _UPPER = np.array([[-20.0], [-4.0], [-12.0]]), np.array([[5.0], [4.0], [12.0]])


@dataclass(frozen=True, slots=True)
class Ssvi(VarianceSmile):
    """Slice parameters, ``[n]`` each; NaN where a slice has none."""

    theta: Floats
    rho: Floats
    phi: Floats

    def __len__(self) -> int:
        """Count of slices."""
        return len(self.theta)

    def take(self, index: Index) -> "Ssvi":
        """Some of the slices."""
        return Ssvi(self.theta[index], self.rho[index], self.phi[index])

    def variance_and_derivatives(self, k: Floats) -> tuple[Floats, Floats, Floats]:
        """Return w, dw/dk and d2w/dk2 of equation (1), ``[n, m]``."""
        theta, rho, phi = self.theta[:, None], self.rho[:, None], self.phi[:, None]
        u = phi * k + rho
        root = np.sqrt(u * u + 1.0 - rho * rho)
        w = 0.5 * theta * (1.0 + rho * phi * k + root)
        first = 0.5 * theta * phi * (rho + u / root)
        second = 0.5 * theta * phi * phi * (1.0 - rho * rho) / root**3
        return w, first, second


def phi_cap(theta: Floats, rho: Floats) -> Floats:
    """Return the largest phi without butterfly arbitrage, condition (2)."""
    spread = theta * (1.0 + np.abs(rho))
    cap: Floats = np.minimum(4.0 / spread, 2.0 / np.sqrt(spread))
    return cap


def fit_slices(quotes: SliceQuotes, start: Ssvi | None = None, max_iterations: int = MAX_ITERATIONS) -> Fit[Ssvi]:
    """Fit every slice of a batch that has five quotes or more.

    ``start`` holds earlier fits of nearby quotes (a bootstrap's, yesterday's); where it is NaN the slice is not fitted.
    """
    data = observations(quotes)
    enough = data.count >= MIN_QUOTES
    raw = _start(data) if start is None else raw_of(start)
    enough &= np.isfinite(raw).all(axis=0)
    found, _ = fit_robustly(
        _model, data, _sound(raw, enough), Limits(_LOWER, _UPPER), max_iterations, start is not None
    )
    return result(data, found, enough)


def fit_with_prior(
    quotes: SliceQuotes, prior: Ssvi, strength: Floats, max_iterations: int = MAX_ITERATIONS
) -> Fit[Ssvi]:
    """Fit thin slices (two quotes or more) with a pull of their shape towards a neighbour's or yesterday's.

    The loss, in squared half-spreads, gains strength/2 ((atanh rho - its prior)^2 + (logit(phi/cap) - its prior)^2):
    the level is free, the shape (rho, phi sqrt(theta)) is the prior's until quotes say otherwise. ``strength`` is
    ``[n]``; about 1 / variance of the shape between neighbours.
    """
    data = observations(quotes)
    raw = raw_of(prior)
    enough = (data.count >= MIN_QUOTES_WITH_PRIOR) & np.isfinite(raw).all(axis=0) & np.isfinite(strength)
    centre = _sound(raw, enough)
    begin = centre.copy()
    begin[0] = np.where(enough, np.log(np.maximum(data.scale**2, 1e-8)), 0.0)
    pull = np.where(enough, strength, 0.0)
    limits = Limits(_LOWER, _UPPER, centre, np.stack([np.zeros_like(pull), pull, pull]))
    found, _ = fit_robustly(_model, data, begin, limits, max_iterations)
    return result(data, found, enough)


def atm_only(quotes: SliceQuotes, prior: Ssvi | None = None) -> Fit[Ssvi]:
    """Level from the quotes within half a standard deviation of the money, shape of the prior (flat without one).

    theta is the mean over those quotes of w over the prior's shape w(k)/theta, weighted by 1/half_spread^2; the shape
    keeps rho and phi sqrt(theta), held to condition (2). Residuals are of all quotes used.
    """
    data = observations(quotes)
    # The standard deviation is that of the quote nearest the money, not of a mean that far strikes may dominate.
    distance = np.where(data.used, np.abs(data.k), np.inf)
    nearest = np.argmin(distance, axis=1) if distance.shape[1] else np.zeros(len(quotes), dtype=np.intp)
    here = np.arange(len(quotes))
    any_quote = data.count > 0
    level = np.where(any_quote, data.w[here, nearest] if distance.shape[1] else 0.0, np.nan)
    near = data.used & (np.abs(data.k) <= NEAR_MONEY_DEVIATIONS * np.sqrt(level)[:, None])
    has_prior = np.zeros(len(quotes), dtype=np.bool_) if prior is None else np.isfinite(raw_of(prior)).all(axis=0)
    flat = np.full(len(quotes), 1e-9)
    rho, unit = np.zeros(len(quotes)), flat
    if prior is not None:
        rho = np.where(has_prior, prior.rho, 0.0)
        unit = np.where(has_prior, prior.phi * np.sqrt(prior.theta), flat)
    shape = Ssvi(level, rho, np.minimum(unit / np.sqrt(level), phi_cap(level, rho)))
    ratio = shape.total_variance(data.k) / level[:, None]
    weight = np.where(near, (data.inverse * ratio) ** 2, 0.0)
    heavy = row_sum(weight)
    fitted = any_quote & (heavy > 0.0)
    ratio_w = np.where(near, data.w / ratio, 0.0)
    theta = np.where(fitted, row_sum(weight * ratio_w) / np.where(fitted, heavy, 1.0), np.nan)
    phi = np.minimum(unit / np.sqrt(theta), phi_cap(theta, rho))
    slices = Ssvi(theta, np.where(fitted, rho, np.nan), phi)
    return Fit(slices, _residual(data, slices, fitted), fitted)


def raw_of(slices: Ssvi) -> Floats:
    """Return (a, b, c), ``[3, n]``, of equation (2)'s parametrisation."""
    # Contiguous: NumPy's logarithm of a strided array may end in another last bit.
    theta, rho, phi = (np.ascontiguousarray(values) for values in (slices.theta, slices.rho, slices.phi))
    with np.errstate(all="ignore"):
        share = phi / phi_cap(theta, rho)
        raw = np.stack([np.log(theta), np.arctanh(rho), np.log(share / (1.0 - share))])
    # A smile at its cap, or flat, has no finite c; its neighbour inside the box is the same to the eye.
    raw[2] = np.where(np.isnan(share), np.nan, np.where(share >= 1.0, _UPPER[2, 0], raw[2]))
    boxed: Floats = np.minimum(np.maximum(raw, _LOWER), _UPPER)
    return boxed


def slices_of(raw: Floats) -> Ssvi:
    """Return the slices of (a, b, c), ``[3, n]``."""
    theta, rho = np.exp(raw[0]), np.tanh(raw[1])
    return Ssvi(theta, rho, phi_cap(theta, rho) / (1.0 + np.exp(-raw[2])))


def result(data: Observations, raw: Floats, fitted: Bools) -> Fit[Ssvi]:
    """Return the fit of raw parameters, NaN where it does not stand."""
    slices = slices_of(np.where(fitted, raw, np.nan))
    return Fit(slices, _residual(data, slices, fitted), fitted)


def _residual(data: Observations, slices: Ssvi, fitted: Bools) -> Floats:
    w = slices.total_variance(data.k)
    residual: Floats = np.where(data.used & fitted[:, None], (w - data.w) * data.inverse, 0.0)
    return residual


def _sound(raw: Floats, enough: Bools) -> Floats:
    sound: Floats = np.where(enough, raw, 0.0)
    return sound


def _start(data: Observations) -> Floats:
    """Start ``[3, n]``: level, slope and curvature at the money of a parabola through the nearer quotes.

    w(0) = theta, w'(0) = theta phi rho, w''(0) = theta phi^2 (1 - rho^2) / 2 are solved for the parameters.
    """
    z = np.ascontiguousarray((data.k / data.scale[:, None]).T)
    w = np.ascontiguousarray(data.w.T) / (data.scale * data.scale)
    weight = np.ascontiguousarray(data.used.T) / (1.0 + z * z) ** 2
    power, moment, cross = weight, [], []
    for degree in range(5):
        moment.append(column_sum(power))
        if degree < 3:
            cross.append(column_sum(power * w))
        power = power * z
    # The curvature is held by a little ridge: three quotes on one side say nothing of it.
    normal = np.array([[moment[a + b] for b in range(3)] for a in range(3)])
    normal[2, 2] = normal[2, 2] * 1.001 + 1e-3
    normal[1, 1] = normal[1, 1] * 1.001 + 1e-3
    level, slope, half_curvature = _solve3(normal, np.array(cross))
    level = np.maximum(level, 0.2)
    tilt = slope / level
    curvature = np.maximum(4.0 * half_curvature / level, 0.05)
    phi = np.sqrt(curvature + tilt * tilt)
    rho = np.minimum(np.maximum(tilt / phi, -0.9), 0.9)
    theta = level * data.scale * data.scale
    share = np.minimum(np.maximum(phi / data.scale / phi_cap(theta, rho), 0.02), 0.95)
    start: Floats = np.stack([np.log(theta), np.arctanh(rho), np.log(share / (1.0 - share))])
    return start


def _solve3(normal: Floats, right: Floats) -> Floats:
    """Solve 3 x 3 symmetric systems, ``[3, 3, n]`` and ``[3, n]``, by Cramer's rule."""
    (a, b, c), (_, d, e), (_, _, f) = normal
    c00, c01, c02 = d * f - e * e, c * e - b * f, b * e - c * d
    c11, c12, c22 = a * f - c * c, b * c - a * e, a * d - b * b
    determinant = np.maximum(a * c00 + b * c01 + c * c02, 1e-300)
    x, y, z = right
    solution: Floats = np.stack([c00 * x + c01 * y + c02 * z, c01 * x + c11 * y + c12 * z, c02 * x + c12 * y + c22 * z])
    solution /= determinant
    return solution


def _model(raw: Floats, window: Window) -> tuple[Floats, Floats]:
    """Residuals ``[m, n]`` in half-spreads and their derivatives ``[3, m, n]`` by (a, b, c)."""
    slices = slices_of(raw)
    theta, rho, phi = slices.theta, slices.rho, slices.phi
    one_minus = 1.0 - rho * rho
    size = np.abs(rho)
    # ln cap is -ln spread where the first bound binds and -ln(spread)/2 where the second does.
    exponent = np.where(theta * (1.0 + size) >= 4.0, -1.0, -0.5)
    v = phi * window.k
    u = v + rho
    root = u * u
    root += one_minus
    np.sqrt(root, out=root)
    half = (0.5 * theta) * window.inverse
    v *= half
    # Over the half-spread: w = half (1 + root) + rho v, phi dw/dphi = v (rho + u/root), dw/drho = v (1 + 1/root).
    inverse_root = 1.0 / root
    root += 1.0
    root *= half
    w = root
    w += rho * v
    u *= inverse_root
    u += rho
    by_phi = np.multiply(u, v, out=u)
    jacobian = np.empty((3, *v.shape))
    np.multiply(by_phi, exponent, out=jacobian[0])
    np.multiply(jacobian[0], np.sign(rho) * (1.0 - size), out=jacobian[1])
    jacobian[0] += w
    inverse_root += 1.0
    inverse_root *= v
    inverse_root *= one_minus
    jacobian[1] += inverse_root
    np.multiply(by_phi, 1.0 / (1.0 + np.exp(raw[2])), out=jacobian[2])
    w -= window.w * window.inverse
    return w, jacobian
