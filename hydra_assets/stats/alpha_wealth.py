"""How often the sealed hold-out may be opened: error probability is spent by openings and earned by durable gains.

A hold-out that is opened again and again is training data. Each opening tests one promotion at a level and pays for
it, passed or not:

    W_0 = initial,   level_j = share * W_{j-1},   W_j = W_{j-1} - level_j + payout * (promotions found durable since).

So the sum of levels is at most initial + payout * D after D durable promotions. A level depends on what was known
before its opening, so the expected number V of nulls that pass is at most the expected sum of levels, and with
payout <= initial

    E[V] <= initial (1 + E[D]),   or   E[V] / (E[D] + 1) <= initial:

the mFDR of Foster and Stine with durable promotions in place of rejections. It is stricter than theirs, which pays at
once for a rejection and charges nothing for it; here luck on the hold-out earns nothing by itself. Below
``minimum_level`` an opening could tell nothing and the hold-out stays sealed.

Source: D. P. Foster and R. A. Stine, "Alpha-investing: a procedure for sequential control of expected false
discoveries", JRSS B 70 (2008), eq. (8) and theorem 1; A. Javanmard and A. Montanari, "Online rules for control of false
discovery rate", Annals of Statistics 46 (2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class Wealth:
    """Rules of the budget; ValueError where the bound of the module would not hold."""

    initial: float = 0.05
    payout: float = 0.05
    share: float = 0.25
    minimum_level: float = 0.001

    def __post_init__(self) -> None:
        if not 0.0 < self.payout <= self.initial < 1.0:
            msg = f"a payout of {self.payout} of an initial wealth of {self.initial}: 0 < payout <= initial < 1"
            raise ValueError(msg)
        if not 0.0 < self.share <= 1.0 or self.minimum_level <= 0.0:
            msg = f"a share of {self.share} in (0, 1] and a positive minimum level, not {self.minimum_level}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Opening:
    """The hold-out was opened once, for one candidate, at one level; recorded before anything is promoted."""

    opening_id: str
    level: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Durable:
    """A promotion that passed this opening has proved durable."""

    opening_id: str


WealthEvent = Opening | Durable


class WealthReason(StrEnum):
    """Why a history is refused."""

    OVERSPENT = "overspent"
    """An opening at more than the rules allowed it then."""
    LEVEL_NOT_POSITIVE = "level_not_positive"
    OPENED_TWICE = "opened_twice"
    NEVER_OPENED = "never_opened"
    """Durable without an opening before it."""
    NOT_PROMOTED = "not_promoted"
    """Durable though its opening was not passed."""
    DURABLE_TWICE = "durable_twice"


class WealthError(ValueError):
    """A history that the rules could not have produced, with its reason code."""

    def __init__(self, reason: WealthReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class WealthState:
    """What a history leaves."""

    wealth: float
    openings: int
    spent: float
    """Sum of levels."""
    durable: int


def replay(history: Sequence[WealthEvent], rules: Wealth | None = None) -> WealthState:
    """Fold events in their order; WealthError on one that the rules did not allow."""
    given = rules or Wealth()
    wealth, spent = given.initial, 0.0
    passed: dict[str, bool] = {}
    durable: set[str] = set()
    for event in history:
        if isinstance(event, Opening):
            _check_opening(event, given.share * wealth, passed)
            passed[event.opening_id] = event.passed
            wealth, spent = wealth - event.level, spent + event.level
        else:
            _check_durable(event, passed, durable)
            durable.add(event.opening_id)
            wealth += given.payout
    return WealthState(wealth, len(passed), spent, len(durable))


def spend(history: Sequence[WealthEvent], rules: Wealth | None = None) -> float | None:
    """Level of the next opening, or None where the wealth is exhausted and the hold-out stays sealed."""
    given = rules or Wealth()
    level = given.share * replay(history, given).wealth
    return level if level >= given.minimum_level else None


def _check_opening(event: Opening, allowed: float, passed: dict[str, bool]) -> None:
    # A NaN fails the comparison.
    if not event.level > 0.0:
        msg = f"{event.opening_id}: opened at a level of {event.level}"
        raise WealthError(WealthReason.LEVEL_NOT_POSITIVE, msg)
    if event.level > allowed * (1.0 + _ROUNDING):
        msg = f"{event.opening_id}: opened at {event.level:.6g}, allowed were {allowed:.6g}"
        raise WealthError(WealthReason.OVERSPENT, msg)
    if event.opening_id in passed:
        msg = f"{event.opening_id} was opened before"
        raise WealthError(WealthReason.OPENED_TWICE, msg)


def _check_durable(event: Durable, passed: dict[str, bool], durable: set[str]) -> None:
    if event.opening_id not in passed:
        msg = f"{event.opening_id} was never opened"
        raise WealthError(WealthReason.NEVER_OPENED, msg)
    if not passed[event.opening_id]:
        msg = f"{event.opening_id} did not pass and cannot have been promoted"
        raise WealthError(WealthReason.NOT_PROMOTED, msg)
    if event.opening_id in durable:
        msg = f"{event.opening_id} has been found durable before"
        raise WealthError(WealthReason.DURABLE_TWICE, msg)
