"""Standardising a series against its own strictly past values, exactly the same in a backfill and day by day."""

import numpy as np
from numpy.typing import NDArray


def expanding_z(values: NDArray[np.float64], minimum: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return z of each value against all finite values before it, ``[n]``, and how many there were, ``[n]``.

    z_t = (x_t - mean(x_<t)) / sd(x_<t), the sample standard deviation; NaN where x_t is missing, where fewer than
    ``minimum`` values precede or where they are all equal. Sums run in time order from the first value on, so appending
    values changes no earlier result, to the last bit.
    """
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(values), np.nan), np.zeros(len(values), dtype=np.int64)
    # Sums of squares are taken around the first value, which is past for all others: no cancellation, no look-ahead.
    shifted = np.where(finite, values - values[np.argmax(finite)], 0.0)
    count = np.concatenate([[0], np.cumsum(finite)[:-1]])
    total = np.concatenate([[0.0], np.cumsum(shifted)[:-1]])
    squares = np.concatenate([[0.0], np.cumsum(shifted * shifted)[:-1]])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count
        variance = (squares - count * mean * mean) / (count - 1)
        z = (shifted - mean) / np.sqrt(variance)
    usable = finite & (count >= max(minimum, 2)) & (variance > 1e-18)
    return np.where(usable, z, np.nan), count.astype(np.int64)
