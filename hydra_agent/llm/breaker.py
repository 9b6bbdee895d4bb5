"""The circuit breaker: a provider that fails in a row is left alone for a while, then tried once.

======  ==================================  =========
phase   event                               becomes
======  ==================================  =========
closed  n-th failure in a row               open
open    the pause is over                   half-open
half    success                             closed
half    failure                             open
======  ==================================  =========
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hydra_agent.llm.config import BreakerPolicy
from hydra_agent.llm.records import CallCode, CallRecord


class Phase(StrEnum):
    """What the breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing."""
    HALF_OPEN = "half_open"
    """One call, which decides."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """State of one provider's breaker: failures in a row, and the last of them once it has opened."""

    failures: int = 0
    opened_at: datetime | None = None

    def phase(self, now: datetime, policy: BreakerPolicy) -> Phase:
        """The phase at an instant. A clock that runs backwards keeps it open."""
        if self.opened_at is None:
            return Phase.CLOSED
        over = now - self.opened_at >= timedelta(seconds=policy.pause_seconds)
        return Phase.HALF_OPEN if over else Phase.OPEN

    def after(self, success: bool, now: datetime, policy: BreakerPolicy) -> "Breaker":
        """The state after a call that was let through."""
        if success:
            return Breaker()
        failures = self.failures + 1
        return Breaker(failures, now if failures >= policy.failures else None)


def replayed(records: Iterable[CallRecord], provider: str, policy: BreakerPolicy) -> Breaker:
    """The breaker that a provider's earlier calls, in order, leave behind: a new process does not start trusting."""
    state = Breaker()
    for record in records:
        if record.provider == provider:
            state = state.after(record.code is CallCode.OK, record.at, policy)
    return state
