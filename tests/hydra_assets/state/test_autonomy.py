"""What the loop may do by itself: the whole grid by hand, and requests that a person decides once."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
import sqlalchemy as sa

from hydra_assets.state.autonomy import GRID, AgentAction, AutonomyLevel, Permission, default_level, permission
from hydra_assets.state.autonomy_log import (
    ApprovalError,
    ApprovalState,
    current_level,
    decide,
    may,
    set_level,
    waiting,
)
from hydra_assets.state.db import claim

ORDER = (
    AgentAction.REDUCE,
    AgentAction.RECALIBRATE,
    AgentAction.EXPERIMENT,
    AgentAction.PROMOTE,
    AgentAction.CONFIRM,
    AgentAction.ROLL_BACK,
)
EXPECTED = {
    AutonomyLevel.OBSERVE_ONLY: "free no no no no ask",
    AutonomyLevel.SUPERVISED: "free ask ask ask ask ask",
    AutonomyLevel.SEMI_AUTO: "free free free ask ask free",
    AutonomyLevel.AUTONOMOUS: "free free free free free free",
}
PROMOTE = (AgentAction.PROMOTE, "sim", "sim.2024-05-01.aa")


def asked(engine: sa.Engine, message: str = "passed all gates") -> bool:
    return may(engine, *PROMOTE, message)


def test_the_whole_grid() -> None:
    assert set(ORDER) == set(AgentAction)
    assert {level: " ".join(permission(level, action) for action in ORDER) for level in AutonomyLevel} == EXPECTED


def test_a_higher_level_never_takes_a_permission_away() -> None:
    rank = {Permission.NO: 0, Permission.ASK: 1, Permission.FREE: 2}
    levels = list(AutonomyLevel)
    for lower, higher in pairwise(levels):
        assert all(rank[GRID[lower][action]] <= rank[GRID[higher][action]] for action in AgentAction)
    # To trade less is never a matter of permission.
    assert {GRID[level][AgentAction.REDUCE] for level in levels} == {Permission.FREE}


@pytest.mark.parametrize(
    ("kind", "level"),
    [
        ("simulated", AutonomyLevel.AUTONOMOUS),
        ("real", AutonomyLevel.SUPERVISED),
        (None, AutonomyLevel.SUPERVISED),
    ],
)
def test_the_default_is_the_home_s(state_engine: sa.Engine, kind: str | None, level: AutonomyLevel) -> None:
    if kind is not None:
        claim(state_engine, kind)
    assert current_level(state_engine) is level
    assert default_level(kind or "") is level
    set_level(state_engine, AutonomyLevel.SEMI_AUTO, "ada", "trial month")
    set_level(state_engine, AutonomyLevel.OBSERVE_ONLY, "ada", "away")
    assert current_level(state_engine) is AutonomyLevel.OBSERVE_ONLY
    with state_engine.connect() as connection:
        history = connection.execute(sa.text("SELECT level, actor, reason FROM hydra.autonomy ORDER BY id")).all()
    assert history == [("SEMI_AUTO", "ada", "trial month"), ("OBSERVE_ONLY", "ada", "away")]


def test_a_request_waits_until_it_is_approved(state_engine: sa.Engine) -> None:
    set_level(state_engine, AutonomyLevel.SUPERVISED, "ada", "")
    assert not asked(state_engine)
    assert not asked(state_engine, "other words")
    [request] = waiting(state_engine)
    assert (request.action, request.model_group, request.subject) == PROMOTE
    assert (request.message, request.state, request.decided_by) == ("passed all gates", ApprovalState.WAITING, "")
    decide(state_engine, *PROMOTE, ApprovalState.APPROVED, "ada", "looks sound")
    assert asked(state_engine)
    assert asked(state_engine)
    assert waiting(state_engine) == []
    # It is of this action, group and subject and of no other.
    for other in (
        (AgentAction.CONFIRM, *PROMOTE[1:]),
        (PROMOTE[0], "grains", PROMOTE[2]),
        (*PROMOTE[:2], "sim.2024-05-01.bb"),
    ):
        assert not may(state_engine, *other, "")


def test_what_was_rejected_stays_so(state_engine: sa.Engine) -> None:
    set_level(state_engine, AutonomyLevel.SUPERVISED, "ada", "")
    assert not asked(state_engine)
    decide(state_engine, *PROMOTE, ApprovalState.REJECTED, "ada", "too few sessions")
    assert not asked(state_engine)
    assert waiting(state_engine) == []
    for state in (ApprovalState.APPROVED, ApprovalState.REJECTED):
        with pytest.raises(ApprovalError, match="nothing waits"):
            decide(state_engine, *PROMOTE, state, "bob", "")
    assert not asked(state_engine)


def test_nothing_is_approved_that_nobody_asked_for(state_engine: sa.Engine) -> None:
    with pytest.raises(ApprovalError, match="nothing waits for approval to promote"):
        decide(state_engine, *PROMOTE, ApprovalState.APPROVED, "ada", "")
    set_level(state_engine, AutonomyLevel.SUPERVISED, "ada", "")
    assert not asked(state_engine)


def test_an_approval_does_not_outlive_a_lower_level(state_engine: sa.Engine) -> None:
    set_level(state_engine, AutonomyLevel.SUPERVISED, "ada", "")
    assert not asked(state_engine)
    decide(state_engine, *PROMOTE, ApprovalState.APPROVED, "ada", "")
    set_level(state_engine, AutonomyLevel.OBSERVE_ONLY, "ada", "")
    assert not asked(state_engine)
    # What is not done at all asks nobody.
    assert not may(state_engine, AgentAction.PROMOTE, "sim", "another", "")
    assert waiting(state_engine) == []


def test_what_is_free_asks_nobody(state_engine: sa.Engine) -> None:
    set_level(state_engine, AutonomyLevel.AUTONOMOUS, "ada", "")
    assert asked(state_engine)
    assert waiting(state_engine) == []


def test_asked_at_once_there_is_one_request(state_engine: sa.Engine) -> None:
    set_level(state_engine, AutonomyLevel.SUPERVISED, "ada", "")
    with ThreadPoolExecutor(6) as pool:
        assert not any(pool.map(lambda _: asked(state_engine), range(12)))
    assert len(waiting(state_engine)) == 1


def test_of_two_that_decide_one_does(state_engine: sa.Engine) -> None:
    set_level(state_engine, AutonomyLevel.SUPERVISED, "ada", "")
    asked(state_engine)

    def one(state: ApprovalState) -> bool:
        try:
            decide(state_engine, *PROMOTE, state, "somebody", "")
        except ApprovalError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(one, [ApprovalState.APPROVED, ApprovalState.REJECTED] * 3)) == 1
