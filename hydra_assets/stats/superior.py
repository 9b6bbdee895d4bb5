"""Is a candidate better than the champion? Hansen's SPA test one by one and step-wise over the cycle, one bootstrap.

Tested is the mean of the paired difference at equal volatility, d_t = c_t sd(b) / sd(c) - b_t, which is the gain in
Sharpe ratio in the champion's own units: without the scaling, a candidate that merely takes more risk would beat a
profitable champion. Without a champion the benchmark is cash and d = c.

``arch`` takes losses, so it is given minus the differences against a benchmark of zero. Two things are done here
because its release 8 does not do them: each difference is divided by its long-run standard deviation (there
``studentize`` only changes the name of the method, and the noisiest candidate would set everybody's critical value);
and the steps of the step-wise test are taken on ``SPA`` itself, since ``StepM`` raises where the last of several steps
leaves nobody.

The bootstrap's deviations from the mean are widened by two factors, without which the test says yes too often (in 8 %
of null cycles instead of 5 at an autocorrelation of 0.2):

- root of the long-run variance prewhitened by an AR(1) over the bootstrap's own, where that is above one: blocks of
  mean length b see only (1 - 1/b)^i of an autocovariance at lag i;
- fixed-b critical value over the normal one, (1.6449 + 2.1859 x + 0.3142 x^2 - 0.3427 x^3) / 1.6449 with x = M/n: a
  variance estimated from few independent blocks has a distribution of its own. M = 1.5 b is the Bartlett window with
  the same integral of the squared kernel as that of the stationary bootstrap.

Sources: P. R. Hansen, "A test for superior predictive ability", Journal of Business and Economic Statistics 23 (2005);
J. P. Romano and M. Wolf, "Stepwise multiple testing as formalized data snooping", Econometrica 73 (2005); D. N. Politis
and J. P. Romano, "The stationary bootstrap", JASA 89 (1994); D. N. Politis and H. White, "Automatic block-length
selection for the dependent bootstrap", Econometric Reviews 23 (2004), with the correction of 2009; D. W. K. Andrews and
J. C. Monahan, "An improved heteroskedasticity and autocorrelation consistent covariance matrix estimator", Econometrica
60 (1992); N. M. Kiefer and T. J. Vogelsang, "A new asymptotic theory for heteroskedasticity-autocorrelation robust
tests", Econometric Theory 21 (2005), table 1 (Bartlett, 95 %).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hydra_assets.stats.returns import MIN_SESSIONS, Floats, ReturnsError, ReturnsReason, is_flat, usable, usable_rows

REPLICATIONS = 1000
SEED = 20050365
"""Frozen, so that a verdict can be recomputed to the last bit."""
_SAME = 1e-9
"""A difference of less than this fraction of the champion's volatility is no difference."""
_MAX_RHO = 0.97
"""Bound of Andrews and Monahan, so that recolouring stays finite."""
_NORMAL_95 = 1.6449
_LONGEST_SHARE = 0.1
"""A mean block above a tenth of the sessions leaves fewer than ten independent pieces to resample."""


@dataclass(frozen=True, slots=True)
class Superiority:
    """Outcome for k candidates in their order."""

    p_values: tuple[float, ...]
    """Consistent SPA p-value of each candidate alone against the benchmark."""
    p_value: float
    """The same for the best of all: is anybody better?"""
    superior: tuple[bool, ...]
    """Whom the step-wise test names at the level, family-wise."""
    level: float
    block_length: int
    replications: int


def paired_differences(candidates: ArrayLike, champion: ArrayLike | None) -> Floats:
    """``[k, n]`` candidates less ``[n]`` champion at the champion's volatility; unscaled where that is cash or flat."""
    rows = usable_rows(candidates)
    if champion is None:
        return rows
    reigning: Floats = np.asarray(champion, dtype=np.float64)
    if reigning.shape != rows.shape[1:]:
        msg = f"candidates over {rows.shape[1]} sessions, champion over {reigning.shape}"
        raise ReturnsError(ReturnsReason.NOT_A_SERIES, msg)
    if len(reigning) and np.isfinite(reigning).all() and is_flat(reigning):
        return rows - reigning
    reigning = usable(reigning)
    gaps: Floats = rows * (reigning.std() / rows.std(axis=1, keepdims=True)) - reigning
    # The champion under another name differs by rounding, whose mean must not be tested.
    gaps[gaps.std(axis=1) <= _SAME * reigning.std()] = 0.0
    return gaps


def block_length(differences: Floats, horizon_sessions: int = 1) -> int:
    """Mean block of the stationary bootstrap, in sessions.

    The median over the candidates of the Politis-White length, at least the label's horizon (results of one position
    stay together) and at most a tenth of the sessions. The median, as the lengths are noisy and one serves all.
    """
    from arch.bootstrap import optimal_block_length  # noqa: PLC0415 - a second of imports

    rows = np.atleast_2d(differences)
    best = float(np.median(optimal_block_length(rows.T)["stationary"].to_numpy()))
    longest = max(1, int(_LONGEST_SHARE * rows.shape[1]))
    return min(longest, max(1, horizon_sessions, int(np.ceil(best))))


def stationary_variance(differences: Floats, block: int) -> Floats:
    """Variance times n of the mean under the stationary bootstrap with mean block b, ``[k, n]`` to ``[k]``.

    gamma_0 + 2 sum_{i=1}^{n-1} kappa_i gamma_i with kappa_i = (1 - i/n)(1 - 1/b)^i + (i/n)(1 - 1/b)^(n-i). Source:
    Politis and Romano (1994), lemma 1; Hansen (2005), section 3.
    """
    n = differences.shape[1]
    e = differences - differences.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(e, 2 * n, axis=1)
    gamma = np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n
    i, stay = np.arange(n), 1.0 - 1.0 / block
    kappa = 2.0 * ((1.0 - i / n) * stay**i + (i / n) * stay ** (n - i))
    kappa[0] = 1.0
    out: Floats = gamma @ kappa
    return out


def widening(differences: Floats, block: int) -> Floats:
    """Both factors of the module's docstring, ``[k, n]`` to ``[k]``."""
    n = differences.shape[1]
    e = differences - differences.mean(axis=1, keepdims=True)
    rho = (e[:, 1:] * e[:, :-1]).sum(axis=1) / (e * e).sum(axis=1)
    rho = np.clip(rho, -_MAX_RHO, _MAX_RHO)
    white = stationary_variance(e[:, 1:] - rho[:, None] * e[:, :-1], block)
    ratio = white / (1.0 - rho) ** 2 / stationary_variance(differences, block)
    x = 1.5 * block / n
    fixed_b = (_NORMAL_95 + 2.1859 * x + 0.3142 * x**2 - 0.3427 * x**3) / _NORMAL_95
    out: Floats = np.sqrt(np.maximum(ratio, 1.0)) * fixed_b
    return out


def superiority(
    differences: ArrayLike,
    horizon_sessions: int = 1,
    level: float = 0.05,
    replications: int = REPLICATIONS,
    seed: int = SEED,
) -> Superiority:
    """Test ``[k, n]`` paired differences; ReturnsError where one is missing or too short.

    A candidate without any difference to the champion has p-value 1 and stays out of the others' test.
    """
    from arch.bootstrap import SPA  # noqa: PLC0415 - a second of imports

    every = np.atleast_2d(np.asarray(differences, dtype=np.float64))
    moving = np.array([not np.isfinite(row).all() or not is_flat(row) for row in every], dtype=bool)
    if not moving.any():
        return Superiority((1.0,) * len(every), 1.0, (False,) * len(every), level, 1, replications)
    rows = usable_rows(every[moving], MIN_SESSIONS)
    k, n = rows.shape
    block = block_length(rows, horizon_sessions)
    scaled = rows / np.sqrt(stationary_variance(rows, block))[:, None]
    mean = scaled.mean(axis=1, keepdims=True)
    widened = mean + (scaled - mean) * widening(rows, block)[:, None]
    test = SPA(np.zeros(n), -widened.T, block_size=block, reps=replications, bootstrap="stationary", seed=seed)
    test.compute()
    overall = _p_value(test.pvalues["consistent"], replications)
    alone = []
    for one in np.eye(k, dtype=bool):
        test.subset(one)
        test.compute()
        alone.append(_p_value(test.pvalues["consistent"], replications))
    superior = np.zeros(k, dtype=bool)
    while not superior.all():
        test.subset(~superior)
        test.compute()
        # The share of replications that may lie above an observed value whose p-value, itself counted, is the level.
        found = test.better_models((level * (replications + 1.0) - 1.0) / replications)
        if not len(found):
            break
        superior[found] = True
    p_values, named = np.ones(len(every)), np.zeros(len(every), dtype=bool)
    p_values[moving], named[moving] = alone, superior
    return Superiority(tuple(p_values.tolist()), overall, tuple(named.tolist()), level, block, replications)


def _p_value(share: float, replications: int) -> float:
    """Count the observed value among the replications: no p-value is zero (Davison and Hinkley 1997, eq. (4.11))."""
    return (float(share) * replications + 1.0) / (replications + 1.0)
