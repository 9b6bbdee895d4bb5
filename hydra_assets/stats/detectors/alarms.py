"""From a statistic to alarms: an episode begins above the threshold and ends well below it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Flags = NDArray[np.bool_]

REARM = 0.5
"""An episode ends below this fraction of the threshold: a statistic that hovers about it is one alarm, not many."""


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Shape of the statistic."""

    onset: Flags
    """Sessions on which an episode begins: the alarms."""
    active: Flags
    """Sessions inside an episode; one without an observation goes on as before."""


def episodes(statistic: ArrayLike, threshold: float, rearm: float = REARM) -> Episodes:
    """Episodes of ``[T]`` or ``[T, K]`` statistics above a positive threshold; NaN says nothing."""
    s = np.asarray(statistic, dtype=np.float64)
    t = np.arange(len(s)).reshape((-1,) + (1,) * (s.ndim - 1))
    with np.errstate(invalid="ignore"):
        above, below = s > threshold, s < rearm * threshold
    last_above = np.maximum.accumulate(np.where(above, t, -1), axis=0)
    last_below = np.maximum.accumulate(np.where(below, t, -1), axis=0)
    active: Flags = last_above > last_below
    onset = active.copy()
    onset[1:] &= ~active[:-1]
    return Episodes(onset, active)
