"""Thesis gate: a model's out-of-sample net Sharpe ratio is above zero, with its band.

Green where the lower end of the one-sided 95 % band is above zero, red otherwise; the reason tells a strategy that
loses from one that has not shown enough. Red blocks trading on a real source. The band's error is the larger of the
Mertens and the overlap-robust one.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from hydra_assets.stats.returns import ReturnsReason, returns_reason
from hydra_assets.stats.sharpe import sharpe

MIN_THESIS_SESSIONS = 60
"""About a quarter; below it the band is wider than any attainable Sharpe ratio."""


class ThesisReason(StrEnum):
    """Why the gate is green or red."""

    ABOVE_ZERO = "above_zero"
    BAND_INCLUDES_ZERO = "band_includes_zero"
    NOT_POSITIVE = "not_positive"
    TOO_FEW_SESSIONS = "too_few_sessions"
    MISSING_RETURN = "missing_return"
    CONSTANT_RETURNS = "constant_returns"


@dataclass(frozen=True, slots=True)
class ThesisVerdict:
    """Green or red; figures are None where the returns cannot be judged."""

    green: bool
    reason: ThesisReason
    message: str
    sessions: int
    sharpe: float | None
    lower: float | None
    upper: float | None
    """Ends of the two-sided 90 % band: each is a one-sided 95 % bound."""


_REASONS = {
    ReturnsReason.TOO_FEW_SESSIONS: ThesisReason.TOO_FEW_SESSIONS,
    ReturnsReason.MISSING_RETURN: ThesisReason.MISSING_RETURN,
    ReturnsReason.CONSTANT_RETURNS: ThesisReason.CONSTANT_RETURNS,
}


def thesis_gate(net_returns: ArrayLike, horizon_sessions: int = 1, level: float = 0.05) -> ThesisVerdict:
    """Judge ``[n]`` daily out-of-sample net returns; ``level`` is the one-sided error of the band's lower end."""
    returns = np.asarray(net_returns, dtype=np.float64).reshape(-1)
    n, least = len(returns), max(MIN_THESIS_SESSIONS, horizon_sessions + 1)
    reason = returns_reason(returns, least)
    if reason is not ReturnsReason.OK:
        why = _REASONS[reason]
        return ThesisVerdict(False, why, f"{why.value}: {n} sessions, {least} needed", n, None, None, None)
    found = sharpe(returns, horizon_sessions)
    reach = -float(ndtri(level)) * found.se
    lower, upper = found.ratio - reach, found.ratio + reach
    if lower > 0.0:
        why = ThesisReason.ABOVE_ZERO
    else:
        why = ThesisReason.NOT_POSITIVE if found.ratio <= 0.0 else ThesisReason.BAND_INCLUDES_ZERO
    message = f"net Sharpe {found.ratio:.2f} [{lower:.2f}, {upper:.2f}] over {n} sessions"
    return ThesisVerdict(lower > 0.0, why, message, n, found.ratio, lower, upper)
