"""What the ledger says of the past, from entries by hand."""

from datetime import date, timedelta

import numpy as np
import pytest

from hydra_agent.heads.budget import ExperimentOutcome
from hydra_agent.past import (
    HOLDOUT_WEALTH,
    TriedExperiment,
    VerdictCode,
    past_of,
    row_of,
    trials_of,
    wealth_events,
)
from hydra_agent.playbook.mutations import Category, RetrainWindow
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC
from hydra_assets.state.chain import Anchor, Entry, EntryKind, linked, series_bytes
from hydra_assets.stats.alpha_wealth import Durable, Opening, WealthError, replay, spend

EPOCH = date(1970, 1, 1)
# Weekdays from Monday the 1st of January 2024 on.
DAYS = np.array([d for d in range(19723, 19823) if (d - 4) % 7 < 5])
RECIPE = FIRST_RECIPES[LOGISTIC]
OTHER = RetrainWindow(window_sessions=504).applied(RECIPE)


def day(row: int) -> str:
    return (EPOCH + timedelta(days=int(DAYS[row]))).isoformat()


def chained(*parts: tuple[EntryKind, str, dict[str, object]]) -> list[Entry]:
    entries: list[Entry] = []
    for kind, subject, facts in parts:
        before = Anchor(entries[-1].seq, entries[-1].sha256) if entries else None
        entries.append(linked(before, kind, "sim", subject, facts, None))
    return entries


def trial(
    subject: str, row: int, head: str = "technical", category: str = "technical", recipe: object = RECIPE
) -> tuple[EntryKind, str, dict[str, object]]:
    assert hasattr(recipe, "model_dump_json")
    return (
        EntryKind.TRIAL,
        subject,
        {"session": day(row), "head": head, "category": category, "recipe": recipe.model_dump_json()},
    )


def verdict(subject: str, code: VerdictCode) -> tuple[EntryKind, str, dict[str, object]]:
    return EntryKind.VERDICT, subject, {"code": str(code)}


def test_experiments_recipes_and_turns() -> None:
    entries = chained(
        trial("a", 3),
        trial("b", 3, "structural", "structural", OTHER),
        verdict("a", VerdictCode.STOPPED),
        verdict("b", VerdictCode.PROMOTE),
        (EntryKind.PROMOTION, "b", {}),
        trial("c", 9, "technical", "research"),
    )
    past = past_of(entries, DAYS)
    failed, passed = ExperimentOutcome.FAILED, ExperimentOutcome.PASSED
    assert past.experiments == [
        TriedExperiment(3, "technical", Category.TECHNICAL, failed),
        TriedExperiment(3, "structural", Category.STRUCTURAL, passed),
        # A trial without a verdict has not passed.
        TriedExperiment(9, "technical", Category.RESEARCH, failed),
    ]
    assert past.recipes == [(RECIPE, 3), (OTHER, 3), (RECIPE, 9)]
    assert past.last_turn == {"technical": 9, "structural": 3}
    assert past_of([], DAYS).experiments == []


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (VerdictCode.PROMOTE, ExperimentOutcome.PASSED),
        (VerdictCode.NOT_FITTEST, ExperimentOutcome.PASSED),
        (VerdictCode.STOPPED, ExperimentOutcome.FAILED),
        (VerdictCode.HOLDOUT, ExperimentOutcome.FAILED),
        (VerdictCode.NOT_TRAINABLE, ExperimentOutcome.FAILED),
        (VerdictCode.BROKEN, ExperimentOutcome.BROKEN),
    ],
)
def test_what_a_verdict_means_for_budgets(code: VerdictCode, outcome: ExperimentOutcome) -> None:
    [found] = past_of(chained(trial("a", 0), verdict("a", code)), DAYS).experiments
    assert found.outcome is outcome


def test_a_turn_is_the_newest_whatever_the_order_of_the_ledger() -> None:
    assert past_of(chained(trial("a", 9), trial("b", 3)), DAYS).last_turn == {"technical": 9}


def test_rows_of_sessions() -> None:
    assert [row_of(DAYS, date(2024, 1, d)) for d in (1, 2, 5, 6, 7, 8)] == [0, 1, 4, 4, 4, 5]
    assert row_of(DAYS, date(2023, 12, 31)) == -1
    assert row_of(DAYS, date(2030, 1, 1)) == len(DAYS) - 1


def test_trials_are_those_with_returns() -> None:
    series = series_bytes(np.array([10, 11]), np.array([0.1, -0.2]))
    entries = [
        linked(None, EntryKind.TRIAL, "sim", "a", {}, series),
        linked(None, EntryKind.TRIAL, "sim", "broken", {}, None),
        linked(None, EntryKind.VERDICT, "sim", "a", {}, series),
    ]
    [found] = trials_of(entries)
    assert (found.name, found.days.tolist(), found.returns.tolist()) == ("a", [10, 11], [0.1, -0.2])


def test_the_wealth_of_the_hold_out_from_the_ledger() -> None:
    level = HOLDOUT_WEALTH.share * HOLDOUT_WEALTH.initial
    entries = chained(
        (EntryKind.HOLDOUT, "a", {"level": level, "passed": False}),
        (EntryKind.HOLDOUT, "b", {"level": 0.1, "passed": True}),
        (EntryKind.PROMOTION, "b", {}),
        # The first champion was no experiment: its confirmation earns nothing.
        (EntryKind.CONFIRMATION, "sim.2024-03-01", {"experiment": None}),
        (EntryKind.CONFIRMATION, "sim.2024-04-01", {"experiment": "b"}),
    )
    events = wealth_events(entries)
    assert events == [Opening("a", level, False), Opening("b", 0.1, True), Durable("b")]
    state = replay(events, HOLDOUT_WEALTH)
    assert state.wealth == pytest.approx(0.8 - 0.24 - 0.1 + 0.4)
    assert spend(events, HOLDOUT_WEALTH) == pytest.approx(0.3 * 0.86)
    # A history that the rules could not have made is refused and not folded.
    with pytest.raises(WealthError, match="never opened"):
        replay(wealth_events(entries[-1:]), HOLDOUT_WEALTH)


def test_failures_leave_the_hold_out_sealed_in_the_end() -> None:
    events: list[Opening | Durable] = []
    levels = []
    while (level := spend(events, HOLDOUT_WEALTH)) is not None:
        events.append(Opening(str(len(events)), level, False))
        levels.append(level)
    # 0.24, then seven tenths of the one before, down to two per cent.
    assert levels == pytest.approx([0.24 * 0.7**i for i in range(7)])
    assert sum(levels) < HOLDOUT_WEALTH.initial
