"""Parameters of the real-world density, fitted on the expiries that had realised: expanding, point in time.

Two stages, each a concave problem with one maximum, each shrunk to no adjustment:

    gamma   maximises  sum_i [gamma k_i - ln int q_i e^(gamma k)] - gamma^2 / (2 GAMMA_PRIOR_SD^2),  k_i = ln(S_T/F)
    a, b    maximise   sum_i ln beta(u_i; a, b) + PSEUDO_EXPIRIES E_uniform[ln beta(U; a, b)],  u_i = P_gamma(k_i)

The second prior is the conjugate one: PSEUDO_EXPIRIES further outcomes, perfectly uniform, E[ln U] = E[ln(1-U)] = -1;
its mode is Beta(1, 1). The covariance is that of gamma ~ N(gamma_hat, 1/H1) and (a, b) | gamma ~ N(theta(gamma), 1/H2),
H the curvatures with their priors and theta(gamma) the second stage's answer to another gamma: a tilt that was fitted
too strong is undone by the recalibration, and the covariance knows it.

An outcome beyond the grid counts as one at its edge, and a u within PIT_FLOOR of 0 or 1 as PIT_FLOOR: one outcome that
the density held for impossible (often a mistaken price) must not rule the fit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import digamma, polygamma

from hydra_assets.options.black76 import Floats
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.real_world import Parameters
from hydra_assets.options.real_world_grid import POINTS, STEP, distribution_weights, last_axis_sum

GAMMA_PRIOR_SD = 1.0
"""A future held to expiry has a Sharpe ratio of about gamma times its vol: one sd is 0.3 a year at a vol of 30 %, the
size of the premiums that were found in single commodities, of either sign. An expiry tells unit^2 about gamma, 0.0075
at that vol and 30 days: 24 of them leave 15 % of the unshrunk estimate, 120 leave 47 %."""
PSEUDO_EXPIRIES = 24
MIN_EXPIRIES = 24
"""Two years of monthly expiries: as many as the prior of a and b counts for, so the first fit believes half of what it
saw. Fewer would leave ln a, unshrunk, a standard error above 0.27: as large as the corrections that are looked for."""
PIT_FLOOR = 1e-6
_FLOOR = 1e-300
_GAMMA_LIMIT = 50.0
_STEPS = 100
_CHUNK_CELLS = 2_000_000
"""Doubles of one temporary: 16 MB."""


class FitStatus(StrEnum):
    """Whether a session's parameters were fitted."""

    FITTED = "fitted"
    TOO_FEW_EXPIRIES = "too_few_expiries"
    """No adjustment, with the prior's uncertainty."""


@dataclass(frozen=True, slots=True)
class Realised:
    """Realised expiries of one market: ``log_density`` ``[n, 129]``, ``unit`` and ``outcome`` (in z) ``[n]``."""

    log_density: Floats
    unit: Floats
    outcome: Floats

    def __len__(self) -> int:
        """Count of expiries."""
        return len(self.unit)

    def take(self, index: NDArray[np.intp] | slice) -> "Realised":
        """Some of the expiries."""
        return Realised(self.log_density[index], self.unit[index], self.outcome[index])


@dataclass(frozen=True, slots=True)
class Tilted:
    """Densities of realised expiries under the power transform, all of the shape that was asked for.

    ``log_mass`` is ln int q e^(gamma k) / int q, ``mean`` and ``variance`` are of k, ``pit`` is P(k_i) and
    ``pit_slope`` its derivative by gamma (0 where the floor holds it).
    """

    log_mass: Floats
    mean: Floats
    variance: Floats
    pit: Floats
    pit_slope: Floats


def realised(observations: pl.DataFrame) -> Realised:
    """Arrays of the rows of ``real_world_history.observations``, in their order."""
    unit = observations["unit"].to_numpy().astype(np.float64)
    density = np.array(observations["density"].to_list(), dtype=np.float64).reshape(-1, POINTS)
    outcome = np.clip(observations["log_return"].to_numpy() / unit, Z_GRID[0], Z_GRID[-1])
    return Realised(np.log(np.maximum(density, _FLOOR)), unit, outcome)


def tilted(past: Realised, gamma: Floats) -> Tilted:
    """Evaluate n expiries under gamma ``[..., n]``."""
    weight, log_mass, mean, variance = _tilt(past, gamma)
    below = distribution_weights(past.outcome) / STEP
    weight_below = weight * below
    pit = last_axis_sum(weight_below)
    slope = past.unit * last_axis_sum(weight_below * Z_GRID) - pit * mean
    inside = (pit > PIT_FLOOR) & (pit < 1.0 - PIT_FLOOR)
    start = np.log(last_axis_sum(np.exp(past.log_density)))
    return Tilted(
        log_mass=log_mass - start,
        mean=mean,
        variance=variance,
        pit=np.clip(pit, PIT_FLOOR, 1.0 - PIT_FLOOR),
        pit_slope=np.where(inside, slope, 0.0),
    )


def _tilt(past: Realised, gamma: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights of the grid points ``[..., n, 129]``, the log of their sum before scaling, mean and variance of k."""
    weight = past.log_density + (gamma * past.unit)[..., None] * Z_GRID
    peak = weight.max(axis=-1)
    weight = np.exp(weight - peak[..., None])
    mass = last_axis_sum(weight)
    weight /= mass[..., None]
    moment = weight * Z_GRID
    mean = last_axis_sum(moment)
    variance = np.maximum(last_axis_sum(moment * Z_GRID) - mean * mean, 0.0)
    return weight, peak + np.log(mass), past.unit * mean, past.unit**2 * variance


def fit(past: Realised, counts: NDArray[np.intp]) -> Parameters:
    """Fit once per entry of ``counts`` ``[m]``, on the first ``counts[j]`` expiries."""
    most = int(counts.max(initial=0))
    size = max(1, _CHUNK_CELLS // (POINTS * max(most, 1)))
    parts = [_fit(past, counts[i : i + size]) for i in range(0, max(len(counts), 1), size)]
    return Parameters(
        np.concatenate([p.gamma for p in parts]),
        np.concatenate([p.a for p in parts]),
        np.concatenate([p.b for p in parts]),
        np.concatenate([p.covariance for p in parts]),
    )


def fit_expanding(observations: pl.DataFrame, sessions: Sequence[Any] | pl.Series) -> pl.DataFrame:
    """Parameters at every session, from the observations of one market that were known at its cutoff.

    Returns
    -------
    One row per session, in the order given: ``session``, ``expiries`` (known by then), ``status``, ``gamma``, ``a``,
    ``b`` and the covariance as ``cov_gamma_gamma``, ``cov_gamma_a`` ... ``cov_b_b``. Read back by ``parameters``.

    Raises
    ------
    ValueError
        If the observations are of more than one market: each has its own premium.
    """
    markets = observations["market"].unique().sort().to_list()
    if len(markets) > 1:
        msg = f"observations of one market expected, not of {', '.join(map(str, markets))}"
        raise ValueError(msg)
    known = observations.sort("known_session", "expiry", "underlying_contract")
    at = pl.Series("session", sessions)
    counts = known["known_session"].search_sorted(at, side="right").to_numpy().astype(np.intp)
    # The fit changes only where an expiry is added; below the minimum every count is the same as none.
    epochs, epoch = np.unique(np.where(counts < MIN_EXPIRIES, 0, counts), return_inverse=True)
    found = fit(realised(known), epochs).take(epoch)
    few = pl.Series(counts < MIN_EXPIRIES, dtype=pl.Boolean)
    frame = pl.DataFrame({"session": at, "expiries": counts.astype(np.int64)}).with_columns(
        pl.when(few)
        .then(pl.lit(str(FitStatus.TOO_FEW_EXPIRIES)))
        .otherwise(pl.lit(str(FitStatus.FITTED)))
        .alias("status"),
        pl.Series("gamma", found.gamma),
        pl.Series("a", found.a),
        pl.Series("b", found.b),
    )
    return frame.with_columns(pl.Series(name, found.covariance[:, i, j]) for name, i, j in _COVARIANCES)


def parameters(fitted: pl.DataFrame) -> Parameters:
    """Arrays of the rows of ``fit_expanding``, in their order."""
    covariance = np.empty((len(fitted), 3, 3))
    for name, i, j in _COVARIANCES:
        covariance[:, i, j] = covariance[:, j, i] = fitted[name].to_numpy()
    return Parameters(fitted["gamma"].to_numpy(), fitted["a"].to_numpy(), fitted["b"].to_numpy(), covariance)


_NAMES = ("gamma", "a", "b")
_COVARIANCES = [(f"cov_{_NAMES[i]}_{_NAMES[j]}", i, j) for i in range(3) for j in range(i, 3)]


def _fit(past: Realised, counts: NDArray[np.intp]) -> Parameters:
    past = past.take(slice(0, int(counts.max(initial=0))))
    used = np.arange(len(past)) < counts[:, None]
    gamma = _fit_power(past, used)
    under = tilted(past, np.repeat(gamma[:, None], len(past), axis=1))
    curvature = last_axis_sum(np.where(used, under.variance, 0.0)) + GAMMA_PRIOR_SD**-2
    n: Floats = (counts + PSEUDO_EXPIRIES).astype(np.float64)
    log_u = (last_axis_sum(np.where(used, np.log(under.pit), 0.0)) - PSEUDO_EXPIRIES) / n
    log_1u = (last_axis_sum(np.where(used, np.log1p(-under.pit), 0.0)) - PSEUDO_EXPIRIES) / n
    a, b = fit_beta(log_u, log_1u)
    slope = (
        last_axis_sum(np.where(used, under.pit_slope / under.pit, 0.0)) / n,
        last_axis_sum(np.where(used, -under.pit_slope / (1.0 - under.pit), 0.0)) / n,
    )
    return Parameters(gamma, a, b, _covariance(curvature, n, (a, b), slope))


def _fit_power(past: Realised, used: NDArray[np.bool_]) -> Floats:
    """Newton steps inside a bracket; the score falls in gamma, so its sign tells the side of the maximum."""
    m = len(used)
    gamma, lower, upper = np.zeros(m), np.full(m, -_GAMMA_LIMIT), np.full(m, _GAMMA_LIMIT)
    active = np.arange(m)
    k = past.unit * past.outcome
    for _ in range(_STEPS):
        now, mask = gamma[active], used[active]
        _, _, mean, variance = _tilt(past, np.repeat(now[:, None], len(past), axis=1))
        score = last_axis_sum(np.where(mask, k - mean, 0.0)) - now / GAMMA_PRIOR_SD**2
        curvature = last_axis_sum(np.where(mask, variance, 0.0)) + GAMMA_PRIOR_SD**-2
        lower[active] = np.where(score > 0.0, now, lower[active])
        upper[active] = np.where(score < 0.0, now, upper[active])
        new = now + score / curvature
        inside = (new > lower[active]) & (new < upper[active])
        new = np.where(inside | (score == 0.0), new, 0.5 * (lower[active] + upper[active]))
        gamma[active] = new
        active = active[np.abs(new - now) > 1e-10]
        if not len(active):
            break
    return gamma


def fit_beta(log_u: Floats, log_1u: Floats) -> tuple[Floats, Floats]:
    """Solve digamma(a) - digamma(a+b) = log_u and the same of b: maximum likelihood from the mean logs, ``[m]``."""
    a, b = np.ones(len(log_u)), np.ones(len(log_u))
    active = np.arange(len(log_u))
    for _ in range(_STEPS):
        now_a, now_b = a[active], b[active]
        joint = digamma(now_a + now_b)
        score_a, score_b = log_u[active] - digamma(now_a) + joint, log_1u[active] - digamma(now_b) + joint
        h_aa, h_ab, h_bb = _beta_curvature(now_a, now_b)
        determinant = h_aa * h_bb - h_ab * h_ab
        # A Newton step taken in ln a and ln b, at most a factor of e: both stay positive.
        step_a = np.clip((h_bb * score_a - h_ab * score_b) / (determinant * now_a), -1.0, 1.0)
        step_b = np.clip((h_aa * score_b - h_ab * score_a) / (determinant * now_b), -1.0, 1.0)
        a[active], b[active] = now_a * np.exp(step_a), now_b * np.exp(step_b)
        active = active[np.maximum(np.abs(step_a), np.abs(step_b)) > 1e-12]
        if not len(active):
            break
    return a, b


def _beta_curvature(a: Floats, b: Floats) -> tuple[Floats, Floats, Floats]:
    joint = polygamma(1, a + b)
    return polygamma(1, a) - joint, -joint, polygamma(1, b) - joint


def _covariance(curvature: Floats, n: Floats, ab: tuple[Floats, Floats], slope: tuple[Floats, Floats]) -> Floats:
    h_aa, h_ab, h_bb = _beta_curvature(*ab)
    determinant = h_aa * h_bb - h_ab * h_ab
    answer = (
        np.ones(len(n)),
        (h_bb * slope[0] - h_ab * slope[1]) / determinant,
        (h_aa * slope[1] - h_ab * slope[0]) / determinant,
    )
    covariance = np.empty((len(n), 3, 3))
    for i in range(3):
        for j in range(3):
            covariance[:, i, j] = answer[i] * answer[j] / curvature
    covariance[:, 1, 1] += h_bb / (determinant * n)
    covariance[:, 2, 2] += h_aa / (determinant * n)
    covariance[:, 1, 2] -= h_ab / (determinant * n)
    covariance[:, 2, 1] -= h_ab / (determinant * n)
    return covariance
