"""Records of the live gate: drills, and operators' words, as links of one hash chain. Pure.

An edited, deleted, inserted or moved record breaks the chain, and then none of them counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hydra_assets.state.chain import Anchor, ChainReason, ChainVerdict, Entry, EntryKind, verify


class DrillKind(StrEnum):
    """What has to have been tried out before money is at stake."""

    BREAKER = "breaker"
    """A circuit breaker tripped, and everything was left through the gate."""
    RECONNECT = "reconnect"
    """The connection was cut while orders worked, and journal and broker agreed afterwards."""


@dataclass(frozen=True, slots=True)
class Drill:
    """A drill that was held on an account."""

    kind: DrillKind
    account: str
    at: datetime
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class OperatorWord:
    """A person's word that an account may trade live until ``expires_at``. The newest one of an account holds."""

    account: str
    operator: str
    reason: str
    at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class GateRecords:
    """What the records say; nothing where they cannot be believed."""

    chain: ChainVerdict
    drills: tuple[Drill, ...] = ()
    words: tuple[OperatorWord, ...] = ()


def drill_facts(drill: Drill) -> dict[str, object]:
    """A drill as the chain holds it, beside account and subject."""
    return {"drill": str(drill.kind), "at": drill.at.isoformat(), "passed": drill.passed, "detail": drill.detail}


def word_facts(word: OperatorWord) -> dict[str, object]:
    """An operator's word as the chain holds it, beside account and subject."""
    return {
        "operator": word.operator,
        "reason": word.reason,
        "at": word.at.isoformat(),
        "expires_at": word.expires_at.isoformat(),
    }


def read_records(entries: Sequence[Entry], anchor: Anchor | None) -> GateRecords:
    """What the links say, in order, if every one of them can be believed."""
    chain = verify(entries, anchor)
    if entries and anchor is None:
        # The anchor is written with the first record: without it nobody can tell what was cut off.
        chain = ChainVerdict(ChainReason.CUT_OFF, entries[-1].seq, "the anchor of the records is gone")
    if not chain.intact:
        return GateRecords(chain)
    try:
        drills = tuple(_drill(entry) for entry in entries if entry.kind is EntryKind.DRILL)
        words = tuple(_word(entry) for entry in entries if entry.kind is EntryKind.OPERATOR)
    except (KeyError, TypeError, ValueError) as error:
        return GateRecords(ChainVerdict(ChainReason.EDITED, None, f"a record cannot be read: {error}"))
    return GateRecords(chain, drills, words)


def _drill(entry: Entry) -> Drill:
    facts = entry.facts
    kind = DrillKind(facts["drill"])
    return Drill(kind, entry.model_group, _instant(facts["at"]), facts["passed"] is True, str(facts["detail"]))


def _word(entry: Entry) -> OperatorWord:
    facts = entry.facts
    at, expires_at = _instant(facts["at"]), _instant(facts["expires_at"])
    return OperatorWord(entry.model_group, str(facts["operator"]), str(facts["reason"]), at, expires_at)


def _instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        msg = f"{text} has no UTC offset"
        raise ValueError(msg)
    return at
