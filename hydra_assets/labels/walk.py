"""Walk all positions of one market forward together, one step of their lives at a time.

Position t earns the growth factors of its steps j = 1..h; step j is session ``first + t + j - 1``. The loop runs over
steps, never over rows, and multiplies in time order, so a result depends on its own path alone to the last bit.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hydra_assets.labels.spec import Barrier, LabelReason

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)

REASONS: tuple[LabelReason, ...] = tuple(LabelReason)
BARRIERS: tuple[Barrier, ...] = (Barrier.VERTICAL, Barrier.UPPER, Barrier.LOWER)
OK = REASONS.index(LabelReason.OK)
NOT_YET_KNOWN = REASONS.index(LabelReason.NOT_YET_KNOWN)


@dataclass(frozen=True, slots=True)
class Steps:
    """What each session of a market brings to a position that is open in it, ``[n]`` each.

    ``growth`` is the growth factor, ``fault`` the index in REASONS of why there is none (OK otherwise), ``rolled``
    whether the contract changed at the settle before. ``first_growth`` and ``first_fault`` replace the first two on
    the first step of a position (an entry at the open earns the session from its open on). ``first`` is the distance
    in sessions from the decision to the first step.
    """

    growth: Floats
    fault: Ints
    rolled: Flags
    first_growth: Floats
    first_fault: Ints
    first: int


@dataclass(frozen=True, slots=True)
class Walked:
    """How each position ended, ``[n]``: reason and barrier by index, exit row (-1 where none), growth, rolls."""

    reason: Ints
    barrier: Ints
    exit_row: Ints
    growth: Floats
    rolls: Ints


def walk(steps: Steps, excluded: Ints, upper: Floats, lower: Floats, horizon: int, exit_lag: int) -> Walked:
    """Walk positions to their exits.

    Parameters
    ----------
    steps
        Sessions of one market in order.
    excluded
        Index in REASONS of what forbids a label from the start, ``[n]``; OK where nothing does.
    upper, lower
        Barriers on the return since entry, as positive fractions ``[n]``; infinite for none.
    horizon
        Steps until the vertical barrier.
    exit_lag
        Steps from meeting a barrier to the exit; the vertical barrier cuts it short.
    """
    n = len(steps.growth)
    reason = excluded.copy()
    done = reason != OK
    growth = np.ones(n)
    rolls = np.zeros(n, dtype=np.int64)
    barrier = np.zeros(n, dtype=np.int64)
    exit_step = np.full(n, horizon, dtype=np.int64)
    for j in range(1, horizon + 1):
        at = steps.first + j - 1
        fault = _ahead(steps.first_fault if j == 1 else steps.fault, at, NOT_YET_KNOWN)
        factor = _ahead(steps.first_growth if j == 1 else steps.growth, at, np.nan)
        stopped = ~done & (fault != OK)
        reason[stopped] = fault[stopped]
        done |= stopped
        live = ~done
        growth = np.where(live, growth * factor, growth)
        if j > 1:
            rolls += live & _ahead(steps.rolled, at, False)
        gain = growth - 1.0
        met = live & (barrier == 0) & ((gain >= upper) | (gain <= -lower))
        barrier = np.where(met, np.where(gain >= upper, 1, 2), barrier)
        exit_step = np.where(met, min(j + exit_lag, horizon), exit_step)
        done |= live & (exit_step == j)
    ended = reason == OK
    exit_row = np.where(ended, np.arange(n) + steps.first + exit_step - 1, -1)
    return Walked(reason, barrier, exit_row, growth, rolls)


def _ahead(values: NDArray[Scalar], by: int, beyond: object) -> NDArray[Scalar]:
    """Row t holds the value of session t + by; ``beyond`` past the last one."""
    out = np.full_like(values, beyond)
    if by < len(values):
        out[: len(values) - by] = values[by:]
    return out
