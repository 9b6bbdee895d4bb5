"""What fills teach of impact: a new Y of a market from enough of them, caution while there are few. Pure.

What an order paid beyond the half-spread is regressed on what Y = 1 expects of it, through the origin:

    arrival slippage - half spread = Y u + error,   u = sigma P sqrt(Q / ADV) / tick,

each order divided by the error that it is expected to have, from the draw of slippage (proportional to Y u) and from
the quote (a tick). Errors are skew and some fills are grossly wrong, so it is reweighted least squares (Rousseeuw and
Leroy, "Robust Regression and Outlier Detection", 1987, chapter 3): least absolute deviations and the median absolute
residual find what is wrong, and the rest counts in full. Orders are left out beyond seven scales, where lognormal
slippage never is: estimators that weigh down what is nearer (Huber's, Tukey's at their usual constants) come out 4 to
5 % low on it. With a fifth of the orders grossly wrong, all to one side, the bias stays below 2 %; with two fifths it
does not. The interval is a bootstrap over sessions, whose orders share their draw.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.arrays import floats

Floats = NDArray[np.float64]

MIN_FILLS = 200
"""Fills below which Y stays what it was."""
FIRST_PESSIMISM = 1.5
"""Factor on expected slippage before there is any fill: published estimates of Y differ by about as much."""
GROSS_SCALES = 7.0
"""Residuals beyond so many scales are gross errors."""
DISPERSION = 0.5
"""Standard deviation of the slippage multiplier that errors are weighed with, as ``CostConfig``."""
MAX_FACTOR = 4.0
"""A version's Y is within this factor of the market's own: beyond it the fills say something else than impact."""
RESAMPLES = 400
INTERVAL = (2.5, 97.5)
_MAD = 1.4826


class LearnReason(StrEnum):
    """What a version's Y comes from."""

    TOO_FEW_FILLS = "too_few_fills"
    FITTED = "fitted"
    BOUNDED = "bounded"
    """The fit is further from the market's own Y than ``MAX_FACTOR``; the version's is at the bound."""
    NO_EXPECTATION = "no_expectation"
    """There are fills enough and none whose expected impact is known and positive."""


@dataclass(frozen=True, slots=True)
class SlippageVersion:
    """What holds for sessions after ``effective_after``. ``pessimism`` multiplies expected slippage."""

    market: str
    effective_after: date
    impact_y: float
    pessimism: float
    fills: int
    figures: Mapping[str, float | str] = field(default_factory=dict)


def pessimism(fills: int) -> float:
    """1.5 before any fill, falling to 1 at ``MIN_FILLS`` as the error of an average does: with their square root."""
    return 1.0 + (FIRST_PESSIMISM - 1.0) * (1.0 - min(math.sqrt(fills / MIN_FILLS), 1.0))


def learn(market: str, session: date, orders: pl.DataFrame, current_y: float) -> SlippageVersion:
    """What a market's orders up to a session teach.

    Parameters
    ----------
    orders
        Rows of ``measure.by_order`` of the market, up to ``session``.
    current_y
        The market's own Y, as its specification says: kept below ``MIN_FILLS``, and what a fit is bounded by.
    """
    known = orders.drop_nulls(["arrival_slippage_ticks", "impact_unit_ticks"]).filter(pl.col("impact_unit_ticks") > 0.0)
    fills = int(orders["fills"].sum())
    sessions = known["session"].n_unique()
    figures: dict[str, float | str] = {"orders": known.height, "sessions": sessions, "prior_y": current_y}
    if fills < MIN_FILLS or known.is_empty():
        reason = LearnReason.TOO_FEW_FILLS if fills < MIN_FILLS else LearnReason.NO_EXPECTATION
        caution = pessimism(fills) if fills < MIN_FILLS else FIRST_PESSIMISM
        return SlippageVersion(market, session, current_y, caution, fills, figures | {"reason": str(reason)})
    x, paid = floats(known, "impact_unit_ticks"), floats(known, "arrival_slippage_ticks")
    weight = 1.0 / np.hypot(DISPERSION * current_y * x, 1.0)
    fit = robust_slope(x * weight, (paid - floats(known, "half_spread_ticks")) * weight, known["session"].to_numpy())
    y = float(np.clip(fit.slope, current_y / MAX_FACTOR, current_y * MAX_FACTOR))
    reason = LearnReason.FITTED if y == fit.slope else LearnReason.BOUNDED
    figures |= {"fitted_y": fit.slope, "low": fit.low, "high": fit.high, "scale": fit.scale, "reason": str(reason)}
    return SlippageVersion(market, session, y, 1.0, fills, figures)


@dataclass(frozen=True, slots=True)
class Slope:
    """A slope through the origin, its 95 % interval, and the scale of the errors."""

    slope: float
    low: float
    high: float
    scale: float


def robust_slope(x: Floats, y: Floats, clusters: NDArray[np.generic], seed: int = 0) -> Slope:
    """Robust slope of ``y`` on positive ``x`` through the origin, each ``[n]``, and its interval.

    ``clusters``, ``[n]``, names what is drawn together in the bootstrap. The same input gives the same answer.
    """
    slope, scale = _reweighted(x, y)
    _, place = np.unique(clusters, return_inverse=True)
    members = [np.flatnonzero(place == each) for each in range(int(place.max()) + 1)]
    generator = np.random.Generator(np.random.Philox(seed))
    found = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        drawn = np.concatenate([members[j] for j in generator.integers(0, len(members), len(members))])
        found[i] = _reweighted(x[drawn], y[drawn])[0]
    low, high = np.percentile(found, INTERVAL)
    return Slope(slope, float(low), float(high), scale)


def _reweighted(x: Floats, y: Floats) -> tuple[float, float]:
    start = _least_absolute(x, y)
    residual = np.abs(y - start * x)
    scale = _MAD * float(np.median(residual))
    kept = residual <= GROSS_SCALES * scale
    return float(x[kept] @ y[kept] / (x[kept] @ x[kept])), scale


def _least_absolute(x: Floats, y: Floats) -> float:
    """Slope of least absolute deviations: the median of y / x with weights x."""
    ratio = y / x
    order = np.argsort(ratio, kind="stable")
    total = np.cumsum(x[order])
    return float(ratio[order][np.searchsorted(total, 0.5 * total[-1])])
