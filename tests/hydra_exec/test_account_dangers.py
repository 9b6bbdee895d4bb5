"""What an account does where something is missing: a settle, an answer, a market, a state that takes risk."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import orders
from hydra_assets.state.records import OrderStatus
from hydra_assets.state.system import SystemState
from hydra_assets.state.tables import alerts
from hydra_exec.account_run import AccountRun
from hydra_exec.broker.port import NoAnswerError, Refusal, RefusedError
from hydra_exec.defs.account import parts_of
from hydra_exec.defs.demand import after_trading
from hydra_exec.desk.desk import WorkOutcome
from hydra_exec.desk.line import NOTHING, Line, LineEvent
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.reconcile import Reconciliation
from hydra_exec.manager import FinishCode
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.codes import GateCode
from hydra_exec.trading_log import last_traded, sessions_of
from tests.support.desk_home import scene_parts
from tests.support.desk_scene import APRIL, HOME, DeskScene, World, sessions
from tests.support.ib_trader import CON_IDS, Trader, trader, unsynced
from tests.support.tws import Config, Quote

CON_ID = CON_IDS[APRIL]
FAR, NEAR = Quote(bid=84.5, ask=85.5), Quote(bid=84.5, ask=84.5)


class MovingClock:
    """A clock that is never read twice at one instant, as every real one."""

    def __init__(self, trader: Trader) -> None:
        self._clock, self._reads = trader.clock, 0

    @property
    def now(self) -> datetime:
        self._reads += 1
        return self._clock.now + timedelta(microseconds=self._reads)


def test_the_blackout_holds_on_a_clock_that_goes_on_between_two_looks(state_engine: sa.Engine, tmp_path: Path) -> None:
    ib = {"restart_at": time(10, 5), "restart_margin_minutes": 5}
    with trader(unsynced(state_engine), tmp_path, ib=ib) as t:
        t.server.show(CON_ID, FAR)
        t.rig.close()
        t.clock = MovingClock(t)  # type: ignore[assignment]  # all that is read of it is the instant
        t.rig = t.made()
        t.rig.line.open()
        order, _ = t.order(1, steps=60)
        ticket = t.rig.journal.plan(order, 0, 1, 85.0)
        t.rig.broker.quote(APRIL)
        t.rig.line.mind(1.0)
        assert t.rig.broker.send(ticket).code is GateCode.BLACKOUT
        assert t.server.read(lambda tws: len(tws.broker.orders)) == 0


@pytest.mark.parametrize("state", [SystemState.HALTED, SystemState.LOCKDOWN])
def test_an_entry_that_rests_is_taken_back_when_the_state_takes_no_risk_and_an_exit_is_not(
    state_engine: sa.Engine, tmp_path: Path, state: SystemState
) -> None:
    made: list[Trader] = []

    def tape(step: int) -> dict[int, Quote]:
        if step >= 8 and made:
            made[0].system = state
        return {CON_ID: FAR if step < 16 else NEAR}

    with trader(unsynced(state_engine), tmp_path, config=Config(tape=tape)) as t:
        made.append(t)
        t.rig.line.open()
        entry = t.order(2)
        done = t.work(entry)
        states = [ticket.progress.state for ticket in t.tickets()]
        print(states, done)
        assert states == [TicketState.CANCELLED]
        assert (done.ends[entry[0].order_ref], done.outcome) == (FinishCode.UNFILLED, WorkOutcome.CLEAN)
        assert t.held() == t.truth() == {}

        t.system = SystemState.RUNNING
        made.clear()
        t.work(t.order(1, "2", steps=30))
        assert t.held() == t.truth() == {APRIL: 1}
        t.system = state
        t.work(t.order(-1, "3", steps=30))
        assert t.held() == t.truth() == {}


def test_an_order_that_could_not_be_worked_to_its_end_stays_open(state_engine: sa.Engine, tmp_path: Path) -> None:
    with trader(unsynced(state_engine), tmp_path) as t:
        t.rig.line.open()
        entry = t.order(1)
        with pytest.MonkeyPatch.context() as patch:

            def refused(*_: object) -> None:
                raise RefusedError(Refusal.NOT_PAPER, "another login")

            patch.setattr(t.rig.line, "mind", refused)
            with pytest.raises(RefusedError):
                t.work(entry)
        assert t.rows(orders, "status") == [str(OrderStatus.CREATED)]
        t.server.show(CON_ID, NEAR)
        assert t.work(entry).ends == {entry[0].order_ref: FinishCode.FILLED}


@pytest.fixture
def scene(state_engine: sa.Engine) -> DeskScene:
    """Three lots are bought in the second of four sessions, at 85; the last two settle at 90."""
    days = sessions(4)
    world = World(dict.fromkeys(days, 3), dict(zip(days, (85.0, 85.0, 90.0, 90.0), strict=True)))
    return DeskScene(unsynced(state_engine), world)


@pytest.fixture
def run(scene: DeskScene) -> Iterator[AccountRun]:
    """A process of its own that has not begun yet, behind one that has gone through three sessions."""
    scene.live_through(sessions(3))
    with closing(scene.rig()) as rig:
        yield AccountRun(scene.account(rig), scene.world.days())


def test_a_new_process_knows_the_last_settle_of_what_is_held_however_old(scene: DeskScene, run: AccountRun) -> None:
    last = sessions(3)[-1]
    days = scene.world.days()
    aged = {name: replace(listed, settle_age_sessions=4) for name, listed in days[last]["HE"].contracts.items()}
    only = {last: {"HE": replace(days[last]["HE"], contracts=aged)}}
    with closing(scene.rig()) as rig:
        stale = AccountRun(scene.account(rig), only)
        assert stale.catch_up() == run.catch_up() == last
        assert stale.valuation.settles[APRIL] == run.valuation.settles[APRIL] == 90.0
        assert stale.valuation.equity == run.valuation.equity > stale.valuation.capital


def test_the_settles_are_known_before_the_line_opens(run: AccountRun, monkeypatch: pytest.MonkeyPatch) -> None:
    known: list[float | None] = []
    opened = Line.open

    def look(line: Line) -> None:
        known.append(run.valuation.settles.get(APRIL))
        opened(line)

    monkeypatch.setattr(Line, "open", look)
    run.run(sessions(4))
    assert known == [90.0]


def test_where_the_broker_does_not_answer_nothing_is_decided_and_the_session_comes_again(
    scene: DeskScene, run: AccountRun, state_engine: sa.Engine
) -> None:
    last = sessions(4)[-1]

    def silent(line: Line, managed: frozenset[str] = frozenset()) -> Reconciliation:
        line.standing = NOTHING
        return NOTHING

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Line, "reconcile", silent)
        with pytest.raises(NoAnswerError, match="nothing can be decided"):
            run.run(sessions(4))
    assert last_traded(state_engine, "SIM") == sessions(3)[-1]
    ended = [row.outcome for row in sessions_of(state_engine, "SIM") if row.session == last]
    assert ended == [str(WorkOutcome.UNRECOVERABLE)]
    scene.live_through(sessions(4))
    assert last_traded(state_engine, "SIM") == last
    assert scene.broker_positions() == {APRIL: 3}


@pytest.mark.parametrize(
    ("event", "mode", "codes"),
    [
        (LineEvent.ADJUSTED, "live", ["adjusted"]),
        (LineEvent.NOT_CANCELLED, "live", ["not_cancelled"]),
        (LineEvent.RECONCILED, "live", []),
        (LineEvent.ADJUSTED, "paper", []),
    ],
)
def test_a_person_is_told_what_the_line_has_taken_over_or_cannot_end(
    scene: DeskScene, tmp_path: Path, event: LineEvent, mode: str, codes: list[str]
) -> None:
    made = scene_parts(tmp_path / "home", scene, mode=mode)
    tell = parts_of(made, {}.get).tell
    assert tell is not None
    tell(event, "HE")
    with scene.engine.connect() as connection:
        assert connection.scalars(sa.select(alerts.c.code)).all() == codes


def test_what_is_held_in_a_market_that_the_home_has_no_more_is_minded_by_a_person(
    scene: DeskScene, run: AccountRun, state_engine: sa.Engine
) -> None:
    with closing(scene.rig()) as rig:
        without = replace(scene.account(rig), markets={})
        other = AccountRun(without, {})
        assert other.catch_up() == sessions(3)[-1]
        assert other.valuation.equity == other.valuation.capital
        assert without.strangers == [APRIL]
        without.line.open()
        (said,) = [demand for demand in after_trading(without) if demand.origin == "positions"]
        assert (said.state, APRIL in said.reason) == (SystemState.HALTED, True)
    assert dict(Journal(state_engine, "SIM", HOME).positions) == {APRIL: 3}
    assert [each.origin for each in after_trading(replace(without, markets=scene.account(scene.rig()).markets))] == [
        "breakers"
    ]
