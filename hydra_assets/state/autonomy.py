"""What the loop may do by itself: a grid of action and level. Pure; the levels are rows of the database."""

from enum import StrEnum


class AutonomyLevel(StrEnum):
    """How far the loop goes without a person."""

    OBSERVE_ONLY = "OBSERVE_ONLY"
    SUPERVISED = "SUPERVISED"
    """A person approves experiments and promotions."""
    SEMI_AUTO = "SEMI_AUTO"
    """Experiments are free, a person approves promotions."""
    AUTONOMOUS = "AUTONOMOUS"


class AgentAction(StrEnum):
    """What the loop can want to do."""

    REDUCE = "reduce"
    """Trade less, or nothing: block, halt, size down, mask a feature."""
    RECALIBRATE = "recalibrate"
    EXPERIMENT = "experiment"
    PROMOTE = "promote"
    CONFIRM = "confirm"
    """Full size for a provisional champion."""
    ROLL_BACK = "roll_back"


class Permission(StrEnum):
    """What a level says to an action."""

    FREE = "free"
    ASK = "ask"
    """A person has to approve."""
    NO = "no"


_FREE, _ASK, _NO = Permission

GRID: dict[AutonomyLevel, dict[AgentAction, Permission]] = {
    AutonomyLevel.OBSERVE_ONLY: {
        # To trade less is never a matter of permission.
        AgentAction.REDUCE: _FREE,
        AgentAction.RECALIBRATE: _NO,
        AgentAction.EXPERIMENT: _NO,
        AgentAction.PROMOTE: _NO,
        AgentAction.CONFIRM: _NO,
        AgentAction.ROLL_BACK: _ASK,
    },
    AutonomyLevel.SUPERVISED: {
        AgentAction.REDUCE: _FREE,
        AgentAction.RECALIBRATE: _ASK,
        AgentAction.EXPERIMENT: _ASK,
        AgentAction.PROMOTE: _ASK,
        AgentAction.CONFIRM: _ASK,
        AgentAction.ROLL_BACK: _ASK,
    },
    AutonomyLevel.SEMI_AUTO: {
        AgentAction.REDUCE: _FREE,
        AgentAction.RECALIBRATE: _FREE,
        AgentAction.EXPERIMENT: _FREE,
        AgentAction.PROMOTE: _ASK,
        AgentAction.CONFIRM: _ASK,
        AgentAction.ROLL_BACK: _FREE,
    },
    AutonomyLevel.AUTONOMOUS: dict.fromkeys(AgentAction, _FREE),
}


def permission(level: AutonomyLevel, action: AgentAction) -> Permission:
    """Whether an action is free, needs a person, or is not done at all."""
    return GRID[level][action]


def default_level(home_kind: str) -> AutonomyLevel:
    """Level of a home in which none was set: real sources begin supervised."""
    return AutonomyLevel.AUTONOMOUS if home_kind == "simulated" else AutonomyLevel.SUPERVISED
