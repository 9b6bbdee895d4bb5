"""What the ledger says of the past: trials with their returns, experiments for the budgets, the hold-out's wealth."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from hydra_agent.heads.budget import ExperimentOutcome
from hydra_agent.heads.hypothesise import Past
from hydra_agent.judge.cycle import Trial
from hydra_agent.playbook.mutations import Category
from hydra_agent.view import Ints
from hydra_assets.models.recipe import Recipe
from hydra_assets.state.chain import Entry, EntryKind, read_series
from hydra_assets.stats.alpha_wealth import Durable, Opening, Wealth, WealthEvent

HOLDOUT_WEALTH = Wealth(initial=0.8, payout=0.4, share=0.3, minimum_level=0.02)
"""Openings come after seven gates that let about one null in thirty through, so a level of a quarter multiplies that by
four; three years of failures leave the hold-out sealed."""


class VerdictCode(StrEnum):
    """What a trial came to, all gates considered."""

    PROMOTE = "promote"
    STOPPED = "stopped"
    """By one of the gates 1 to 7."""
    NOT_FITTEST = "not_fittest"
    """It passed, and another of its cycle was fitter."""
    HOLDOUT = "holdout"
    """The sealed hold-out did not agree, or could not be opened."""
    NOT_TRAINABLE = "not_trainable"
    BROKEN = "broken"
    """The experiment ended without a result."""


OUTCOMES = {
    VerdictCode.PROMOTE: ExperimentOutcome.PASSED,
    VerdictCode.NOT_FITTEST: ExperimentOutcome.PASSED,
    VerdictCode.BROKEN: ExperimentOutcome.BROKEN,
}


@dataclass(frozen=True, slots=True)
class TriedExperiment:
    """One experiment of the ledger, as the budgets want it."""

    session_index: int
    head: str
    category: Category
    outcome: ExperimentOutcome


def trials_of(entries: Sequence[Entry]) -> list[Trial]:
    """Trials with returns, in the ledger's order."""
    out = []
    for entry in entries:
        if entry.kind is EntryKind.TRIAL and entry.series is not None:
            days, returns = read_series(entry.series)
            out.append(Trial(entry.subject, days, returns))
    return out


def past_of(entries: Sequence[Entry], days: Ints) -> Past:
    """Experiments, recipes and turns; sessions are numbered by their row among ``days``."""
    codes = {entry.subject: VerdictCode(entry.facts["code"]) for entry in entries if entry.kind is EntryKind.VERDICT}
    experiments: list[TriedExperiment] = []
    recipes: list[tuple[Recipe, int]] = []
    turns: dict[str, int] = {}
    for entry in entries:
        if entry.kind is not EntryKind.TRIAL:
            continue
        facts = entry.facts
        number = row_of(days, date.fromisoformat(facts["session"]))
        outcome = OUTCOMES.get(codes.get(entry.subject, VerdictCode.STOPPED), ExperimentOutcome.FAILED)
        experiments.append(TriedExperiment(number, facts["head"], Category(facts["category"]), outcome))
        recipes.append((Recipe.model_validate_json(facts["recipe"]), number))
        turns[facts["head"]] = max(number, turns.get(facts["head"], number))
    return Past(experiments, recipes, turns)


def row_of(days: Ints, session: date) -> int:
    """Number of a session among days; of one that is not there, of the session before it."""
    day = session.toordinal() - date(1970, 1, 1).toordinal()
    return int(np.searchsorted(days, day, side="right")) - 1


def wealth_events(entries: Sequence[Entry]) -> list[WealthEvent]:
    """Openings of the hold-out and promotions that proved durable, in the ledger's order."""
    out: list[WealthEvent] = []
    for entry in entries:
        if entry.kind is EntryKind.HOLDOUT:
            out.append(Opening(entry.subject, float(entry.facts["level"]), bool(entry.facts["passed"])))
        elif entry.kind is EntryKind.CONFIRMATION and (experiment := entry.facts.get("experiment")):
            out.append(Durable(experiment))
    return out
