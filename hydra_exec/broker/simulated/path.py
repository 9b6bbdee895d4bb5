"""From a session's daily bar to a path of quotes, by a seed. Pure.

The bar says where a session opened, how far it went and where it settled, not when. The path begins at the open, visits
both extremes, in an order and at steps that are drawn, and ends at the settle; between two of these points it is a
Brownian bridge, reflected where it would leave the bar. Its volatility is the one whose expected range the bar's is,

    E[high - low] = sqrt(8 / pi) sigma sqrt(n)

(Feller, "The asymptotic distribution of the range of sums of independent random variables", 1951; Parkinson, "The
extreme value method for estimating the variance of the rate of return", 1980). The quote stands half a spread away from
the middle, rounded outward to the grid.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hydra_assets.replay.fills import GRID_SLACK_TICKS
from hydra_assets.replay.random import market_key, philox_4x32

Floats = NDArray[np.float64]

MIN_STEPS = 4
"""Open, both extremes and the settle need one step each."""
PRICE_DECIMALS = 10
"""Prices on a grid of decimal ticks have one spelling when rounded to so many places."""
_PATH_STREAM = 0x51D0_0000
_EPOCH = date(1970, 1, 1)
_RANGE_OF_WALK = math.sqrt(8.0 / math.pi)


@dataclass(frozen=True, slots=True)
class DayBar:
    """One contract's session, in units of price. What is missing (None or NaN) is the settle."""

    settle: float
    open: float | None = None
    high: float | None = None
    low: float | None = None

    @property
    def filled(self) -> tuple[float, float, float, float]:
        """Open, high, low and settle; the range holds the other two, whatever was delivered."""
        first, high, low = (_or(price, self.settle) for price in (self.open, self.high, self.low))
        return first, max(high, first, self.settle), min(low, first, self.settle), self.settle


@dataclass(frozen=True, slots=True)
class PathKey:
    """Address of a path's random numbers: the same address gives the same path, whatever else is drawn."""

    seed: int
    contract: str
    session: date


@dataclass(frozen=True, slots=True)
class QuotePath:
    """Touch at each step, ``[step]`` in units of price."""

    bids: Floats
    asks: Floats


def quote_path(bar: DayBar, steps: int, key: PathKey) -> Floats:
    """Middle of the quote at each step, ``[steps]``: open first, settle last, high and low in between.

    Raises
    ------
    ValueError
        Fewer than ``MIN_STEPS`` steps.
    """
    if steps < MIN_STEPS:
        msg = f"{steps} steps; a path needs {MIN_STEPS} at least"
        raise ValueError(msg)
    first, high, low, settle = bar.filled
    uniforms, normals = _draws(key, steps)
    inner = steps - 2
    place = int(uniforms[0] * inner)
    other = (place + 1 + int(uniforms[1] * (inner - 1))) % inner
    points = {0: first, 1 + place: high, 1 + other: low, steps - 1: settle}
    knots = np.array(sorted(points))
    values = np.array([points[int(knot)] for knot in knots])
    at = np.arange(steps, dtype=np.float64)
    sigma = (high - low) / (_RANGE_OF_WALK * math.sqrt(steps))
    walk = np.concatenate([[0.0], np.cumsum(sigma * normals[1:])])
    # A bridge is a walk without the line between its own values at the ends.
    noise = walk - np.interp(at, knots, walk[knots])
    mids = _reflected(np.interp(at, knots, values) + noise, low, high)
    mids[knots] = values
    return np.asarray(mids)


def quotes(mids: Floats, half_spread_ticks: float, tick: float) -> QuotePath:
    """Bid and ask around middles, on the grid and one tick apart at least."""
    middle = mids / tick
    bid = np.floor(middle - half_spread_ticks + GRID_SLACK_TICKS)
    ask = np.ceil(middle + half_spread_ticks - GRID_SLACK_TICKS)
    return QuotePath(np.round(bid * tick, PRICE_DECIMALS), np.round(np.maximum(ask, bid + 1.0) * tick, PRICE_DECIMALS))


def happens(rate: float, seed: int, name: str, stream: int) -> bool:
    """Whether what has this probability happens to a name: a draw that belongs to an order and to no session."""
    return rate > 0.0 and float(_words(seed, name, 0, stream, 1)[0, 0]) < rate


def _draws(key: PathKey, steps: int) -> tuple[Floats, Floats]:
    day = (key.session - _EPOCH).days
    words = _words(key.seed, key.contract, day, _PATH_STREAM, steps)
    return words[1], np.asarray(ndtri(words[0]))


def _words(seed: int, name: str, day: int, stream: int, n: int) -> Floats:
    """Two rows of ``n`` numbers in (0, 1), by address."""
    address = market_key(name)
    zeros = np.zeros(n, dtype=np.uint64)
    counter = (
        zeros + np.uint64(day & 0xFFFFFFFF),
        np.arange(n, dtype=np.uint64) + np.uint64(stream),
        zeros + np.uint64(address & 0xFFFFFFFF),
        zeros + np.uint64(address >> 32),
    )
    first, second, third, fourth = philox_4x32(counter, (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF))
    high, low = np.stack([first, third]), np.stack([second, fourth])
    mantissa = ((high >> np.uint64(5)) << np.uint64(26)) | (low >> np.uint64(6))
    return np.asarray((mantissa.astype(np.float64) + 0.5) * 2.0**-53)


def _reflected(values: Floats, low: float, high: float) -> Floats:
    if high <= low:
        return np.full_like(values, low)
    once = np.mod(values - low, 2.0 * (high - low))
    return np.asarray(np.clip(low + np.minimum(once, 2.0 * (high - low) - once), low, high))


def _or(price: float | None, settle: float) -> float:
    return settle if price is None or math.isnan(price) else price
