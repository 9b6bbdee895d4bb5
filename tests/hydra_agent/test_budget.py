"""Budgets: limits by hand, and nothing that stays refused for ever, whatever fails."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_agent.heads.budget import (
    DEFAULT_BUDGET,
    Allowance,
    BudgetConfig,
    BudgetReason,
    ExperimentOutcome,
    allowance,
    meta_diagnosis,
    shares,
)
from hydra_agent.playbook.mutations import Category

PASSED, FAILED, BROKEN = ExperimentOutcome.PASSED, ExperimentOutcome.FAILED, ExperimentOutcome.BROKEN
TECHNICAL, STRUCTURAL, RESEARCH = Category
WIDE = BudgetConfig(per_window=dict.fromkeys(Category, 10_000), velocity_most=10_000)


@dataclass(frozen=True)
class One:
    session_index: int
    head: str = "technical"
    category: Category = TECHNICAL
    outcome: ExperimentOutcome = FAILED


def many(n: int, session: int, outcome: ExperimentOutcome = FAILED, category: Category = TECHNICAL) -> list[One]:
    return [One(session, str(category), category, outcome)] * n


def left(history: Sequence[One], now: int, config: BudgetConfig = DEFAULT_BUDGET) -> Allowance:
    return allowance(history, now, TECHNICAL, config)


def test_without_a_past_there_is_the_whole_budget() -> None:
    assert {category: allowance([], 0, category).left for category in Category} == {
        TECHNICAL: 36,
        STRUCTURAL: 18,
        RESEARCH: 18,
    }


def test_what_was_tried_in_the_window_is_spent_and_comes_back() -> None:
    config = replace(DEFAULT_BUDGET, cooldown_after=1000)
    history = [*many(12, 100), *many(12, 110), *many(5, 110, category=STRUCTURAL)]
    assert left(history, 111, config) == Allowance(12, BudgetReason.OK)
    assert left([*history, *many(12, 120)], 125, config) == Allowance(0, BudgetReason.SPENT)
    # The window of 63 sessions ends with the present one.
    assert left(history, 162, config).left == 12
    assert left(history, 163, config).left == 24
    assert left(history, 173, config).left == 36
    assert allowance(history, 111, STRUCTURAL, config).left == 13
    assert allowance(history, 111, RESEARCH, config).left == 18
    # More than the budget, as after a change of configuration, is no debt.
    assert left(many(50, 100), 106, config) == Allowance(0, BudgetReason.SPENT)


@pytest.mark.parametrize("cycle", [1, 5, 7, 12, 24])
def test_failures_in_a_row_make_a_category_rest(cycle: int) -> None:
    # Cycles of any size, one a session: the 24th failure is where the rest begins, wherever in its cycle it lies.
    history = [One(i // cycle) for i in range(-(-24 // cycle) * cycle)]
    full = 23 // cycle
    for now in range(full, full + 10):
        assert left(history, now, WIDE) == Allowance(0, BudgetReason.COOLING_DOWN)
    assert left(history, full + 10, WIDE).reason is BudgetReason.OK
    short = [each for each in history if each.session_index < full]
    assert left(short, full, WIDE).reason is BudgetReason.OK
    # Another category does not rest with it.
    assert allowance(history, full, STRUCTURAL, WIDE).reason is BudgetReason.OK
    # It rests again after as many more, and not before.
    more = [*history[:24], *many(23, full + 10)]
    assert left(more, full + 11, WIDE).reason is BudgetReason.OK
    assert left([*more, One(full + 11)], full + 12, WIDE).reason is BudgetReason.COOLING_DOWN


def test_a_pass_ends_the_row_and_what_breaks_is_a_failure() -> None:
    assert left([*many(20, 0), *many(1, 0, PASSED), *many(23, 1)], 2, WIDE).reason is BudgetReason.OK
    assert left([*many(1, 0, PASSED), *many(12, 1), *many(12, 1, BROKEN)], 2, WIDE).reason is BudgetReason.COOLING_DOWN


def test_too_many_at_once_stop_every_category() -> None:
    history = [*many(20, 10, PASSED), *many(20, 14, PASSED, STRUCTURAL)]
    for category in Category:
        assert allowance(history, 14, category) == Allowance(0, BudgetReason.TOO_FAST)
    assert left(history[1:], 14).reason is BudgetReason.OK
    # The five sessions end with the present one.
    assert left(history, 15).reason is BudgetReason.OK


def test_later_experiments_are_not_known_yet() -> None:
    assert left(many(40, 20), 19) == left([], 19)


@pytest.mark.parametrize(("greedy", "outcome"), [(1, FAILED), (12, BROKEN)])
def test_nothing_stays_refused_for_ever(greedy: int, outcome: ExperimentOutcome) -> None:
    """2,000 sessions in which everything fails and every category takes what it may, up to ``greedy`` a session."""
    history: list[One] = []
    allowed: dict[Category, list[int]] = {category: [] for category in Category}
    reasons: Counter[BudgetReason] = Counter()
    for now in range(2000):
        for category in Category:
            found = allowance(history, now, category)
            reasons[found.reason] += 1
            assert (found.left > 0) == (found.reason is BudgetReason.OK)
            taken = min(greedy, found.left)
            if taken:
                allowed[category].append(now)
            history += many(taken, now, outcome, category)
    for now in range(0, 2000, 7):
        spent = Counter(each.category for each in history if now - 63 < each.session_index <= now)
        assert all(spent[category] <= most for category, most in DEFAULT_BUDGET.per_window.items())
    for category, sessions in allowed.items():
        waits = [after - before for before, after in zip([0, *sessions], [*sessions, 2000], strict=True)]
        assert max(waits) <= 73, category
        assert len(sessions) >= 2000 // 63
    assert reasons[BudgetReason.SPENT] > 0


HISTORY = st.lists(
    st.builds(
        One,
        session_index=st.integers(0, 300),
        head=st.sampled_from("abcdef"),
        category=st.sampled_from(Category),
        outcome=st.sampled_from(ExperimentOutcome),
    ),
    max_size=200,
)


@given(history=HISTORY, heads=st.integers(2, 6))
def test_shares_sum_to_one_within_their_bounds(history: list[One], heads: int) -> None:
    found = shares(history, list("abcdef"[:heads]))
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-9)
    assert min(found.values()) >= 0.15 - 1e-9
    assert max(found.values()) <= 0.6 + 1e-9
    # Whoever passes more often has no smaller share.
    rates = {
        head: (sum(e.head == head and e.outcome is PASSED for e in history) + 1)
        / (sum(e.head == head for e in history) + 4)
        for head in found
    }
    for one in found:
        for other in found:
            if rates[one] > rates[other]:
                assert found[one] >= found[other] - 1e-9


def test_shares_by_hand() -> None:
    assert shares([], ["a"]) == {"a": 1.0}
    assert shares([], ["a", "b", "c"]) == pytest.approx({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    # (2 + 1) / (2 + 4) = 1/2 against 1/4 each: inside the bounds, so proportional.
    two = [One(0, "a", outcome=PASSED), One(0, "a", outcome=PASSED)]
    assert shares(two, ["a", "b", "c"]) == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.25})
    # 101/104 against 1/104 each: the best has its most, and the others share what is left.
    best = [One(0, "a", outcome=PASSED)] * 100 + [One(0, "b")] * 100 + [One(0, "c")] * 100
    assert shares(best, ["a", "b", "c"]) == pytest.approx({"a": 0.6, "b": 0.2, "c": 0.2})
    # Four heads: the least of three leaves the best 0.55 only.
    worst = [*best, *[One(0, "d")] * 100]
    assert shares(worst, ["a", "b", "c", "d"]) == pytest.approx({"a": 0.55, "b": 0.15, "c": 0.15, "d": 0.15})
    # Seven cannot have 0.15 each.
    assert shares(worst, list("abcdefg")) == pytest.approx(dict.fromkeys("abcdefg", 1 / 7))


@pytest.mark.parametrize("cycle", [1, 3, 12, 20, 33])
def test_the_loop_looks_at_itself_once_for_every_twenty(cycle: int) -> None:
    history: list[One] = []
    said = []
    for session in range(40):
        history += many(cycle, session)
        if meta_diagnosis(history) is not None:
            said.append(len(history))
    every = [sum(20 * k <= cycle * (s + 1) for k in range(1, 2000)) for s in range(40)]
    assert said == [cycle * (s + 1) for s in range(40) if every[s] > (every[s - 1] if s else 0)]
    assert meta_diagnosis([]) is None


def test_what_the_loop_says_of_itself() -> None:
    failing = meta_diagnosis(many(20, 1))
    assert failing is not None
    assert (failing.experiments, failing.passed, failing.broken, failing.by_head) == (20, 0, 0, {"technical": 20})
    assert "nothing passes" in failing.message
    breaking = meta_diagnosis([*many(14, 1), *many(6, 1, BROKEN, RESEARCH)])
    assert breaking is not None
    assert (breaking.broken, breaking.by_head) == (6, {"technical": 14, "research": 6})
    assert "look at the laboratory" in breaking.message
    fine = meta_diagnosis([*many(15, 1), *many(4, 1, BROKEN), *many(1, 1, PASSED)])
    assert fine is not None
    assert (fine.passed, "ideas pass" in fine.message) == (1, True)
    # Only the last twenty count.
    assert meta_diagnosis([*many(20, 0, PASSED), *many(20, 1)]) == failing
