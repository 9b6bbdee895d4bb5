"""Daily net returns that statistics can be made of, and the typed reason where they cannot.

A return is the profit of one session after all costs as a fraction of capital, one per session in time order. Nothing
is dropped or filled: a missing return makes the whole series unusable, since returns are seldom missing by chance.
"""

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SESSIONS_PER_YEAR = 252
"""Sessions by which daily figures are annualised; the convention of the literature on US exchanges."""
MIN_SESSIONS = 20
"""Fewer give no usable standard error of a Sharpe ratio: its third and fourth moments need some tens of sessions. It is
also the least length of a test window."""
_FLAT = 1e-12
"""A spread below this fraction of the largest return is rounding, not risk."""


class ReturnsReason(StrEnum):
    """Whether a series can be judged."""

    OK = "ok"
    TOO_FEW_SESSIONS = "too_few_sessions"
    MISSING_RETURN = "missing_return"
    """A NaN or an infinity among the returns."""
    CONSTANT_RETURNS = "constant_returns"
    """No two returns differ: a strategy that never traded, or a feed that stands still."""
    NOT_A_SERIES = "not_a_series"
    """Not one-dimensional where one series is meant."""


class ReturnsError(ValueError):
    """A series that cannot be judged, with its reason code."""

    def __init__(self, reason: ReturnsReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def returns_reason(returns: ArrayLike, minimum: int = MIN_SESSIONS) -> ReturnsReason:
    """Say why ``[n]`` returns cannot be judged, or OK."""
    series = np.asarray(returns, dtype=np.float64)
    if series.ndim != 1:
        return ReturnsReason.NOT_A_SERIES
    if len(series) < max(minimum, 2):
        return ReturnsReason.TOO_FEW_SESSIONS
    if not np.isfinite(series).all():
        return ReturnsReason.MISSING_RETURN
    if is_flat(series):
        return ReturnsReason.CONSTANT_RETURNS
    return ReturnsReason.OK


def is_flat(series: Floats) -> bool:
    """Whether no return differs from another by more than rounding."""
    return bool(np.ptp(series) <= _FLAT * np.abs(series).max(initial=0.0))


def usable(returns: ArrayLike, minimum: int = MIN_SESSIONS) -> Floats:
    """Return ``[n]`` returns as an array; ReturnsError with its reason where they cannot be judged."""
    reason = returns_reason(returns, minimum)
    series: Floats = np.asarray(returns, dtype=np.float64)
    if reason is not ReturnsReason.OK:
        msg = f"{reason.value}: {series.shape} returns, {int((~np.isfinite(series)).sum())} missing, {minimum} needed"
        raise ReturnsError(reason, msg)
    return series


def usable_rows(returns: ArrayLike, minimum: int = MIN_SESSIONS) -> Floats:
    """Return ``[k, n]`` (or ``[n]``, as ``[1, n]``) returns; ReturnsError where any row cannot be judged."""
    rows: Floats = np.atleast_2d(np.asarray(returns, dtype=np.float64))
    for row in rows:
        usable(row, minimum)
    return rows


def long_run_variance(series: Floats, lag: int) -> Any:
    """Newey-West variance of the mean times n, along the last axis: ``[..., n]`` to ``[...]``.

    gamma_0 + 2 sum_{j=1}^{L} (1 - j/(L+1)) gamma_j, gamma_j = (1/n) sum_t e_t e_{t-j}, e the deviations from the mean.
    Source: Newey and West, "A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent
    covariance matrix", Econometrica 55 (1987).
    """
    n = series.shape[-1]
    if not 0 <= lag < n:
        msg = f"lag {lag} of {n} sessions"
        raise ValueError(msg)
    e = series - series.mean(axis=-1, keepdims=True)
    total = (e * e).mean(axis=-1)
    for j in range(1, lag + 1):
        total = total + 2.0 * (1.0 - j / (lag + 1.0)) * (e[..., j:] * e[..., :-j]).sum(axis=-1) / n
    return total
