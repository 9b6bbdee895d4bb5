"""One state, many demands: the strictest holds, a person's word is the floor, and LOCKDOWN stays."""

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydra_assets.state.demands import NOTHING, post, posted, settle, state_beside, target
from hydra_assets.state.system import Actor, Demand, SystemState, TransitionCode
from hydra_assets.state.system_log import current_state, request_state
from hydra_assets.state.tables import system_state

R, D, H, L = SystemState


def demand(state: SystemState, origin: str = "breakers") -> Demand:
    return Demand(origin, state, f"{origin} says {state}")


def says(engine: sa.Engine, state: SystemState) -> None:
    """A person's word; what the transition table refuses is none."""
    request_state(engine, state, actor=Actor.PERSON, origin="operator", reason="word")


def test_the_state_beside_some_origins_is_what_the_others_and_a_person_say(state_engine: sa.Engine) -> None:
    own = frozenset({"breakers"})
    assert state_beside(state_engine, own) is R
    post(state_engine, "execution", [demand(H, "breakers")])
    post(state_engine, "agent", [demand(D, "agent.sim")])
    settle(state_engine)
    assert (current_state(state_engine), state_beside(state_engine, own)) == (H, D)
    assert state_beside(state_engine, frozenset({"agent.sim"})) is H
    says(state_engine, H)
    assert state_beside(state_engine, own) is H
    says(state_engine, L)
    assert state_beside(state_engine, own) is L


def history(engine: sa.Engine) -> list[tuple[str, str, str, str]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(system_state).order_by(system_state.c.id))
        return [(row.state, row.actor, row.origin, row.reason) for row in rows]


def test_the_strictest_of_all_owners_holds_and_says_whose_it_is(state_engine: sa.Engine) -> None:
    assert settle(state_engine) is None
    post(state_engine, "agent", [demand(D, "agent.sim")])
    post(state_engine, "execution", [demand(H, "breakers"), demand(R, "connection")])
    verdict = settle(state_engine)
    assert verdict is not None
    assert (verdict.before, verdict.after, verdict.code) == (R, H, TransitionCode.TIGHTENED)
    assert settle(state_engine) is None
    post(state_engine, "execution", [])
    assert settle(state_engine) is not None
    post(state_engine, "agent", [demand(R, "agent.sim")])
    assert settle(state_engine) is not None
    assert history(state_engine) == [
        ("HALTED", "software", "execution", "breakers says HALTED"),
        ("DEGRADED", "software", "agent", "agent.sim says DEGRADED"),
        ("RUNNING", "software", "demands", NOTHING),
    ]


def test_an_owner_s_demands_replace_its_own_alone(state_engine: sa.Engine) -> None:
    post(state_engine, "agent", [demand(D, "agent.a"), demand(H, "agent.b")])
    post(state_engine, "execution", [demand(D), demand(L), demand(R)])
    post(state_engine, "agent", [demand(R, "agent.b")])
    with state_engine.connect() as connection:
        found = [(each.owner, each.demand.origin, each.demand.state) for each in posted(connection)]
    assert found == [("execution", "breakers", L), ("agent", "agent.b", R)]


def test_nobody_speaks_for_another(state_engine: sa.Engine) -> None:
    post(state_engine, "execution", [demand(H)])
    post(state_engine, "agent", [demand(D, "agent.sim")])
    with pytest.raises(ValueError, match="breakers is demanded by execution; agent cannot post it"):
        post(state_engine, "agent", [demand(R), demand(H, "agent.other")])
    with state_engine.connect() as connection:
        assert [(each.owner, each.demand.origin) for each in posted(connection)] == [
            ("execution", "breakers"),
            ("agent", "agent.sim"),
        ]


def test_a_person_s_halt_outlives_every_demand(state_engine: sa.Engine) -> None:
    post(state_engine, "execution", [demand(H)])
    settle(state_engine)
    says(state_engine, R)
    assert settle(state_engine) is not None
    assert current_state(state_engine) is H
    says(state_engine, D)
    says(state_engine, H)
    post(state_engine, "execution", [])
    assert settle(state_engine) is None
    assert current_state(state_engine) is H
    says(state_engine, R)
    assert settle(state_engine) is None
    assert current_state(state_engine) is R


def test_only_a_person_leaves_lockdown_and_the_demand_leads_back(state_engine: sa.Engine) -> None:
    post(state_engine, "execution", [demand(L)])
    settle(state_engine)
    post(state_engine, "execution", [])
    assert settle(state_engine) is None
    assert current_state(state_engine) is L
    says(state_engine, H)
    # The person's word is HALTED now, and only a person takes that back.
    assert settle(state_engine) is None
    post(state_engine, "execution", [demand(L)])
    assert settle(state_engine) is not None
    assert current_state(state_engine) is L


@pytest.mark.parametrize(
    ("wanted", "word", "found"), [(R, R, R), (D, R, D), (R, D, D), (H, D, H), (D, H, H), (L, H, L), (R, L, L)]
)
def test_the_stricter_of_demand_and_word(wanted: SystemState, word: SystemState, found: SystemState) -> None:
    assert target(wanted, word) is found


STATES = st.sampled_from([R, D, H, L])
ACTS = st.one_of(
    st.tuples(st.just("post"), st.sampled_from(["agent", "execution"]), st.lists(STATES, max_size=3)),
    st.tuples(st.just("person"), STATES),
)


@given(acts=st.lists(ACTS, max_size=10))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_settling_the_state_is_never_looser_than_any_demand(
    state_engine: sa.Engine, acts: list[tuple[Any, ...]]
) -> None:
    # The history of the state cannot be deleted: every example begins where a person has led it back to RUNNING.
    for owner in ("agent", "execution"):
        post(state_engine, owner, [])
    for back in (H, R):
        says(state_engine, back)
    assert current_state(state_engine) is R
    standing: dict[str, list[SystemState]] = {}
    word = R
    for act in acts:
        before = current_state(state_engine)
        if act[0] == "post":
            _, owner, states = act
            standing[owner] = states
            post(state_engine, owner, [demand(state, f"{owner}.{i}") for i, state in enumerate(states)])
        else:
            says(state_engine, act[1])
            after = current_state(state_engine)
            # A word that is refused is none; one that finds its state there already holds from then on.
            word, before = (after, after) if after is act[1] else (word, before)
        settle(state_engine)
        found = current_state(state_engine)
        wanted = max((s for own in standing.values() for s in own), key=lambda s: s.strictness, default=R)
        assert found.strictness >= wanted.strictness
        assert found.strictness >= word.strictness
        if before is L:
            assert found is L
        else:
            assert found is target(wanted, word)
        assert settle(state_engine) is None
