"""The same week at the simulated broker and at a loopback TWS: the same desk comes to the same positions."""

from pathlib import Path

import sqlalchemy as sa

from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.journal.journal import Journal
from tests.support.desk_scene import APRIL, HOME, MAY, DeskScene, World, sessions
from tests.support.ib_desk import STEPS, booked, ib_desk
from tests.support.ib_scene import ACCOUNT
from tests.support.ib_trader import unsynced
from tests.support.postgres import TestServer, engine_on


def week() -> World:
    """Long, longer, short, rolled, flat, and prices that move so that orders step, cross and rest."""
    days = sessions(7)
    return World(
        wanted=dict(zip(days, (3, 5, -4, -4, 2, 0, 0), strict=True)),
        settles=dict(zip(days, (85.0, 85.4, 84.9, 85.2, 86.0, 85.7, 85.9), strict=True)),
        contract={day: APRIL if day < days[3] else MAY for day in days},
    )


def test_a_week_comes_to_the_same_positions(
    state_engine: sa.Engine, postgres_server: TestServer, tmp_path: Path
) -> None:
    world = week()
    unsynced(state_engine)
    with postgres_server.database() as url, engine_on(url) as other, ib_desk(state_engine, world, tmp_path) as paper:
        unsynced(other)
        simulated = DeskScene(other, world, sim=SimConfig(steps=STEPS, impact=False))
        held = []
        for day in world.settles:
            simulated.live_through([day])
            paper.live_through([day])
            ours = Journal(state_engine, ACCOUNT, HOME)
            assert dict(ours.positions) == paper.broker_positions() == simulated.broker_positions()
            held.append(dict(ours.positions))
        assert held == [{}, {APRIL: 3}, {APRIL: 5}, {APRIL: -4}, {}, {MAY: 2}, {}]
        assert booked(state_engine) == booked(other, "SIM")
        assert ours.verdict().intact
        assert set(paper.orders_sent().values()) == {1}
