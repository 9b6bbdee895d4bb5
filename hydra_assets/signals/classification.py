"""The type table: what a pair of views is.

Options lean up (down) where their z is at least ``view_sd`` above (below) their mean and outside its noise; otherwise
they are quiet. Sentiment is long (short) from ``view_sd`` on, extreme from ``extreme_sd`` on, flat below ``view_sd``.

| options | extreme short | short | flat | long | extreme long |
|---|---|---|---|---|---|
| up | bullish divergence, +1 | bullish divergence, +1 | early signal, +1, if fresh; else rest | trend follow, +1 | trend follow, +1 |
| quiet | sentiment overreaction, +1 | rest | rest | rest | sentiment overreaction, -1 |
| down | trend follow, -1 | trend follow, -1 | early signal, -1, if fresh; else rest | bearish divergence, -1 | bearish divergence, -1 |

- *Sentiment overreaction*: sentiment is extreme and the options do not go along, whichever way they lean within their
  noise or threshold; the direction is against the crowd. Where they lean against it clearly, it is a divergence.
- *Early signal*: the options lean and got there lately, their change being at least ``change_sd`` in that direction;
  sentiment is flat and has not moved either way by ``change_sd``. A missing change is not fresh.
- *rest*: volatility play in a volatile session, else neutral; both have direction 0.
- *Volatile*: kurtosis is at least ``kurt_sd`` above its mean and the grade is B or better. Whatever the type, such a
  session has the size factor ``volatility_size_factor``: only futures are traded, so fat tails can be avoided, not
  bought.
- *Absent*: a view is missing. No direction, no size.

A value on a border is beyond it (leans, is extreme, has moved, is volatile).
"""  # noqa: E501  a table's row is one line

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydra_assets.signals.thresholds import TypeThresholds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KURTOSIS_GRADES = ("A", "B")
"""Grades whose kurtosis is identified; not at eight strikes."""


class SignalType(StrEnum):
    """What a pair of views is."""

    BULLISH_DIVERGENCE = "bullish_divergence"
    BEARISH_DIVERGENCE = "bearish_divergence"
    SENTIMENT_OVERREACTION = "sentiment_overreaction"
    EARLY_SIGNAL = "early_signal"
    TREND_FOLLOW = "trend_follow"
    VOLATILITY_PLAY = "volatility_play"
    NEUTRAL = "neutral"
    ABSENT = "absent"
    """One of the views is missing; the reason says which."""


class Bias(StrEnum):
    """What a type suggests to do with the future."""

    LONG = "long"
    SHORT = "short"
    FLAT = "flat"


DIRECTIONAL = (
    SignalType.BULLISH_DIVERGENCE,
    SignalType.BEARISH_DIVERGENCE,
    SignalType.EARLY_SIGNAL,
    SignalType.TREND_FOLLOW,
)
"""Types whose direction is that of the options."""


@dataclass(frozen=True, slots=True)
class Classified:
    """Types of n sessions, all arrays ``[n]``."""

    kind: NDArray[np.str_]
    """Values of ``SignalType``."""
    direction: NDArray[np.int64]
    """-1, 0 or +1; 0 where absent."""
    volatile: Bools
    size_factor: Floats
    """In (0, 1]; NaN where absent."""


def classify(
    options_z: Floats,
    options_noise: Bools,
    sentiment_z: Floats,
    options_change_z: Floats,
    sentiment_change_z: Floats,
    kurt_z: Floats,
    grade: NDArray[np.object_],
    thresholds: TypeThresholds,
) -> Classified:
    """Classify sessions by the table above; every session by itself.

    Parameters
    ----------
    options_z, sentiment_z, options_change_z, sentiment_change_z, kurt_z
        ``[n]``, in standard deviations of each one's own past; NaN where missing. What lies inside its own noise is
        given as 0, but for ``options_z``, which has a flag.
    options_noise
        ``[n]``: the options view cannot be told from its own mean.
    grade
        ``[n]`` grades of the density, None where there is none.
    """
    t = thresholds
    absent = ~(np.isfinite(options_z) & np.isfinite(sentiment_z))
    # Comparisons with NaN are false: a missing change or kurtosis never counts as a move.
    side = np.where(options_noise | ~(np.abs(options_z) >= t.view_sd), 0.0, np.sign(options_z))
    crowd = np.where(np.abs(sentiment_z) >= t.view_sd, np.sign(sentiment_z), 0.0)
    extreme = np.abs(sentiment_z) >= t.extreme_sd
    fresh = (options_change_z * side >= t.change_sd) & (np.abs(sentiment_change_z) < t.change_sd)
    volatile = (kurt_z >= t.kurt_sd) & np.isin(grade.astype(str), KURTOSIS_GRADES) & ~absent
    against, along = side * crowd < 0, side * crowd > 0
    kind = np.select(
        [
            absent,
            against & (side > 0),
            against & (side < 0),
            along,
            (side != 0) & (crowd == 0) & fresh,
            (side == 0) & extreme,
            volatile,
        ],
        [
            SignalType.ABSENT.value,
            SignalType.BULLISH_DIVERGENCE.value,
            SignalType.BEARISH_DIVERGENCE.value,
            SignalType.TREND_FOLLOW.value,
            SignalType.EARLY_SIGNAL.value,
            SignalType.SENTIMENT_OVERREACTION.value,
            SignalType.VOLATILITY_PLAY.value,
        ],
        SignalType.NEUTRAL.value,
    )
    direction = np.where(np.isin(kind, DIRECTIONAL), side, 0.0)
    direction = np.where(kind == SignalType.SENTIMENT_OVERREACTION, -crowd, direction)
    size = np.where(volatile, t.volatility_size_factor, 1.0)
    return Classified(
        kind=kind,
        direction=direction.astype(np.int64),
        volatile=volatile,
        size_factor=np.where(absent, np.nan, size),
    )
