"""The t-copula: what ranks say about dependence, and draws of some margins given the others.

    rho_ij = sin(pi tau_ij / 2)          (Kendall's tau; Lindskog, McNeil and Schmock, "Kendall's tau for elliptical
                                          distributions", 2003)
    nu     = argmax sum_t log c(u_t; rho, nu), u the ranks over n + 1     (Genest, Ghoudi and Rivest, "A semiparametric
                                          estimation procedure of dependence parameters", Biometrika 82, 1995)

With x = T_nu^-1(u) split into given g and drawn d, d margins of k given ones (Ding, "On the conditional distribution of
the multivariate t distribution", The American Statistician 70, 2016):

    x_d | x_g ~ t_{nu + k}( A x_g, (nu + x_g' R_gg^-1 x_g) / (nu + k) (R_dd - A R_gd) ),   A = R_dg R_gg^-1
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, stdtrit
from scipy.stats import kendalltau, rankdata

Floats = NDArray[np.float64]

DEGREES = (2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
"""Degrees of freedom that are tried. The likelihood is flat between neighbours; 100 is a normal copula to the eye."""
LEAST_EIGENVALUE = 1e-4
"""Correlations made pair by pair need not fit together; eigenvalues below this are lifted to it."""


@dataclass(frozen=True, slots=True)
class TCopula:
    """Correlation ``[margin, margin]`` and degrees of freedom, with the taus that they come from."""

    tau: Floats
    correlation: Floats
    degrees: float


@dataclass(frozen=True, slots=True)
class Conditional:
    """Draws given one observed row each: ``location [row, drawn]``, ``scale [row]``, ``root [drawn, drawn]``."""

    location: Floats
    scale: Floats
    root: Floats
    degrees: float


def fit(observations: Floats, tail: int) -> TCopula:
    """Fit ``[n, margin]`` complete observations; the first ``tail`` margins say the degrees of freedom."""
    margins = observations.shape[1]
    tau = np.eye(margins)
    for i in range(margins):
        for j in range(i):
            tau[i, j] = tau[j, i] = float(kendalltau(observations[:, i], observations[:, j]).statistic)
    correlation = nearest_correlation(np.sin(0.5 * np.pi * tau))
    u = uniforms(observations[:, :tail])
    likelihood = [_log_likelihood(u, correlation[:tail, :tail], degrees) for degrees in DEGREES]
    return TCopula(tau, correlation, DEGREES[int(np.argmax(likelihood))])


def uniforms(observations: Floats) -> Floats:
    """Ranks over n + 1 of each ``[n, margin]`` column; ties share theirs."""
    return np.asarray(rankdata(observations, axis=0) / (len(observations) + 1.0))


def nearest_correlation(matrix: Floats) -> Floats:
    """Lift eigenvalues to what a correlation may have and scale the diagonal back to one."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= LEAST_EIGENVALUE:
        return matrix
    lifted = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    size = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(size, size))


def conditional(copula: TCopula, given: Floats, drawn: int) -> Conditional:
    """Prepare draws of the first ``drawn`` margins given ``[row, k]`` latent values of the others."""
    r, k = copula.correlation, given.shape[1]
    if not k:
        rows = len(given)
        return Conditional(np.zeros((rows, drawn)), np.ones(rows), _root(r), copula.degrees)
    weights = np.linalg.solve(r[drawn:, drawn:], r[drawn:, :drawn])
    left = r[:drawn, :drawn] - r[:drawn, drawn:] @ weights
    distance = (given * np.linalg.solve(r[drawn:, drawn:], given.T).T).sum(axis=1)
    scale = np.sqrt((copula.degrees + distance) / (copula.degrees + k))
    return Conditional(given @ weights, scale, _root(left), copula.degrees + k)


def latent(u: Floats, degrees: float) -> Floats:
    """Quantiles of the t distribution at uniforms."""
    return np.asarray(stdtrit(degrees, u))


def empirical(sample: Floats, degrees: float, x: Floats) -> Floats:
    """Quantile of the ``[n]`` sample at the latent values, linear between ranks; its extremes are the ends."""
    n = len(sample)
    knots = latent((np.arange(n) + 0.5) / n, degrees)
    return np.asarray(np.interp(x, knots, np.sort(sample)))


def _log_likelihood(u: Floats, correlation: Floats, degrees: float) -> float:
    """Log density of the t-copula up to a constant in the data, summed over ``[n, d]`` uniforms."""
    n, d = u.shape
    x = latent(u, degrees)
    root = _root(correlation)
    z = np.linalg.solve(root, x.T)
    joint = (
        gammaln(0.5 * (degrees + d)) + (d - 1) * gammaln(0.5 * degrees) - d * gammaln(0.5 * (degrees + 1.0))
    ) - np.log(np.diag(root)).sum()
    kernel = -0.5 * (degrees + d) * np.log1p((z * z).sum(axis=0) / degrees).sum()
    margins = 0.5 * (degrees + 1.0) * np.log1p(x * x / degrees).sum()
    return float(n * joint + kernel + margins)


def _root(matrix: Floats) -> Floats:
    return np.asarray(np.linalg.cholesky(matrix), dtype=np.float64)
