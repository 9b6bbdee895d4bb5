"""Series without any change, of the kinds that features and returns are: columns of mean zero and variance one."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr

Floats = NDArray[np.float64]

NULLS = ("normal", "student t4", "exponential", "AR 0.3", "AR 0.9", "GARCH t")
RETURN_NULLS = ("normal", "student t4", "GARCH t")
OUTCOME_NULLS = ("independent", "overlapping", "overlapping GARCH t")
FEATURES, FACTORS, COMMON = 53, 5, 0.5
HORIZON = 5
_BURN_IN = 200
_ALPHA, _BETA, _DF = 0.08, 0.90, 6.0


def draw(null: str, rng: np.random.Generator, sessions: int, series: int) -> Floats:
    """Independent columns, ``[sessions, series]``."""
    if null == "normal":
        return rng.standard_normal((sessions, series))
    if null == "student t4":
        return np.asarray(rng.standard_t(4.0, (sessions, series)) / np.sqrt(2.0))
    if null == "exponential":
        return rng.standard_exponential((sessions, series)) - 1.0
    if null == "GARCH t":
        return _garch(rng, sessions, series)
    phi = float(null.removeprefix("AR "))
    noise = rng.standard_normal((sessions + _BURN_IN, series)) * np.sqrt(1.0 - phi * phi)
    found: Floats = lfilter([1.0], [1.0, -phi], noise, axis=0)[_BURN_IN:]
    return found


def _garch(rng: np.random.Generator, sessions: int, series: int) -> Floats:
    """GARCH(1, 1) with alpha 0.08 and beta 0.90 and Student-t6 innovations."""
    shocks = rng.standard_t(_DF, (sessions + _BURN_IN, series)) * np.sqrt((_DF - 2.0) / _DF)
    variance = np.ones(series)
    for t in range(len(shocks)):
        shocks[t] *= np.sqrt(variance)
        variance = 1.0 - _ALPHA - _BETA + _ALPHA * shocks[t] ** 2 + _BETA * variance
    return np.asarray(shocks[_BURN_IN:])


def panels(null: str, rng: np.random.Generator, sessions: int, count: int) -> Floats:
    """``[sessions, count * 53]``: features of which half the variance is one of five factors of their panel."""
    factors = draw(null, rng, sessions, count * FACTORS).reshape(sessions, count, FACTORS)
    own = draw(null, rng, sessions, count * FEATURES).reshape(sessions, count, FEATURES)
    mixed: Floats = np.sqrt(COMMON) * factors[:, :, np.arange(FEATURES) % FACTORS] + np.sqrt(1.0 - COMMON) * own
    return mixed.reshape(sessions, count * FEATURES)


def outcomes(
    null: str, rng: np.random.Generator, sessions: int, series: int, odds_ratio: float = 1.0
) -> tuple[Floats, Floats]:
    """Outcomes of 0 or 1 and the probabilities said of them, ``[sessions, series]`` each.

    The true odds are ``odds_ratio`` times what was said. ``overlapping``: the outcome is the sign of a move over five
    sessions, so that neighbouring ones share four.
    """
    said = ndtr(0.3 * draw("AR 0.9", rng, sessions, series))
    true = odds_ratio * said / (1.0 - said + odds_ratio * said)
    if null == "independent":
        return (rng.random((sessions, series)) < true).astype(np.float64), said
    shocks = draw("GARCH t" if null.endswith("GARCH t") else "normal", rng, sessions + HORIZON - 1, series)
    total = np.cumsum(np.insert(shocks, 0, 0.0, axis=0), axis=0)
    move = (total[HORIZON:] - total[:-HORIZON]) / np.sqrt(HORIZON)
    # Ranks in place of a distribution function: the mean over all draws is right whatever the law of the move.
    level = ndtr(move) if null == "overlapping" else _ranks(move)
    return (level < true).astype(np.float64), said


def _ranks(values: Floats) -> Floats:
    order = np.argsort(values, axis=None)
    out = np.empty(values.size)
    out[order] = (np.arange(values.size) + 0.5) / values.size
    return out.reshape(values.shape)
