"""Innovations of features: what a session adds to what the one before let expect, in units of the reference.

    e_t = (z_t - phi z_{t-1} - a) / b,   divided by max(1, sigma_t / mean sigma of the reference) for rates

Features in units a year (volatilities, premiums, carry) move in proportion to the market's volatility; without the
division a stressed quarter makes each of them look broken (``healbench.budgets``).
"""

import numpy as np
from numpy.typing import NDArray

from hydra_assets.features.dictionary import FEATURES
from hydra_assets.stats.detectors.reference import Reference

Floats = NDArray[np.float64]

RATES = frozenset(feature.name for feature in FEATURES if feature.unit.endswith("a year"))
LAGS = 40
"""Of the long-run variance: two months, beyond which innovations remember nothing."""
HELD = 2.0
"""Standard deviations to which the CUSUM holds an innovation."""


def innovations(x: Floats, names: list[str], sigma: Floats, span: slice) -> Floats:
    """Innovations ``[T, K]`` of one market's features; NaN where either neighbour is missing or a reference is none.

    Parameters
    ----------
    x, names
        ``[T, K]`` features and their names.
    sigma
        ``[T]`` daily volatility of the market as known then.
    span
        Rows of the reference.
    """
    location, scale, phi, innovation_location, innovation_scale = Reference.fit(x[span]).figures
    z = (x - location) / scale
    out = np.full(z.shape, np.nan)
    out[1:] = (z[1:] - phi * z[:-1] - innovation_location) / innovation_scale
    rates = np.array([name in RATES for name in names])
    known = sigma[span][np.isfinite(sigma[span])]
    if rates.any() and len(known):
        wild = sigma / known.mean()
        out[:, rates] /= np.where(np.isfinite(wild), np.maximum(wild, 1.0), 1.0)[:, None]
    return out


def long_run_ratio(e: Floats) -> Floats:
    """Long-run variance of innovations over their variance, ``[K]``, at least 1; Bartlett weights over ``LAGS``.

    The tail of a CUSUM's statistic falls at a rate that is inverse to the long-run variance, so the threshold of
    independent observations is multiplied by this.
    """
    held = np.clip(np.where(np.isfinite(e), e, 0.0), -HELD, HELD)
    held = held - held.mean(axis=0)
    n = len(held)
    variance = (held * held).mean(axis=0)
    total = variance.copy()
    for lag in range(1, min(LAGS, n - 1) + 1):
        total += 2.0 * (1.0 - lag / (LAGS + 1)) * (held[lag:] * held[:-lag]).sum(axis=0) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = total / variance
    return np.where(np.isfinite(ratio), np.maximum(ratio, 1.0), 1.0)
