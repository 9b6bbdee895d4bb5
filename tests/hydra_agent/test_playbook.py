"""Mutations are made within bounds or refused with the reason; nothing is clipped, and nothing changes nothing."""

import math
from functools import reduce
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_agent.playbook.mutations import (
    BOUNDS,
    MUTATIONS,
    AddFeature,
    Architecture,
    Belief,
    Blend,
    Category,
    DropGroup,
    Horizon,
    Hyperparameter,
    Label,
    LossFunction,
    Mutation,
    MutationError,
    QuarantineFeature,
    RefitEvery,
    RetrainWindow,
    read_mutation,
)
from hydra_agent.playbook.proposal import Proposal, difference, distance, flat
from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.ensemble import Ensemble
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES, LOGISTIC, THESIS, THESIS_FEATURES, Recipe

TREES, LINEAR = FIRST_RECIPES[BOOSTED], FIRST_RECIPES[LOGISTIC]
BLIND = Recipe(features=THESIS_FEATURES, model=BaseRate())


def apart(one: Recipe, other: Recipe) -> float:
    return distance(flat(one), flat(other))


def read(playbook_id: str, **parameters: Any) -> Mutation:
    return read_mutation(playbook_id, parameters)


def setting(name: str, value: Any) -> Mutation:
    return read("hyperparameter", name=name, value=value)


@pytest.mark.parametrize(
    ("mutation", "recipe", "changed"),
    [
        (RetrainWindow(window_sessions=504), TREES, {"window_sessions": [None, 504]}),
        (RefitEvery(refit_sessions=21), TREES, {"refit_sessions": [63, 21]}),
        (
            QuarantineFeature(feature="carry"),
            TREES,
            {"features.carry": [True, None], "features.divergence_z": [True, None]},
        ),
        (
            QuarantineFeature(feature="options_z"),
            TREES,
            {
                "features.divergence_z": [True, None],
                "features.options_z": [True, None],
                "model.prior.options_z": [0.1, None],
            },
        ),
        (Hyperparameter(name="leaves", value=7), TREES, {"model.leaves": [3, 7]}),
        (Hyperparameter(name="prior_sd", value=0.1), LINEAR, {"model.prior_sd": [0.05, 0.1]}),
        (
            Belief(strength=2.0),
            LINEAR,
            {"model.prior.crowd_score_z": [-0.1, -0.2], "model.prior.options_z": [0.1, 0.2]},
        ),
        (
            Belief(strength=0.0),
            TREES,
            {"model.prior.crowd_score_z": [-0.1, None], "model.prior.options_z": [0.1, None]},
        ),
        (AddFeature(feature="slope"), TREES, {"features.slope": [None, True]}),
        (Label(method="triple_barrier"), TREES, {"label": ["fixed_horizon", "triple_barrier_5"]}),
        (Horizon(sessions=3), LINEAR, {"label": ["fixed_horizon", "fixed_horizon_3"]}),
        (Horizon(sessions=10), TREES, {"label": ["fixed_horizon", "fixed_horizon_10"]}),
        (LossFunction(loss="return_weighted"), LINEAR, {"loss": [None, "return_weighted"]}),
        (
            DropGroup(group="divergence"),
            TREES,
            {"features.divergence_z": [True, None]},
        ),
        (
            DropGroup(group="crowd"),
            LINEAR,
            {
                "features.crowd_score_z": [True, None],
                "features.producers_z": [True, None],
                "model.prior.crowd_score_z": [-0.1, None],
            },
        ),
    ],
)
def test_a_mutation_changes_what_it_says_and_nothing_else(
    mutation: Mutation, recipe: Recipe, changed: dict[str, list[Any]]
) -> None:
    found = mutation.applied(recipe)
    assert difference(recipe, found) == changed
    assert apart(recipe, found) > 0.0
    # The recipe that reigns stays what it is.
    assert recipe in (TREES, LINEAR)
    assert Recipe.model_validate_json(found.model_dump_json()) == found


def test_another_architecture_is_the_standing_one_on_the_recipe_s_own_features() -> None:
    few = Recipe(features=("crowd_score_z", "carry", "slope", "tilt_z"), model=Logistic(prior={"crowd_score_z": -0.1}))
    trees = Architecture(kind="lightgbm").applied(few)
    assert isinstance(trees.model, LightGbm)
    assert (trees.features, trees.model.prior) == (few.features, {"crowd_score_z": -0.1})
    assert trees.model.model_copy(update={"prior": THESIS}) == TREES.model
    blend = Blend().applied(few)
    assert isinstance(blend.model, Ensemble)
    assert blend.model.members == (few.model, trees.model)
    # An ensemble can become a single kind again, and forgets in all of its members.
    assert Architecture(kind="logistic").applied(Blend().applied(LINEAR)).model == LINEAR.model
    less = QuarantineFeature(feature="options_z").applied(Blend().applied(TREES))
    assert isinstance(less.model, Ensemble)
    assert [member.model_dump()["prior"] for member in less.model.members] == [{"crowd_score_z": -0.1}] * 2


def test_constraints_of_a_feature_go_with_it() -> None:
    held = LightGbm(monotone={"carry": 1, "tilt_z": 0})
    recipe = Recipe(features=("carry", "tilt_z", "slope"), model=held)
    found = QuarantineFeature(feature="carry").applied(recipe)
    assert isinstance(found.model, LightGbm)
    assert found.model.monotone == {"tilt_z": 0}


def test_label_and_horizon_are_changed_one_by_one_and_back() -> None:
    barrier = Label(method="triple_barrier").applied(TREES)
    assert (barrier.label, barrier.horizon_sessions, barrier.reach_sessions) == ("triple_barrier_5", 5, 6)
    longer = Horizon(sessions=10).applied(barrier)
    assert (longer.label, longer.plan.embargo_sessions) == ("triple_barrier", 11)
    assert Label(method="fixed_horizon").applied(longer).label == "fixed_horizon_10"
    both = Proposal("structural", (Label(method="triple_barrier"), Horizon(sessions=10)), "why").recipe(TREES)
    assert both == longer
    weighted = LossFunction(loss="return_weighted").applied(longer)
    assert LossFunction(loss="log_loss").applied(weighted) == longer
    assert weighted.sha256 != longer.sha256
    # What the dataset does not hold is refused, not taken for what is nearest.
    short = Horizon(sessions=3).applied(TREES)
    with pytest.raises(MutationError, match="label: no triple barrier of 3 sessions"):
        Label(method="triple_barrier").applied(short)
    with pytest.raises(MutationError, match="horizon: no triple barrier of 3 sessions"):
        Horizon(sessions=3).applied(barrier)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("label", {"method": "fixed_horizon"}, "so already"),
    ("label", {"method": "trend"}, "Input should be"),
    ("label", {}, "Field required"),
    ("horizon", {"sessions": 5}, "so already"),
    ("horizon", {"sessions": 4}, "Input should be 3, 5 or 10"),
    ("horizon", {"sessions": 11}, "Input should be"),
    ("horizon", {"sessions": "10"}, "Input should be"),
    ("horizon", {"sessions": True}, "Input should be"),
    ("loss", {"loss": "log_loss"}, "so already"),
    ("loss", {"loss": "hinge"}, "Input should be"),
    ("hyperparameter", {"name": "leaves", "value": 46.5}, "lies within 2 and 15"),
    ("hyperparameter", {"name": "leaves", "value": 7.5}, "whole number, not 7.5"),
    ("hyperparameter", {"name": "leaves", "value": 15.000001}, "lies within"),
    ("hyperparameter", {"name": "learning_rate", "value": 0.2000001}, "lies within 0.005 and 0.2"),
    ("hyperparameter", {"name": "leaves", "value": math.nan}, "finite"),
    ("hyperparameter", {"name": "leaves", "value": math.inf}, "finite"),
    ("hyperparameter", {"name": "trees", "value": 1e308}, "less than or equal to 2000"),
    ("hyperparameter", {"name": "trees", "value": -10}, "greater than 0"),
    ("hyperparameter", {"name": "trees", "value": True}, "valid number"),
    ("hyperparameter", {"name": "trees", "value": "40"}, "valid number"),
    ("hyperparameter", {"name": "trees", "value": None}, "valid number"),
    ("hyperparameter", {"name": "max_bin", "value": 31}, "Input should be"),
    ("hyperparameter", {"name": "prior_sd", "value": 0.1}, "lightgbm has no prior_sd"),
    ("hyperparameter", {"name": "trees"}, "Field required"),
    ("hyperparameter", {"name": "trees", "value": 80, "force": True}, "Extra inputs"),
    ("hyperparameter", {"name": "trees", "value": 40}, "so already"),
    ("retrain_window", {"window_sessions": 125}, "greater than or equal to 126"),
    ("retrain_window", {"window_sessions": 2521}, "less than or equal to 2520"),
    ("retrain_window", {"window_sessions": 504.0}, "valid integer"),
    ("retrain_window", {"window_sessions": True}, "valid integer"),
    ("retrain_window", {"window_sessions": None}, "so already"),
    ("refit_every", {"refit_sessions": 20}, "greater than or equal to 21"),
    ("refit_every", {"refit_sessions": 63}, "so already"),
    ("quarantine_feature", {"feature": "slope"}, "has no 'slope'"),
    ("quarantine_feature", {"feature": "'; DROP TABLE"}, "has no"),
    ("quarantine_feature", {"feature": ["carry"]}, "valid string"),
    ("belief", {"strength": 1.0}, "so already"),
    ("belief", {"strength": 2.5}, "less than or equal to 2"),
    ("belief", {"strength": math.nan}, "finite"),
    ("belief", {"strength": False}, "valid number"),
    ("architecture", {"kind": "lightgbm"}, "already"),
    ("architecture", {"kind": "network"}, "Input should be"),
    ("ensemble", {"members": "everything"}, "Input should be"),
    ("drop_group", {"group": "sentiment"}, "nothing of sentiment"),
    ("drop_group", {"group": "all"}, "Input should be"),
    ("add_feature", {"feature": "carry"}, "in already"),
    ("add_feature", {"feature": "tomorrow"}, "dictionary has no 'tomorrow'"),
    ("promote", {}, "playbook has no 'promote'"),
    ("__class__", {}, "playbook has no"),
]


@pytest.mark.parametrize(("playbook_id", "parameters", "words"), REFUSED)
def test_what_cannot_be_is_refused_and_never_clipped(playbook_id: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(MutationError, match=words):
        read_mutation(playbook_id, parameters).applied(TREES)


@pytest.mark.parametrize("recipe", [TREES, LINEAR])
def test_any_feature_and_any_group_of_a_standing_recipe_can_be_left_out(recipe: Recipe) -> None:
    # They have as much sentiment as its cap allows: without this rule only sentiment could ever be left out.
    for feature in THESIS_FEATURES:
        left = QuarantineFeature(feature=feature).applied(recipe).features
        gone = set(THESIS_FEATURES) - set(left)
        sentiment = {"crowd_score_z", "producers_z", "divergence_z"}
        assert gone == ({feature} if feature in sentiment else {feature, "divergence_z"})
        assert left == tuple(name for name in THESIS_FEATURES if name in left)
    for group, count in {"options": 4, "crowd": 10, "divergence": 11, "curve": 8}.items():
        left = read("drop_group", group=group).applied(recipe).features
        assert (group, len(left)) == (group, count)
    assert "crowd_score_z" in read("drop_group", group="options").applied(recipe).features


def test_the_last_feature_and_the_last_group_stay() -> None:
    one = Recipe(features=("carry",), model=Logistic())
    for mutation in (QuarantineFeature(feature="carry"), DropGroup(group="curve")):
        with pytest.raises(MutationError, match="no feature would be left"):
            mutation.applied(one)


def test_models_without_what_is_changed_say_so() -> None:
    for mutation, words in (
        (Belief(strength=0.5), "base_rate starts from no belief"),
        (Blend(), "base_rate is no member"),
        (Hyperparameter(name="trees", value=20), "base_rate has no trees"),
        (LossFunction(loss="return_weighted"), "base_rate is fitted by no loss"),
    ):
        with pytest.raises(MutationError, match=words):
            mutation.applied(BLIND)
    with pytest.raises(MutationError, match="one already"):
        Blend().applied(Blend().applied(TREES))


def test_the_recipe_s_own_rules_hold() -> None:
    sentiment = [feature.name for feature in FEATURES if feature.group == "sentiment"]
    recipe = Recipe(features=("carry", "slope", "tilt_z"), model=Logistic())

    def add(recipe: Recipe, name: str) -> Recipe:
        return AddFeature(feature=name).applied(recipe)

    with pytest.raises(MutationError, match=r"add_feature: .*sentiment"):
        reduce(add, sentiment, recipe)


@given(name=st.sampled_from(sorted(BOUNDS)), value=st.floats(allow_nan=True, allow_infinity=True))
def test_a_setting_is_the_value_that_was_asked_for_or_none(name: str, value: float) -> None:
    recipe = LINEAR if name == "prior_sd" else TREES
    try:
        found = setting(name, value).applied(recipe)
    except MutationError:
        return
    low, high = BOUNDS[name]
    got = getattr(found.model, name)
    assert low <= value <= high
    assert got == value
    assert type(got) is type(getattr(recipe.model, name))


@given(name=st.sampled_from(sorted(BOUNDS)), share=st.floats(0, 1))
def test_every_setting_within_its_bounds_can_be_made(name: str, share: float) -> None:
    recipe = LINEAR if name == "prior_sd" else TREES
    low, high = BOUNDS[name]
    value = low + share * (high - low)
    if isinstance(getattr(recipe.model, name), int):
        value = float(round(value))
    if value != getattr(recipe.model, name):
        assert getattr(setting(name, min(value, high)).applied(recipe).model, name) == min(value, high)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(FEATURE_NAMES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=4,
)
FIELDS = sorted({name for kind in MUTATIONS.values() for name in kind.model_fields})


@given(
    playbook_id=st.sampled_from([*MUTATIONS, "", "x"]),
    parameters=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=4), JSON, max_size=3),
)
def test_whatever_is_asked_for_is_a_recipe_or_a_refusal(playbook_id: str, parameters: dict[str, Any]) -> None:
    try:
        found = read_mutation(playbook_id, parameters).applied(TREES)
    except MutationError:
        return
    assert found != TREES
    assert Recipe.model_validate(found.model_dump()) == found


def test_a_proposal_is_one_or_two_different_mutations() -> None:
    window, schedule = RetrainWindow(window_sessions=504), RefitEvery(refit_sessions=21)
    both = Proposal("technical", (window, schedule), "why")
    assert both.recipe(TREES) == schedule.applied(window.applied(TREES))
    assert both.ids == ("retrain_window", "refit_every")
    assert both.parameters == [
        {"id": "retrain_window", "window_sessions": 504},
        {"id": "refit_every", "refit_sessions": 21},
    ]
    for mutations in (
        (),
        (window, schedule, Belief(strength=0.0)),
        (window, window),
        (window, RetrainWindow(window_sessions=252)),
    ):
        with pytest.raises(MutationError, match="one or two different"):
            Proposal("technical", mutations, "why").recipe(TREES)


@pytest.mark.parametrize("feature", ["carry", "slope", "tilt_z"])
def test_two_that_take_each_other_back_are_no_proposal(feature: str) -> None:
    there_and_back = (QuarantineFeature(feature=feature), AddFeature(feature=feature))
    plain = Recipe(features=("carry", "slope", "tilt_z"), model=LightGbm())
    with pytest.raises(MutationError, match="take each other back"):
        Proposal("technical", there_and_back, "why").recipe(plain)
    # A belief does not come back with its feature.
    believer = plain.model_copy(update={"model": LightGbm(prior={feature: 0.1})})
    assert Proposal("technical", there_and_back, "why").recipe(believer).model == LightGbm()


def test_the_gravest_mutation_gives_the_category() -> None:
    window, belief, more = RetrainWindow(window_sessions=504), Belief(strength=0.0), AddFeature(feature="slope")
    for mutations, category in (
        ((window,), Category.TECHNICAL),
        ((window, belief), Category.STRUCTURAL),
        ((belief, window), Category.STRUCTURAL),
        ((more, belief), Category.RESEARCH),
        ((window, more), Category.RESEARCH),
    ):
        assert Proposal("x", mutations, "").category is category


FEATURE_SETS = st.lists(st.sampled_from(THESIS_FEATURES[:9]), min_size=1, max_size=4, unique=True)
MODELS: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        Logistic,
        prior_sd=st.floats(0.01, 0.5),
        prior=st.dictionaries(st.sampled_from(THESIS_FEATURES), st.floats(-1, 1), max_size=2),
    ),
    st.builds(LightGbm, trees=st.integers(10, 400), leaves=st.integers(2, 15), l2=st.floats(0.1, 500)),
    st.just(BaseRate()),
    st.just(Ensemble(members=(Logistic(), BaseRate()))),
)
RECIPES = st.builds(
    Recipe,
    features=FEATURE_SETS.map(tuple),
    model=MODELS,
    window_sessions=st.none() | st.integers(126, 2520),
    refit_sessions=st.integers(21, 252),
    seed=st.integers(0, 3),
)


@given(one=RECIPES, other=RECIPES)
def test_distance_is_symmetric_and_zero_only_for_the_same_settings(one: Recipe, other: Recipe) -> None:
    assert apart(one, one) == 0.0
    assert apart(one, other) == apart(other, one) >= 0.0
    same = one.model_copy(update={"features": ()}) == other.model_copy(update={"features": ()})
    same = same and sorted(one.features) == sorted(other.features)
    assert (apart(one, other) == 0.0) == same


def test_distances_by_hand() -> None:
    assert apart(LINEAR, Recipe(features=THESIS_FEATURES[::-1], model=LINEAR.model)) == 0.0
    assert apart(TREES, RetrainWindow(window_sessions=504).applied(TREES)) == 1.0
    # 40 and 41 trees are 1/41 apart, a twentieth is a setting of its own.
    assert apart(TREES, setting("trees", 41).applied(TREES)) == pytest.approx(1 / 41 / 0.05)
    assert apart(TREES, setting("trees", 80).applied(TREES)) == 1.0
    assert apart(TREES, DropGroup(group="crowd").applied(TREES)) == 3.0
    negative = LINEAR.model_copy(update={"model": Logistic(prior={"carry": -0.1}, prior_sd=0.05)})
    zero = LINEAR.model_copy(update={"model": Logistic(prior={"carry": 0.0}, prior_sd=0.05)})
    assert apart(negative, zero) == 1.0
    window = {n: RetrainWindow(window_sessions=n).applied(TREES) for n in (1000, 1010)}
    assert apart(window[1000], window[1010]) == pytest.approx(10 / 1010 / 0.05)
