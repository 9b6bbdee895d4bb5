"""A champion against its predecessor in shadow: confirmed, or taken back, by an always-valid e-process. Pure.

A provisional champion trades a quarter of its size until the wealth of a bet on its paired returns reaches 20; where
the wealth of the opposite bet reaches 5 first, its predecessor comes back. A confirmed champion is watched in the same
way, with a wealth that begins anew. Both sides are replayed at full size, so the size that is traded changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from hydra_agent.view import Floats
from hydra_assets.stats.eprocess import ECode, EConfig, decide, e_process

MIN_HOLD_SESSIONS = 2
"""48 hours: nothing is taken back before the second session has been decided."""
BETS = EConfig()
_NEVER = 1e300


@dataclass(frozen=True, slots=True)
class Step:
    """One decision on a champion."""

    code: ECode
    """CONFIRM or ABORT."""
    row: int
    """Session at whose cutoff it was reached."""
    e_for: float
    e_against: float


def steps(champion: Floats, predecessor: Floats, since: int, confirmed: bool = False) -> Iterator[Step]:
    """Decisions on a champion in order of time: at most a confirmation and then a taking back.

    Parameters
    ----------
    champion, predecessor
        ``[T]`` net profit over capital of each session at full size; zeros where the predecessor is cash.
    since
        First row that the champion decides on.
    confirmed
        Whether it begins with the full size.
    """
    # What is decided at a session earns from the next one on.
    start = since + 1
    rules = replace(BETS, confirm=_NEVER) if confirmed else BETS
    while start < len(champion):
        gap = champion[start:] - predecessor[start:]
        track = e_process(gap, rules)
        found = decide(track, rules)
        if found.session is None:
            return
        row = max(start + found.session, since + MIN_HOLD_SESSIONS)
        if row >= len(champion):
            return
        at = row - start
        yield Step(found.code, row, float(np.exp(track.log_e_for[at])), float(np.exp(track.log_e_against[at])))
        if found.code is ECode.ABORT:
            return
        start, rules = row + 1, replace(BETS, confirm=_NEVER)
