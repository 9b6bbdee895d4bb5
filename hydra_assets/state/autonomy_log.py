"""Levels and approvals in the database: the newest level holds, an approval is asked for once and decided once."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.autonomy import AgentAction, AutonomyLevel, Permission, default_level, permission
from hydra_assets.state.db import HOME_KIND
from hydra_assets.state.healing_tables import approvals, autonomy
from hydra_assets.state.tables import components


class ApprovalState(StrEnum):
    """Where a request stands."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"


class ApprovalError(Exception):
    """There is no such request, or it was decided already."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A request for a person."""

    action: AgentAction
    model_group: str
    subject: str
    message: str
    state: ApprovalState
    requested_at: datetime
    decided_by: str
    reason: str


def current_level(engine: sa.Engine) -> AutonomyLevel:
    """The level that holds: the newest on record, else the default of the home's kind."""
    newest = sa.select(autonomy.c.level).order_by(autonomy.c.id.desc()).limit(1)
    kind = sa.select(components.c.version).where(components.c.name == HOME_KIND)
    with engine.connect() as connection:
        level = connection.scalar(newest)
        return AutonomyLevel(level) if level else default_level(connection.scalar(kind) or "")


def set_level(engine: sa.Engine, level: AutonomyLevel, actor: str, reason: str) -> None:
    """Set the level; the history stays."""
    with engine.begin() as connection:
        connection.execute(sa.insert(autonomy).values(level=str(level), actor=actor, reason=reason))


def may(engine: sa.Engine, action: AgentAction, model_group: str, subject: str, message: str) -> bool:
    """Whether an action may be done now; where a person has to approve, the request is on record afterwards."""
    asked = permission(current_level(engine), action)
    if asked is not Permission.ASK:
        return asked is Permission.FREE
    request = insert(approvals).values(action=str(action), model_group=model_group, subject=subject, message=message)
    own = _own(action, model_group, subject)
    with engine.begin() as connection:
        connection.execute(request.on_conflict_do_nothing())
        return connection.scalar(sa.select(approvals.c.state).where(*own)) == ApprovalState.APPROVED


def approved(engine: sa.Engine, action: AgentAction, model_group: str, subject: str) -> bool:
    """Whether a person has said yes."""
    with engine.connect() as connection:
        found = connection.scalar(sa.select(approvals.c.state).where(*_own(action, model_group, subject)))
    return found == ApprovalState.APPROVED


def decide(
    engine: sa.Engine,
    action: AgentAction,
    model_group: str,
    subject: str,
    state: ApprovalState,
    actor: str,
    reason: str,
) -> None:
    """Approve or reject a waiting request; ApprovalError where there is none."""
    statement = (
        sa.update(approvals)
        .where(*_own(action, model_group, subject), approvals.c.state == ApprovalState.WAITING)
        .values(state=str(state), decided_at=sa.func.clock_timestamp(), decided_by=actor, reason=reason)
    )
    with engine.begin() as connection:
        if connection.execute(statement).rowcount != 1:
            msg = f"nothing waits for approval to {action} {subject} in {model_group}"
            raise ApprovalError(msg)


def waiting(engine: sa.Engine) -> list[Approval]:
    """Requests that wait for a person, oldest first."""
    columns = [approvals.c[name] for name in Approval.__dataclass_fields__]
    query = sa.select(*columns).where(approvals.c.state == ApprovalState.WAITING).order_by(approvals.c.id)
    with engine.connect() as connection:
        return [
            Approval(**dict(row._mapping) | {"action": AgentAction(row.action), "state": ApprovalState(row.state)})
            for row in connection.execute(query)
        ]


def _own(action: AgentAction, model_group: str, subject: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        approvals.c.action == str(action),
        approvals.c.model_group == model_group,
        approvals.c.subject == subject,
    )
