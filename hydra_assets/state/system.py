"""The one system state that decides trading: four states, one transition table, the strictest demand wins.

Breakers, data checks, the connection and the risk gate each demand a state. Software may tighten to any state and
loosen up to HALTED; out of LOCKDOWN only a person leads, and only to HALTED, from where the demands decide again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class SystemState(StrEnum):
    """What trading may do."""

    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    """Trading goes on with what is still trusted."""
    HALTED = "HALTED"
    """No new positions; existing ones are kept."""
    LOCKDOWN = "LOCKDOWN"
    """Positions are flattened through the risk gate."""

    @property
    def strictness(self) -> int:
        """Rank from 0 (RUNNING) to 3 (LOCKDOWN)."""
        return list(SystemState).index(self)


class Actor(StrEnum):
    """Who asks for a transition."""

    SOFTWARE = "software"
    PERSON = "person"


class TransitionCode(StrEnum):
    """Why a transition was allowed or refused."""

    UNCHANGED = "unchanged"
    TIGHTENED = "tightened"
    LOOSENED = "loosened"
    PERSON_REQUIRED = "person_required"
    THROUGH_HALTED = "through_halted"
    """Out of LOCKDOWN the way leads to HALTED first."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One input's demand, with the stable code of its reason."""

    origin: str
    state: SystemState
    reason: str


@dataclass(frozen=True, slots=True)
class Transition:
    """The verdict on a request: the state that holds after it, and why."""

    before: SystemState
    after: SystemState
    code: TransitionCode

    @property
    def changed(self) -> bool:
        """Whether the state is another one now."""
        return self.before is not self.after


_R, _D, _H, _L = SystemState
_ANYONE = frozenset(Actor)
_PERSON = frozenset({Actor.PERSON})
_NOBODY: frozenset[Actor] = frozenset()

TRANSITIONS: dict[tuple[SystemState, SystemState], frozenset[Actor]] = {
    (_R, _D): _ANYONE,
    (_R, _H): _ANYONE,
    (_R, _L): _ANYONE,
    (_D, _R): _ANYONE,
    (_D, _H): _ANYONE,
    (_D, _L): _ANYONE,
    (_H, _R): _ANYONE,
    (_H, _D): _ANYONE,
    (_H, _L): _ANYONE,
    (_L, _H): _PERSON,
    (_L, _D): _NOBODY,
    (_L, _R): _NOBODY,
}
"""Who may lead from one state to another."""


def strictest(demands: Iterable[Demand]) -> Demand:
    """Return the strictest demand, the first of equals; RUNNING where nothing is demanded."""
    return max(
        demands,
        key=lambda demand: demand.state.strictness,
        default=Demand("none", SystemState.RUNNING, "nothing_demanded"),
    )


def transition(current: SystemState, requested: SystemState, actor: Actor) -> Transition:
    """Decide on a request; a refused one leaves the state as it is."""
    if requested is current:
        return Transition(current, current, TransitionCode.UNCHANGED)
    allowed = TRANSITIONS[current, requested]
    if actor in allowed:
        tighter = requested.strictness > current.strictness
        return Transition(current, requested, TransitionCode.TIGHTENED if tighter else TransitionCode.LOOSENED)
    return Transition(current, current, TransitionCode.PERSON_REQUIRED if allowed else TransitionCode.THROUGH_HALTED)
