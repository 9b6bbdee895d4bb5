"""Mutations of what a model is to foresee: its label, the sessions it is about, and what an error costs the fit."""

from typing import Any, Literal

from hydra_agent.playbook.mutation import Category, Mutation, MutationError
from hydra_assets.labels.known import kind_of
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.weights import Loss


class Label(Mutation):
    """Another label of the same horizon: what a position earns up to it, or up to a price barrier before it."""

    id = "label"
    category = Category.STRUCTURAL
    method: Literal["fixed_horizon", "triple_barrier"]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The label of the method over the recipe's horizon."""
        return labelled(self.id, self.method == "triple_barrier", recipe.horizon_sessions)


class Horizon(Mutation):
    """The same kind of label over fewer or more sessions."""

    id = "horizon"
    category = Category.STRUCTURAL
    sessions: Literal[3, 5, 10]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The label of the recipe's method over the horizon."""
        return labelled(self.id, recipe.barriers is not None, self.sessions)


class LossFunction(Mutation):
    """Another loss: each decision counts the same, or by how far the price moved."""

    id = "loss"
    category = Category.STRUCTURAL
    loss: Literal["log_loss", "return_weighted"]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The loss; MutationError where nothing is fitted by one."""
        if recipe.model.kind == "base_rate":
            raise MutationError(f"{self.id}: {recipe.model.kind} is fitted by no loss")
        return {"loss": Loss(self.loss)}


def labelled(mutation: str, barriers: bool, horizon: int) -> dict[str, Any]:
    """A label of the dataset; MutationError where it holds none such."""
    kind = kind_of(barriers, horizon)
    if kind is None:
        raise MutationError(f"{mutation}: no {'triple barrier' if barriers else 'fixed horizon'} of {horizon} sessions")
    return {"label": kind}
