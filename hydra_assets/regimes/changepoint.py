"""Change-point regimes: Bayesian online detection of the current segment's volatility and drift.

Log returns of a segment are normal with unknown mean and variance under the conjugate prior
mu | s2 ~ N(0, s2 / k0), s2 ~ InvGamma(a0, b0). With hazard 1/expected the probability of the run length r follows

    w_t(r+1) ~ w_{t-1}(r) p(x_t | r) (1 - H),     w_t(0) ~ H sum_r w_{t-1}(r) p(x_t | r),

p the Student-t predictive of the segment's statistics. Source: R. Adams and D. MacKay, "Bayesian online changepoint
detection", arXiv 0710.3742 (2007), alg. 1; the prior of K. Murphy, "Conjugate Bayesian analysis of the Gaussian
distribution" (2007), sec. 3. It is a filter by nature: row t uses rows up to t, and the prior scale the first
``first_sessions`` observations, after which regimes begin.
"""

import numpy as np
import polars as pl
from scipy.special import gammaln, ndtr

from hydra_assets.regimes.frames import Floats, Probabilities, Strings, regime_rows, returns_of
from hydra_assets.regimes.spec import ChangePointSpec, RegimeReason

PRIOR_OBSERVATIONS = 5.0
"""a0 = 5/2: the prior scale weighs as much as a week."""
PRIOR_DRIFT_OBSERVATIONS = 63.0
"""k0: a segment's annual Sharpe ratio has a prior standard deviation of sqrt(252 / 63) = 2."""
TREND_DRIFT = 1.0 / np.sqrt(252.0)
"""Up or down from a drift of annual Sharpe 1 on."""
TERCILE = 0.4307
"""Of the standard normal: log volatilities of the past cut into three of equal size."""


def changepoint_regimes(held: pl.DataFrame, spec: ChangePointSpec | None = None) -> pl.DataFrame:
    """Regime of each session; input, output and errors as in ``switching_regimes``.

    Volatility is stressed (calm) where the segment's lies above (below) mean plus (minus) TERCILE standard deviations
    of the filtered log volatilities before it; the probabilities are those of the run lengths that say so.
    """
    spec = spec or ChangePointSpec()
    ordered, markets = returns_of(held)
    return regime_rows(ordered, [_one_market(r, spec) for r in markets])


def _one_market(r: Floats, spec: ChangePointSpec) -> Probabilities:
    vol, trend = np.full((3, len(r)), np.nan), np.full((3, len(r)), np.nan)
    there = np.isfinite(r)
    reason = _reasons(there, spec.first_sessions)
    seen = np.flatnonzero(there)
    if len(seen) <= spec.first_sessions:
        return Probabilities(vol, trend, reason)
    prior = float(np.mean(np.ascontiguousarray(r[seen[: spec.first_sessions]]) ** 2))
    if prior <= 0.0:
        reason[reason == str(RegimeReason.OK)] = str(RegimeReason.NO_VARIATION)
        return Probabilities(vol, trend, reason)
    vol[:, seen], trend[:, seen] = _segments(r[seen] / np.sqrt(prior), spec)
    late = reason == str(RegimeReason.OK)
    return Probabilities(np.where(late, vol, np.nan), np.where(late, trend, np.nan), reason)


def _reasons(there: np.ndarray[tuple[int], np.dtype[np.bool_]], first: int) -> Strings:
    before = np.concatenate([[0], np.cumsum(there)[:-1]])
    late = np.where(there, str(RegimeReason.OK), str(RegimeReason.NO_OBSERVATION))
    return np.where(before < first, str(RegimeReason.SHORT_HISTORY), late)


def _segments(x: Floats, spec: ChangePointSpec) -> tuple[Floats, Floats]:
    """Probabilities of volatility and trend, ``[3, n]`` each, of returns in units of the prior scale."""
    longest = spec.longest_sessions
    hazard = 1.0 / spec.expected_sessions
    slot = np.arange(longest + 1)
    a0 = 0.5 * PRIOR_OBSERVATIONS
    k = PRIOR_DRIFT_OBSERVATIONS + slot
    a = a0 + 0.5 * slot
    constant = gammaln(a + 0.5) - gammaln(a) - 0.5 * np.log(2.0 * np.pi * (k + 1.0) / k)
    w = np.zeros(longest + 1)
    w[0] = 1.0
    m, b = np.zeros(longest + 1), np.full(longest + 1, a0)
    vol, trend = np.empty((3, len(x))), np.empty((3, len(x)))
    count, total, squares = 0, 0.0, 0.0
    for t, value in enumerate(x):
        away = (value - m) ** 2 * k / (2.0 * (k + 1.0))
        log_p = constant - 0.5 * np.log(b) - (a + 0.5) * np.log1p(away / b)
        joint = w * np.exp(log_p - log_p.max())
        joint /= joint.sum()
        m_next, b_next = (k * m + value) / (k + 1.0), b + away
        # The last slot keeps the statistics of the heavier of the two run lengths that share it.
        heavier = longest if joint[longest] > joint[longest - 1] else longest - 1
        w[1:] = joint[:-1] * (1.0 - hazard)
        w[longest] += joint[longest] * (1.0 - hazard)
        w[0] = hazard
        m[1:], b[1:] = m_next[:-1], b_next[:-1]
        if heavier == longest:
            # k and a stay at the slot's own: an exponential window of that length.
            m[longest] = m_next[longest]
            b[longest] = b_next[longest] * a[longest] / (a[longest] + 0.5)
        m[0], b[0] = 0.0, a0
        scale = np.sqrt(b / a)
        log_vol = np.log(scale)
        now = float((w * log_vol).sum())
        mean = total / count if count else 0.0
        sd = np.sqrt(max(squares / count - mean * mean, 0.0)) if count else 0.0
        vol[0, t] = w[log_vol < mean - TERCILE * sd].sum()
        vol[2, t] = w[log_vol > mean + TERCILE * sd].sum()
        drift = m / scale
        trend[2, t] = (w * ndtr((drift - TREND_DRIFT) * np.sqrt(k))).sum()
        trend[0, t] = (w * ndtr((-drift - TREND_DRIFT) * np.sqrt(k))).sum()
        count, total, squares = count + 1, total + now, squares + now * now
    vol[1], trend[1] = 1.0 - vol[0] - vol[2], 1.0 - trend[0] - trend[2]
    return np.clip(vol, 0.0, 1.0), np.clip(trend, 0.0, 1.0)
