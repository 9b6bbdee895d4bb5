"""Scripts: which failures the server plays, as values.

A script is a tuple of faults and a seed; ``script(...)`` takes faults and scripts, ``a + b`` plays both. Faults count
messages, requests, orders and connections, and never look at a wall clock: the same script and the same requests give
the same bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from .orders import TIF_PRESET, Correct, DelayAck, Notice, OrderFault, Reject, Revoke, SecondPermId
from .session import (
    At,
    ClientIdInUse,
    EndDay,
    Event,
    External,
    Flow,
    Grant,
    HangUp,
    Lost,
    NextIdRegress,
    Outage,
    Restored,
    Rights,
    Say,
    SessionFault,
    lost_and_restored,
    nightly_restart,
)
from .wire import (
    Coalesce,
    Delay,
    Drop,
    Duplicate,
    Fail,
    Ignore,
    Postpone,
    RequestFault,
    Reset,
    ResetOnRequest,
    Split,
    WireFault,
    without_end,
)

Fault = WireFault | RequestFault | OrderFault | SessionFault


@dataclass(frozen=True, slots=True)
class Script:
    """What goes wrong."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0

    def __add__(self, other: "Script") -> "Script":
        return Script(self.faults + other.faults, self.seed or other.seed)


def script(*parts: "Fault | Script | Iterable[Fault]", seed: int = 0) -> Script:
    """One script of faults, of groups of faults and of other scripts."""
    faults: list[Fault] = []
    for part in parts:
        if isinstance(part, Script):
            faults += part.faults
            seed = seed or part.seed
        elif isinstance(part, Iterable):
            faults += part
        else:
            faults.append(part)
    return Script(tuple(faults), seed)


__all__ = [
    "TIF_PRESET",
    "At",
    "ClientIdInUse",
    "Coalesce",
    "Correct",
    "Delay",
    "DelayAck",
    "Drop",
    "Duplicate",
    "EndDay",
    "Event",
    "External",
    "Fail",
    "Fault",
    "Flow",
    "Grant",
    "HangUp",
    "Ignore",
    "Lost",
    "NextIdRegress",
    "Notice",
    "OrderFault",
    "Outage",
    "Postpone",
    "Reject",
    "Reset",
    "ResetOnRequest",
    "Restored",
    "Revoke",
    "Rights",
    "Say",
    "Script",
    "SecondPermId",
    "Split",
    "lost_and_restored",
    "nightly_restart",
    "script",
    "without_end",
]
