"""A proposal: at most two mutations of the champion's recipe, from a head; and when two recipes are the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hydra_agent.playbook.mutations import Category, Mutation, MutationError
from hydra_assets.models.recipe import Recipe

MOST_VARIABLES = 2


class Refusal(StrEnum):
    """Why a proposal is not tried."""

    NOT_POSSIBLE = "not_possible"
    """The playbook or the recipe's own rules do not allow it."""
    TRIED_BEFORE = "tried_before"
    SAME_AS_ANOTHER = "same_as_another"
    NO_BUDGET = "no_budget"
    COOLING_DOWN = "cooling_down"
    TOO_FAST = "too_fast"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a head proposes."""

    head: str
    mutations: tuple[Mutation, ...]
    rationale: str

    @property
    def category(self) -> Category:
        """The gravest of its mutations': research before structural before technical."""
        order = list(Category)
        return max((mutation.category for mutation in self.mutations), key=order.index)

    @property
    def ids(self) -> tuple[str, ...]:
        """Playbook ids."""
        return tuple(mutation.id for mutation in self.mutations)

    @property
    def parameters(self) -> list[dict[str, Any]]:
        """Ids with their parameters, for records."""
        return [{"id": mutation.id, **mutation.model_dump()} for mutation in self.mutations]

    def recipe(self, champion: Recipe) -> Recipe:
        """The recipe that is tried; MutationError where it cannot be made."""
        if not 1 <= len(self.mutations) <= MOST_VARIABLES or len(set(self.ids)) != len(self.ids):
            raise MutationError(f"{len(self.mutations)} mutations where one or two different ones are meant")
        found = champion
        for mutation in self.mutations:
            found = mutation.applied(found)
        if flat(found) == flat(champion):
            raise MutationError(f"{' and '.join(self.ids)} take each other back")
        return found


@dataclass(frozen=True, slots=True)
class Refused:
    """A proposal that is not tried, with the reason."""

    proposal: Proposal
    reason: Refusal
    message: str


Leaves = Mapping[str, Any]
"""A recipe as plain values by path."""


def flat(recipe: Recipe) -> Leaves:
    """A recipe as leaves by path; the order of features does not matter."""
    content = recipe.model_dump(mode="json")
    content["features"] = dict.fromkeys(content["features"], True)
    return dict(_leaves("", content))


def _leaves(path: str, value: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _leaves(f"{path}.{i}", inner)
    else:
        yield path, value


def difference(before: Recipe, after: Recipe) -> dict[str, list[Any]]:
    """What a recipe changes of another: path to [before, after], None for what is not there."""
    return {path: list(values) for path, values in _apart(flat(before), flat(after))}


def _apart(one: Leaves, other: Leaves) -> Iterable[tuple[str, tuple[Any, Any]]]:
    for path in sorted({path for path, _ in one.items() ^ other.items()}):
        yield path, (one.get(path), other.get(path))


NUMBER_TOLERANCE = 0.05
"""Numbers that differ by less than this share of the larger are the same setting."""


def distance(one: Leaves, other: Leaves) -> float:
    """Settings in which two flat recipes differ, near-equal numbers by how far they are apart; 0 is the same."""
    total = 0.0
    for _, values in _apart(one, other):
        numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
        if len(numbers) == 2:
            apart = abs(numbers[0] - numbers[1]) / max(abs(numbers[0]), abs(numbers[1]))
            total += min(1.0, apart / NUMBER_TOLERANCE)
        else:
            total += 1.0
    return total
