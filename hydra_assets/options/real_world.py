"""From the risk-neutral density of a slice to the one that outcomes follow, and what it expects.

Two steps, each a change of weights that keeps mass and sign:

    power utility   p(z) ~ q(z) (S/F)^gamma = q(z) exp(gamma unit z)
    recalibration   p*(z) ~ p(z) beta(P(z); a, b),  beta(u; a, b) = u^(a-1) (1-u)^(b-1) / B(a, b)

with P the distribution of p. gamma = 0 and a = b = 1 give q back, bit for bit. The exponent has either sign: who pays
whom for bearing risk in a commodity future is not known beforehand. Sources: R. Bliss and N. Panigirtzoglou,
"Option-implied risk aversion estimates", Journal of Finance 59 (2004); J. Fackler and R. King, "Calibration of
option-based probability assessments in agricultural commodity markets", American Journal of Agricultural Economics 72
(1990).

Standard errors are of the parameters only (delta method). With s = d ln p* / d(gamma, a, b), an expectation E[x] under
p* has the gradient Cov(x, s), and

    s_a = ln P,  s_b = ln(1-P),  s_gamma = (k - m) + (a-1) dP/P - (b-1) dP/(1-P),
    dP(z) = int_{-inf}^z (k - m) p,  m = E_p[k].
"""

from dataclasses import dataclass

import numpy as np

from hydra_assets.options.black76 import Floats
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.real_world_grid import (
    CENTRE,
    POINTS,
    STEP,
    cumulate,
    distribution,
    quantiles,
    tail_safe_cells,
)
from hydra_assets.options.slices import CHUNK_SLICES, Index, row_sum

LEVELS: Floats = np.array([0.05, 0.25, 0.50, 0.75, 0.95])
_TINY = 1e-300
_MAX_EXPONENT = 700.0


@dataclass(frozen=True, slots=True)
class Parameters:
    """Of n slices or sessions: ``gamma``, ``a`` and ``b`` ``[n]``, ``covariance`` ``[n, 3, 3]`` in that order."""

    gamma: Floats
    a: Floats
    b: Floats
    covariance: Floats

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.gamma)

    def take(self, index: Index) -> "Parameters":
        """Some of the rows."""
        return Parameters(self.gamma[index], self.a[index], self.b[index], self.covariance[index])


@dataclass(frozen=True, slots=True)
class RealWorld:
    """Real-world densities of n slices and what they expect; NaN where the risk-neutral density is.

    ``density`` is ``[n, 129]`` per unit of z, with the mass of the density it came from. ``expected_log_return`` is
    E[ln(S_T/F)], ``expected_return`` is E[S_T/F] over that of the risk-neutral density on the same grid, less one
    (exactly 0 without an adjustment, whatever the grid cuts off); both to expiry, with the standard error that comes
    from the parameters. ``sd``, ``skew`` and ``quantiles`` ``[n, 5]`` (5, 25, 50, 75, 95 %) are of ln(S_T/F).
    """

    density: Floats
    expected_log_return: Floats
    expected_log_return_se: Floats
    expected_return: Floats
    expected_return_se: Floats
    sd: Floats
    skew: Floats
    quantiles: Floats
    probability_above_forward: Floats


def power_tilt(density: Floats, unit: Floats, gamma: Floats) -> Floats:
    """Weigh ``[n, 129]`` by (S/F)^gamma, ``unit`` and ``gamma`` ``[n]``; the mass stays what it was."""
    return _reweigh(density, (gamma * unit)[:, None] * Z_GRID)


def beta_recalibrate(density: Floats, a: Floats, b: Floats) -> Floats:
    """Weigh ``[n, 129]`` by the beta density of its own distribution; the mass stays what it was."""
    log_below, log_above = _log_distribution(density)
    return _reweigh(density, (a - 1.0)[:, None] * log_below + (b - 1.0)[:, None] * log_above)


def apply(density: Floats, unit: Floats, parameters: Parameters) -> RealWorld:
    """Adjust n risk-neutral densities, ``[n, 129]`` with ``unit`` ``[n]`` = sqrt(ATM total variance)."""
    if density.shape[1:] != (POINTS,) or not len(density) == len(unit) == len(parameters):
        msg = f"densities {density.shape}, units {unit.shape} and {len(parameters)} parameters are not of one batch"
        raise ValueError(msg)
    chunks = [slice(i, i + CHUNK_SLICES) for i in range(0, max(len(unit), 1), CHUNK_SLICES)]
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = [_apply(density[c], unit[c], parameters.take(c)) for c in chunks]
    return RealWorld(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in RealWorld.__slots__})


def _apply(density: Floats, unit: Floats, parameters: Parameters) -> RealWorld:
    tilted = power_tilt(density, unit, parameters.gamma)
    p = beta_recalibrate(tilted, parameters.a, parameters.b)
    probability = p / row_sum(p)[:, None]
    k = unit[:, None] * Z_GRID
    growth = np.exp(k)
    mean = row_sum(probability * k)
    centred = k - mean[:, None]
    sd = np.sqrt(row_sum(probability * centred**2))
    ratio = row_sum(probability * growth) / row_sum(density / row_sum(density)[:, None] * growth)
    score = _score(tilted, k, parameters)
    relative = growth / row_sum(probability * growth)[:, None]
    below, above = distribution(p)
    return RealWorld(
        density=p,
        expected_log_return=mean,
        expected_log_return_se=_delta_se(probability, centred, score, parameters.covariance),
        expected_return=ratio - 1.0,
        expected_return_se=ratio * _delta_se(probability, relative - 1.0, score, parameters.covariance),
        sd=sd,
        skew=row_sum(probability * centred**3) / sd**3,
        quantiles=unit[:, None] * quantiles(p, below, LEVELS),
        probability_above_forward=above[:, CENTRE],
    )


def _score(tilted: Floats, k: Floats, parameters: Parameters) -> tuple[Floats, Floats, Floats]:
    """Return d ln p* / d(gamma, a, b) up to constants, ``[n, 129]`` each."""
    density = tilted / _mass(tilted)[:, None]
    centred = k - STEP * row_sum(density * k)[:, None]
    moment = density * centred
    # dP from the left and -d(1-P) from the right are one function; each keeps the digits of its own tail.
    mass_cells, moment_cells = tail_safe_cells(density, moment)
    rise, fall = cumulate(moment, moment_cells)
    below, above = cumulate(density, mass_cells)
    left, right = (parameters.a - 1.0)[:, None], (parameters.b - 1.0)[:, None]
    gamma = centred + left * rise / np.maximum(below, _TINY) + right * fall / np.maximum(above, _TINY)
    return gamma, *_log_distribution(tilted)


def _delta_se(probability: Floats, centred: Floats, score: tuple[Floats, ...], covariance: Floats) -> Floats:
    gradient = [row_sum(probability * centred * s) for s in score]
    # Written out: a product of matrices may sum in another order for another size of batch.
    terms = [gradient[i] * covariance[:, i, j] * gradient[j] for i in range(3) for j in range(3)]
    se: Floats = np.sqrt(np.maximum(sum(terms, np.zeros(len(probability))), 0.0))
    return se


def _reweigh(density: Floats, log_weight: Floats) -> Floats:
    """Return density * exp(log_weight), scaled back to its own mass; nothing overflows, zero weights change no bit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        peak = np.argmax(np.where(density > 0.0, np.log(density) + log_weight, -np.inf), axis=1)
    anchor = log_weight[np.arange(len(density)), peak][:, None]
    weighed = density * np.exp(np.minimum(log_weight - anchor, _MAX_EXPONENT))
    scaled: Floats = weighed * (_mass(density) / _mass(weighed))[:, None]
    return scaled


def _log_distribution(density: Floats) -> tuple[Floats, Floats]:
    below, above = distribution(density)
    return np.log(np.maximum(below, _TINY)), np.log(np.maximum(above, _TINY))


def _mass(density: Floats) -> Floats:
    return STEP * row_sum(density)
