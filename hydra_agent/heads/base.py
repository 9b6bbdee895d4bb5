"""What a head is told and what it gives back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hydra_agent.diagnose.causes import Diagnosis
from hydra_agent.playbook.mutations import Mutation, MutationError
from hydra_agent.playbook.proposal import Proposal
from hydra_assets.models.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Situation:
    """What a head knows: the recipe that reigns, what is wrong, and what there is to work with."""

    champion: Recipe
    diagnosis: Diagnosis
    sessions: int
    """Sessions of history."""
    features: tuple[str, ...]
    """Features that the group has."""
    harm: tuple[tuple[str, float], ...] = ()
    """Features with what they added to the champion's errors of late, worst first."""


class Head(Protocol):
    """A proposer. The same situation gives the same proposals, best first."""

    @property
    def name(self) -> str:
        """Name in records."""
        ...

    @property
    def every_sessions(self) -> int:
        """Sessions between two turns."""
        ...

    def propose(self, situation: Situation) -> list[Proposal]:
        """Proposals, best first; more than will be tried."""
        ...


def possible(head: str, situation: Situation, ideas: Sequence[tuple[tuple[Mutation, ...], str]]) -> list[Proposal]:
    """Ideas that can be made of the champion's recipe, each once."""
    out: list[Proposal] = []
    seen = set[str]()
    for mutations, rationale in ideas:
        proposal = Proposal(head, mutations, rationale)
        try:
            recipe = proposal.recipe(situation.champion)
        except MutationError:
            continue
        if recipe.sha256 not in seen:
            seen.add(recipe.sha256)
            out.append(proposal)
    return out
