"""What the simulated broker writes down, one line each: the orders it took, and whatever became of them. Pure.

Positions, orders and executions are nothing but these lines, read in order.
"""

import json
from dataclasses import dataclass, fields
from datetime import date, datetime

from hydra_assets.state.chain import canonical
from hydra_assets.state.records import Side


@dataclass(frozen=True, slots=True)
class Began:
    """A session was begun."""

    session: date
    at: datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """The clock moved on."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """An order was accepted, or refused with words."""

    perm_id: int
    wire_ref: str
    contract: str
    side: Side
    quantity: int
    limit_price: float
    refusal: str


@dataclass(frozen=True, slots=True)
class Amended:
    """An order has another limit."""

    perm_id: int
    limit_price: float


@dataclass(frozen=True, slots=True)
class Ended:
    """An order that lived was cancelled."""

    perm_id: int
    why: str


@dataclass(frozen=True, slots=True)
class Rested:
    """Orders that a quote did not reach: from now on they fill at their own limit."""

    perm_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Filled:
    """A fill in a step of its market's session, counted from 0; ``took`` where it took the touch."""

    perm_id: int
    step: int
    quantity: int
    price: float
    fee: float
    currency: str
    took: bool


@dataclass(frozen=True, slots=True)
class Expired:
    """A contract that is held has had its last trade: the exchange has settled it, and the position is gone."""

    contract: str


Record = Began | Moved | Taken | Amended | Ended | Rested | Filled | Expired
_NAMES: dict[type[Record], str] = {
    Began: "began",
    Moved: "moved",
    Taken: "taken",
    Amended: "amended",
    Ended: "ended",
    Rested: "rested",
    Filled: "filled",
    Expired: "expired",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}


def line_of(record: Record) -> str:
    """A record as one line of canonical JSON."""
    facts = {field.name: getattr(record, field.name) for field in fields(record)}
    for name in ("at", "session"):
        if name in facts:
            facts[name] = facts[name].isoformat()
    return canonical({"is": _NAMES[type(record)], **facts})


def record_of(line: str) -> Record:
    """The record of a line; ValueError where it is none of ``line_of``."""
    try:
        facts = json.loads(line)
        kind = _TYPES[facts.pop("is")]
        if "at" in facts:
            facts["at"] = datetime.fromisoformat(facts["at"])
        if "session" in facts:
            facts["session"] = date.fromisoformat(facts["session"])
        if "side" in facts:
            facts["side"] = Side(facts["side"])
        if "perm_ids" in facts:
            facts["perm_ids"] = tuple(facts["perm_ids"])
        return kind(**facts)
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"no record of the simulated broker: {line[:120]}"
        raise ValueError(msg) from error
