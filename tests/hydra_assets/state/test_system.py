from itertools import product

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.system import TRANSITIONS, Actor, Demand, SystemState, TransitionCode, strictest, transition
from hydra_assets.state.system_log import current_state, request_state
from hydra_assets.state.tables import system_state

R, D, H, L = SystemState


def test_table_covers_every_pair_of_different_states() -> None:
    assert set(TRANSITIONS) == {pair for pair in product(SystemState, repeat=2) if pair[0] is not pair[1]}


@pytest.mark.parametrize(
    ("before", "requested", "actor", "after", "code"),
    [
        (R, D, Actor.SOFTWARE, D, TransitionCode.TIGHTENED),
        (R, L, Actor.SOFTWARE, L, TransitionCode.TIGHTENED),
        (H, R, Actor.SOFTWARE, R, TransitionCode.LOOSENED),
        (L, H, Actor.SOFTWARE, L, TransitionCode.PERSON_REQUIRED),
        (L, H, Actor.PERSON, H, TransitionCode.LOOSENED),
        (L, R, Actor.PERSON, L, TransitionCode.THROUGH_HALTED),
        (L, R, Actor.SOFTWARE, L, TransitionCode.THROUGH_HALTED),
        (D, D, Actor.SOFTWARE, D, TransitionCode.UNCHANGED),
    ],
)
def test_transitions(
    before: SystemState, requested: SystemState, actor: Actor, after: SystemState, code: TransitionCode
) -> None:
    verdict = transition(before, requested, actor)
    assert (verdict.before, verdict.after, verdict.code) == (before, after, code)


@given(st.lists(st.sampled_from(SystemState), max_size=20))
def test_software_never_leaves_lockdown_and_can_always_tighten(requests: list[SystemState]) -> None:
    state = R
    for requested in requests:
        verdict = transition(state, requested, Actor.SOFTWARE)
        if state is L:
            assert verdict.after is L
        if requested.strictness > state.strictness:
            assert verdict.after is requested
        state = verdict.after


def test_strictest_demand_wins() -> None:
    demands = [Demand("checks", D, "stale"), Demand("risk", H, "drawdown"), Demand("link", H, "lost")]
    assert strictest(demands) == demands[1]
    assert strictest([]).state is R


def test_history_is_kept_and_refusals_are_not_in_it(state_engine: sa.Engine) -> None:
    assert current_state(state_engine) is R
    request_state(state_engine, L, actor=Actor.SOFTWARE, origin="risk", reason="drawdown")
    refused = request_state(state_engine, R, actor=Actor.SOFTWARE, origin="risk", reason="recovered")
    assert refused.code is TransitionCode.THROUGH_HALTED
    assert current_state(state_engine) is L
    request_state(state_engine, H, actor=Actor.PERSON, origin="operator", reason="looked at it")
    with state_engine.connect() as connection:
        history = connection.execute(
            sa.select(system_state.c.previous, system_state.c.state).order_by(system_state.c.id)
        )
        assert [tuple(row) for row in history] == [("RUNNING", "LOCKDOWN"), ("LOCKDOWN", "HALTED")]
