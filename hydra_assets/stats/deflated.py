"""Deflated Sharpe ratio: the chance that a Sharpe ratio is above what the best of N useless trials would show.

    SR_0 = sqrt(V) [(1 - gamma) Phi^-1(1 - 1/N) + gamma Phi^-1(1 - 1/(N e))]
    DSR  = Phi( (SR - SR_0) sqrt(T - 1) / sqrt(1 - g3 SR + (g4 - 1) SR^2 / 4) )

with V the variance of the trials' Sharpe ratios, gamma the Euler-Mascheroni constant, SR per session. Source: D. H.
Bailey and M. Lopez de Prado, "The deflated Sharpe ratio: correcting for selection bias, backtest overfitting and
non-normality", Journal of Portfolio Management 40 (2014), eq. (1) and (2).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from hydra_assets.stats.sharpe import mertens_se, sharpe
from hydra_assets.stats.trials import LedgerSummary


@dataclass(frozen=True, slots=True)
class DeflatedSharpe:
    """The probability, and what it was made of; ratios per session."""

    probability: float
    sharpe: float
    expected_maximum: float
    standard_error: float
    effective_trials: int


def expected_maximum(variance: float | None, trials: int) -> float:
    """Sharpe ratio per session expected of the best of ``trials`` useless ones; 0 for one: nothing was chosen."""
    if trials < 1:
        msg = f"{trials} trials: the one that is judged is a trial itself"
        raise ValueError(msg)
    if trials == 1:
        return 0.0
    if variance is None or not np.isfinite(variance) or variance < 0.0:
        msg = f"variance {variance} of {trials} trials"
        raise ValueError(msg)
    weight = np.euler_gamma
    best = (1.0 - weight) * ndtri(1.0 - 1.0 / trials) + weight * ndtri(1.0 - 1.0 / (trials * np.e))
    return float(np.sqrt(variance) * best)


def deflated_probability(
    ratio: float, observations: int, skewness: float, kurtosis: float, benchmark: float = 0.0
) -> float:
    """Probability that the true ratio exceeds ``benchmark`` (eq. (2) with SR_0 given); all ratios per session."""
    return float(ndtr((ratio - benchmark) / mertens_se(ratio, observations - 1, skewness, kurtosis)))


def deflated_sharpe(returns: ArrayLike, ledger: LedgerSummary, horizon_sessions: int = 1) -> DeflatedSharpe:
    """Deflated Sharpe ratio of ``[n]`` daily net returns against every trial ever made.

    The standard error is the paper's or the overlap-robust one, whichever is larger: positions held for several
    sessions make the paper's independent returns a hope. ReturnsError where the returns cannot be judged.
    """
    own = sharpe(returns, horizon_sessions)
    year = float(np.sqrt(SESSIONS_PER_YEAR))
    ratio, hac = own.ratio / year, own.se_hac / year
    error = max(mertens_se(ratio, own.sessions - 1, own.skewness, own.kurtosis), hac)
    hurdle = expected_maximum(ledger.sharpe_variance, ledger.effective_trials)
    return DeflatedSharpe(float(ndtr((ratio - hurdle) / error)), ratio, hurdle, error, ledger.effective_trials)
