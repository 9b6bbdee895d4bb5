"""A person's hand on trading: the switch, the way out of all positions, and records of the live gate."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets import clock
from hydra_assets.state.execution_tables import orders
from hydra_assets.state.journal import JournalKind, JournalQuery, search
from hydra_assets.state.records import OrderStatus, Side
from hydra_assets.state.system import Actor, SystemState
from hydra_assets.state.system_log import request_state
from hydra_exec.account_run import AccountRun
from hydra_exec.broker.simulated.broker import SimulatedBroker
from hydra_exec.defs import operating
from hydra_exec.defs.operating import OperatingError, flatten, live_standing, record_drill, record_word, turn
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.records import Algo
from hydra_exec.live_gate.conditions import LiveCondition, LiveVerdict, Missing
from hydra_exec.live_gate.record_log import RecordLog
from hydra_exec.live_gate.records import DrillKind
from hydra_exec.plan import Motive
from hydra_exec.risk_gate.codes import GateCode
from hydra_exec.targets import TargetReason
from hydra_exec.trading_log import switched_on
from tests.support.crashes import KilledError, dying
from tests.support.desk_home import SceneParts, scene_parts
from tests.support.desk_scene import APRIL, HOME, DeskScene, World, sessions
from tests.support.odd_worlds import FOREIGN, Unseen, hold_foreign

DAYS = sessions(6)


def held(engine: sa.Engine) -> dict[str, int]:
    return dict(Journal(engine, "SIM", HOME).positions)


def on_record(engine: sa.Engine) -> list[tuple[str, str, str]]:
    columns = (orders.c.order_ref, orders.c.status, orders.c.reason)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(orders.c.order_ref))]


def scene_of(engine: sa.Engine, wanted: dict[date, int]) -> DeskScene:
    return DeskScene(engine, World(wanted, dict.fromkeys(DAYS, 85.0)))


@pytest.fixture
def scene(state_engine: sa.Engine) -> DeskScene:
    """Three lots are held at the cutoff of the third session, and two more are ordered for the next."""
    scene = scene_of(state_engine, {DAYS[0]: 3, DAYS[1]: 3, DAYS[2]: 5})
    scene.live_through(DAYS[:3])
    return scene


@pytest.fixture
def parts(scene: DeskScene, tmp_path: Path) -> SceneParts:
    return scene_parts(tmp_path / "home", scene)


def test_all_is_left_in_the_next_session_and_what_was_not_worked_is_not(scene: DeskScene, parts: SceneParts) -> None:
    own = f"HE/{DAYS[2]}/{APRIL}"
    found = flatten(parts, [], "anna", "drill")
    assert (found.session, found.ended, found.already, found.denied, found.left) == (DAYS[2], (own,), (), (), {})
    (order,) = found.decided
    assert (order.order_ref, order.side, order.quantity) == (f"{own}/operator", Side.SELL, 3)
    assert (order.motive, order.algo, order.gate_code) == (Motive.OPERATOR, Algo.AT_ONCE, GateCode.PASSED)
    assert (order.session, order.work_session) == (DAYS[2], DAYS[3])
    assert on_record(scene.engine)[1:] == [
        (own, OrderStatus.DONE, "flattened"),
        (f"{own}/operator", OrderStatus.CREATED, "anna: drill"),
    ]
    scene.live_through(DAYS[:4])
    assert held(scene.engine) == {} == scene.broker_positions()
    assert on_record(scene.engine)[2][1:] == (OrderStatus.DONE, "filled")
    ((_, entry),) = search(scene.engine, JournalQuery(kinds=(str(JournalKind.OPERATOR),)))
    assert (entry.session, entry.message) == (DAYS[2], "anna leaves all positions of HE: drill")


def test_the_same_words_again_change_nothing(scene: DeskScene, parts: SceneParts) -> None:
    first = flatten(parts, [], "anna", "drill")
    before = on_record(scene.engine)
    again = flatten(parts, ["HE"], "bert", "another")
    assert (again.ended, again.decided) == ((), ())
    assert [order.order_ref for order in again.already] == [order.order_ref for order in first.decided]
    assert on_record(scene.engine) == before


def test_a_halt_does_not_keep_anything_from_being_left_and_a_switch_that_is_off_is_said(
    scene: DeskScene, parts: SceneParts
) -> None:
    request_state(scene.engine, SystemState.HALTED, actor=Actor.PERSON, origin="operator", reason="x")
    turn(parts, False, "anna", "holiday")
    found = flatten(parts, [], "anna", "drill")
    assert not found.switched_on
    assert [order.gate_code for order in found.decided] == [GateCode.PASSED]


def test_where_nothing_is_held_nothing_is_ordered(state_engine: sa.Engine, tmp_path: Path) -> None:
    scene = scene_of(state_engine, {})
    parts = scene_parts(tmp_path / "home", scene)
    with pytest.raises(OperatingError, match="SIM has not been traded yet"):
        flatten(parts, [], "anna", "")
    scene.live_through(DAYS[:2])
    found = flatten(parts, [], "anna", "")
    assert (found.ended, found.decided, found.already, found.strangers, found.left) == ((), (), (), {}, {})
    assert on_record(state_engine) == []


def test_what_the_gate_denies_is_said_and_said_again(scene: DeskScene, tmp_path: Path) -> None:
    scene.world = Unseen(**vars(scene.world))
    found = flatten(scene_parts(tmp_path / "home", scene), [], "anna", "drill")
    assert [(order.gate_code, order.status) for order in found.denied] == [(GateCode.STALE_INPUT, OrderStatus.DENIED)]
    assert found.left == {APRIL: 3}
    assert [o.order_ref for o in flatten(scene_parts(tmp_path / "home", scene), [], "anna", "").denied] == [
        o.order_ref for o in found.denied
    ]


def test_an_order_that_a_killed_session_was_working_ends_too(scene: DeskScene, parts: SceneParts) -> None:
    own, rig = f"HE/{DAYS[2]}/{APRIL}", scene.rig()
    try:
        with dying([(SimulatedBroker, "place")], 1), pytest.raises(KilledError):
            AccountRun(scene.account(rig), scene.world.days()).run(DAYS[:4])
    finally:
        rig.close()
    assert on_record(scene.engine)[1][:2] == (own, OrderStatus.WORKING)
    found = flatten(parts, [], "anna", "drill")
    assert found.ended == (own,)
    assert on_record(scene.engine)[1][1:] == (OrderStatus.DONE, "flattened")
    assert Journal(scene.engine, "SIM", HOME).live() == []
    scene.live_through(DAYS[:4])
    assert held(scene.engine) == {} == scene.broker_positions()


@pytest.mark.parametrize(("cap", "ordered"), [(2, 2), (1, 1), (0, 1)])
def test_what_is_more_than_a_session_bears_is_said_to_be_left(
    scene: DeskScene, tmp_path: Path, cap: int, ordered: int
) -> None:
    scene.world = replace(scene.world, day_cap=cap)
    parts = scene_parts(tmp_path / "home", scene)
    found = flatten(parts, [], "anna", "drill")
    assert [(order.quantity, order.gate_code) for order in found.decided] == [(ordered, GateCode.PASSED)]
    assert found.left == {APRIL: 3 - ordered}
    again = flatten(parts, [], "anna", "drill")
    assert (again.decided, again.left) == ((), found.left)


def test_said_again_in_the_next_session_the_rest_is_left(scene: DeskScene, tmp_path: Path) -> None:
    scene.world = replace(scene.world, day_cap=2, wanted={}, reasons=dict.fromkeys(DAYS, TargetReason.NO_CHAMPION))
    parts = scene_parts(tmp_path / "home", scene)
    assert flatten(parts, [], "anna", "drill").left == {APRIL: 1}
    scene.live_through(DAYS[:4])
    assert held(scene.engine) == {APRIL: 1}
    assert flatten(parts, [], "anna", "drill").left == {}
    scene.live_through(DAYS[:5])
    assert held(scene.engine) == {} == scene.broker_positions()


def test_what_is_none_of_the_home_s_contracts_is_said(
    scene: DeskScene, parts: SceneParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold_foreign(monkeypatch)
    assert flatten(parts, [], "anna", "drill").strangers == FOREIGN


def test_a_market_that_is_none_of_the_home_s_is_refused_before_anything_ends(
    scene: DeskScene, parts: SceneParts
) -> None:
    before = on_record(scene.engine)
    with pytest.raises(OperatingError, match="no market ZO in this home; it has HE"):
        flatten(parts, ["HE", "ZO"], "anna", "")
    assert on_record(scene.engine) == before


def test_the_switch_turns_on_paper_alone_and_off_always(state_engine: sa.Engine, tmp_path: Path) -> None:
    scene = scene_of(state_engine, {})
    paper = scene_parts(tmp_path / "paper", scene)
    live = scene_parts(tmp_path / "live", scene, mode="live")
    assert turn(paper, False, "anna", "holiday")
    assert not switched_on(state_engine)
    with pytest.raises(OperatingError, match=r"live gate of \w+ is not open: 0 of 28"):
        turn(live, True, "anna", "now")
    assert not switched_on(state_engine)
    assert not turn(paper, True, "anna", "back")
    assert turn(live, False, "anna", "stop")
    assert not switched_on(state_engine)


def test_no_word_is_taken_while_anything_else_is_missing_and_all_of_it_is_named(parts: SceneParts) -> None:
    with pytest.raises(OperatingError) as refused:
        record_word(parts, "U1", "anna", "ready", 30)
    for words in ("0 of 28 sessions", "breaker drill", "reconnect drill", "density gate is not known", "No promotion"):
        assert words in str(refused.value)
    assert "put on record" not in str(refused.value)
    assert RecordLog(parts.database.engine, parts.home.root).entries() == []


def test_a_word_is_for_its_days_and_is_taken_back_by_one_of_none(
    parts: SceneParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = operating.live_standing

    def only_the_word(own: SceneParts, account: str) -> object:
        missing = Missing(LiveCondition.OPERATOR_RECORD, "none", account, "")
        return real(own, account)[0], LiveVerdict(account, (missing,))

    monkeypatch.setattr(operating, "live_standing", only_the_word)
    word = record_word(parts, "U1", "anna", "ready", 30)
    assert word.expires_at - word.at == timedelta(days=30)
    missing = {each.code for each in real(parts, "U1")[1].missing}
    assert not missing & {LiveCondition.OPERATOR_RECORD, LiveCondition.OPERATOR_EXPIRED}
    monkeypatch.setattr(operating, "live_standing", real)
    record_word(parts, "U1", "anna", "no longer", 0)
    assert LiveCondition.OPERATOR_EXPIRED in {each.code for each in live_standing(parts, "U1")[1].missing}
    assert LiveCondition.OPERATOR_RECORD in {each.code for each in live_standing(parts, "U2")[1].missing}


def test_a_drill_counts_until_the_next_one_fails(parts: SceneParts, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> set[LiveCondition]:
        return {each.code for each in live_standing(parts, "U1")[1].missing}

    assert LiveCondition.BREAKER_DRILL in missing()
    record_drill(parts, DrillKind.BREAKER, "DU1", True, "daily_loss tripped by hand, flat in one session")
    assert LiveCondition.BREAKER_DRILL not in missing()
    assert LiveCondition.RECONNECT_DRILL in missing()
    monkeypatch.setenv("HYDRA_NOW", (clock.now() + timedelta(days=1)).isoformat())
    record_drill(parts, DrillKind.BREAKER, "DU1", False, "one lot was left")
    assert LiveCondition.BREAKER_DRILL in missing()


def test_a_simulated_home_has_no_records_of_the_live_gate(state_engine: sa.Engine, tmp_path: Path) -> None:
    parts = scene_parts(tmp_path / "home", scene_of(state_engine, {}), kind="simulated")
    for refused in (
        lambda: record_word(parts, "U1", "anna", "ready", 0),
        lambda: record_drill(parts, DrillKind.BREAKER, "U1", True, "x"),
    ):
        with pytest.raises(OperatingError, match="a simulated home never trades live"):
            refused()
    assert RecordLog(state_engine, parts.home.root).entries() == []
