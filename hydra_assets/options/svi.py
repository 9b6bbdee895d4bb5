"""One expiry's smile as a five-parameter raw SVI slice, fitted to many slices at once by variable projection.

Total variance at log-moneyness k = ln(K/F):

    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + sigma^2))                                      (1)

With y = (k - m)/sigma and s = sqrt(y^2 + 1) it is linear in a, u = b sigma (1 + rho) and v = b sigma (1 - rho):

    w = a + u (s + y)/2 + v (s - y)/2,  0 <= u, v <= 2 sigma,  a + sqrt(u v) > 0                (2)

The bounds are b >= 0, |rho| <= 1, Lee's slopes b (1 + |rho|) <= 2, and w > 0. For every (m, sigma) that is tried,
(a, u, v) is the exact solution of the weighted linear problem on the box of (u, v), by its edges where the free one
lies outside; only the last bound, which binds next to never, is imposed by lifting a. The fit runs in units of the
slice's root mean total variance, from several starts.

Unlike SSVI, (1) may have a butterfly arbitrage. A slice whose Durrleman g falls below -1e-6 is dropped, not patched.
Sources: S. De Marco and C. Martini, "Quasi-explicit calibration of Gatheral's SVI model", Zeliade (2009); J. Gatheral
and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014), section 3.
"""

from dataclasses import dataclass, replace

import numpy as np

from hydra_assets.options import ssvi
from hydra_assets.options.black76 import Floats
from hydra_assets.options.observations import Observations, observations
from hydra_assets.options.robust import (
    Limits,
    Window,
    column_sum,
    fit_robustly,
    minimise,
    weights,
)
from hydra_assets.options.slices import CHUNK_SLICES, Bools, Fit, Index, SliceQuotes, VarianceSmile

MAX_ITERATIONS = 60
MIN_QUOTES = 10
MAX_BUTTERFLY = 1e-6
MIN_VARIANCE = 1e-4
"""Least total variance anywhere, as a share of the slice's mean."""
SLOPE_LIMIT = 2.0
ROUGH_ITERATIONS = 8
STARTS = ((-0.8, 0.4), (0.0, 1.2), (0.8, 0.4))
"""(m, sigma) in units of the slice's scale, beside that of the SSVI fit."""
MIN_WIDTH_SPACINGS = 0.25
"""Least sigma, in mean distances of strikes: a kink between two strikes is a spike of density that no quote saw."""
MAX_OUTSIDE = 0.5
"""How far m may lie outside the strikes, in units of the slice's scale: a bend far outside, that no quote saw, is where
wings go wrong."""
_CLEAR_OF_ZERO = 0.05
RANGE = 20.0
"""Standard deviations either side that are searched for arbitrage: as far as densities are integrated."""
_COARSE = np.concatenate([np.linspace(-8.0, 8.0, 97), np.linspace(8.25, RANGE, 48), np.linspace(-RANGE, -8.25, 48)])
_FINE = np.concatenate([np.linspace(-8.0, 8.0, 2001), np.linspace(8.05, RANGE, 240), np.linspace(-RANGE, -8.05, 240)])
_BENDS = np.sinh(np.linspace(-4.5, 4.5, 64))
_ZOOM = np.linspace(-1.0, 1.0, 9)
_ZOOM_WIDTH = 0.25


@dataclass(frozen=True, slots=True)
class Svi(VarianceSmile):
    """Slice parameters of equation (1), ``[n]`` each; NaN where a slice has none."""

    a: Floats
    b: Floats
    rho: Floats
    m: Floats
    sigma: Floats

    def __len__(self) -> int:
        """Count of slices."""
        return len(self.a)

    def take(self, index: Index) -> "Svi":
        """Some of the slices."""
        return Svi(self.a[index], self.b[index], self.rho[index], self.m[index], self.sigma[index])

    def variance_and_derivatives(self, k: Floats) -> tuple[Floats, Floats, Floats]:
        """Return w, dw/dk and d2w/dk2 of equation (1), ``[n, m]``."""
        a, b, rho, m, sigma = (values[:, None] for values in (self.a, self.b, self.rho, self.m, self.sigma))
        x = k - m
        square = x * x + sigma * sigma
        root = np.sqrt(square)
        return a + b * (rho * x + root), b * (rho + x / root), b * sigma * sigma / (square * root)


@dataclass(frozen=True, slots=True)
class JumpWings:
    """The slice in traders' terms, ``[n]`` each; Gatheral and Jacquier, definition 3.3."""

    v: Floats
    """At-the-money variance a year."""
    psi: Floats
    """At-the-money skew: slope of total volatility in k."""
    p: Floats
    """Slope of the left wing."""
    c: Floats
    """Slope of the right wing."""
    v_tilde: Floats
    """Least variance a year."""


@dataclass(frozen=True, slots=True)
class SviFit(Fit[Svi]):
    """A batch of fits, with the least Durrleman g and the k where it is, ``[n]``; NaN where no fit was tried."""

    min_g: Floats
    min_g_at: Floats


def jump_wings(slices: Svi, years: Floats) -> JumpWings:
    """Convert, with the time to expiry in years, ``[n]``."""
    a, b, rho, m, sigma = slices.a, slices.b, slices.rho, slices.m, slices.sigma
    root = np.sqrt(m * m + sigma * sigma)
    w = a + b * (root - rho * m)
    total = np.sqrt(w)
    least = a + b * sigma * np.sqrt(1.0 - rho * rho)
    return JumpWings(
        w / years, 0.5 * b * (rho - m / root) / total, b * (1.0 - rho) / total, b * (1.0 + rho) / total, least / years
    )


def min_g(slices: Svi) -> tuple[Floats, Floats]:
    """Return the least Durrleman g within twenty standard deviations, and where, ``[n]``.

    A grid over the range and another that is dense where the smile bends, then zooms into the lowest point; slices that
    come near zero also get 2,001 points within eight standard deviations, and 480 beyond.
    """
    least, where = np.full(len(slices), np.nan), np.full(len(slices), np.nan)
    for first in range(0, len(slices), CHUNK_SLICES):
        rows = slice(first, first + CHUNK_SLICES)
        part = slices.take(rows)
        unit = np.sqrt(part.total_variance(np.zeros((len(part), 1))))
        bends = np.clip(part.m[:, None] + part.sigma[:, None] * _BENDS, -RANGE * unit, RANGE * unit)
        low, at = _least(part, np.concatenate([_COARSE * unit, bends], axis=1))
        near = np.flatnonzero(low < _CLEAR_OF_ZERO)
        if len(near):
            fine, fine_at = _least(part.take(near), _FINE * unit[near])
            at[near] = np.where(fine < low[near], fine_at, at[near])
            low[near] = np.minimum(fine, low[near])
        width = _ZOOM_WIDTH * unit
        for _ in range(6):
            grid = np.clip(at[:, None] + width * _ZOOM, -RANGE * unit, RANGE * unit)
            zoomed, zoomed_at = _least(part, grid)
            at = np.where(zoomed < low, zoomed_at, at)
            low = np.minimum(zoomed, low)
            width = width * 0.25
        least[rows], where[rows] = low, at
    return least, where


def fit(quotes: SliceQuotes, max_iterations: int = MAX_ITERATIONS, near: ssvi.Ssvi | None = None) -> SviFit:
    """Fit every slice of a batch that has ten quotes or more; ``near`` is its SSVI fit if that is at hand."""
    data = observations(quotes)
    tried = data.count >= MIN_QUOTES
    if near is None:
        near = ssvi.fit_slices(quotes).slices
    unit = replace(
        data,
        k=data.k / data.scale[:, None],
        w=data.w / (data.scale * data.scale)[:, None],
        inverse=data.inverse * (data.scale * data.scale)[:, None],
        constants=data.scale[None, :],
    )
    limits = _limits(unit)
    raw = fit_robustly(_model, unit, _best_start(unit, near, limits), limits, max_iterations)[0]
    slices = _slices(raw, data.scale)
    tried &= np.isfinite(raw).all(axis=0)
    least, where = np.full(len(quotes), np.nan), np.full(len(quotes), np.nan)
    least[tried], where[tried] = min_g(slices.take(tried))
    with np.errstate(invalid="ignore"):
        fitted = tried & (least >= -MAX_BUTTERFLY)
    kept = Svi(*(np.where(fitted, getattr(slices, name), np.nan) for name in ("a", "b", "rho", "m", "sigma")))
    residual = np.where(data.used & fitted[:, None], (kept.total_variance(data.k) - data.w) * data.inverse, 0.0)
    return SviFit(kept, residual, fitted, least, where)


def _least(slices: Svi, k: Floats) -> tuple[Floats, Floats]:
    g = slices.durrleman(k)
    place = np.argmin(g, axis=1)
    here = np.arange(len(slices))
    return g[here, place], k[here, place]


def _limits(data: Observations) -> Limits:
    """Box of (a, u, v, m, ln sigma), ``[5, n]``, in units of the slice's scale; (a, u, v) are bounded by the model."""
    low, high = (np.where(data.used, data.k, fill) for fill in (np.inf, -np.inf))
    n = len(data.k)
    first, last = np.zeros(n), np.zeros(n)
    if data.k.shape[1]:
        some = data.count > 0
        first, last = np.where(some, low.min(axis=1), 0.0), np.where(some, high.max(axis=1), 0.0)
    width = np.maximum(MIN_WIDTH_SPACINGS * (last - first) / np.maximum(data.count - 1.0, 1.0), 0.02)
    wide = np.full((3, n), 1e6)
    return Limits(
        np.concatenate([-wide, (first - MAX_OUTSIDE)[None], np.log(width)[None]]),
        np.concatenate([wide, (last + MAX_OUTSIDE)[None], np.full((1, n), np.log(20.0))]),
    )


def _best_start(data: Observations, near: ssvi.Ssvi, limits: Limits) -> Floats:
    """Iterate every start a little and keep the best, ``[5, n]``."""
    n = len(data.k)
    count = len(STARTS) + 1
    start = np.zeros((5, n, count))
    # SSVI is raw SVI with m = -rho/phi and sigma = sqrt(1 - rho^2)/phi.
    with np.errstate(all="ignore"):
        m = -near.rho / near.phi / data.scale
        width = np.log(np.sqrt(1.0 - near.rho**2) / near.phi / data.scale)
    sound = np.isfinite(m) & np.isfinite(width)
    start[3, :, 0], start[4, :, 0] = np.where(sound, m, 0.0), np.where(sound, width, 0.0)
    for i, (m_i, sigma_i) in enumerate(STARTS):
        start[3, :, i + 1], start[4, :, i + 1] = m_i, np.log(sigma_i)
    start = np.minimum(np.maximum(start, limits.lower[:, :, None]), limits.upper[:, :, None])
    rows = np.repeat(np.arange(n), count)
    box = Limits(limits.lower[:, rows], limits.upper[:, rows])
    raw, loss = minimise(_model, data, start.reshape(5, n * count), box, None, rows, ROUGH_ITERATIONS, tolerance=1e-3)
    best = np.argmin(loss.reshape(n, count), axis=1)
    return np.ascontiguousarray(raw.reshape(5, n, count)[:, np.arange(n), best])


def _slices(raw: Floats, scale: Floats) -> Svi:
    a, u, v, m, log_sigma = raw
    sigma = np.exp(log_sigma)
    both = u + v
    with np.errstate(invalid="ignore", divide="ignore"):
        rho = np.where(both > 0.0, (u - v) / both, 0.0)
    return Svi(a * scale * scale, 0.5 * both / sigma * scale, rho, m * scale, sigma * scale)


def _model(raw: Floats, window: Window) -> tuple[Floats, Floats]:
    """Residuals ``[m, n]`` and derivatives ``[5, m, n]`` by (a, u, v, m, ln sigma), with (a, u, v) solved in place."""
    sigma = np.exp(raw[4])
    y = (window.k - raw[3]) / sigma
    s = np.sqrt(y * y + 1.0)
    jacobian = np.empty((5, *y.shape))
    jacobian[0] = window.inverse
    half = 0.5 * window.inverse
    np.multiply(s + y, half, out=jacobian[1])
    np.multiply(s - y, half, out=jacobian[2])
    target = window.w * window.inverse
    residual = raw[0] * jacobian[0] + raw[1] * jacobian[1] + raw[2] * jacobian[2] - target
    bound = SLOPE_LIMIT * sigma / window.constants[0]
    raw[:3], held = _linear(jacobian[:3], target, weights(np.abs(residual), window.cut), bound, raw[:3])
    residual = raw[0] * jacobian[0] + raw[1] * jacobian[1] + raw[2] * jacobian[2] - target
    by_y = (raw[1] * jacobian[1] - raw[2] * jacobian[2]) / s
    np.multiply(by_y, -1.0 / sigma, out=jacobian[3])
    np.multiply(by_y, -y, out=jacobian[4])
    if held.any():
        jacobian[:3] *= ~held[:, None, :]
    return residual, jacobian


def _linear(columns: Floats, target: Floats, weight: Floats, bound: Floats, old: Floats) -> tuple[Floats, Bools]:
    """Solve min |W^(1/2) (a A + u P + v Q - T)| on 0 <= u, v <= bound exactly; return (a, u, v) and which are held."""
    base, p, q = columns
    by_base, by_p, by_q = weight * base, weight * p, weight * q
    total = column_sum(by_base * base)
    alive = total > 0.0
    total = np.where(alive, total, 1.0)
    mean_p, mean_q = column_sum(by_base * p) / total, column_sum(by_base * q) / total
    mean_t = column_sum(by_base * target) / total
    pp = column_sum(by_p * p) - total * mean_p * mean_p
    qq = column_sum(by_q * q) - total * mean_q * mean_q
    pq = column_sum(by_p * q) - total * mean_p * mean_q
    pt = column_sum(by_p * target) - total * mean_p * mean_t
    qt = column_sum(by_q * target) - total * mean_q * mean_t
    pp, qq = np.maximum(pp, 1e-100), np.maximum(qq, 1e-100)
    determinant = np.maximum(pp * qq - pq * pq, 1e-15 * pp * qq)
    u, v = (qq * pt - pq * qt) / determinant, (pp * qt - pq * pt) / determinant
    outside = (u < 0.0) | (v < 0.0) | (u > bound) | (v > bound)
    if outside.any():
        lowest = np.full(len(u), np.inf)
        zero = np.zeros(len(u))
        for edge in (zero, bound):
            for u_edge, v_edge in (
                (edge, np.minimum(np.maximum((qt - pq * edge) / qq, 0.0), bound)),
                (np.minimum(np.maximum((pt - pq * edge) / pp, 0.0), bound), edge),
            ):
                value = u_edge * (0.5 * pp * u_edge + pq * v_edge - pt) + v_edge * (0.5 * qq * v_edge - qt)
                lower = outside & (value < lowest)
                u, v = np.where(lower, u_edge, u), np.where(lower, v_edge, v)
                lowest = np.where(lower, value, lowest)
    a = mean_t - u * mean_p - v * mean_q
    floor = MIN_VARIANCE - np.sqrt(np.maximum(u * v, 0.0))
    held = np.stack([a < floor, (u <= 0.0) | (u >= bound), (v <= 0.0) | (v >= bound)])
    return np.where(alive, np.stack([np.maximum(a, floor), u, v]), old), held
