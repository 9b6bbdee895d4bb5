"""The life of a ticket: what may be at the broker for an order, and which evidence moves it. Pure.

The real world does not follow the happy path: a cancelled order fills, a fill comes before its acknowledgement, a
status arrives late and says less than is known, a connection dies and nobody can tell whether an order was taken. So
every pair of state and evidence stands in one table; what is filled only ever grows by what the broker says, and only
the broker's word ends a ticket that was sent. Silence never does.
"""

from dataclasses import dataclass, replace
from enum import StrEnum


class TicketState(StrEnum):
    """Where a ticket stands."""

    CREATED = "created"
    """On record. The broker has not been told."""
    SENT = "sent"
    """Handed to the wire; nothing was heard of it."""
    WORKING = "working"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    """We have asked for its end; it may still fill."""
    UNKNOWN = "unknown"
    """It was sent, and what became of it cannot be told: it counts as if it could fill."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    ABSENT = "absent"
    """Full answers do not know it, asked on a later connection, or for long: it never arrived, or it ended unheard."""
    WITHDRAWN = "withdrawn"
    """It was never sent: the adapter says that it has certainly not left."""


class Evidence(StrEnum):
    """What moves a ticket."""

    SENDING = "sending"
    """It is about to be handed to the wire; on record before it is."""
    ACCEPTED = "accepted"
    """The broker says that it lives."""
    FILL = "fill"
    """Some of it is filled."""
    FILL_ALL = "fill_all"
    CANCEL_ASKED = "cancel_asked"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    UNCLEAR = "unclear"
    """The connection broke, or the broker said what we cannot read."""
    NOT_FOUND = "not_found"
    WITHDRAWN = "withdrawn"
    """It has certainly not left."""


_S, _E = TicketState, Evidence

_FILLS = {_E.FILL: _S.PARTIALLY_FILLED, _E.FILL_ALL: _S.FILLED}

TRANSITIONS: dict[TicketState, dict[Evidence, TicketState]] = {
    _S.CREATED: {_E.SENDING: _S.SENT},
    _S.SENT: {
        **_FILLS,
        _E.ACCEPTED: _S.WORKING,
        _E.CANCEL_ASKED: _S.PENDING_CANCEL,
        _E.CANCELLED: _S.CANCELLED,
        _E.REJECTED: _S.REJECTED,
        _E.UNCLEAR: _S.UNKNOWN,
        _E.NOT_FOUND: _S.ABSENT,
        _E.WITHDRAWN: _S.WITHDRAWN,
    },
    _S.WORKING: {
        **_FILLS,
        _E.CANCEL_ASKED: _S.PENDING_CANCEL,
        _E.CANCELLED: _S.CANCELLED,
        _E.REJECTED: _S.REJECTED,
        _E.UNCLEAR: _S.UNKNOWN,
    },
    _S.PARTIALLY_FILLED: {
        # That it is accepted does not take a fill back.
        _E.FILL_ALL: _S.FILLED,
        _E.CANCEL_ASKED: _S.PENDING_CANCEL,
        _E.CANCELLED: _S.CANCELLED,
        _E.REJECTED: _S.CANCELLED,
        _E.UNCLEAR: _S.UNKNOWN,
    },
    _S.PENDING_CANCEL: {
        # A fill while the cancel is on its way leaves the rest pending.
        _E.FILL_ALL: _S.FILLED,
        _E.CANCELLED: _S.CANCELLED,
        _E.REJECTED: _S.CANCELLED,
        _E.UNCLEAR: _S.UNKNOWN,
        _E.NOT_FOUND: _S.ABSENT,
    },
    _S.UNKNOWN: {
        **_FILLS,
        _E.ACCEPTED: _S.WORKING,
        _E.CANCELLED: _S.CANCELLED,
        _E.REJECTED: _S.REJECTED,
        _E.NOT_FOUND: _S.ABSENT,
    },
    # Ended, by the broker's word; a fill that was on its way still counts, and more than what was ordered too.
    _S.FILLED: {},
    _S.CANCELLED: {_E.FILL_ALL: _S.FILLED},
    _S.REJECTED: {_E.ACCEPTED: _S.WORKING, **_FILLS, _E.CANCELLED: _S.CANCELLED},
    _S.ABSENT: {_E.ACCEPTED: _S.WORKING, **_FILLS, _E.CANCELLED: _S.CANCELLED, _E.REJECTED: _S.REJECTED},
    _S.WITHDRAWN: {},
}
"""Every move there is; evidence that is not named leaves the state."""

UNHEARD = frozenset({_E.UNCLEAR, _E.NOT_FOUND})
"""What is no word of the broker on the ticket itself."""
LIVE = frozenset({_S.SENT, _S.WORKING, _S.PARTIALLY_FILLED, _S.PENDING_CANCEL, _S.UNKNOWN})
"""States in which a ticket may fill."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a ticket is. ``executed`` is the sum of its executions, ``reported`` what states said was filled."""

    quantity: int
    state: TicketState = TicketState.CREATED
    executed: int = 0
    reported: int = 0

    @property
    def filled(self) -> int:
        """The most that the broker has said is filled."""
        return max(self.executed, self.reported)

    @property
    def remaining(self) -> int:
        """What may still fill: nothing once it has ended."""
        return max(self.quantity - self.filled, 0) if self.state in LIVE else 0

    @property
    def unexplained(self) -> int:
        """Contracts that a state said are filled and no execution has told of: a reason to ask."""
        return max(self.reported - self.executed, 0)


def moved(state: TicketState, evidence: Evidence) -> TicketState:
    """State after a piece of evidence."""
    return TRANSITIONS[state].get(evidence, state)


def told(progress: Progress, evidence: Evidence, reported: int = 0) -> Progress:
    """A ticket after a state of the broker, or a step of our own. What it says is filled never takes any back."""
    known = replace(progress, reported=max(progress.reported, reported))
    if evidence is Evidence.REJECTED and known.filled > 0:
        # Some of it was taken: what is refused is the rest.
        evidence = Evidence.CANCELLED
    after = replace(known, state=moved(known.state, evidence))
    if after == progress or (evidence in UNHEARD and after.filled < after.quantity):
        # What was filled before says nothing of what became of the rest.
        return after
    return _filled(after)


def executed(progress: Progress, total: int) -> Progress:
    """A ticket whose executions, each by its last revision, now add up to ``total``.

    A revision may take some back. What states had said is then corrected by as much: they will not say it again.
    """
    if total == progress.executed:
        return progress
    taken_back = max(progress.executed - total, 0)
    return _filled(replace(progress, executed=total, reported=progress.reported - min(taken_back, progress.reported)))


def _filled(progress: Progress) -> Progress:
    if progress.filled <= 0:
        return progress
    evidence = Evidence.FILL_ALL if progress.filled >= progress.quantity else Evidence.FILL
    return replace(progress, state=moved(progress.state, evidence))
