"""The system state in the database: its newest row decides, its history stays."""

import sqlalchemy as sa

from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.system import Actor, SystemState, Transition, transition
from hydra_assets.state.tables import system_state


def current_state(engine: sa.Engine) -> SystemState:
    """The state that holds now; RUNNING before the first transition."""
    with engine.connect() as connection:
        return _newest(connection)


def request_state(engine: sa.Engine, requested: SystemState, *, actor: Actor, origin: str, reason: str) -> Transition:
    """Ask for a state; what the transition table allows is written, requests are taken one after the other."""
    with engine.begin() as connection, advisory_lock(connection, Lock.SYSTEM_STATE):
        verdict = transition(_newest(connection), requested, actor)
        if verdict.changed:
            connection.execute(
                sa.insert(system_state).values(
                    state=str(verdict.after),
                    previous=str(verdict.before),
                    actor=str(actor),
                    origin=origin,
                    reason=reason,
                )
            )
        return verdict


def _newest(connection: sa.Connection) -> SystemState:
    query = sa.select(system_state.c.state).order_by(system_state.c.id.desc()).limit(1)
    return SystemState(connection.scalar(query) or SystemState.RUNNING)
