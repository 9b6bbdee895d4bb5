"""One expiry's density as a mixture of two lognormals with mean F, fitted to many slices at once.

The components i = 1, 2 have weights p and 1 - p, means F m_i and standard deviations s_i of the log:

    p m_1 + (1 - p) m_2 = 1                                                                       (1)
    C(k) = sum p_i (m_i N(d_i + s_i) - e^k N(d_i)),  d_i = (ln m_i - k)/s_i - s_i/2               (2)

Any p in (0, 1), d = ln(m_1/m_2) and s_i > 0 make a density that is positive, has mass one and mean F, with m_2 = 1 / (p
e^d + 1 - p); those four are what is fitted, so every iterate is free of arbitrage. It can have two humps, before an
announcement, which no SVI slice can.

Residuals are of call prices (by (1) the same as of puts) over vega times half-spread: those of total variance to first
order. Reported residuals are those of total variance itself.

No quote sees what lies between two strikes: a component much narrower than their distance fits the noise of one quote
with a spike of density. Widths are at least half the mean distance of strikes, and at least a fifth of the slice's own.
Source of the model: W. Melick and C. Thomas, J. Financial and Quantitative Analysis 32 (1997).
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from hydra_assets.options.black76 import SQRT_2PI, Floats, normalised_call, normalised_vega
from hydra_assets.options.implied_vol import solve_normalised
from hydra_assets.options.observations import Observations, observations
from hydra_assets.options.robust import Limits, Window, fit_robustly, minimise
from hydra_assets.options.slices import Fit, Index, SliceQuotes, row_sum

MAX_ITERATIONS = 40
MIN_QUOTES = 6
ROUGH_ITERATIONS = 6
MIN_WIDTH = 0.2
MIN_WIDTH_SPACINGS = 0.5
LEAST_VEGA = 1e-10
"""Of F, to total volatility; a quote with less has no price that a difference of calls could tell from zero."""
MAX_WIDTH = 4.0
MAX_DISTANCE = 5.0
MAX_LOGIT = 4.0
TOLERANCE = 1e-5
"""Looser than the other models': along the valley of equivalent mixtures a step gains less than any noise."""
STARTS = ((0.3, 0.8, 1.3, 0.8), (0.4, 1.5, 0.6, 0.6))
"""(p, |ln m_1/m_2|, s_1, s_2) in units of the slice's scale: one skewed hump, and two. The first component lies on the
dearer side of the smile. More starts end in the same optimum on all but one in some hundred slices."""


@dataclass(frozen=True, slots=True)
class LognormalMixture:
    """Slice parameters, ``[n]`` each; NaN where a slice has none.

    ``weight`` is p of the first component, ``mean_ratio_1`` and ``mean_ratio_2`` the m_i, ``s1`` and ``s2`` total
    standard deviations of the log.
    """

    weight: Floats
    mean_ratio_1: Floats
    mean_ratio_2: Floats
    s1: Floats
    s2: Floats

    def __len__(self) -> int:
        """Count of slices."""
        return len(self.weight)

    def take(self, index: Index) -> "LognormalMixture":
        """Some of the slices."""
        return LognormalMixture(*(getattr(self, name)[index] for name in LognormalMixture.__slots__))

    def density(self, k: Floats) -> Floats:
        """Density of ln(S_T/F) at k."""
        total = np.zeros(k.shape)
        for p, m, s in self._components():
            z = (k - np.log(m)) / s + 0.5 * s
            total += p / (SQRT_2PI * s) * np.exp(-0.5 * z * z)
        return total

    def distribution(self, k: Floats) -> Floats:
        """P(ln(S_T/F) <= k)."""
        total = np.zeros(k.shape)
        for p, m, s in self._components():
            total += p * ndtr((k - np.log(m)) / s + 0.5 * s)
        return total

    def call(self, k: Floats) -> Floats:
        """Undiscounted call struck at F e^k, over F."""
        value: Floats = np.maximum(-np.expm1(k), 0.0) + self.out_of_the_money(k)
        return value

    def out_of_the_money(self, k: Floats) -> Floats:
        """Undiscounted out-of-the-money option over F: the call at k >= 0, the put below; accurate far out."""
        total = np.zeros(k.shape)
        strike, sign = np.exp(k), np.where(k >= 0.0, 1.0, -1.0)
        for p, m, s in self._components():
            x = k - np.log(m)
            total += p * np.sqrt(m * strike) * normalised_call(-np.abs(x), s)
            # A component's mean beyond the strike makes its option one in the money.
            total += p * np.maximum(sign * (m - strike), 0.0)
        return total

    def total_variance(self, k: Floats) -> Floats:
        """Black-76 implied total variance at k; where a price underflows, the limit: the wider component's s^2."""
        beta = self.out_of_the_money(k) * np.exp(-0.5 * k)
        x = -np.abs(k)
        with np.errstate(invalid="ignore"):
            sound = (beta > 1e-290) & (beta < np.exp(0.5 * x))
        widest = np.maximum(self.s1, self.s2)[:, None] ** 2
        w: Floats = np.where(np.isnan(beta), np.nan, np.broadcast_to(widest, k.shape))
        if sound.any():
            w[sound] = solve_normalised(x[sound], beta[sound]) ** 2
        return w

    def _components(self) -> tuple[tuple[Floats, Floats, Floats], tuple[Floats, Floats, Floats]]:
        p, m1, m2, s1, s2 = (getattr(self, name)[:, None] for name in LognormalMixture.__slots__)
        return (p, m1, s1), (1.0 - p, m2, s2)


def fit(quotes: SliceQuotes, max_iterations: int = MAX_ITERATIONS) -> Fit[LognormalMixture]:
    """Fit every slice of a batch that has six quotes or more."""
    data = observations(quotes)
    enough = data.count >= MIN_QUOTES
    prices = _in_prices(data)
    limits = _limits(data)
    raw = fit_robustly(_model, prices, _best_start(prices, data, limits), limits, max_iterations, tolerance=TOLERANCE)[
        0
    ]
    slices = slices_of(np.where(enough, raw, np.nan), data.scale)
    residual = np.zeros(data.k.shape)
    seen = data.used & enough[:, None]
    w = slices.total_variance(np.where(seen, data.k, 0.0))
    residual[seen] = ((w - data.w) * data.inverse)[seen]
    return Fit(slices, residual, enough)


def slices_of(raw: Floats, scale: Floats) -> LognormalMixture:
    """Return the slices of (logit p, ln(m_1/m_2)/scale, ln(s_1/scale), ln(s_2/scale)), ``[4, n]``."""
    p = 1.0 / (1.0 + np.exp(-raw[0]))
    ratio = np.exp(raw[1] * scale)
    m2 = 1.0 / (p * ratio + (1.0 - p))
    return LognormalMixture(p, ratio * m2, m2, np.exp(raw[2]) * scale, np.exp(raw[3]) * scale)


def _in_prices(data: Observations) -> Observations:
    """Calls over F in place of total variance, one over vega times half-spread in place of one over half-spread."""
    root = np.sqrt(np.where(data.used, data.w, 1.0))
    x = -np.abs(data.k)
    forth = np.exp(0.5 * data.k)
    with np.errstate(all="ignore"):
        call = np.maximum(-np.expm1(data.k), 0.0) + forth * normalised_call(x, root)
        # d price / d w = vega / (2 sqrt w)
        vega = forth * normalised_vega(x, root)
        inverse = data.inverse * 2.0 * root / vega
    usable = data.used & (vega > LEAST_VEGA)
    return replace(
        data,
        w=np.where(usable, call, 0.0),
        inverse=np.where(usable, inverse, 0.0),
        constants=data.scale[None, :],
    )


def _limits(data: Observations) -> Limits:
    """Box of the four raw parameters, ``[4, n]``."""
    n = len(data.k)
    spacing = np.zeros(n)
    if data.k.shape[1]:
        high = np.where(data.used, data.k, -np.inf).max(axis=1)
        low = np.where(data.used, data.k, np.inf).min(axis=1)
        spacing = np.maximum(high - low, 0.0) / np.maximum(data.count - 1.0, 1.0) / data.scale
    width = np.log(np.minimum(np.maximum(MIN_WIDTH_SPACINGS * spacing, MIN_WIDTH), 1.0))
    one = np.ones(n)
    upper = np.stack([MAX_LOGIT * one, MAX_DISTANCE * one, np.log(MAX_WIDTH) * one, np.log(MAX_WIDTH) * one])
    return Limits(np.stack([-upper[0], -upper[1], width, width]), upper)


def _best_start(prices: Observations, data: Observations, limits: Limits) -> Floats:
    """Iterate every start a little and keep the best, ``[4, n]``."""
    n, count = len(data.k), len(STARTS)
    slope = row_sum(data.inverse * data.k * (data.w - (data.scale * data.scale)[:, None]))
    side = np.where(slope > 0.0, 1.0, -1.0)
    start = np.empty((4, n, count))
    for i, (p, distance, s1, s2) in enumerate(STARTS):
        start[0, :, i], start[1, :, i] = np.log(p / (1.0 - p)), side * distance
        start[2, :, i], start[3, :, i] = np.log(s1), np.log(s2)
    start = np.minimum(np.maximum(start, limits.lower[:, :, None]), limits.upper[:, :, None])
    rows = np.repeat(np.arange(n), count)
    box = Limits(limits.lower[:, rows], limits.upper[:, rows])
    raw, loss = minimise(_model, prices, start.reshape(4, -1), box, None, rows, ROUGH_ITERATIONS, tolerance=1e-3)
    best = np.argmin(loss.reshape(n, count), axis=1)
    return np.ascontiguousarray(raw.reshape(4, n, count)[:, np.arange(n), best])


def _model(raw: Floats, window: Window) -> tuple[Floats, Floats]:
    """Residuals ``[m, n]`` of (2) and their derivatives ``[4, m, n]`` by the raw parameters."""
    scale = window.constants[0]
    slices = slices_of(raw, scale)
    p, q = slices.weight, 1.0 - slices.weight
    m1, m2, s1, s2 = slices.mean_ratio_1, slices.mean_ratio_2, slices.s1, slices.s2
    strike = np.exp(window.k)
    jacobian = np.empty((4, *window.k.shape))
    above_1, call_1, vega_1 = _component(window.k, strike, m1, s1)
    above_2, call_2, vega_2 = _component(window.k, strike, m2, s2)
    inverse = window.inverse
    # By (1), dm_i/dp = -m_i (m_1 - m_2), dm_1/dd = q m_1 m_2 and dm_2/dd = -p m_1 m_2.
    gap = m1 - m2
    by_p = call_1 - call_2 - gap * (p * m1 * above_1 + q * m2 * above_2)
    np.multiply(by_p, p * q * inverse, out=jacobian[0])
    np.multiply(above_1 - above_2, (p * q * m1 * m2 * scale) * inverse, out=jacobian[1])
    np.multiply(vega_1, (p * s1) * inverse, out=jacobian[2])
    np.multiply(vega_2, (q * s2) * inverse, out=jacobian[3])
    return (p * call_1 + q * call_2 - window.w) * inverse, jacobian


def _component(k: Floats, strike: Floats, mean: Floats, s: Floats) -> tuple[Floats, Floats, Floats]:
    """Return N(d + s), the call and its derivative by s."""
    d1 = (np.log(mean) - k) / s + 0.5 * s
    above = ndtr(d1)
    call = mean * above - strike * ndtr(d1 - s)
    return above, call, (mean / SQRT_2PI) * np.exp(-0.5 * d1 * d1)
