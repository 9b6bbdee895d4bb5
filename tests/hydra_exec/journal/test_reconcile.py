"""Full answers into the journal: what they end, what they adjust and when, and whom they leave to be cancelled."""

from typing import Any

import pytest
import sqlalchemy as sa

from hydra_assets.state.chain import ChainReason
from hydra_assets.state.execution_tables import reconciliations
from hydra_assets.state.records import Side
from hydra_exec.broker.port import Ticket, Word
from hydra_exec.journal.compare import GONE, NEVER_ARRIVED, Difference, ReconcileCode
from hydra_exec.journal.reconcile import Reconciler
from hydra_exec.order_state import TicketState
from tests.support.journal_scene import APRIL, AT, MAY, JournalScene, broken, fee, fill, later, says

AGREED, ADJUSTED, DIFFERENT = ReconcileCode.AGREED, ReconcileCode.ADJUSTED, ReconcileCode.DIFFERENT
PRICES = {APRIL: 82.25, MAY: 81.5}
LINE = ("kind", "wire_ref", "perm_id", "revision", "contract", "side", "quantity", "price", "executed_at")


def record(scene: JournalScene) -> list[tuple[Any, ...]]:
    names = ("generation", "taken_at", "code", "positions", "differences", "run_id")
    query = sa.select(*(reconciliations.c[name] for name in names)).where(reconciliations.c.account == scene.account)
    with scene.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(reconciliations.c.id))]


def test_an_answer_that_says_what_is_known_agrees_and_is_on_record(scene: JournalScene) -> None:
    scene.send()
    scene.journal.take([fill(2)])
    managed = frozenset(scene.journal.book.tickets)
    found = scene.reconciler().take(scene.answer({APRIL: 2}, [says(Word.WORKING)]), managed)
    assert (found.code, found.agreed, found.differences, found.strangers) == (AGREED, True, {}, ())
    assert found.positions == {APRIL: 2}
    assert record(scene) == [(1, later(5), "agreed", {APRIL: 2}, {}, "run")]


def test_what_is_none_of_our_contracts_is_said_and_on_record_and_no_difference(scene: JournalScene) -> None:
    foreign = {"FUT LEJ5 (2000)": 4}
    found = scene.reconciler().take(scene.answer({}, foreign=foreign))
    assert (found.code, found.differences, found.positions, found.foreign) == (AGREED, {}, {}, foreign)
    assert record(scene) == [(1, later(5), "agreed", foreign, {}, "run")]


def test_what_an_answer_tells_is_taken_and_only_what_is_new_is_kept(scene: JournalScene) -> None:
    ref = scene.send()
    reconciler = scene.reconciler()
    told = scene.answer({APRIL: 3}, [], [fill(3)], fees=(fee("a.01"),), ended=(says(Word.FILLED, 3),))
    assert reconciler.take(told).code is AGREED
    assert scene.ticket(ref).progress.executed == 3
    assert scene.rows("events", "kind") == ["ExecutionReport", "FeeReport", "OrderReport"]
    assert reconciler.take(told).code is AGREED
    assert scene.rows("events", "kind") == ["ExecutionReport", "FeeReport", "OrderReport", "FeeReport"]


def test_what_an_answer_ends_is_written(scene: JournalScene) -> None:
    arrived, lost = scene.send(), scene.send(8, contract=MAY)
    scene.journal.take([says(Word.WORKING), broken()])
    reconciler = scene.reconciler()
    for minutes, state in ((5, "unknown"), (6, "absent")):
        assert reconciler.take(scene.answer({}, minutes=minutes, generation=2)).code is AGREED
        rows = dict(zip(scene.rows("tickets", "wire_ref"), scene.rows("tickets", "state", "reason"), strict=True))
        assert rows == {arrived: (state, GONE), lost: ("absent", NEVER_ARRIVED)}
    assert scene.restart().live() == []


def test_a_ticket_that_one_answer_does_not_list_lives_when_the_next_one_does(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.WORKING)])
    reconciler, own = scene.reconciler(), says(Word.WORKING)
    managed = frozenset({ref})
    assert reconciler.take(scene.answer({}), managed).agreed
    assert scene.ticket(ref).progress.state is TicketState.UNKNOWN
    assert reconciler.take(scene.answer({}, [own], minutes=6), managed).strangers == ()
    assert scene.ticket(ref).progress.state is TicketState.WORKING
    assert reconciler.take(scene.answer({}, ended=[says(Word.CANCELLED)], minutes=7), managed).agreed
    assert scene.ticket(ref).progress.state is TicketState.CANCELLED
    assert reconciler.take(scene.answer({}, [own], minutes=8), managed).strangers == (own,)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_ticket_that_an_execution_told_of_has_arrived(scene: JournalScene, restarts: bool) -> None:
    ref = scene.send()
    scene.journal.take([fill(1), broken()])
    if restarts:
        scene.restart()
    reconciler = scene.reconciler()
    for minutes, state in ((5, TicketState.UNKNOWN), (6, TicketState.ABSENT)):
        reconciler.take(scene.answer({APRIL: 1}, minutes=minutes, generation=2))
        assert (scene.ticket(ref).progress.state, scene.ticket(ref).reason) == (state, GONE)


def test_the_journal_takes_the_brokers_word_over_when_two_answers_in_a_row_say_it(scene: JournalScene) -> None:
    scene.journal.take([fill(2, order_id=0)])
    reconciler = scene.reconciler(price={APRIL: 82.25, MAY: 81.5})
    first = reconciler.take(scene.answer({MAY: 1}))
    both = {APRIL: Difference(2, 0), MAY: Difference(0, 1)}
    assert (first.code, first.agreed, first.differences) == (DIFFERENT, False, both)
    assert scene.journal.positions == {APRIL: 2}
    second = reconciler.take(scene.answer({MAY: 1}, minutes=7, generation=2))
    assert (second.code, second.agreed, second.differences) == (ADJUSTED, True, both)
    assert scene.journal.positions == {MAY: 1}
    assert scene.rows("fills", *LINE)[1:] == [
        ("adjustment", None, 0, 1, APRIL, "SELL", 2, 82.25, later(7)),
        ("adjustment", None, 0, 1, MAY, "BUY", 1, 81.5, later(7)),
    ]
    names = [f"adjustment.2.{later(7).isoformat()}.{contract}" for contract in (APRIL, MAY)]
    assert scene.rows("fills", "exec_id", "base_exec_id")[1:] == [(name, name) for name in names]
    assert scene.journal.verdict().reason is ChainReason.INTACT
    assert reconciler.take(scene.answer({MAY: 1}, minutes=9)).code is AGREED
    assert scene.restart().positions == {MAY: 1}
    different = {APRIL: {"journal": 2, "broker": 0}, MAY: {"journal": 0, "broker": 1}}
    assert [(row[0], row[2], row[3], row[4]) for row in record(scene)] == [
        (1, "different", {MAY: 1}, different),
        (2, "adjusted", {MAY: 1}, different),
        (1, "agreed", {MAY: 1}, {}),
    ]


def test_answers_that_say_different_things_adjust_nothing(scene: JournalScene) -> None:
    reconciler = scene.reconciler()
    held = [{APRIL: 1}, {APRIL: 2}, {}, {APRIL: 2}, {MAY: 2}]
    codes = [reconciler.take(scene.answer(each, minutes=n)).code for n, each in enumerate(held, 5)]
    assert codes == [DIFFERENT, DIFFERENT, AGREED, DIFFERENT, DIFFERENT]
    assert scene.rows("fills", "kind") == []


def test_what_differs_is_not_adjusted_while_a_ticket_works_in_the_contract(scene: JournalScene) -> None:
    scene.send()
    reconciler = scene.reconciler(price=PRICES)
    works, over = [says(Word.WORKING)], [says(Word.CANCELLED)]
    for n in (5, 6):
        found = reconciler.take(scene.answer({APRIL: 1, MAY: 1}, works, minutes=n), frozenset())
    assert (found.code, scene.journal.positions) == (DIFFERENT, {MAY: 1}), "the other contract is adjusted"
    codes = [reconciler.take(scene.answer({APRIL: 1, MAY: 1}, ended=over, minutes=n)).code for n in (7, 8)]
    assert codes == [DIFFERENT, ADJUSTED], "the ticket has ended, and two answers have said it since"
    assert scene.journal.positions == {APRIL: 1, MAY: 1}


def test_what_a_state_said_is_filled_and_no_execution_told_keeps_its_contract_busy_a_while(scene: JournalScene) -> None:
    scene.send(quantity=1)
    scene.journal.take([says(Word.FILLED, 1)])
    reconciler = scene.reconciler(price=PRICES)
    codes = [reconciler.take(scene.answer({APRIL: 1}, minutes=n)).code for n in (5, 6, 7)]
    assert codes == [DIFFERENT, DIFFERENT, ADJUSTED]
    assert scene.rows("fills", "kind") == ["adjustment"]
    late = [reconciler.take(scene.answer({APRIL: 1}, [], [fill(1)], minutes=n)).code for n in (8, 9, 10)]
    assert late == [DIFFERENT, ADJUSTED, AGREED]
    assert scene.journal.positions == {APRIL: 1}


def test_a_difference_has_to_last(scene: JournalScene) -> None:
    reconciler = scene.reconciler(price=PRICES)
    seconds = (0, 0.2, 1.9, 2.0)
    codes = [reconciler.take(scene.answer({APRIL: 1}, minutes=5 + each / 60)).code for each in seconds]
    assert codes == [DIFFERENT, DIFFERENT, DIFFERENT, ADJUSTED]


def test_a_fill_that_is_a_few_seconds_old_keeps_its_contract_busy(scene: JournalScene) -> None:
    scene.journal.take([fill(2, order_id=0, executed_at=later(4))])
    reconciler = scene.reconciler(price=PRICES)
    seconds = (0, 2.5, 4.9, 5, 6.9, 7)
    codes = [reconciler.take(scene.answer({}, minutes=5 + each / 60)).code for each in seconds]
    assert codes == [*[DIFFERENT] * 5, ADJUSTED]


def test_without_a_price_nothing_is_adjusted(scene: JournalScene) -> None:
    reconciler = scene.reconciler(price={MAY: 81.5})
    codes = [reconciler.take(scene.answer({APRIL: 1, MAY: 1}, minutes=n)).code for n in (5, 6, 7)]
    assert codes == [DIFFERENT] * 3
    assert (scene.rows("fills", "contract"), scene.journal.positions) == ([MAY], {MAY: 1})


def test_a_new_process_wants_two_answers_of_its_own(scene: JournalScene) -> None:
    scene.reconciler().take(scene.answer({APRIL: 1}))
    scene.restart()
    reconciler = scene.reconciler(price=PRICES)
    codes = [reconciler.take(scene.answer({APRIL: 1}, minutes=n)).code for n in (6, 7)]
    assert codes == [DIFFERENT, ADJUSTED]


def test_orders_that_nobody_works_are_left_to_be_cancelled(scene: JournalScene) -> None:
    managed, left = scene.send(), scene.send(8, contract=MAY)
    own = says(Word.WORKING, client_id=71)
    orphan = says(Word.WORKING, perm_id=9002, order_id=8, client_id=71)
    ours = says(Word.WORKING, perm_id=9003, order_id=3, client_id=71, wire_ref="?")
    others = says(Word.WORKING, perm_id=9004, order_id=7, client_id=12)
    found = scene.reconciler().take(scene.answer({}, [own, orphan, ours, others]), frozenset({managed}))
    assert found.strangers == (orphan, ours)
    assert scene.ticket(left).progress.state is TicketState.WORKING
    assert others not in scene.reconciler().take(scene.answer({}, [others], minutes=6)).strangers


def test_what_the_database_refuses_is_not_believed(scene: JournalScene) -> None:
    ref = scene.send()
    scene.journal.take([says(Word.WORKING)])
    reconciler = scene.reconciler()
    # A name that no database keeps.
    with pytest.raises(sa.exc.DBAPIError):
        reconciler.take(scene.answer({"HE-\x00": 1}))
    assert (scene.ticket(ref).progress.state, scene.rows("tickets", "state")) == (TicketState.WORKING, ["working"])
    assert record(scene) == []
    assert reconciler.take(scene.answer({}, minutes=6)).code is AGREED
    assert scene.rows("tickets", "state") == ["unknown"]


def test_a_price_that_cannot_be_had_ends_nothing(scene: JournalScene) -> None:
    def no_price(contract: str) -> float | None:
        raise LookupError(contract)

    ref = scene.send()
    scene.journal.take([says(Word.WORKING)])
    reconciler = Reconciler(scene.journal, 71, no_price)
    reconciler.take(scene.answer({MAY: 1}, [says(Word.WORKING)]))
    with pytest.raises(LookupError):
        reconciler.take(scene.answer({MAY: 1}, minutes=6))
    assert (scene.ticket(ref).progress.state, scene.journal.positions) == (TicketState.WORKING, {})


def test_what_was_never_sent_is_not_settled(scene: JournalScene) -> None:
    ticket = scene.planned(side=Side.SELL)
    assert scene.reconciler().take(scene.answer({}, generation=9)).code is AGREED
    assert scene.rows("tickets", "state") == []
    scene.journal.sending(Ticket(ticket.wire_ref, APRIL, Side.SELL, 3, 82.5), AT)
    assert scene.rows("tickets", "state") == ["sent"]
