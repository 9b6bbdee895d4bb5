"""Typed mutations of a recipe: one variable each, within bounds that are refused and never clipped to.

A mutation that changes nothing, or that the recipe's own rules do not allow, is refused with the reason.
"""

from abc import abstractmethod
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

from hydra_assets.models.recipe import Recipe


class Category(StrEnum):
    """Kinds of change, each with a budget of its own."""

    TECHNICAL = "technical"
    """The same model on other data or with other settings."""
    STRUCTURAL = "structural"
    """Another model."""
    RESEARCH = "research"
    """Other information."""


class MutationError(Exception):
    """A mutation that cannot be made of this recipe; the message says why."""


class Mutation(BaseModel):
    """One change. Subclasses give ``id``, ``category`` and the parameters with their bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: ClassVar[str]
    category: ClassVar[Category]

    @abstractmethod
    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """Fields of the recipe with their new values; MutationError where it cannot be."""

    def applied(self, recipe: Recipe) -> Recipe:
        """The changed recipe; MutationError where nothing would change or the recipe's rules refuse it."""
        # Not model_copy: that one does not look at the rules.
        try:
            found = Recipe.model_validate(recipe.model_dump() | self.changed(recipe))
        except ValidationError as refused:
            raise MutationError(f"{self.id}: {refused.errors()[0]['msg']}") from refused
        if found == recipe:
            raise MutationError(f"{self.id}: the recipe is so already")
        return found
