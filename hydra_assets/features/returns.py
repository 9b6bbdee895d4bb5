"""Returns of a held position and what is computed from their recent past; ``[n]`` arrays in session order, one market.

Each window is summed afresh from its own values, so a result depends on its window alone and not on where the
history starts.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SESSIONS_A_YEAR = 252.0
MIN_SHARE_OF_WINDOW = 0.9


def trailing(values: Floats, window: int) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return sum, sum of squares and count of the finite ones among the last ``window`` values, itself included."""
    if not values.size:
        return np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64)
    padded = np.concatenate([np.full(window - 1, np.nan), values])
    views = np.lib.stride_tricks.sliding_window_view(padded, window)
    finite = np.isfinite(views)
    filled = np.where(finite, views, 0.0)
    return filled.sum(axis=1), (filled * filled).sum(axis=1), finite.sum(axis=1)


def momentum(log_returns: Floats, window: int) -> Floats:
    """Return sum(r) / sqrt(sum(r^2)) over the window: the move in units of the path's own volatility.

    NaN where fewer than nine tenths of the window are there.
    """
    total, squares, count = trailing(log_returns, window)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = total / np.sqrt(squares)
    return np.where((count >= MIN_SHARE_OF_WINDOW * window) & (squares > 0.0), ratio, np.nan)


def realised_vol(log_returns: Floats, window: int) -> Floats:
    """Return sqrt(252 mean(r^2)) over the window, a year's volatility as a fraction; NaN as in ``momentum``."""
    _, squares, count = trailing(log_returns, window)
    with np.errstate(invalid="ignore", divide="ignore"):
        vol = np.sqrt(SESSIONS_A_YEAR * squares / count)
    return np.where(count >= MIN_SHARE_OF_WINDOW * window, vol, np.nan)
