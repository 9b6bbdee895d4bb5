"""Heads and what is chosen of their ideas: turns, duplicates and budgets, and ideas that never run out for ever."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.heads.base import Situation
from hydra_agent.heads.budget import DEFAULT_BUDGET, BudgetConfig, ExperimentOutcome
from hydra_agent.heads.hypothesise import HEADS, RETRY_SESSIONS, SAME_DISTANCE, Hypotheses, Past, hypothesise
from hydra_agent.heads.research import PROVIDERS, ResearchHead
from hydra_agent.heads.structural import StructuralHead
from hydra_agent.heads.technical import TechnicalHead
from hydra_agent.past import TriedExperiment
from hydra_agent.playbook.mutations import (
    AddFeature,
    Architecture,
    Belief,
    Category,
    Horizon,
    Hyperparameter,
    Label,
    LossFunction,
    Mutation,
    QuarantineFeature,
    RefitEvery,
    RetrainWindow,
)
from hydra_agent.playbook.proposal import Proposal, Refusal, distance, flat
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.labels.known import LabelKind
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES, LOGISTIC, Recipe
from hydra_assets.models.weights import Loss

TREES, LINEAR = FIRST_RECIPES[BOOSTED], FIRST_RECIPES[LOGISTIC]
NOTHING = Past([], [], {})
CODES: tuple[CauseCode | None, ...] = (None, *CauseCode)


def situation(
    code: CauseCode | None = None,
    champion: Recipe = TREES,
    named: tuple[str, ...] = (),
    harm: tuple[tuple[str, float], ...] = (),
) -> Situation:
    causes = () if code is None else (Cause(code, 0.9, "", features=named),)
    return Situation(champion, Diagnosis(causes), 1500, FEATURE_NAMES, harm)


def window(n: int, head: str = "x") -> Proposal:
    return Proposal(head, (RetrainWindow(window_sessions=n),), f"{n} sessions")


@dataclass(frozen=True)
class Fixed:
    """A head that always says the same."""

    name: str
    proposals: Sequence[Proposal]
    every_sessions: int = 1
    asked: list[int] = field(default_factory=list)

    def propose(self, situation: Situation) -> list[Proposal]:
        self.asked.append(situation.sessions)
        return list(self.proposals)


def windows_of(found: Hypotheses) -> list[int | None]:
    return [recipe.window_sessions for _, recipe in found.chosen]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("champion", [TREES, LINEAR, Recipe(features=("carry",), model=BaseRate())])
def test_every_proposal_of_every_head_can_be_made(
    head: TechnicalHead | StructuralHead | ResearchHead, champion: Recipe
) -> None:
    for code in CODES:
        told = situation(code, champion, named=("carry", "slope"), harm=(("tilt_z", 0.2), ("slope", 0.1)))
        proposals = head.propose(told)
        assert proposals == head.propose(told)
        recipes = [proposal.recipe(champion) for proposal in proposals]
        assert len({recipe.sha256 for recipe in recipes}) == len(recipes) > 0
        assert champion not in recipes
        assert {proposal.head for proposal in proposals} == {head.name}


def test_the_technical_head_answers_the_diagnosis_first() -> None:
    head = TechnicalHead()

    def first(told: Situation, n: int = 2) -> list[Mutation]:
        return [proposal.mutations[0] for proposal in head.propose(told)[:n]]

    corrupted = situation(CauseCode.FEATURE_CORRUPTED, named=("carry",))
    assert first(corrupted, 1) == [QuarantineFeature(feature="carry")]
    # What a market that has changed says now, shortest window first; the longest is what the recipe has already.
    windows = [RetrainWindow(window_sessions=252), RetrainWindow(window_sessions=378)]
    assert first(situation(CauseCode.EDGE_REVERSED)) == windows
    overfitted = situation(CauseCode.OVERFITTING_DECAY)
    assert first(overfitted, 1) == [Hyperparameter(name="learning_rate", value=0.01)]
    assert first(situation(harm=(("tilt_z", 0.2), ("carry", -0.1))), 1) == [QuarantineFeature(feature="tilt_z")]
    short = Situation(TREES, Diagnosis(()), 400, FEATURE_NAMES)
    assert [p.mutations[0] for p in head.propose(short)[:3]] == [
        RetrainWindow(window_sessions=252),
        RetrainWindow(window_sessions=378),
        RefitEvery(refit_sessions=21),
    ]


def test_the_structural_head_doubts_the_thesis_where_the_edge_has_turned() -> None:
    head = StructuralHead()
    turned = [proposal.mutations for proposal in head.propose(situation(CauseCode.EDGE_REVERSED))]
    assert turned[0] == (Belief(strength=0.0), RetrainWindow(window_sessions=504))
    assert turned[1:4] == [(Belief(strength=0.0),), (Belief(strength=0.5),), (Belief(strength=2.0),)]
    assert head.propose(situation(None))[0].mutations == (Architecture(kind="logistic"),)


def test_the_structural_head_looks_for_another_label_where_market_or_outcomes_have_changed() -> None:
    def told(code: CauseCode | None, champion: Recipe = TREES) -> list[Mutation]:
        proposals = StructuralHead().propose(situation(code, champion))
        return [proposal.mutations[0] for proposal in proposals if len(proposal.mutations) == 1]

    barriers, longer, shorter = Label(method="triple_barrier"), Horizon(sessions=10), Horizon(sessions=3)
    weighted = LossFunction(loss="return_weighted")
    for code in (CauseCode.REGIME_CHANGE, CauseCode.LABEL_SHIFT):
        assert told(code)[:4] == [barriers, longer, shorter, weighted]
    # An edge that is gone may be slower or quicker now; without a cause another model comes first.
    assert told(CauseCode.EDGE_DECAY)[3:5] == [longer, shorter]
    assert {barriers, longer, shorter, weighted} <= set(told(None)[2:])
    # From there the way back is open.
    there = TREES.model_copy(update={"label": LabelKind.TRIPLE_BARRIER, "loss": Loss.RETURN_WEIGHTED})
    assert told(CauseCode.LABEL_SHIFT, there)[:3] == [
        Label(method="fixed_horizon"),
        Horizon(sessions=5),
        LossFunction(loss="log_loss"),
    ]


def test_the_research_head_lets_its_providers_take_turns() -> None:
    found = [proposal.mutations[0] for proposal in ResearchHead().propose(situation())]
    assert found[:3] == [
        AddFeature(feature="season_sin"),
        AddFeature(feature="realised_vol_ratio"),
        AddFeature(feature="slope"),
    ]
    assert {name for provider in PROVIDERS for name in provider.features} <= set(FEATURE_NAMES)
    only = Situation(TREES, Diagnosis(()), 1500, ("slope", "season_cos"))
    assert [p.mutations[0] for p in ResearchHead().propose(only)] == [
        AddFeature(feature="season_cos"),
        AddFeature(feature="slope"),
    ]
    assert ResearchHead(providers=()).propose(situation()) == []


def test_the_first_cycle_hears_every_head_within_its_size() -> None:
    found = hypothesise(situation(CauseCode.EDGE_DECAY), NOTHING, 1000)
    assert found == hypothesise(situation(CauseCode.EDGE_DECAY), NOTHING, 1000)
    assert len(found.chosen) == DEFAULT_BUDGET.per_cycle
    assert [proposal.head for proposal, _ in found.chosen] == ["technical"] * 4 + ["structural"] * 4 + ["research"] * 4
    recipes = [flat(recipe) for _, recipe in found.chosen]
    for i, recipe in enumerate(recipes):
        assert all(distance(recipe, other) >= SAME_DISTANCE for other in recipes[:i])


def test_heads_have_their_own_rhythm() -> None:
    often, seldom = Fixed("often", [window(252)]), Fixed("seldom", [window(504)], every_sessions=21)
    for last, due in ((80, False), (79, True), (100, False)):
        found = hypothesise(situation(), Past([], [], {"often": 99, "seldom": last}), 100, [often, seldom])
        assert windows_of(found) == ([252, 504] if due else [252])
    assert hypothesise(situation(), Past([], [], {"often": 100}), 100, [often]) == Hypotheses((), ())
    assert len(often.asked) == 3


def test_duplicates_are_refused_with_the_reason() -> None:
    # 1000 and 1010 sessions are one setting, 1000 and 1100 are two.
    head = Fixed("x", [window(1000), window(1010), window(1100)])
    found = hypothesise(situation(), NOTHING, 100, [head])
    assert windows_of(found) == [1000, 1100]
    assert [(r.proposal, r.reason) for r in found.refused] == [(window(1010), Refusal.SAME_AS_ANOTHER)]
    tried = Past([], [(window(1010).recipe(TREES), 40)], {})
    found = hypothesise(situation(), tried, 40 + RETRY_SESSIONS - 1, [head])
    assert windows_of(found) == [1100]
    assert [r.reason for r in found.refused] == [Refusal.TRIED_BEFORE, Refusal.TRIED_BEFORE]
    # It is another market by then.
    assert windows_of(hypothesise(situation(), tried, 40 + RETRY_SESSIONS, [head])) == [1000, 1100]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([TriedExperiment(90, "x", Category.TECHNICAL, ExperimentOutcome.PASSED)] * 36, Refusal.NO_BUDGET),
        ([TriedExperiment(95, "x", Category.TECHNICAL, ExperimentOutcome.FAILED)] * 24, Refusal.COOLING_DOWN),
        ([TriedExperiment(99, "x", Category.RESEARCH, ExperimentOutcome.PASSED)] * 40, Refusal.TOO_FAST),
    ],
)
def test_without_a_budget_there_is_the_reason(history: list[TriedExperiment], reason: Refusal) -> None:
    found = hypothesise(situation(), Past(history, [], {}), 100, [Fixed("x", [window(252)])])
    assert (found.chosen, [r.reason for r in found.refused]) == ((), [reason])


def test_a_budget_can_end_within_a_cycle() -> None:
    config = BudgetConfig(per_window=dict.fromkeys(Category, 2))
    found = hypothesise(situation(), NOTHING, 100, [Fixed("x", [window(n) for n in (252, 504, 756)])], config=config)
    assert windows_of(found) == [252, 504]
    [refused] = found.refused
    assert (refused.reason, refused.message) == (Refusal.NO_BUDGET, "nothing is left to technical experiments")


def test_proposals_from_elsewhere_come_first_and_never_fill_a_cycle() -> None:
    extra = [window(n, "llm") for n in range(200, 2400, 200)]
    found = hypothesise(situation(), NOTHING, 100, extra=extra)
    heads = [proposal.head for proposal, _ in found.chosen]
    assert heads[:3] == ["llm"] * 3
    assert heads.count("llm") == 3
    assert {"technical", "structural", "research"} <= set(heads)
    assert len(heads) == DEFAULT_BUDGET.per_cycle


def test_a_proposal_that_cannot_be_made_is_refused_and_stops_nobody() -> None:
    extra = [
        Proposal("llm", (), "nothing"),
        Proposal("llm", (QuarantineFeature(feature="tomorrow"),), "what is not there"),
        Proposal("llm", (RetrainWindow(window_sessions=None),), "what is so already"),
        window(252, "llm"),
    ]
    found = hypothesise(situation(), NOTHING, 100, [Fixed("x", [window(504)])], extra=extra)
    assert windows_of(found) == [252, 504]
    assert [r.reason for r in found.refused] == [Refusal.NOT_POSSIBLE] * 3
    assert "one or two" in found.refused[0].message


def test_a_head_whose_share_is_small_has_one_experiment_at_least() -> None:
    config = BudgetConfig(per_cycle=2)
    heads = [Fixed(name, [window(200 * i), window(200 * i + 100)]) for i, name in enumerate("abc", start=1)]
    found = hypothesise(situation(), NOTHING, 100, heads, config=config)
    assert [proposal.rationale for proposal, _ in found.chosen] == ["200 sessions", "400 sessions"]


def test_ideas_do_not_run_out_for_ever() -> None:
    """Experiments are asked for again and again and none ever passes: there is always a next one, soon enough."""
    experiments: list[TriedExperiment] = []
    recipes: list[tuple[Recipe, int]] = []
    turns: dict[str, int] = {}
    cycles = []
    for now in range(0, 400, 8):
        found = hypothesise(situation(CauseCode.EDGE_DECAY), Past(experiments, recipes, turns), now)
        assert len(found.chosen) <= DEFAULT_BUDGET.per_cycle
        for proposal, recipe in found.chosen:
            experiments.append(TriedExperiment(now, proposal.head, proposal.category, ExperimentOutcome.FAILED))
            turns[proposal.head] = now
            recipes.append((recipe, now))
        recipes = [(recipe, when) for recipe, when in recipes if now - when < RETRY_SESSIONS]
        if found.chosen:
            cycles.append(now)
    assert max(after - before for before, after in pairwise([*cycles, 400])) <= RETRY_SESSIONS
    for category in Category:
        late = [each for each in experiments if each.category is category and each.session_index > 300]
        assert late, category
