"""From heads to the experiments of a cycle: turns, budgets, duplicates; each refusal with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hydra_agent.heads.base import Head, Situation
from hydra_agent.heads.budget import (
    DEFAULT_BUDGET,
    BudgetConfig,
    BudgetReason,
    Tried,
    allowance,
    shares,
)
from hydra_agent.heads.research import ResearchHead
from hydra_agent.heads.structural import StructuralHead
from hydra_agent.heads.technical import TechnicalHead
from hydra_agent.playbook.mutations import Category, MutationError
from hydra_agent.playbook.proposal import Leaves, Proposal, Refusal, Refused, distance, flat
from hydra_assets.models.recipe import Recipe

HEADS: tuple[Head, ...] = (TechnicalHead(), StructuralHead(), ResearchHead())
SAME_DISTANCE = 0.5
"""Settings' distance below which two recipes are the same trial."""
RETRY_SESSIONS = 63
"""Sessions after which a recipe that failed may be tried again: it is another market then."""
EXTRA_SHARE = 0.25
"""Share of a cycle that proposals from elsewhere may have: the heads always have their turn."""
_REASON = {
    BudgetReason.SPENT: Refusal.NO_BUDGET,
    BudgetReason.COOLING_DOWN: Refusal.COOLING_DOWN,
    BudgetReason.TOO_FAST: Refusal.TOO_FAST,
}


@dataclass(frozen=True, slots=True)
class Past:
    """What was tried before: experiments in order, recipes with the session number of their newest trial, turns."""

    experiments: Sequence[Tried]
    recipes: Sequence[tuple[Recipe, int]]
    last_turn: Mapping[str, int]
    """By head the session number of its last turn."""


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Experiments of a cycle in order, with their recipes, and what was refused."""

    chosen: tuple[tuple[Proposal, Recipe], ...]
    refused: tuple[Refused, ...]


def hypothesise(
    situation: Situation,
    past: Past,
    now: int,
    heads: Sequence[Head] = HEADS,
    extra: Sequence[Proposal] = (),
    config: BudgetConfig = DEFAULT_BUDGET,
) -> Hypotheses:
    """Choose the experiments of a cycle.

    Parameters
    ----------
    situation
        What the heads are told.
    past
        What was tried before session number ``now``.
    heads
        Who proposes; each in its own rhythm.
    extra
        Proposals from elsewhere (a language model); they come first, are at most ``EXTRA_SHARE`` of the cycle, and are
        held to the same rules, budgets and gates.
    """
    due = [head for head in heads if now - past.last_turn.get(head.name, -(10**9)) >= head.every_sessions]
    share = shares(past.experiments, [head.name for head in due], config) if due else {}
    left = {category: allowance(past.experiments, now, category, config) for category in Category}
    spare = {category: found.left for category, found in left.items()}
    recent = [flat(recipe) for recipe, when in past.recipes if now - when < RETRY_SESSIONS]
    taken: list[Leaves] = []
    chosen: list[tuple[Proposal, Recipe]] = []
    refused: list[Refused] = []

    def take(proposal: Proposal) -> bool:
        try:
            recipe = proposal.recipe(situation.champion)
        except MutationError as impossible:
            refused.append(Refused(proposal, Refusal.NOT_POSSIBLE, str(impossible)))
            return False
        own = flat(recipe)
        if any(distance(own, other) < SAME_DISTANCE for other in recent):
            refused.append(Refused(proposal, Refusal.TRIED_BEFORE, "tried lately"))
        elif any(distance(own, other) < SAME_DISTANCE for other in taken):
            refused.append(Refused(proposal, Refusal.SAME_AS_ANOTHER, "in this cycle already"))
        elif spare[proposal.category] < 1:
            reason = _REASON.get(left[proposal.category].reason, Refusal.NO_BUDGET)
            refused.append(Refused(proposal, reason, f"nothing is left to {proposal.category} experiments"))
        else:
            spare[proposal.category] -= 1
            taken.append(own)
            chosen.append((proposal, recipe))
            return True
        return False

    def take_from(proposals: Sequence[Proposal], share: float) -> None:
        room = max(1, round(share * config.per_cycle))
        for proposal in proposals:
            if room < 1 or len(chosen) >= config.per_cycle:
                break
            room -= take(proposal)

    take_from(extra, EXTRA_SHARE)
    for head in due:
        take_from(head.propose(situation), share[head.name])
    return Hypotheses(tuple(chosen), tuple(refused))
