"""Standardising a series against its own strictly past values, exactly the same in a backfill and day by day."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def expanding_scale(values: Floats, minimum: int) -> tuple[Floats, Floats, Ints]:
    """Distance of each value from the mean of all finite values before it, their sd, and how many there were; ``[n]``.

    Distance and sd (the sample one) are NaN where x_t is missing, where fewer than ``minimum`` values precede or where
    they are all equal. Sums run in time order from the first value on, so appending values changes no earlier result,
    to the last bit.
    """
    finite = np.isfinite(values)
    if not finite.any():
        nothing = np.full(len(values), np.nan)
        return nothing, nothing, np.zeros(len(values), dtype=np.int64)
    # Sums of squares are taken around the first value, which is past for all others: no cancellation, no look-ahead.
    shifted = np.where(finite, values - values[np.argmax(finite)], 0.0)
    count = np.concatenate([[0], np.cumsum(finite)[:-1]])
    total = np.concatenate([[0.0], np.cumsum(shifted)[:-1]])
    squares = np.concatenate([[0.0], np.cumsum(shifted * shifted)[:-1]])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        variance = (squares - count * mean * mean) / (count - 1)
        usable = finite & (count >= max(minimum, 2)) & (variance > 1e-18)
        sd = np.sqrt(variance)
    return np.where(usable, shifted - mean, np.nan), np.where(usable, sd, np.nan), count.astype(np.int64)


def expanding_z(values: Floats, minimum: int) -> tuple[Floats, Ints]:
    """Return z of each value against all finite values before it, ``[n]``, and how many there were, ``[n]``.

    z_t = (x_t - mean(x_<t)) / sd(x_<t); NaN as in ``expanding_scale``.
    """
    apart, sd, count = expanding_scale(values, minimum)
    return apart / sd, count


def lagged_change(values: Floats, lag: int, *, unbroken: bool) -> Floats:
    """x_t - x_{t-lag}, ``[n]``; NaN where one of the two is missing, or with ``unbroken`` any value between them."""
    n = len(values)
    before = np.concatenate([np.full(min(lag, n), np.nan), values[: max(n - lag, 0)]])
    change = np.asarray(values - before)
    if unbroken:
        missing = np.concatenate([[0], np.cumsum(~np.isfinite(values))])
        first = np.maximum(np.arange(n) - lag, 0)
        change = np.where(missing[1:] == missing[first], change, np.nan)
    return change
