"""How many experiments there may be, and whose: budgets by category, cooldown, velocity, reputation.

Everything is computed from the experiments on record. No counter is kept, so none can fail to be reset: what limits
the number of experiments looks at the last sessions only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from scipy.optimize import brentq

from hydra_agent.playbook.mutations import Category


class ExperimentOutcome(StrEnum):
    """What became of an experiment, as far as budgets care."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    """It ended without a result: an error, a timeout, a kill."""


class Tried(Protocol):
    """An experiment on record."""

    @property
    def session_index(self) -> int:
        """Number of its session, counted in the group's sessions."""
        ...

    @property
    def head(self) -> str:
        """Who proposed it."""
        ...

    @property
    def category(self) -> Category:
        """Kind of change."""
        ...

    @property
    def outcome(self) -> ExperimentOutcome:
        """What became of it."""
        ...


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """Limits of a group."""

    per_cycle: int = 12
    window_sessions: int = 63
    per_window: dict[Category, int] = field(
        default_factory=lambda: {Category.TECHNICAL: 36, Category.STRUCTURAL: 18, Category.RESEARCH: 18}
    )
    cooldown_after: int = 24
    """Failures in a row of a category after which it rests, and rests again after as many more."""
    cooldown_sessions: int = 10
    velocity_sessions: int = 5
    velocity_most: int = 40
    """Experiments within these sessions beyond which the loop stops itself: something feeds on itself."""
    share_least: float = 0.15
    share_most: float = 0.6
    meta_every: int = 20


DEFAULT_BUDGET = BudgetConfig()


class BudgetReason(StrEnum):
    """Why a category has what it has left."""

    OK = "ok"
    SPENT = "spent"
    COOLING_DOWN = "cooling_down"
    TOO_FAST = "too_fast"


@dataclass(frozen=True, slots=True)
class Allowance:
    """Experiments that a category may still make at a session."""

    left: int
    reason: BudgetReason


def allowance(
    history: Sequence[Tried], now: int, category: Category, config: BudgetConfig = DEFAULT_BUDGET
) -> Allowance:
    """What is left to a category at session number ``now``."""
    if sum(now - config.velocity_sessions < each.session_index <= now for each in history) >= config.velocity_most:
        return Allowance(0, BudgetReason.TOO_FAST)
    own = [each for each in history if each.category is category and each.session_index <= now]
    failed = own[_after_last_pass(own) :]
    # The failure that filled the row; experiments come by the dozen, so it is seldom the newest.
    full = len(failed) // config.cooldown_after * config.cooldown_after
    if full and now - failed[full - 1].session_index < config.cooldown_sessions:
        return Allowance(0, BudgetReason.COOLING_DOWN)
    spent = sum(now - config.window_sessions < each.session_index for each in own)
    left = config.per_window[category] - spent
    return Allowance(max(0, left), BudgetReason.OK if left > 0 else BudgetReason.SPENT)


def _after_last_pass(history: Sequence[Tried]) -> int:
    passed = [i for i, each in enumerate(history) if each.outcome is ExperimentOutcome.PASSED]
    return passed[-1] + 1 if passed else 0


def shares(history: Sequence[Tried], heads: Sequence[str], config: BudgetConfig = DEFAULT_BUDGET) -> dict[str, float]:
    """Share of a cycle that each head has, by the rate at which its experiments ever passed; sums to 1.

    The rate is (passed + 1) / (tried + 4), so that a head without a record is neither trusted nor written off. Shares
    are proportional to it as far as the bounds let them: s_i = min(max(c r_i, least), most) with c such that they sum
    to 1; equal ones where so few or so many heads are due that no such c exists.
    """
    rate = {
        head: (sum(e.head == head and e.outcome is ExperimentOutcome.PASSED for e in history) + 1.0)
        / (sum(e.head == head for e in history) + 4.0)
        for head in heads
    }
    if not config.share_least * len(rate) < 1.0 < config.share_most * len(rate):
        return dict.fromkeys(rate, 1.0 / len(rate))

    def held(scale: float) -> dict[str, float]:
        return {head: min(max(scale * value, config.share_least), config.share_most) for head, value in rate.items()}

    scale = brentq(lambda c: sum(held(c).values()) - 1.0, 0.0, 1.0 / min(rate.values()))
    return held(scale)


@dataclass(frozen=True, slots=True)
class MetaDiagnosis:
    """The loop on itself: of the last experiments how many passed, broke, and whose they were."""

    experiments: int
    passed: int
    broken: int
    by_head: dict[str, int]
    message: str


def meta_diagnosis(history: Sequence[Tried], config: BudgetConfig = DEFAULT_BUDGET) -> MetaDiagnosis | None:
    """Due where the newest session's experiments fill another ``meta_every``; None in between."""
    before = sum(each.session_index != history[-1].session_index for each in history)
    if len(history) // config.meta_every == before // config.meta_every:
        return None
    last = history[-config.meta_every :]
    passed = sum(each.outcome is ExperimentOutcome.PASSED for each in last)
    broken = sum(each.outcome is ExperimentOutcome.BROKEN for each in last)
    heads: dict[str, int] = {}
    for each in last:
        heads[each.head] = heads.get(each.head, 0) + 1
    if broken > len(last) // 4:
        words = "experiments break: look at the laboratory before the ideas"
    elif not passed:
        words = "nothing passes: the edge may be gone, and more of the same ideas will not bring it back"
    else:
        words = "ideas pass at a rate that proposals can go on with"
    return MetaDiagnosis(len(last), passed, broken, heads, words)
