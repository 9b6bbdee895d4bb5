"""The system state in the database: its newest row decides, its history stays."""

import sqlalchemy as sa

from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.system import Actor, SystemState, Transition, transition
from hydra_assets.state.tables import system_state


def current_state(engine: sa.Engine) -> SystemState:
    """The state that holds now."""
    with engine.connect() as connection:
        return newest_state(connection)


def request_state(engine: sa.Engine, requested: SystemState, *, actor: Actor, origin: str, reason: str) -> Transition:
    """Ask for a state; what the transition table allows is written, requests are taken one after the other.

    A person's word on the state that software has led to is written too: from then on only a person takes it back.
    """
    with engine.begin() as connection, advisory_lock(connection, Lock.SYSTEM_STATE):
        verdict = transition(newest_state(connection), requested, actor)
        confirmed = actor is Actor.PERSON and requested is verdict.after and requested is not person_word(connection)
        if verdict.changed or confirmed:
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


def person_word(connection: sa.Connection) -> SystemState:
    """A person's newest word; RUNNING where there is none."""
    newest = sa.select(system_state.c.state).where(system_state.c.actor == str(Actor.PERSON))
    said = connection.scalar(newest.order_by(system_state.c.id.desc()).limit(1))
    return SystemState(said or SystemState.RUNNING)


def newest_state(connection: sa.Connection) -> SystemState:
    """The state that holds; RUNNING before the first transition."""
    query = sa.select(system_state.c.state).order_by(system_state.c.id.desc()).limit(1)
    return SystemState(connection.scalar(query) or SystemState.RUNNING)
