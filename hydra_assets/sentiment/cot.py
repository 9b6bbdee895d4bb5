"""Where a value stands among its own past weeks, and the codes of a report that says nothing."""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class CotReason(StrEnum):
    """Why a session has a score, or none."""

    OK = "ok"
    NO_REPORT = "no_report"
    """Nothing was known at the cutoff, or the market has no CFTC code."""
    NOT_PUBLISHED = "not_published"
    """The market dropped out of the report."""
    STALE = "stale"
    SHORT_HISTORY = "short_history"


def mid_rank_score(values: NDArray[np.float64], window: int, minimum: int) -> NDArray[np.float64]:
    """Score of each value among itself and up to ``window - 1`` values before it, ``[n]`` in [-1, +1].

    score = (below - above) / count, which is 2 * mid-rank / count - 1. NaN before ``minimum`` values.
    """
    n = len(values)
    padded = np.concatenate([np.full(window, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[1:]
    below = (windows < values[:, None]).sum(axis=1)
    above = (windows > values[:, None]).sum(axis=1)
    count = np.minimum(np.arange(1, n + 1), window)
    return np.where(count >= minimum, (below - above) / count, np.nan)
