"""What a fault is: something that goes wrong in a world at a session, with the right cause and the right answer."""

from enum import StrEnum
from typing import Protocol

import numpy as np

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.worlds import BenchWorld
from hydra_agent.respond import ResponseCode


class FaultName(StrEnum):
    """Rows of the benchmark's table."""

    NONE = "F0"
    REGIME_CHANGE = "F1"
    UNIT_CHANGE = "F2"
    CORRUPTED_FEATURE = "F3"
    STALE_SOURCE = "F4"
    SIGN_FLIP = "F5"
    LIQUIDITY_DROUGHT = "F6"
    LABEL_SHIFT = "F7"
    TRANSIENT_DIP = "F8"
    LOOK_AHEAD = "F9"
    HOSTILE_REPLIES = "F10"
    TAMPERED_JOURNAL = "F11"
    KILLED = "F12"
    TWO_AT_ONCE = "F13"


class Fault(Protocol):
    """A plug-in of the benchmark; applying it leaves everything before its session as it was."""

    @property
    def name(self) -> FaultName:
        """Row of the table."""
        ...

    @property
    def session(self) -> int:
        """Row of the world from which something is wrong."""
        ...

    @property
    def right_cause(self) -> CauseCode | None:
        """What a diagnosis should put first; None where nothing in the data is wrong."""
        ...

    @property
    def right_response(self) -> ResponseCode:
        """What should be done at once."""
        ...

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Plant the fault; ``rng`` draws which feed, feature or kind it is. The result's truth says which."""
        ...
