"""Quotes that cannot stand beside their neighbours: static arbitrage within one expiry and right.

Prices fall and are convex from left to right (a put's strikes are mirrored). A quote is dominated when its bid is above
the ask of one that pays at least as much, or above what two neighbours that together pay as much can be bought for.
Of a conflicting pair the one in more conflicts goes, then the one with the wider market, since a stale quote usually
contradicts several fresh ones.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
CHUNK = 256
TOLERANCE = 1e-12


def dominated(group: Ints, column: Ints, across: Floats, low: Floats, high: Floats) -> tuple[Bools, Bools]:
    """Which quotes break monotonicity, and which of the rest break convexity; ``[n]`` each.

    ``group`` numbers the legs from 0, ``column`` the quotes of a leg from 0 in order of ``across`` (mirrored strike);
    ``low`` and ``high`` are bid and ask.
    """
    rising, bulging = np.zeros(len(group), dtype=np.bool_), np.zeros(len(group), dtype=np.bool_)
    if not len(group):
        return rising, bulging
    for first in range(0, int(group.max()) + 1, CHUNK):
        inside = np.flatnonzero((group >= first) & (group < first + CHUNK))
        if not len(inside):
            continue
        where = group[inside] - first, column[inside]
        shape = int(where[0].max()) + 1, int(where[1].max()) + 1
        x, bid, ask = (_padded(values[inside], where, shape) for values in (across, low, high))
        stands = np.isfinite(x)
        rises = _conflicts(bid, ask, stands)
        rising[inside] = rises[where]
        bulging[inside] = _bulges(x, bid, ask, stands & ~rises)[where]
    return rising, bulging


def _padded(values: Floats, where: tuple[Ints, Ints], shape: tuple[int, int]) -> Floats:
    out = np.full(shape, np.nan)
    out[where] = values
    return out


def _conflicts(bid: Floats, ask: Floats, stands: Bools) -> Bools:
    """Take away, one a leg and pass, the quote in most conflicts until none is left; ``[g, m]``."""
    gone = np.zeros(bid.shape, dtype=np.bool_)
    later = np.triu(np.ones((bid.shape[1], bid.shape[1]), dtype=np.bool_), 1)
    with np.errstate(invalid="ignore"):
        clash = (bid[:, None, :] > ask[:, :, None] * (1.0 + TOLERANCE)) & later
    clash &= stands[:, :, None] & stands[:, None, :]
    width = np.where(stands, ask - bid, 0.0)
    widest = np.maximum(width.max(axis=1, keepdims=True), 1e-300)
    for _ in range(bid.shape[1]):
        count = clash.sum(axis=1) + clash.sum(axis=2)
        rows = np.flatnonzero(count.any(axis=1))
        if not len(rows):
            break
        # A fraction below one, so that the market's width only decides between equals.
        worst = np.argmax(count[rows] + 0.5 * (width / widest)[rows] * (count[rows] > 0), axis=1)
        gone[rows, worst] = True
        clash[rows, worst, :] = False
        clash[rows, :, worst] = False
    return gone


def _bulges(x: Floats, bid: Floats, ask: Floats, stands: Bools) -> Bools:
    """Quotes above the chord of their standing neighbours' asks, worst first, one a leg and pass; ``[g, m]``."""
    gone = np.zeros(bid.shape, dtype=np.bool_)
    for _ in range(bid.shape[1]):
        left = _nearest_before(stands)
        right = bid.shape[1] - 1 - _nearest_before(stands[:, ::-1])[:, ::-1]
        inner = stands & (left >= 0) & (right < bid.shape[1])
        i, k = np.where(inner, left, 0), np.where(inner, right, 0)
        rows = np.arange(len(bid))[:, None]
        with np.errstate(invalid="ignore", divide="ignore"):
            share = (x - x[rows, i]) / (x[rows, k] - x[rows, i])
            chord = ask[rows, i] * (1.0 - share) + ask[rows, k] * share
            excess = np.where(inner & (bid > chord * (1.0 + TOLERANCE)), bid - chord, 0.0)
        bad = np.flatnonzero((excess > 0.0).any(axis=1))
        if not len(bad):
            break
        worst = np.argmax(excess[bad], axis=1)
        gone[bad, worst] = True
        stands = stands & ~gone
    return gone


def _nearest_before(stands: Bools) -> Ints:
    """Index of the nearest standing quote strictly before each place, -1 where there is none; ``[g, m]``."""
    index = np.where(stands, np.arange(stands.shape[1]), -1)
    newest = np.maximum.accumulate(index, axis=1)
    return np.concatenate([np.full((len(stands), 1), -1), newest[:, :-1]], axis=1)
