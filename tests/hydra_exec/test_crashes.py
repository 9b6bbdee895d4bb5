"""A process that dies at any side effect of a session's trade: the next one takes it up, and nothing is sent twice."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import sim_broker_log
from hydra_exec import account_run, live_session
from hydra_exec.account_run import AccountRun
from hydra_exec.breakers import account as breaker_account
from hydra_exec.broker.ib.broker import IBBroker
from hydra_exec.broker.simulated.broker import SimulatedBroker
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.records import Taken, record_of
from hydra_exec.broker.simulated.store import DatabaseStore
from hydra_exec.connection.log import ConnectionLog
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.reconcile import Reconciler
from hydra_exec.live_session import open_sessions, work_session
from tests.support.crashes import KilledError, dying
from tests.support.desk_scene import APRIL, HOME, DeskScene, sessions
from tests.support.ib_desk import IbDesk, ib_desk
from tests.support.ib_scene import ACCOUNT
from tests.support.ib_trader import unsynced
from tests.support.lives import Left, left, scene_on, wiped, world

pytestmark = pytest.mark.endurance

STEPS_AT_IB = 300
"""As long as a silence may be that is no alarm."""
EVERY_POINT = 11
"""A stride that is prime to the effects of a step, so that over the session each of them is struck."""
JOURNAL = tuple(
    (Journal, name)
    for name in ("decide", "sending", "sent", "_write", "take", "end_order", "expire_before", "next_generation")
)
DAY = (
    (Reconciler, "take"),
    (account_run, "begin_session"),
    (account_run, "end_session"),
    (breaker_account, "append"),
)
SIMULATED = (
    *JOURNAL,
    *DAY,
    (SimulatedBroker, "place"),
    (SimulatedBroker, "amend"),
    (SimulatedBroker, "cancel"),
    (DatabaseStore, "append"),
)
AT_IB = (
    *JOURNAL,
    *DAY,
    (IBBroker, "place"),
    (IBBroker, "amend"),
    (IBBroker, "cancel"),
    (ConnectionLog, "event"),
    (live_session, "begin_session"),
    (live_session, "end_session"),
)
Effects = Sequence[tuple[object, str]]


@contextmanager
def survived() -> Iterator[None]:
    """Whether it dies or not."""
    with suppress(KilledError):
        yield


def check_simulated(engine: sa.Engine, scene: DeskScene, undisturbed: Left, point: int) -> None:
    found = left(engine, "SIM")
    assert found == undisturbed, point
    assert found.positions == scene.broker_positions(), point
    with engine.connect() as connection:
        records = [record_of(line) for line in connection.scalars(sa.select(sim_broker_log.c.body))]
    names = Counter(record.wire_ref for record in records if isinstance(record, Taken))
    assert set(names.values()) == {1}, point
    assert Journal(engine, "SIM", HOME).verdict().intact, point


def lived(engine: sa.Engine, days: Sequence[date], fatal: int | None) -> tuple[DeskScene, int]:
    """A life that ends at one of the side effects of its second session, and the one after it; points of the first."""
    wiped(engine)
    scene, _ = scene_on(engine)
    scene.live_through(days[:1])
    rig = scene.rig()
    try:
        with dying(SIMULATED, fatal) as points, survived():
            AccountRun(scene.account(rig), scene.world.days()).run(days[:2])
    finally:
        rig.close()
    scene.live_through(days)
    return scene, points.passed


def test_a_session_at_the_simulated_broker_survives_death_at_every_point(state_engine: sa.Engine) -> None:
    engine, days = unsynced(state_engine), sessions(3)
    scene, points = lived(engine, days, None)
    undisturbed = left(engine, "SIM")
    assert undisturbed.positions == {APRIL: -1}
    check_simulated(engine, scene, undisturbed, -1)
    assert points > 60
    for fatal in range(points):
        scene, passed = lived(engine, days, fatal)
        assert passed == fatal
        check_simulated(engine, scene, undisturbed, fatal)


def traded(scene: IbDesk, days: Sequence[date], fatal: int | None) -> int:
    """A second session whose process dies at one of its side effects, and the processes after it; points passed."""
    first, second, third = days
    scene.live_through([first])
    scene.market.begin(second)
    with dying(AT_IB, fatal) as points, survived(), scene.process() as (account, run):
        work_session(account, run, open_sessions(account.markets, account.calendars, scene.market.clock.now))
    with scene.process() as (account, run):
        work_session(account, run, open_sessions(account.markets, account.calendars, scene.market.clock.now))
    scene.market.close()
    with scene.process() as (_, run):
        run.run([second])
    scene.live_through([third])
    return points.passed


def test_a_session_at_a_terminal_survives_death_at_many_points(state_engine: sa.Engine, tmp_path: Path) -> None:
    engine, days = unsynced(state_engine), sessions(3)
    points, fatal = 1, None
    seen: list[int] = []
    while fatal is None or fatal < points:
        wiped(engine)
        with ib_desk(engine, world(), tmp_path, sim=SimConfig(steps=STEPS_AT_IB, impact=False)) as scene:
            passed = traded(scene, days, fatal)
            found = left(engine, ACCOUNT)
            assert found.positions == {APRIL: -1} == scene.broker_positions(), fatal
            assert all(count == 1 for count in scene.orders_sent().values()), fatal
            assert all(lots <= found.ordered[ref] for ref, lots in found.filled.items()), fatal
            assert Journal(engine, ACCOUNT, HOME).verdict().intact, fatal
        if fatal is None:
            points, fatal = passed, 0
        else:
            assert passed == fatal
            seen.append(fatal)
            fatal += EVERY_POINT
    assert len(seen) >= 15
