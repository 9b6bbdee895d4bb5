"""Failures that other systems have on record, each played to the whole desk: gate, journal, line, the real client.

Every test names the record and asserts the rule that it led to. After each, what the journal holds is what the broker
holds.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hydra_assets.state.execution_tables import (
    broker_events,
    connection_log,
    fills,
    heartbeats,
    orders,
    perm_ids,
    reconciliations,
)
from hydra_assets.state.records import OrderStatus
from hydra_exec.broker.port import BrokerError, LinkState, Refusal, RefusedError
from hydra_exec.connection.client_lock import ClientLockError
from hydra_exec.connection.log import silent_since
from hydra_exec.desk.desk import WorkOutcome
from hydra_exec.desk.line import LineEvent
from hydra_exec.journal.compare import ReconcileCode
from hydra_exec.journal.journal import Journal
from hydra_exec.manager import FinishCode
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.codes import GateCode
from tests.support.desk_scene import APRIL, HOME
from tests.support.ib_scene import TOUCH
from tests.support.ib_trader import CON_IDS, STEP, Trader, sent_as, trader, unsynced
from tests.support.tws import Ask, Config, Out, Quote, Script, Side, script
from tests.support.tws.script import (
    At,
    ClientIdInUse,
    Correct,
    DelayAck,
    Drop,
    External,
    Fail,
    Flow,
    Grant,
    HangUp,
    Ignore,
    Lost,
    NextIdRegress,
    Notice,
    Outage,
    Postpone,
    ResetOnRequest,
    Restored,
    Revoke,
    Rights,
    Say,
    SecondPermId,
    lost_and_restored,
)
from tests.support.tws.terminal import Terminal

CON_ID = CON_IDS[APRIL]
FAR = Quote(bid=84.5, ask=85.5)
"""A touch that nothing of ours takes before it crosses."""
NEAR = Quote(bid=84.5, ask=84.5)


@pytest.fixture
def engine(state_engine: sa.Engine) -> sa.Engine:
    return unsynced(state_engine)


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Callable[..., Trader]]:
    """``desk(script, ...)`` makes a trader on a server; in the end journal and broker agree on what is held."""
    with ExitStack() as stack:
        made: list[Trader] = []

        def make(played: Script | None = None, quote: Quote | None = TOUCH, **arguments: object) -> Trader:
            found = stack.enter_context(trader(engine, tmp_path, played, **arguments))  # type: ignore[arg-type]
            if quote is not None:
                found.server.show(CON_ID, quote)
            made.append(found)
            return found

        yield make
        for each in made:
            assert each.held() == each.truth()
            assert all(count == 1 for count in each.server.read(sent_as).values())
            assert Journal(engine, each.config.account, HOME).verdict().intact


def fill_after(step: int, quote: Quote = FAR, then: Quote = NEAR) -> Config:
    """A market that quotes one thing, and another from a step on."""
    return Config(tape=lambda now: {CON_ID: quote if now < step else then})


@pytest.mark.parametrize("data_lost", [False, True])
@pytest.mark.parametrize("events", [Flow.LOST, Flow.LIVE, Flow.HELD])
def test_fills_while_the_terminal_has_lost_the_broker(
    desk: Callable[..., Trader], events: Flow, *, data_lost: bool
) -> None:
    """Lean.IB #249: fills dropped while a flag said "disconnected", and never recovered."""
    outage = lost_and_restored(4, 8, Lost(events, Flow.LOST), data_lost=data_lost)
    t = desk(script(outage), config=fill_after(6))
    t.rig.line.open()
    done = t.work(t.order(2))
    assert done.outcome is WorkOutcome.RECOVERED
    assert list(done.ends.values()) == [FinishCode.FILLED]
    assert t.truth() == {APRIL: 2} == t.held()
    assert t.rows(fills, "kind") == ["fill"]
    kinds = t.rows(broker_events, "kind", "body")
    heard = next(i for i, (kind, _) in enumerate(kinds) if kind == "ExecutionReport")
    restored = next(i for i, (_, body) in enumerate(kinds) if '"code":1101' in body or '"code":1102' in body)
    assert (heard < restored) is (events is Flow.LIVE)


def test_nothing_is_sent_into_the_nightly_restart(desk: Callable[..., Trader]) -> None:
    """Lean.IB #242: orders sent at 23:45:00.02, the socket died .43 later: here nothing goes out around the restart."""
    t = desk(ib={"restart_at": time(10, 5), "restart_margin_minutes": 5})
    t.rig.line.open()
    order = t.order(1, steps=60)
    ticket = t.rig.journal.plan(order[0], 99, 1, 85.0)
    t.rig.broker.quote(APRIL)
    t.rig.line.mind(1.0)
    assert t.rig.broker.send(ticket).code is GateCode.BLACKOUT
    assert t.tickets() == []
    end = t.clock.now.replace(minute=10, second=0)
    done = t.work(order)
    assert done.ends[order[0].order_ref] is FinishCode.FILLED
    (sent,) = t.tickets()
    assert sent.sent_at is not None
    assert end <= sent.sent_at <= end + 3 * STEP


@pytest.mark.parametrize("arrived", [True, False])
def test_an_order_whose_connection_died_in_mid_send(desk: Callable[..., Trader], *, arrived: bool) -> None:
    """Lean.IB #242: what was on its way when the socket died is found again, or known never to have arrived."""
    t = desk(script(ResetOnRequest(Ask.PLACE_ORDER, acted=arrived)))
    t.rig.line.open()
    order = t.order(1)
    done = t.work(order)
    assert done.outcome is WorkOutcome.RECOVERED
    assert done.ends[order[0].order_ref] is FinishCode.FILLED
    # What has arrived cannot be amended on another connection: it is ended there, and a new one takes its place.
    first = TicketState.CANCELLED if arrived else TicketState.ABSENT
    assert [ticket.progress.state for ticket in t.tickets()] == [first, TicketState.FILLED]
    assert t.truth() == {APRIL: 1}


def test_a_gateway_that_waits_for_a_second_factor_is_dead_within_a_minute(desk: Callable[..., Trader]) -> None:
    """Lean.IB #246, #262: the socket stays open and nobody answers."""
    t = desk(script(Ignore(Ask.CURRENT_TIME, n) for n in range(3, 60)), ib={"timeout_seconds": 0.05})
    t.rig.line.open()
    silent_from = t.clock.now
    for _ in range(30):
        t.rig.line.mind(1.0)
        if "dead" in t.rows(connection_log, "event"):
            break
    assert timedelta(seconds=40) <= t.clock.now - silent_from <= timedelta(seconds=60) + STEP
    assert t.rig.broker.link().state is LinkState.DOWN
    (silence,) = silent_since(t.engine, t.clock.now)
    assert silence.account == t.config.account
    assert t.rows(heartbeats, "expected") == [True]


def test_an_amendment_that_makes_a_second_order(desk: Callable[..., Trader]) -> None:
    """nautilus #4564: one order id, two live permanent ids; a cancel hits one, the other filled hours later."""
    t = desk(script(SecondPermId(1)), quote=FAR)
    t.rig.line.open()
    order = t.order(1, steps=40, chase=0.2)
    done = t.work(order)
    (ticket,) = t.tickets()
    assert t.rows(perm_ids, "perm_id", "wire_ref") == [(9001, ticket.wire_ref), (9002, ticket.wire_ref)]
    assert t.server.read(lambda tws: [o.live for o in tws.broker.orders.values()]) == [False, False]
    assert done.ends[order[0].order_ref] is FinishCode.UNFILLED
    assert t.truth() == {}


def test_two_orders_of_one_id_that_both_fill_are_both_counted(desk: Callable[..., Trader]) -> None:
    """nautilus #4564: where both fill, the position is what the broker says, whatever was ordered."""
    t = desk(script(SecondPermId(1)), config=fill_after(12))
    t.rig.line.open()
    t.work(t.order(1))
    assert t.truth() == {APRIL: 2} == t.held()
    assert sorted(t.rows(fills, "perm_id", "kind")) == [(9001, "fill"), (9002, "fill")]


def test_nothing_is_amended_while_the_terminal_has_lost_the_broker(desk: Callable[..., Trader]) -> None:
    """nautilus #4564: the second order came of a modification during an outage."""
    sent: dict[int, int] = {}

    def market(step: int) -> dict[int, Quote]:
        sent[step] = sum(request[0] == str(int(Ask.PLACE_ORDER)) for request in t.server._server.tws.heard)
        return {}

    lost, back = 8, 20
    outage = lost_and_restored(lost, back, Lost(Flow.LIVE, Flow.HELD))
    t = desk(script(outage), quote=FAR, config=Config(tape=market))
    t.rig.line.open()
    t.work(t.order(1, steps=40))
    assert 1 < sent[lost] == sent[back] < sent[max(sent)]
    assert len(t.rows(perm_ids, "perm_id")) == len(t.tickets())


def test_order_ids_that_come_again_after_a_restart_misattribute_nothing(desk: Callable[..., Trader]) -> None:
    """nautilus #4247: id 3 twice, with permanent ids 9001 and 9002."""
    t = desk(script(NextIdRegress(connection=2, to=1, forget=True)))
    t.rig.line.open()
    t.work(t.order(1, "a"))
    t.restart()
    t.rig.line.open()
    t.work(t.order(2, "b"))
    first, second = t.tickets()
    assert (first.order_id, second.order_id) == (1, 2)
    assert t.rows(fills, "wire_ref", "quantity") == [(first.wire_ref, 1), (second.wire_ref, 2)]
    assert [ticket.progress.executed for ticket in (first, second)] == [1, 2]


def test_a_fill_before_anything_else_is_said_of_its_order(desk: Callable[..., Trader]) -> None:
    """nautilus #4970, ibkr-go: execution and commission come before the order's state."""
    late = script(DelayAck(1, 3), Postpone(Out.EXECUTION, Out.COMMISSION))
    t = desk(late)
    t.rig.line.open()
    t.work(t.order(1))
    (ticket,) = t.tickets()
    assert ticket.progress.state is TicketState.FILLED
    assert t.rows(fills, "wire_ref", "quantity") == [(ticket.wire_ref, 1)]
    kinds = t.rows(broker_events, "kind")
    assert kinds.index("FeeReport") < kinds.index("ExecutionReport")


def test_an_open_order_takes_no_fill_back(desk: Callable[..., Trader]) -> None:
    """nautilus PR #3471: a partly filled order became "accepted" again, with nothing filled."""
    t = desk(quote=Quote(bid=84.5, ask=84.5, ask_size=1))
    t.rig.line.open()
    order, work = t.order(3, steps=3)
    ticket = t.rig.journal.plan(order, 0, 3, 84.5)
    t.rig.broker.quote(APRIL)
    t.rig.line.mind(1.0)
    assert t.rig.broker.send(ticket).passed
    t.rig.line.mind(1.0)
    before = t.rig.journal.book.tickets[ticket.wire_ref].progress
    assert (before.state, before.executed) == (TicketState.PARTIALLY_FILLED, 1)
    # Its answer tells of the order as "Submitted", which says nothing of what is filled.
    t.rig.line.reconcile(frozenset({ticket.wire_ref}))
    after = t.rig.journal.book.tickets[ticket.wire_ref].progress
    assert (after.state, after.executed, after.reported) == (TicketState.PARTIALLY_FILLED, 1, 1)
    t.work((order, work))


def test_a_restart_sends_nothing_again(desk: Callable[..., Trader]) -> None:
    """nautilus #3176: orders again on restart with a persisted cache. Here: reconcile, dedupe, only then act."""
    t = desk(quote=FAR)
    t.rig.line.open()
    order, work = t.order(1, steps=40)
    ticket = t.rig.journal.plan(order, 0, 1, 84.5)
    t.rig.broker.quote(APRIL)
    t.rig.line.mind(1.0)
    assert t.rig.broker.send(ticket).passed
    t.restart()
    t.server.show(CON_ID, NEAR)
    t.rig.line.open()
    t.work((order, work))
    (only,) = t.tickets()
    assert only.progress.state is TicketState.FILLED
    assert t.truth() == {APRIL: 1}


def test_what_a_restart_finds_at_the_broker_and_nobody_works_is_cancelled(desk: Callable[..., Trader]) -> None:
    """nautilus #3176: an order of a process that died is ended, and its name is not sent again."""
    t = desk(quote=FAR)
    t.rig.line.open()
    order, work = t.order(1, steps=40)
    ticket = t.rig.journal.plan(order, 0, 1, 84.5)
    t.rig.broker.quote(APRIL)
    t.rig.line.mind(1.0)
    assert t.rig.broker.send(ticket).passed
    t.restart()
    t.rig.line.open()
    assert t.server.read(lambda tws: [o.live for o in tws.broker.orders.values()]) == [False]
    t.server.show(CON_ID, NEAR)
    t.work((order, work))
    assert [each.progress.state for each in t.tickets()] == [TicketState.CANCELLED, TicketState.FILLED]


def forget_last_fill(tws: Terminal) -> None:
    """The broker tells nobody of its newest fill, whoever asks."""
    known = tws.broker._latest
    known.pop(next(reversed(known)))


def test_a_position_closed_elsewhere_is_taken_over_when_answers_go_on_saying_so(desk: Callable[..., Trader]) -> None:
    """nautilus PR #3715: missing callbacks of a position that was closed by hand."""
    t = desk()
    t.rig.line.open()
    t.work(t.order(2))
    t.server.play(External(CON_ID, Side.SELL, 2, 85.0))
    t.server.read(forget_last_fill)
    before = t.rows(reconciliations, "code")
    standing = t.rig.line.reconcile()
    assert standing.code is ReconcileCode.ADJUSTED
    *before_it, last = t.rows(reconciliations, "code")[len(before) :]
    assert (set(before_it), last) == ({ReconcileCode.DIFFERENT}, ReconcileCode.ADJUSTED)
    assert t.rows(fills, "kind", "side", "quantity") == [("fill", "BUY", 2), ("adjustment", "SELL", 2)]


def test_a_position_closed_elsewhere_that_is_told_of_is_a_fill(desk: Callable[..., Trader]) -> None:
    """nautilus PR #3715: where the answer has the execution, no line of our own is needed."""
    t = desk()
    t.rig.line.open()
    t.work(t.order(2))
    t.server.play(External(CON_ID, Side.SELL, 2, 85.0))
    assert t.rig.line.reconcile().code is ReconcileCode.AGREED
    assert t.rows(fills, "kind", "side", "quantity") == [("fill", "BUY", 2), ("fill", "SELL", 2)]


@pytest.mark.parametrize("fault", [Ignore, Fail, Drop])
def test_a_query_that_failed_is_no_position(desk: Callable[..., Trader], fault: type) -> None:
    """nautilus PR #3715: a synthetic "flat", but never because nobody answered."""
    what = Out.POSITION_END if fault is Drop else Ask.POSITIONS
    t = desk(script(fault(what, nth) for nth in range(3, 200)), ib={"timeout_seconds": 0.05})
    t.rig.line.open()
    t.work(t.order(2))
    for _ in range(4):
        t.rig.line.mind(1.0)
        t.rig.line.reconcile()
    assert t.rig.line.standing.code is ReconcileCode.NO_ANSWER
    assert LineEvent.NO_ANSWER in {event for event, _ in t.told}
    assert t.rows(fills, "kind", "quantity") == [("fill", 2)]


def test_an_order_that_vanished_without_a_word_is_known_not_to_have_arrived(desk: Callable[..., Trader]) -> None:
    """Lean.IB #242: the request went out, and nothing was ever heard of it; a later connection can tell."""
    t = desk(script(Ignore(Ask.PLACE_ORDER)))
    t.rig.line.open()
    done = t.work(t.order(1))
    assert done.outcome is WorkOutcome.RECOVERED
    assert [each.progress.state for each in t.tickets()] == [TicketState.ABSENT]


def test_an_order_that_nobody_can_tell_of_is_neither_failed_nor_sent_again(desk: Callable[..., Trader]) -> None:
    """hummingbot #8457: live orders were dropped as failed after an outage, and a short was left open."""
    t = desk(script(At(5, Outage(6)), At(5, Lost(Flow.LOST)), At(9, Restored())), quote=FAR)
    t.rig.line.open()
    order, work = t.order(-1, steps=40)
    other, _ = t.order(-1, "other")
    t.rig.broker.quote(APRIL)
    t.rig.line.mind(1.0)
    ticket = t.rig.journal.plan(order, 0, 1, 85.5)
    assert t.rig.broker.send(ticket).passed
    for _ in range(5):
        t.rig.line.mind(1.0, frozenset({ticket.wire_ref}))
    assert [each.progress.state for each in t.tickets()] == [TicketState.UNKNOWN]
    # It fills while nobody listens.
    t.server.show(CON_ID, Quote(bid=85.5, ask=86.0))
    for _ in range(12):
        t.rig.line.mind(1.0, frozenset({ticket.wire_ref}))
    assert t.rig.line.agreed
    assert [each.progress.state for each in t.tickets()] == [TicketState.FILLED]
    assert t.truth() == {APRIL: -1}
    done = t.work((order, work))
    assert done.ends[order.order_ref] is FinishCode.FILLED
    assert other.order_ref not in done.ends


def test_nothing_new_is_sent_in_a_market_with_a_ticket_that_nobody_can_tell_of(desk: Callable[..., Trader]) -> None:
    """hummingbot #8457: "unknown" is a state, and it counts as if it could fill."""
    t = desk(script(At(3, Lost(Flow.LOST)), At(4, Restored())), quote=FAR, ib={"timeout_seconds": 0.05})
    t.rig.line.open()
    order, _ = t.order(1)
    other, _ = t.order(1, "other")
    t.rig.broker.quote(APRIL)
    t.rig.line.hear(0.0)
    assert t.rig.broker.send(t.rig.journal.plan(order, 0, 1, 84.5)).passed
    while t.clock.step < 4:
        t.rig.line.hear(1.0)
    assert t.rig.broker.link().state is LinkState.UP
    assert [each.progress.state for each in t.tickets()] == [TicketState.UNKNOWN]
    assert t.rig.broker.send(t.rig.journal.plan(other, 0, 1, 84.5)).code is GateCode.UNKNOWN_TICKET
    t.rig.line.reconcile()


def test_a_duplicate_order_id_was_not_taken_and_another_is_found(
    desk: Callable[..., Trader], engine: sa.Engine
) -> None:
    """ib_insync #80, #308, #644: error 103. Here a process that knows of no earlier id, and a terminal that forgot."""
    t = desk(script(NextIdRegress(connection=2, to=1)))
    t.rig.line.open()
    t.work(t.order(1, "a"))
    t.restart()
    t.rig.journal._floor = 0
    t.rig.line.open()
    order = t.order(1, "b")
    done = t.work(order)
    assert done.ends[order[0].order_ref] is FinishCode.FILLED
    assert t.truth() == {APRIL: 2}
    states = [(each.order_id, each.progress.state) for each in t.tickets()]
    assert states[0] == (1, TicketState.FILLED)
    assert states[1:] in (
        [(1, TicketState.REJECTED), (2, TicketState.FILLED)],
        [(2, TicketState.FILLED)],
    )


def test_a_client_id_that_a_ghost_holds_is_asked_for_again(desk: Callable[..., Trader]) -> None:
    """Error 326, then the socket closes, then a timeout: one refusal with a reason, and the next attempt."""
    t = desk(script(ClientIdInUse(1)))
    with pytest.raises(RefusedError) as refused:
        t.rig.line.open()
    assert refused.value.code is Refusal.CLIENT_ID_IN_USE
    order = t.order(1)
    assert t.work(order).ends[order[0].order_ref] is FinishCode.FILLED


def test_two_processes_never_share_a_client_id(desk: Callable[..., Trader]) -> None:
    """Error 326 says nobody's name: the lock file does, before a socket is opened."""
    t = desk()
    with pytest.raises(ClientLockError, match="process"):
        t.made()


@pytest.mark.parametrize("code", [10349, 399, 2100, 2109, 2161, 2199, 404])
def test_a_remark_on_an_order_ends_nothing(desk: Callable[..., Trader], code: int) -> None:
    """10349, 399 and 2100 to 2199 on an order's id: the client takes some of them for its end."""
    t = desk(script(Notice(1, code, "remark")))
    t.rig.line.open()
    t.work(t.order(1))
    assert [each.progress.state for each in t.tickets()] == [TicketState.FILLED]
    assert t.truth() == {APRIL: 1}


def test_a_code_that_nobody_knows_holds_the_order_and_asks(desk: Callable[..., Trader]) -> None:
    """The table of codes is our own: what it does not have is no end, and a question."""
    t = desk(script(Notice(1, 99_999, "whatever")))
    t.rig.line.open()
    asked = len(t.rows(reconciliations, "code"))
    t.work(t.order(1))
    assert len(t.rows(reconciliations, "code")) > asked + 1
    assert [each.progress.state for each in t.tickets()] == [TicketState.FILLED]


@pytest.mark.parametrize(("quantity", "steps"), [(None, 0), (1, 0), (1, 3), (0, 0)])
def test_a_correction_replaces_what_it_corrects(desk: Callable[..., Trader], quantity: int | None, steps: int) -> None:
    """``.01.01`` and ``.01.02``: the client counts both; here the last revision of a base id counts."""
    t = desk(script(Correct(1, price=84.975, quantity=quantity, steps=steps)))
    t.rig.line.open()
    t.work(t.order(2, steps=40))
    for _ in range(steps):
        t.rig.line.mind(1.0)
    told = t.rows(fills, "revision", "quantity", "price")
    assert told[0][:2] == (1, 2)
    assert told[1] == (2, 2 if quantity is None else quantity, 84.975)


def test_quotes_are_asked_for_again_after_1101_and_not_after_1102(desk: Callable[..., Trader]) -> None:
    """ib_insync #256: 1101 says that subscriptions are gone, 1102 that they are kept; both are verified."""
    t = desk(quote=FAR)
    t.rig.line.open()
    t.rig.broker.quote(APRIL)
    counts = []
    for data_lost in (False, True):
        t.server.play(Lost(Flow.LIVE))
        t.rig.line.mind(1.0)
        assert not t.rig.line.agreed
        t.server.play(Restored(data_lost))
        asked = len(t.rows(reconciliations, "code"))
        t.rig.line.mind(1.0)
        assert t.rig.line.agreed
        assert len(t.rows(reconciliations, "code")) > asked
        t.rig.line.mind(1.0)
        counts.append(t.server.read(lambda tws: sum(request[0] == "1" for request in tws.heard)))
    assert counts == [1, 2]
    quote = t.rig.broker.quote(APRIL)
    assert quote is not None
    assert quote.live


@pytest.mark.parametrize("code", [100, 162, 420])
def test_an_answer_of_pacing_ends_nothing_that_works(desk: Callable[..., Trader], code: int) -> None:
    """Codes 100 and 162: too many messages, too many historical requests."""
    t = desk(script(At(3, Say(code, "pacing violation")), Fail(Ask.EXECUTIONS, 2, code, "pacing violation")))
    t.rig.line.open()
    t.work(t.order(1))
    assert [each.progress.state for each in t.tickets()] == [TicketState.FILLED]
    assert any('"kind":"pacing"' in body for body in t.rows(broker_events, "body"))


@pytest.mark.parametrize("rights", [Rights.COMPETING, Rights.DELAYED, Rights.NONE])
def test_without_live_quotes_nothing_is_traded(desk: Callable[..., Trader], rights: Rights) -> None:
    """10197 (a competing session), 10167 (delayed data), 354 (no subscription)."""
    t = desk(config=Config(rights=rights))
    t.rig.line.open()
    order = t.order(1)
    done = t.work(order)
    assert done.ends[order[0].order_ref] is FinishCode.UNFILLED
    assert t.tickets() == []
    assert t.server.read(sent_as) == {}


def test_an_order_that_stands_when_live_quotes_go_is_not_moved(desk: Callable[..., Trader]) -> None:
    """10197 in the middle of a session: nothing new is sent from there on."""
    t = desk(script(At(4, Grant(Rights.COMPETING))), quote=FAR)
    t.rig.line.open()
    order = t.order(1)
    done = t.work(order)
    assert done.ends[order[0].order_ref] is FinishCode.UNFILLED
    (ticket,) = t.tickets()
    assert (ticket.limit_price, ticket.progress.state) == (84.5, TicketState.CANCELLED)


def test_an_order_that_the_broker_ends_by_itself_is_followed_by_another(desk: Callable[..., Trader]) -> None:
    """Lean.IB #249 again: a cancel of the broker's own, which was dropped there; here 202 right behind the order."""
    t = desk(script(Revoke(1)))
    t.rig.line.open()
    t.work(t.order(1))
    assert [each.progress.state for each in t.tickets()] == [TicketState.CANCELLED, TicketState.FILLED]
    assert t.rows(orders, "status") == [OrderStatus.DONE]


def test_a_terminal_that_is_not_there_says_what_to_look_at(desk: Callable[..., Trader]) -> None:
    """Lean.IB #262: the program was never started; and nothing can be sent without a connection."""
    t = desk(ib={"paper_port": 1, "live_port": 2})
    with pytest.raises(BrokerError, match="is it running"):
        t.rig.line.open()
    order, _ = t.order(1)
    assert t.rig.broker.send(t.rig.journal.plan(order, 0, 1, 85.0)).code is GateCode.LINK_DOWN
    assert t.tickets() == []


def test_an_order_that_can_no_longer_be_cancelled_is_no_storm_of_questions(desk: Callable[..., Trader]) -> None:
    """A terminal that has forgotten its order ids answers a cancel with "not found", and lists the order still.

    It goes with everything else.
    """
    t = desk(script(NextIdRegress(connection=2, to=1, forget=True), At(4, HangUp())), quote=FAR)
    t.rig.line.open()
    done = t.work(t.order(1, steps=30))
    assert done.outcome is WorkOutcome.RECOVERED
    assert len(t.rows(reconciliations, "code")) < 60
