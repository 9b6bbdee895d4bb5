"""A recipe says all of it, and refuses what no recipe may be."""

import pytest
from pydantic import ValidationError

from hydra_assets.features.dictionary import FEATURE_NAMES, Group, names_of
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import FIRST_RECIPES, STRATEGIES, Recipe
from hydra_assets.models.weights import Loss


def test_a_recipe_of_too_much_sentiment_is_refused() -> None:
    # 3 of 12 is a quarter, which is allowed; 4 of 13 is not.
    others = names_of(Group.CURVE)
    derived = names_of(Group.CROWD)
    assert len(others) == 9
    assert Recipe(features=(*others, *derived[:3])).features[-1] == derived[2]
    with pytest.raises(ValidationError, match="sentiment"):
        Recipe(features=(*others, *derived[:4]))


def test_the_embargo_is_the_label_s_reach() -> None:
    # Entry at the next settle, five sessions (ten for barriers) from there.
    fixed, barrier = Recipe(), Recipe(label=LabelKind.TRIPLE_BARRIER)
    assert (fixed.horizon_sessions, fixed.reach_sessions) == (5, 6)
    assert (barrier.horizon_sessions, barrier.reach_sessions) == (10, 11)
    short = Recipe(label=LabelKind.FIXED_HORIZON_3)
    assert (short.horizon_sessions, short.reach_sessions) == (3, 4)
    assert fixed.barriers is short.barriers is None
    assert barrier.barriers == SPECS[LabelKind.TRIPLE_BARRIER] == TripleBarrier(horizon_sessions=10)
    for recipe in (fixed, barrier, short):
        assert recipe.plan.embargo_sessions == recipe.plan.label_reach_sessions == recipe.reach_sessions
    rolling = Recipe(window_sessions=100, first_train_sessions=120, refit_sessions=30).plan
    assert (rolling.train_sessions, rolling.first_train_sessions, rolling.test_sessions) == (100, 120, 30)


@pytest.mark.parametrize("field", ["window_sessions", "first_train_sessions", "refit_sessions"])
def test_windows_too_short_to_judge_are_refused(field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        Recipe(**{field: 19})


def test_a_digest_is_of_the_content() -> None:
    again = Recipe.model_validate_json(Recipe().model_dump_json())
    assert again == Recipe()
    assert again.sha256 == Recipe().sha256
    changes = [
        {"features": FEATURE_NAMES[:-1]},
        {"label": LabelKind.TRIPLE_BARRIER},
        {"model": Logistic()},
        {"window_sessions": 252},
        {"first_train_sessions": 300},
        {"refit_sessions": 21},
        {"seed": 8},
        {"loss": Loss.RETURN_WEIGHTED},
    ]
    assert len({Recipe().sha256, *(Recipe(**change).sha256 for change in changes)}) == 9


def test_recipes_from_before_there_was_a_loss_keep_their_digest() -> None:
    # What homes have on record as their champions' recipes.
    assert {name: recipe.sha256[:12] for name, recipe in STRATEGIES.items()} == {
        "boosted": "d7221980918a",
        "logistic": "df4d2f68bacc",
        "no_signal": "acb66e9b8574",
    }
    assert Recipe(label=LabelKind.TRIPLE_BARRIER).sha256.startswith("9cfc329e1a27")
    assert "loss" not in Recipe().model_dump()
    weighted = Recipe(loss=Loss.RETURN_WEIGHTED)
    assert weighted.model_dump(mode="json")["loss"] == "return_weighted"
    assert Recipe.model_validate_json(weighted.model_dump_json()) == weighted
    assert Recipe.model_validate(Recipe().model_dump() | {"loss": "log_loss"}) == Recipe()


def test_the_baseline_walks_beside_the_first_recipes_and_is_none_of_them() -> None:
    assert set(STRATEGIES) - set(FIRST_RECIPES) == {"no_signal"}
    assert STRATEGIES["no_signal"].model.kind == "base_rate"
    assert all(STRATEGIES[name] == recipe for name, recipe in FIRST_RECIPES.items())
