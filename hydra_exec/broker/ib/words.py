"""The words of TWS in ours: states of orders, sides, revisions of executions, whole numbers. Pure."""

import math
from typing import NamedTuple

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Word

STATES = {
    "ApiPending": Word.WORKING,
    "PendingSubmit": Word.WORKING,
    "PreSubmitted": Word.WORKING,
    "Submitted": Word.WORKING,
    "PendingCancel": Word.CANCELLING,
    "ApiCancelled": Word.CANCELLED,
    "Cancelled": Word.CANCELLED,
    "Filled": Word.FILLED,
}
"""``Inactive`` is left out on purpose: TWS says it of orders that were refused and of orders that it holds back."""

SIDES = {"BOT": Side.BUY, "SLD": Side.SELL, "BUY": Side.BUY, "SELL": Side.SELL}
"""As executions and as orders spell them."""

INACTIVE = "Inactive"


class NotWholeError(ValueError):
    """A number of contracts that is none; whoever reads it must not cut it."""


class Revision(NamedTuple):
    """An execution's id, taken apart: what all revisions share, and which one it is."""

    base: str
    number: int


def word(state: str, *, rejected: bool = False) -> Word:
    """What a state says; ``rejected`` that a code has refused the order before."""
    if state == INACTIVE and rejected:
        return Word.REJECTED
    return STATES.get(state, Word.UNCLEAR)


def ended_word(state: str, filled: int) -> Word:
    """What a state says in the list of orders that are over: there ``Inactive`` was refused, or cut off after fills."""
    if state == INACTIVE:
        return Word.CANCELLED if filled else Word.REJECTED
    return word(state)


def revision(exec_id: str) -> Revision:
    """The last segment of an id is its revision; an id without one is revision 0 of itself."""
    base, dot, last = exec_id.rpartition(".")
    return Revision(base, int(last)) if dot and last.isdigit() else Revision(exec_id, 0)


def whole(quantity: float) -> int:
    """A number of contracts; NotWholeError where it is no whole number."""
    if not math.isfinite(quantity) or quantity != int(quantity):
        msg = f"{quantity!r} is no whole number of contracts"
        raise NotWholeError(msg)
    return int(quantity)


def at_least(quantity: float) -> int:
    """A number of contracts, rounded away from zero: what is held of something is never shown as nothing."""
    return int(math.copysign(math.ceil(abs(quantity)), quantity))
