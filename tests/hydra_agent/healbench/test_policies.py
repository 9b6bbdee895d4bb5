"""Policies on small cases: all on the same path, each causal, and HYDRA by the loop's own rules."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hydra_agent.diagnose.causes import CauseCode, Diagnosis
from hydra_agent.healbench.case import Case, EventKind, Record, Setting, Voice
from hydra_agent.healbench.deliveries import Column
from hydra_agent.healbench.faults import Fault
from hydra_agent.healbench.faults.course import RegimeChange
from hydra_agent.healbench.faults.data import CorruptedFeature, Corruption, StaleSource, UnitChange
from hydra_agent.healbench.policies import POLICIES
from hydra_agent.healbench.policies.court import Court, heads_of
from hydra_agent.healbench.policies.misled import HostileAdvice, hostile_assistant
from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE
from hydra_agent.healbench.throne import Throne
from hydra_agent.healbench.worlds import WorldConfig, make_world
from hydra_agent.playbook.mutations import Belief
from hydra_agent.playbook.proposal import Proposal
from hydra_agent.respond import ResponseCode
from hydra_agent.view import GroupView
from hydra_assets.models.linear import Logistic

FIRST, ROW, YEARS = 630, 700, 4
SETTING = Setting(first=FIRST, per_cycle=3)


def case_of(fault: Fault | None = None) -> Case:
    world = make_world(2_000_021, WorldConfig(years=YEARS))
    return Case(world if fault is None else fault.apply(world, np.random.default_rng(1)), ROW, SETTING)


@cache
def plain() -> Case:
    return case_of()


@cache
def lived(name: str) -> Record:
    return POLICIES[name].run(plain())


@pytest.mark.parametrize("name", [name for name in POLICIES if "LLM" not in name])
def test_every_policy_speaks_from_the_first_champion_on(name: str) -> None:
    record = lived(name)
    assert record.policy == name
    assert np.isnan(record.probability[:FIRST]).all()
    assert np.isfinite(record.probability[FIRST:]).all()
    assert ((record.exposure >= 0.0) & (record.exposure <= 1.0)).all()
    # Until its first refit each is the first champion's fit.
    np.testing.assert_array_equal(
        record.probability[FIRST : FIRST + 21], lived(DO_NOTHING).probability[FIRST : FIRST + 21]
    )


def test_the_oracle_knows_from_the_fault_on_and_not_before() -> None:
    oracle, nothing, truth = lived(ORACLE), lived(DO_NOTHING), plain().world.truth
    np.testing.assert_array_equal(oracle.probability[:ROW], nothing.probability[:ROW])
    np.testing.assert_array_equal(oracle.probability[ROW:], truth.probability[ROW:])


@pytest.mark.parametrize("name", ["retrain 63", "detect, retrain", "newest wins", "hydra"])
def test_what_comes_later_changes_nothing_said_before(name: str) -> None:
    changed = POLICIES[name].run(case_of(RegimeChange(ROW)))
    np.testing.assert_array_equal(changed.probability[:ROW], lived(name).probability[:ROW])
    np.testing.assert_array_equal(changed.exposure[:ROW], lived(name).exposure[:ROW])


def test_hydra_trades_nothing_of_a_market_in_another_unit_from_the_same_session_on() -> None:
    record = POLICIES["hydra"].run(case_of(UnitChange(ROW, Column.PRICES, market=1)))
    assert record.responses[ROW] is ResponseCode.BLOCK
    assert not record.exposure[ROW : ROW + 60, 1].any()
    assert (record.exposure[ROW : ROW + 60, 0] == 1.0).any()
    assert record.exposure[ROW - 1, 1] == 1.0
    assert record.exposure[ROW + 70, 1] == 1.0


def test_hydra_goes_down_the_ladder_of_a_source_that_stops() -> None:
    record = POLICIES["hydra"].run(case_of(StaleSource(ROW, Column.OPTIONS, sessions=30)))
    assert [record.exposure[ROW + age - 1].max() for age in (1, 2, 3)] == [1.0, 0.5, 0.0]
    assert record.causes[ROW + 2] is CauseCode.STALE_SOURCE
    assert record.exposure[ROW + 31].min() == 1.0


def test_hydra_masks_a_corrupted_feature_and_promotes_nothing() -> None:
    record = POLICIES["hydra"].run(case_of(CorruptedFeature(ROW, "options_z", Corruption.NOISE)))
    masked = [event for event in record.events if event.kind is EventKind.MASKED]
    # Once, and for good.
    assert [event.about for event in masked] == ["options_z"]
    assert 0 < masked[0].row - ROW < 60
    assert not record.promotions


def test_a_masked_feature_says_nothing() -> None:
    case = plain()
    features = case.view.features.copy()
    features[:, :, case.view.feature_names.index("carry")] = 99.0
    other = Case(case.world.shown(_with(case.view, features)), ROW, SETTING)
    # One laboratory for both: the fit is the same, what it is shown is not.
    other.__dict__["lab"] = case.lab
    voice = Voice(case.recipe, FIRST, ("carry",))
    np.testing.assert_array_equal(case.spoken(voice, FIRST, ROW)[0], other.spoken(voice, FIRST, ROW)[0])
    assert not np.array_equal(case.spoken(Voice(case.recipe, FIRST), FIRST, ROW)[0], other.spoken(voice, FIRST, ROW)[0])


def _with(view: GroupView, features: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> GroupView:
    return replace(view, features=features)


def test_an_offset_moves_what_is_said_and_its_base_alike() -> None:
    case = plain()
    said, base = case.spoken(Voice(case.recipe, FIRST), FIRST, ROW)
    moved, moved_base = case.spoken(Voice(case.recipe, FIRST, offset=0.3), FIRST, ROW)
    for before, after in ((said, moved), (base, moved_base)):
        np.testing.assert_allclose(np.log(after / (1 - after)) - np.log(before / (1 - before)), 0.3)


def test_a_throne_takes_an_amendment_from_its_row_on() -> None:
    throne = Throne(plain(), plain().recipe, FIRST, None, confirmed=True)
    before = throne.probability.copy()
    throne.amend(ROW, Voice(plain().recipe, throne.voice(ROW).fit_row, ("carry",)))
    np.testing.assert_array_equal(throne.probability[:ROW], before[:ROW])
    assert not np.array_equal(throne.probability[ROW:], before[ROW:])
    assert throne.voice(ROW - 1).masked == ()
    assert throne.voice(len(before) - 1).masked == ("carry",)


def test_a_turn_keeps_every_trial_and_asks_only_what_it_can_pay_for() -> None:
    court = Court(plain())
    outcome = court.turn(ROW, plain().recipe, Diagnosis(()))
    assert outcome.experiments == SETTING.per_cycle == len(court.trials) == len(court.experiments)
    assert outcome.promoted is None
    assert all(trial.days[-1] == plain().view.days[ROW - 126] for trial in court.trials)
    for head in heads_of(plain()):
        assert head.every_sessions >= 1
    again = court.turn(ROW + 1, plain().recipe, Diagnosis(()))
    recipes = [recipe.sha256 for recipe, _ in court.recipes]
    assert len(set(recipes)) == len(recipes)
    assert again.experiments <= SETTING.per_cycle


def test_the_newest_idea_is_judged_by_nobody() -> None:
    court = Court(plain())
    newest = court.newest(ROW, plain().recipe, Diagnosis(()))
    assert newest is not None
    assert isinstance(newest.model, Logistic)
    assert not court.trials


def test_a_hostile_model_adds_no_cause_and_proposes_only_what_the_playbook_allows() -> None:
    advice = HostileAdvice(hostile_assistant(5))
    accepted = 0
    for _ in range(60):
        diagnosis = advice.reordered(Diagnosis(()))
        assert diagnosis == Diagnosis(())
        for proposal in advice.proposed(plain().recipe, diagnosis):
            assert isinstance(proposal, Proposal)
            assert isinstance(proposal.recipe(plain().recipe).model, Logistic)
            accepted += 1
    # Some of its advice is valid, or nothing would be tested.
    assert accepted > 0
    assert Belief(strength=2.0).applied(plain().recipe) != plain().recipe
