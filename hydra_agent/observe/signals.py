"""A signal: one thing that is watched, as a whole track over sessions; row t knows rows up to t alone."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

POOL = "*"
"""Scope of a signal that is of the group as a whole."""


class Level(IntEnum):
    """How much a signal matters; the order is the codes' own."""

    OK = 0
    INFO = 1
    WARNING = 2
    CRITICAL = 3


class Family(StrEnum):
    """What a signal is about, in the order in which a diagnosis asks: data before model."""

    CONTRACT = "contract"
    """Values that cannot be: another unit, a level out of all proportion."""
    FRESHNESS = "freshness"
    ACTIVITY = "activity"
    DRIFT = "drift"
    REGIME = "regime"
    CALIBRATION = "calibration"
    PERFORMANCE = "performance"


class SignalReason(StrEnum):
    """What a signal says at a session."""

    SOUND = "sound"
    UNIT_CHANGE = "unit_change"
    LATE = "late"
    STALE = "stale"
    DROUGHT = "drought"
    """Far less is traded than was."""
    DORMANT = "dormant"
    """Next to nothing is traded: no verdict on the model."""
    SHIFTED = "shifted"
    FROZEN = "frozen"
    GAPS = "gaps"
    INCONSISTENT = "inconsistent"
    """No longer goes with the other features as it did."""
    STRESSED = "stressed"
    MISCALIBRATED = "miscalibrated"
    EDGE_FALLING = "edge_falling"
    EDGE_GONE = "edge_gone"
    NOT_WATCHED = "not_watched"
    """Too little was seen to say anything; never an alarm."""


@dataclass(frozen=True, slots=True, eq=False)
class SignalTrack:
    """One signal over all sessions of a view, ``[T]`` each."""

    family: Family
    name: str
    """What is watched: a feed, a feature, ``edge``."""
    scope: str
    """A market's symbol or ``POOL``."""
    statistic: Floats
    """NaN where nothing can be said."""
    threshold: float
    """Statistic above which it is at least a warning."""
    level: Codes
    """Values of ``Level``."""
    reason: SignalReason
    """What it says where its level is above OK."""
    gravest: SignalReason | None = None
    """What it says where its level is CRITICAL, if that is something else."""

    def at(self, row: int) -> "Signal":
        """The signal as of a session."""
        level = Level(int(self.level[row]))
        grave = self.gravest if level is Level.CRITICAL else None
        said = (grave or self.reason) if level > Level.OK else SignalReason.SOUND
        reason = said if np.isfinite(self.statistic[row]) or level > Level.OK else SignalReason.NOT_WATCHED
        return Signal(self.family, self.name, self.scope, float(self.statistic[row]), self.threshold, level, reason)


@dataclass(frozen=True, slots=True)
class Signal:
    """One signal at one session."""

    family: Family
    name: str
    scope: str
    statistic: float
    threshold: float
    level: Level
    reason: SignalReason


def graded(statistic: Floats, *bounds: tuple[float, Level]) -> Codes:
    """Level of each value: that of the last bound it lies above; NaN is OK. Bounds ascend."""
    out = np.zeros(statistic.shape, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        for bound, level in bounds:
            out[statistic > bound] = level
    return out
