"""The playbook: every kind of mutation by its id, and how one is read."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from hydra_agent.playbook.labels import Horizon, Label, LossFunction
from hydra_agent.playbook.mutation import Category, Mutation, MutationError
from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES
from hydra_assets.models.ensemble import Ensemble
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES, LOGISTIC, THESIS, Recipe
from hydra_assets.sentiment.composite import sentiment_cap

__all__ = [
    "BOUNDS",
    "MUTATIONS",
    "AddFeature",
    "Architecture",
    "Belief",
    "Blend",
    "Category",
    "DropGroup",
    "Horizon",
    "Hyperparameter",
    "Label",
    "LossFunction",
    "Mutation",
    "MutationError",
    "QuarantineFeature",
    "RefitEvery",
    "RetrainWindow",
    "read_mutation",
]

GROUPS: Mapping[str, str] = {feature.name: str(feature.group) for feature in FEATURES}


class RetrainWindow(Mutation):
    """Train on the newest sessions only, or on all of them."""

    id = "retrain_window"
    category = Category.TECHNICAL
    window_sessions: Annotated[int, Field(ge=126, le=2520)] | None

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """Another window."""
        del recipe
        return {"window_sessions": self.window_sessions}


class RefitEvery(Mutation):
    """Fit anew more or less often."""

    id = "refit_every"
    category = Category.TECHNICAL
    refit_sessions: Annotated[int, Field(ge=21, le=252)]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """Another schedule."""
        del recipe
        return {"refit_sessions": self.refit_sessions}


class QuarantineFeature(Mutation):
    """Leave a feature out."""

    id = "quarantine_feature"
    category = Category.TECHNICAL
    feature: str

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """Neither the feature nor a belief in it, and no more sentiment than its cap allows without it."""
        if self.feature not in recipe.features:
            raise MutationError(f"{self.id}: the recipe has no {self.feature!r}")
        return without(recipe, [self.feature])


class Hyperparameter(Mutation):
    """Another setting of the same model, within its bounds."""

    id = "hyperparameter"
    category = Category.TECHNICAL
    name: Literal[
        "trees", "leaves", "learning_rate", "min_rows_per_leaf", "l2", "feature_share", "row_share", "prior_sd"
    ]
    value: Annotated[float, Field(gt=0, le=2000, allow_inf_nan=False)]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The model with one setting changed; a whole number stays one."""
        model = recipe.model.model_dump()
        if self.name not in model:
            raise MutationError(f"{self.id}: {model['kind']} has no {self.name}")
        bounds = BOUNDS[self.name]
        if not bounds[0] <= self.value <= bounds[1]:
            raise MutationError(f"{self.id}: {self.name} lies within {bounds[0]:g} and {bounds[1]:g}")
        whole = isinstance(model[self.name], int)
        if whole and self.value != int(self.value):
            raise MutationError(f"{self.id}: {self.name} is a whole number, not {self.value:g}")
        return {"model": model | {self.name: int(self.value) if whole else self.value}}


BOUNDS: Mapping[str, tuple[float, float]] = {
    "trees": (10, 400),
    "leaves": (2, 15),
    "learning_rate": (0.005, 0.2),
    "min_rows_per_leaf": (40, 800),
    "l2": (0.1, 500),
    "feature_share": (0.2, 1.0),
    "row_share": (0.3, 1.0),
    "prior_sd": (0.01, 0.5),
}
"""Settings within which a recipe stays one that a few thousand rows can carry."""


class Belief(Mutation):
    """How much of the thesis the model starts from; 0 is no belief at all."""

    id = "belief"
    category = Category.STRUCTURAL
    strength: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The thesis times the strength, as far as the recipe has its features."""
        model = recipe.model.model_dump()
        if "prior" not in model:
            raise MutationError(f"{self.id}: {model['kind']} starts from no belief")
        prior = {name: value * self.strength for name, value in THESIS.items() if name in recipe.features}
        return {"model": model | {"prior": prior if self.strength else {}}}


class Architecture(Mutation):
    """Another kind of model on the same features."""

    id = "architecture"
    category = Category.STRUCTURAL
    kind: Literal["logistic", "lightgbm"]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The standing model of the kind, with the beliefs that the recipe's features allow."""
        if recipe.model.kind == self.kind:
            raise MutationError(f"{self.id}: it is {self.kind} already")
        return {"model": standing(self.kind, recipe)}


class Blend(Mutation):
    """The mean of a linear model and boosted trees."""

    id = "ensemble"
    category = Category.STRUCTURAL
    members: Literal["linear_and_boosted"] = "linear_and_boosted"

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """An ensemble of the two standing kinds."""
        if isinstance(recipe.model, Ensemble):
            raise MutationError(f"{self.id}: it is one already")
        if recipe.model.kind not in {"logistic", "lightgbm"}:
            raise MutationError(f"{self.id}: {recipe.model.kind} is no member")
        other = standing("lightgbm" if recipe.model.kind == "logistic" else "logistic", recipe)
        return {"model": {"kind": "ensemble", "members": [recipe.model.model_dump(), other]}}


class DropGroup(Mutation):
    """Leave a whole group of features out."""

    id = "drop_group"
    category = Category.STRUCTURAL
    group: Literal[
        "options", "flows", "crowd", "sentiment", "divergence", "curve", "calendar", "cross_market", "quality"
    ]

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """What is left without the group."""
        gone = [name for name in recipe.features if GROUPS.get(name) == self.group]
        if not gone:
            raise MutationError(f"{self.id}: the recipe has nothing of {self.group}")
        return without(recipe, gone)


class AddFeature(Mutation):
    """One more feature of the dictionary."""

    id = "add_feature"
    category = Category.RESEARCH
    feature: str

    def changed(self, recipe: Recipe) -> dict[str, Any]:
        """The features and this one, at the end."""
        if self.feature not in FEATURE_NAMES:
            raise MutationError(f"{self.id}: the dictionary has no {self.feature!r}")
        if self.feature in recipe.features:
            raise MutationError(f"{self.id}: {self.feature} is in already")
        return {"features": (*recipe.features, self.feature)}


MUTATIONS: Mapping[str, type[Mutation]] = {
    kind.id: kind
    for kind in (
        RetrainWindow,
        RefitEvery,
        QuarantineFeature,
        Hyperparameter,
        Belief,
        Architecture,
        Blend,
        Label,
        Horizon,
        LossFunction,
        DropGroup,
        AddFeature,
    )
}


def read_mutation(playbook_id: str, parameters: Mapping[str, Any]) -> Mutation:
    """A mutation of the playbook; MutationError for an unknown one or parameters out of bounds."""
    kind = MUTATIONS.get(playbook_id)
    if kind is None:
        raise MutationError(f"the playbook has no {playbook_id!r}; it has {', '.join(MUTATIONS)}")
    try:
        return kind.model_validate(dict(parameters))
    except ValidationError as refused:
        first = refused.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise MutationError(f"{playbook_id}: {where}: {first['msg']}") from refused


def without(recipe: Recipe, names: list[str]) -> dict[str, Any]:
    """Features and model without some features; MutationError where nothing would be left.

    The standing recipes have as much sentiment as its cap allows, so that any other feature less would be refused: what
    is beyond the cap then goes too, the recipe's last first.
    """
    left = [name for name in recipe.features if name not in names]
    found = sentiment_cap([name for name in left if name in GROUPS], GROUPS)
    gone = {*names, *found.derived[found.allowed :]}
    left = [name for name in left if name not in gone]
    if not left:
        raise MutationError("no feature would be left")
    return {"features": tuple(left), "model": _forget(recipe.model.model_dump(), gone)}


def _forget(model: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    out = dict(model)
    for field in ("prior", "monotone"):
        if field in out:
            out[field] = {name: value for name, value in out[field].items() if name not in names}
    if "members" in out:
        out["members"] = [_forget(member, names) for member in out["members"]]
    return out


def standing(kind: str, recipe: Recipe) -> dict[str, Any]:
    """The standing model of a kind, with beliefs only in features that the recipe has."""
    model = FIRST_RECIPES[LOGISTIC if kind == "logistic" else BOOSTED].model
    if not isinstance(model, Logistic | LightGbm):
        raise MutationError(f"there is no standing {kind}")
    prior = {name: value for name, value in model.prior.items() if name in recipe.features}
    return model.model_dump() | {"prior": prior}
