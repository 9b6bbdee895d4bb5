"""Standard errors of a slice's statistics: what the quotes leave open, and what the choice of model does.

    se^2 = var_b T(SSVI refitted to w + half_spread (2 U_b - 1))  +  sum_i v_i (T_i - T)^2

with b = 1..60 draws of every mid uniformly between its bid and ask, T the statistic of the average and T_i that of
model i. The first term alone covers 28-72 % where 90 % is meant: a model does not know what it cannot bend to. The
second weighs the models by v_i in proportion to exp(-AICc/32). AICc's own weights, exp(-AICc/2), pick the best model
far more surely than it deserves (72-90 % covered); equal weights let a hopeless one make intervals half as wide again.
The 32 is calibrated on the accuracy study; on draws it had not seen moments and volatility keep their 90 %, tilts fall
to 84-87 % (docs/studies). Intervals are T +- 1.645 se.

The uniforms are made by address: U depends on (seed, slice id, draw, rank of the quote's strike) and on nothing else,
so a slice's interval is the same in any batch. Mixing function: G. Steele, D. Lea and C. Flood, "Fast splittable
pseudorandom number generators", OOPSLA 2014 (SplitMix64's finaliser).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.average import MAX_TAIL, MODELS, PARAMETERS, Average, aicc, tail_weight
from hydra_assets.options.black76 import Floats
from hydra_assets.options.moments import COARSE, COLUMN, Statistic, statistics
from hydra_assets.options.slices import Bools, SliceQuotes, SmileSlices, row_sum
from hydra_assets.options.ssvi import Ssvi, fit_slices

DRAWS = 60
NORMAL_90 = 1.6448536269514722
LEAST_DRAWS = 20
"""Fewer refits that converged say nothing of a variance."""
MATTERS = 0.05
"""Least AICc weight of a model whose disagreement counts."""
TEMPERATURE = 16.0
"""By which AICc differences are divided before they weigh the disagreement of models."""
_REFIT_ITERATIONS = 15
_SLICES_PER_PASS = 16
_GOLDEN = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """Standard errors and 90 % intervals of the average's statistics, ``[n, len(Statistic)]``.

    ``within`` is the bootstrap's variance and ``between`` the models'; ``sd_disagreement``, ``[n]``, the range of
    the models' sd over the average's, zero where one model alone holds weight; ``draws`` the refits that stood.
    """

    se: Floats
    low: Floats
    high: Floats
    within: Floats
    between: Floats
    sd_disagreement: Floats
    draws: NDArray[np.int64]


def uniforms(seed: int, slice_id: NDArray[np.uint64], draw: NDArray[np.uint64], rank: NDArray[np.uint64]) -> Floats:
    """Numbers strictly between 0 and 1 by address; the three arrays broadcast against each other."""
    with np.errstate(over="ignore"):
        word = _mixed(np.asarray(slice_id, dtype=np.uint64) ^ _mixed(np.array([seed % 2**64], dtype=np.uint64)))
        word = _mixed(word + (draw + np.uint64(1)) * np.uint64(_GOLDEN))
        word = _mixed(word + (rank + np.uint64(1)) * np.uint64(_GOLDEN))
    return ((word >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def strike_rank(quotes: SliceQuotes) -> NDArray[np.uint64]:
    """Place of each used quote in order of strike, ``[n, m]``: its address, whatever its column."""
    order = np.argsort(np.where(quotes.used, quotes.k, np.inf), axis=1, kind="stable")
    return np.argsort(order, axis=1, kind="stable").astype(np.uint64)


def bootstrap(
    quotes: SliceQuotes, fitted: Ssvi, seed: int, slice_id: NDArray[np.uint64], draws: int = DRAWS
) -> tuple[Floats, NDArray[np.int64]]:
    """Variance of SSVI's statistics over redrawn mids.

    Parameters
    ----------
    quotes
        The slices' quotes, ``[n, m]``.
    fitted
        SSVI of the same quotes, where the refits start; NaN where a slice has none.
    seed, slice_id
        Address of the random numbers; ``slice_id`` is ``[n]`` and says which slice this is among all there ever are.

    Returns
    -------
    Variance ``[n, len(Statistic)]``, NaN where too few refits stood, and the count of those that did, ``[n]``.
    """
    n = len(quotes)
    variance, stood = np.full((n, len(Statistic)), np.nan), np.zeros(n, dtype=np.int64)
    known = np.flatnonzero(np.isfinite(fitted.theta))
    rank = strike_rank(quotes)
    for first in range(0, len(known), _SLICES_PER_PASS):
        rows = known[first : first + _SLICES_PER_PASS]
        drawn = _redrawn(quotes.take(rows), rank[rows], seed, slice_id[rows], draws)
        refit = fit_slices(drawn, fitted.take(np.repeat(rows, draws)), _REFIT_ITERATIONS)
        slices, stands = refit.slices, refit.fitted
        values, _, _ = statistics(slices, np.sqrt(slices.theta), COARSE)
        variance[rows], stood[rows] = _variance(values.reshape(len(rows), draws, -1), stands.reshape(len(rows), draws))
    return variance, stood


def between_models(average: Average, values: Floats, quotes: SliceQuotes | None = None) -> tuple[Floats, Floats]:
    """Weighted variance of the models' statistics about the average's, and the models' disagreement on sd.

    ``values`` are the average's, ``[n, len(Statistic)]``. With ``quotes`` every model that stands counts by its
    tempered weight; without, those that hold weight in the average by that, which is cheap and enough for the
    disagreement. A statistic that one model lacks is left to the others.
    """
    weights = average.weights if quotes is None else tempered_weights(average, quotes)
    total, weight_sum = np.zeros_like(values), np.zeros_like(values)
    sd = np.full((len(values), len(average.models)), np.nan)
    for column, model in enumerate(average.models):
        weight = weights[:, column]
        rows = np.flatnonzero((weight > 0.0) & (weight < 1.0))
        for first in range(0, len(rows), _SLICES_PER_PASS * DRAWS):
            i = rows[first : first + _SLICES_PER_PASS * DRAWS]
            own = _statistics_of(model.take(i))
            away = own - values[i]
            known = np.isfinite(away)
            total[i] += np.where(known, weight[i, None] * away * away, 0.0)
            weight_sum[i] += np.where(known, weight[i, None], 0.0)
            sd[i, column] = np.where(average.weights[i, column] >= MATTERS, own[:, COLUMN[Statistic.SD]], np.nan)
    variance = np.where(weight_sum > 0.0, total / np.where(weight_sum > 0.0, weight_sum, 1.0), 0.0)
    compared = np.isfinite(sd)
    high = np.where(compared, sd, -np.inf).max(axis=1)
    low = np.where(compared, sd, np.inf).min(axis=1)
    some = np.asarray(compared.any(axis=1))
    span = np.where(some, high, 0.0) - np.where(some, low, 0.0)
    return np.where(np.isfinite(values), variance, np.nan), span / values[:, COLUMN[Statistic.SD]]


def tempered_weights(average: Average, quotes: SliceQuotes) -> Floats:
    """Weights ``[n, models]`` in proportion to exp(-AICc / (2 TEMPERATURE)) of the models with parameters.

    Those whose tails keep them out of the average say nothing here either.
    """
    score = np.full(average.weights.shape, np.inf)
    k = np.where(quotes.used, quotes.k, 0.0)
    for column, (name, model) in enumerate(zip(MODELS, average.models, strict=True)):
        with np.errstate(all="ignore"):
            residual = np.where(quotes.used, (model.total_variance(k) - quotes.w) / quotes.half_spread, 0.0)
            stands = np.asarray(np.isfinite(residual).all(axis=1), dtype=np.bool_)
            if name != "ssvi":
                stands &= tail_weight(model) <= MAX_TAIL
        score[:, column] = np.where(
            stands, aicc(np.where(stands[:, None], residual, 0.0), quotes.used, PARAMETERS[name]), np.inf
        )
    best = score.min(axis=1, keepdims=True)
    weights = np.exp((np.where(np.isfinite(best), best, 0.0) - score) / (2.0 * TEMPERATURE))
    total = row_sum(weights)[:, None]
    return np.where(total > 0.0, weights / np.where(total > 0.0, total, 1.0), average.weights)


def uncertainty(
    average: Average,
    values: Floats,
    quotes: SliceQuotes,
    fitted: Ssvi,
    seed: int,
    slice_id: NDArray[np.uint64],
    draws: int = DRAWS,
) -> Uncertainty:
    """Standard errors and intervals of the average's statistics ``values``; arguments as in ``bootstrap``."""
    within, stood = bootstrap(quotes, fitted, seed, slice_id, draws)
    between, disagreement = between_models(average, values, quotes)
    se = np.sqrt(within + between)
    return Uncertainty(se, values - NORMAL_90 * se, values + NORMAL_90 * se, within, between, disagreement, stood)


def _statistics_of(model: SmileSlices) -> Floats:
    with np.errstate(all="ignore"):
        unit = np.sqrt(model.total_variance(np.zeros((len(model), 1)))[:, 0])
    return statistics(model, unit, COARSE)[0]


def _redrawn(
    quotes: SliceQuotes, rank: NDArray[np.uint64], seed: int, slice_id: NDArray[np.uint64], draws: int
) -> SliceQuotes:
    """``[n * draws, m]`` quotes with mids drawn between bid and ask, slice by slice."""
    n, m = quotes.k.shape
    draw = np.arange(draws, dtype=np.uint64)[None, :, None]
    u = uniforms(seed, slice_id[:, None, None], draw, rank[:, None, :])
    w = quotes.w[:, None, :] + quotes.half_spread[:, None, :] * (2.0 * u - 1.0)
    flat = n * draws
    every = np.repeat(np.arange(n), draws)
    return SliceQuotes(quotes.k[every], w.reshape(flat, m), quotes.half_spread[every], quotes.used[every])


def _variance(values: Floats, stands: Bools) -> tuple[Floats, NDArray[np.int64]]:
    """Sample variance over draws, ``[n, statistics]``, of those that are numbers; strict order of summation."""
    sound = np.isfinite(values) & stands[:, :, None]
    count = sound.sum(axis=1)
    filled = np.where(sound, values, 0.0)
    mean = _draw_sum(filled) / np.maximum(count, 1)
    away = np.where(sound, values - mean[:, None, :], 0.0)
    variance = _draw_sum(away * away) / np.maximum(count - 1, 1)
    return np.where(count >= LEAST_DRAWS, variance, np.nan), stands.sum(axis=1).astype(np.int64)


def _draw_sum(values: Floats) -> Floats:
    total: Floats = np.cumsum(values, axis=1)[:, -1, :]
    return total


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
