"""The average of up to three fits: the mixture of their densities, weighted by AICc.

A mid is taken to be off by half a half-spread (one standard deviation), so the deviance of a model with p parameters
on n quotes with residuals r in half-spreads is

    D = sum 2 rho(r) / 0.5^2,    rho(r) = r^2/2 up to 1, |r| - 1/2 up to 4, then constant
    AICc = D + 2 p + 2 p (p + 1) / (n - p - 1)

and its weight is in proportion to exp(-AICc/2). rho is the fits' own loss: a stale quote counts the same, bounded,
against every model. A mixture of densities that are positive, of mass one and of mean F is all three.

A five-parameter wing may bend up beyond the last quote at no cost. A model that puts more than 1e-5 of probability, or
of S_T/F, beyond 20 standard deviations would move the variance by half a percent with what no quote can reach: it is
left out. SSVI stays, whose wings are those of its middle. Source: K. Burnham and D. Anderson, "Model Selection and
Multimodel Inference" (2002), sections 2.4 and 2.9.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from hydra_assets.options.black76 import Floats, normalised_call
from hydra_assets.options.implied_vol import solve_normalised
from hydra_assets.options.slices import Bools, Fit, Index, SliceQuotes, SmileSlices, row_sum

MODELS: Final = ("ssvi", "mixture", "svi")
PARAMETERS: Final = {"ssvi": 3, "mixture": 4, "svi": 5}
SIGMA_HALF_SPREADS = 0.5
HUBER_HALF_SPREADS = 1.0
CUT_HALF_SPREADS = 4.0
FREE_BY_THEOREM: Final = frozenset({"ssvi", "mixture"})
"""Models without butterfly arbitrage whatever their parameters; raw SVI has evidence on a grid only."""
TAIL_SD = 20.0
MAX_TAIL = 1e-5
LEAST_WEIGHT = 1e-3
"""Below it a model is left out: it would cost as much to evaluate as one that matters."""


@dataclass(frozen=True, slots=True)
class Average:
    """Mixtures of the models' densities, ``[n]`` slices; itself a ``SmileSlices``.

    ``models`` and the columns of ``weights``, ``[n, 3]``, are in the order of ``MODELS``. A model of weight zero is
    not evaluated. Where no model stands the weights are zero and every function is NaN. ``rmse`` and
    ``largest_residual`` are of the average, in half-spreads, to first order in the models' differences (the weighted
    mean of their residuals); ``down_weighted`` is the share of the quotes beyond one half-spread.
    """

    models: tuple[SmileSlices, ...]
    weights: Floats
    rmse: Floats
    largest_residual: Floats
    down_weighted: Floats

    def __len__(self) -> int:
        """Count of slices."""
        return len(self.weights)

    @property
    def standing(self) -> Bools:
        """Where at least one model stands, ``[n]``."""
        return _any(self.weights > 0.0)

    def take(self, index: Index) -> "Average":
        """Some of the slices."""
        return Average(
            tuple(model.take(index) for model in self.models),
            self.weights[index],
            self.rmse[index],
            self.largest_residual[index],
            self.down_weighted[index],
        )

    def density(self, k: Floats) -> Floats:
        """Density of ln(S_T/F) at k."""
        return self._mix(k, lambda model, at: model.density(at))

    def distribution(self, k: Floats) -> Floats:
        """P(ln(S_T/F) <= k)."""
        return self._mix(k, lambda model, at: model.distribution(at))

    def call(self, k: Floats) -> Floats:
        """Undiscounted call struck at F e^k, over F."""
        return self._mix(k, lambda model, at: model.call(at))

    def total_variance(self, k: Floats) -> Floats:
        """Black-76 implied total variance of the average price, by inversion of the out-of-the-money leg.

        That leg is made from the models' own variances, so that no intrinsic value cancels the tails away.
        """
        x = -np.abs(k)
        price = self._mix(k, lambda model, at: normalised_call(-np.abs(at), np.sqrt(model.total_variance(at))))
        single = _any(self.weights >= 1.0)[:, None]
        sound = (price > 0.0) & (price < np.exp(0.5 * x)) & ~single
        w = np.full(k.shape, np.nan)
        if sound.any():
            w[sound] = solve_normalised(x[sound], price[sound]) ** 2
        # One model alone needs no inversion, and keeps its own bits.
        own = self._mix(k, lambda model, at: model.total_variance(at), only=single[:, 0]) if single.any() else w
        return np.where(single, own, w)

    def _mix(self, k: Floats, what: Callable[[SmileSlices, Floats], Floats], only: Bools | None = None) -> Floats:
        chosen = self.standing if only is None else self.standing & only
        total = np.where(chosen[:, None], np.zeros(k.shape), np.nan)
        for column, model in enumerate(self.models):
            weight = self.weights[:, column]
            rows = np.flatnonzero((weight > 0.0) & chosen)
            if len(rows) == len(weight):
                total += weight[:, None] * what(model, k)
            elif len(rows):
                total[rows] += weight[rows, None] * what(model.take(rows), np.ascontiguousarray(k[rows]))
        return total


def aicc(residual: Floats, used: Bools, parameters: int) -> Floats:
    """AICc of each slice, ``[n]``, from residuals in half-spreads, ``[n, m]``; infinite where n - p - 1 <= 0."""
    count = row_sum(used.astype(np.float64))
    size = np.minimum(np.abs(residual), CUT_HALF_SPREADS)
    within = np.minimum(size, HUBER_HALF_SPREADS)
    loss = np.where(used, within * (size - 0.5 * within), 0.0)
    deviance = row_sum(loss) * (2.0 / SIGMA_HALF_SPREADS**2)
    left = count - parameters - 1.0
    penalty = 2.0 * parameters * (parameters + 1.0) / np.where(left > 0.0, left, 1.0)
    return np.where(left > 0.0, deviance + 2.0 * parameters + penalty, np.inf)


def average(fits: Mapping[str, Fit[Any]], quotes: SliceQuotes) -> Average:
    """Weigh the fits, keyed by the names of ``MODELS``; a model that is missing has weight zero.

    Where no fit leaves a degree of freedom (n <= p + 1) the fitted model of fewest parameters stands alone.

    Raises
    ------
    KeyError
        A name that is no model, or no fit at all.
    """
    unknown = set(fits) - set(MODELS)
    if unknown or not fits:
        raise KeyError(f"fits are of {MODELS}, got {sorted(fits)}")
    n = len(quotes)
    score = np.full((n, len(MODELS)), np.inf)
    residual = np.zeros((*quotes.k.shape, len(MODELS)))
    fallback = np.zeros((n, len(MODELS)))
    for column, name in enumerate(MODELS):
        if name not in fits:
            continue
        fit = fits[name]
        stands = fit.fitted[:, None] & quotes.used
        residual[..., column] = np.where(stands, fit.residual, 0.0)
        score[:, column] = np.where(fit.fitted, aicc(residual[..., column], quotes.used, PARAMETERS[name]), np.inf)
        if name != "ssvi":
            rows = np.flatnonzero(np.isfinite(score[:, column]))
            heavy = tail_weight(fit.slices.take(rows)) > MAX_TAIL
            score[rows[heavy], column] = np.inf
        fallback[:, column] = fit.fitted & ~_any(fallback > 0.0)
    weights = akaike_weights(score)
    weights = np.where(_any(weights > 0.0)[:, None], weights, fallback)
    mixed = np.zeros(quotes.k.shape)
    for column in range(len(MODELS)):
        mixed += weights[:, column, None] * residual[..., column]
    size = np.where(quotes.used, np.abs(mixed), 0.0)
    count = row_sum(quotes.used.astype(np.float64))
    stands = _any(weights > 0.0) & (count > 0.0)
    per_quote = np.where(stands, 1.0 / np.maximum(count, 1.0), np.nan)
    any_fit = next(iter(fits.values()))
    return Average(
        tuple(fits[name].slices if name in fits else any_fit.slices for name in MODELS),
        weights,
        np.sqrt(row_sum(size * size) * per_quote),
        np.where(stands, size.max(axis=1, initial=0.0), np.nan),
        row_sum((size > HUBER_HALF_SPREADS).astype(np.float64)) * per_quote,
    )


def tail_weight(smiles: SmileSlices) -> Floats:
    """Greater of the probability and the share of E[S_T] beyond ``TAIL_SD`` volatilities at the money, ``[n]``."""
    with np.errstate(all="ignore"):
        unit = np.sqrt(smiles.total_variance(np.zeros((len(smiles), 1))))
        k = TAIL_SD * unit * np.array([-1.0, 1.0])
        below, call = smiles.distribution(k), smiles.call(k)
        low, high = below[:, 0], 1.0 - below[:, 1]
        # E[S_T; S_T > K] / F = C + e^k P(S_T > K); below, the rest of the mean.
        shares = [low, high, call[:, 1] + np.exp(k[:, 1]) * high, 1.0 - call[:, 0] - np.exp(k[:, 0]) * (1.0 - low)]
        return np.where(np.isfinite(k[:, 0]), np.nanmax(np.abs(shares), axis=0, initial=0.0), np.nan)


def akaike_weights(score: Floats) -> Floats:
    """Weights ``[n, models]`` of AICc scores: zero where infinite or below ``LEAST_WEIGHT``, all if none stands."""
    best = score.min(axis=1, keepdims=True)
    best = np.where(np.isfinite(best), best, 0.0)
    weights = np.exp(-0.5 * (score - best))
    total = row_sum(weights)[:, None]
    weights = weights / np.where(total > 0.0, total, 1.0)
    weights = np.where(weights >= LEAST_WEIGHT, weights, 0.0)
    total = row_sum(weights)[:, None]
    return weights / np.where(total > 0.0, total, 1.0)


def _any(flags: Bools) -> Bools:
    return np.asarray(flags.any(axis=1), dtype=np.bool_)
