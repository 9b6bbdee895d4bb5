"""What every part of the system demands of its one state, and the state that follows from all of it.

Each owner posts what it demands now; its earlier demands are forgotten. The strictest demand of all owners holds.
Software loosens what software has tightened, never below a person's newest word, and never out of LOCKDOWN.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.execution_tables import demands as demands_table
from hydra_assets.state.system import Actor, Demand, SystemState, Transition, strictest, transition
from hydra_assets.state.system_log import newest_state, person_word
from hydra_assets.state.tables import system_state

SETTLED = "demands"
"""Origin of a transition that no owner's demand has led to: the end of what was demanded."""
NOTHING = "nothing is demanded any more"


@dataclass(frozen=True, slots=True)
class Owned:
    """A demand and whose it is."""

    owner: str
    demand: Demand


def post(engine: sa.Engine, owner: str, demands: Iterable[Demand]) -> None:
    """Replace an owner's demands; of several with one origin the strictest stays.

    Raises
    ------
    ValueError
        An origin is another owner's: neither may speak for the other.
    """
    by_origin: dict[str, list[Demand]] = {}
    for demand in demands:
        by_origin.setdefault(demand.origin, []).append(demand)
    rows = [_row(owner, strictest(same)) for same in by_origin.values()]
    with engine.begin() as connection, advisory_lock(connection, Lock.SYSTEM_STATE):
        connection.execute(sa.delete(demands_table).where(demands_table.c.owner == owner))
        taken = connection.execute(
            sa.select(demands_table.c.origin, demands_table.c.owner).where(demands_table.c.origin.in_(by_origin))
        ).first()
        if taken is not None:
            msg = f"{taken.origin} is demanded by {taken.owner}; {owner} cannot post it"
            raise ValueError(msg)
        if rows:
            connection.execute(sa.insert(demands_table), rows)


def posted(connection: sa.Connection) -> list[Owned]:
    """Every demand that stands, the strictest first, then by origin."""
    rows = connection.execute(sa.select(demands_table).order_by(demands_table.c.origin)).all()
    found = [Owned(row.owner, Demand(row.origin, SystemState(row.state), row.reason)) for row in rows]
    return sorted(found, key=lambda owned: -owned.demand.state.strictness)


def settle(engine: sa.Engine) -> Transition | None:
    """Bring the state to what is demanded, as far as software may; None where it stays."""
    with engine.begin() as connection, advisory_lock(connection, Lock.SYSTEM_STATE):
        standing = posted(connection)
        before, person = state_and_word(connection)
        wanted = standing[0].demand if standing else strictest(())
        verdict = transition(before, target(wanted.state, person), Actor.SOFTWARE)
        if not verdict.changed:
            return None
        led_here = bool(standing) and wanted.state is verdict.after and wanted.state is not SystemState.RUNNING
        connection.execute(
            sa.insert(system_state).values(
                state=str(verdict.after),
                previous=str(verdict.before),
                actor=str(Actor.SOFTWARE),
                origin=standing[0].owner if led_here else SETTLED,
                reason=wanted.reason if led_here else NOTHING,
            )
        )
        return verdict


def state_beside(engine: sa.Engine, origins: frozenset[str]) -> SystemState:
    """The state that would hold without the demands of some origins: who asks knows better how these stand now."""
    with engine.connect() as connection:
        standing = posted(connection)
        state, person = state_and_word(connection)
    own = strictest(each.demand for each in standing if each.demand.origin in origins)
    others = strictest(each.demand for each in standing if each.demand.origin not in origins)
    if own.state is not state or state is SystemState.LOCKDOWN:
        return state
    return target(others.state, person)


def target(wanted: SystemState, person: SystemState) -> SystemState:
    """The state that should hold: the strictest demand, never looser than a person's newest word."""
    return max(wanted, person, key=lambda state: state.strictness)


def state_and_word(connection: sa.Connection) -> tuple[SystemState, SystemState]:
    """The state that holds, and a person's newest word on it; RUNNING where there is none."""
    return newest_state(connection), person_word(connection)


def _row(owner: str, demand: Demand) -> dict[str, str]:
    return {"origin": demand.origin, "owner": owner, "state": str(demand.state), "reason": demand.reason}
