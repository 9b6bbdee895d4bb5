"""Ids of orders, amendments, cancels, and orders whose fate is not known."""

from contextlib import closing

import pytest

from hydra_assets.state.records import Side
from hydra_exec.broker.port import (
    LinkState,
    NoAnswerError,
    Notice,
    NoticeKind,
    NotSentError,
    OrderReport,
    Ticket,
    Word,
)
from tests.support.ib_scene import APRIL, HE_APRIL, TOUCH, broker_on, of, scene, states
from tests.support.tws import Ask, Quote, script
from tests.support.tws import Side as TheirSide
from tests.support.tws.script import (
    DelayAck,
    External,
    NextIdRegress,
    ResetOnRequest,
    SecondPermId,
)

W = Word
FAR = Quote(bid=80.0, ask=90.0)


def test_an_id_that_the_terminal_has_seen_is_refused_and_the_next_one_is_above_it() -> None:
    with scene(script=script(NextIdRegress(connection=2, to=1))) as s:
        s.show(FAR)
        assert [s.send()[1] for _ in range(3)] == [1, 2, 3]
        s.hear()
        s.broker.close()
        s.broker.connect()
        # This process remembers its own ids, whatever nextValidId says.
        assert s.send()[1] == 4
        assert W.REJECTED not in states(s.hear())


def test_a_duplicate_id_was_not_taken() -> None:
    # A process without a record of the ids that were used, and a terminal that has gone back.
    with scene(script=script(NextIdRegress(connection=2, to=1))) as s:
        s.show()
        s.send()
        s.hear()
        s.broker.close()
        other = broker_on(s.server, next_generation=lambda: 9)
        with closing(other):
            other.connect()
            other.settle()
            other.wait(0)
            order_id = other.place(s.ticket())
            other.settle()
            heard = other.wait(0)
        assert (order_id, states(heard)) == (1, [W.REJECTED])
        assert [n.kind for n in of(heard, Notice)] == [NoticeKind.DUPLICATE_ORDER_ID]
        assert [m.generation for m in of(heard, OrderReport)] == [9]
        assert s.truth() == {APRIL: 1}


def test_a_new_process_begins_where_the_terminal_says() -> None:
    with scene() as s:
        s.show(FAR)
        assert [s.send()[1] for _ in range(3)] == [1, 2, 3]
        s.hear()
        s.broker.close()
        other = broker_on(s.server)
        with closing(other):
            other.connect()
            assert other.place(s.ticket()) == 4


def test_a_code_on_an_amendment_of_an_order_that_nothing_was_heard_of() -> None:
    with scene(script=script(DelayAck(1, 1))) as s:
        s.show(FAR)
        ticket, _ = s.send()
        s.broker.amend(Ticket(ticket.wire_ref, HE_APRIL, Side.BUY, 1, 85.01))
        # It refuses one of the two versions, and does not say which.
        assert states(s.hear()) == [W.UNCLEAR]
        assert states(s.step()) == [W.WORKING, W.WORKING]


def test_ids_begin_above_the_highest_on_record() -> None:
    with scene(order_id_floor=lambda: 400) as s:
        s.show(FAR)
        assert [s.send()[1] for _ in range(2)] == [401, 402]


def test_a_cancel_ends_an_order() -> None:
    with scene() as s:
        s.show(FAR)
        s.send()
        report = of(s.hear(), OrderReport)[-1]
        s.broker.cancel(report)
        assert states(s.hear()) == [W.CANCELLED, W.CANCELLED, W.CANCELLED]


def test_a_cancel_that_comes_too_late_has_to_be_asked_about() -> None:
    with scene() as s:
        s.show()
        s.send()
        report = of(s.hear(), OrderReport)[-1]
        s.broker.cancel(report)
        assert states(s.hear()) == [W.UNCLEAR]


def test_an_order_of_another_client_cannot_be_cancelled_here() -> None:
    with scene() as s:
        stranger = OrderReport(W.WORKING, 0, s.broker.now(), perm_id=5, order_id=3, client_id=12)
        with pytest.raises(NotSentError, match="client 12"):
            s.broker.cancel(stranger)
        by_hand = OrderReport(W.WORKING, 0, s.broker.now(), perm_id=5)
        of_nobody = OrderReport(W.WORKING, 0, s.broker.now(), order_id=3)
        for report in (by_hand, of_nobody):
            with pytest.raises(NotSentError):
                s.broker.cancel(report)
        assert s.asked(Ask.CANCEL_ORDER) == 0


def test_client_0_is_a_client_like_any_other() -> None:
    with scene() as s:
        s.show(FAR)
        _, order_id = s.send()
        s.hear()
        theirs = OrderReport(W.WORKING, 0, s.broker.now(), perm_id=5, order_id=order_id, client_id=0)
        with pytest.raises(NotSentError, match="client 0"):
            s.broker.cancel(theirs)
        assert s.asked(Ask.CANCEL_ORDER) == 0
        s.broker.cancel(OrderReport(W.WORKING, 0, s.broker.now(), order_id=order_id))
        assert states(s.hear())[-1] is W.CANCELLED


def test_another_limit_for_an_order_of_this_connection() -> None:
    with scene() as s:
        s.show(FAR)
        ticket, order_id = s.send()
        s.hear()
        s.broker.amend(Ticket(ticket.wire_ref, HE_APRIL, Side.BUY, 1, 90.0))
        heard = s.hear()
        assert of(heard, OrderReport)[0].limit_price == 90.0
        assert {m.order_id for m in of(heard, OrderReport)} == {order_id}
        assert s.truth() == {APRIL: 1}
        with pytest.raises(NotSentError, match="has ended"):
            s.broker.amend(ticket)


def test_an_order_of_an_earlier_connection_is_not_amended() -> None:
    with scene() as s:
        s.show(FAR)
        ticket, _ = s.send()
        s.hear()
        s.broker.close()
        s.broker.connect()
        with pytest.raises(NotSentError, match="not sent on this connection"):
            s.broker.amend(ticket)


def test_two_orders_of_one_id_are_both_seen_and_both_go() -> None:
    with scene(script=script(SecondPermId(1))) as s:
        s.show(FAR)
        ticket, order_id = s.send()
        s.hear()
        s.broker.amend(Ticket(ticket.wire_ref, HE_APRIL, Side.BUY, 1, 85.0))
        s.hear()
        alive = s.broker.snapshot().open_orders
        assert [(o.perm_id, o.wire_ref, o.order_id) for o in alive] == [
            (9001, ticket.wire_ref, order_id),
            (9002, ticket.wire_ref, order_id),
        ]
        s.hear()
        s.broker.cancel(alive[1])
        heard = s.hear()
        assert states(heard, 9002) == [W.CANCELLED, W.CANCELLED]
        # The code names an id that belongs to two orders: it does not say that ours is over.
        assert states(heard, 0) == [W.UNCLEAR]
        s.broker.cancel(alive[0])
        assert states(s.hear(), 9001) == [W.CANCELLED, W.CANCELLED]
        assert s.server.read(lambda tws: [o.live for o in tws.broker.orders.values()]) == [False, False]


def test_an_order_whose_id_the_terminal_has_lost_goes_with_everything_else() -> None:
    with scene(script=script(NextIdRegress(2, 1, forget=True))) as s:
        s.show(FAR)
        s.send()
        s.broker.close()
        s.broker.connect()
        (alive,) = s.broker.snapshot().open_orders
        s.hear()
        s.broker.cancel(alive)
        assert states(s.hear()) == [W.UNCLEAR]
        assert [order.perm_id for order in s.broker.snapshot().open_orders] == [alive.perm_id]
        s.hear()
        s.broker.cancel(alive)
        assert states(s.hear(), alive.perm_id) == [W.CANCELLED, W.CANCELLED]
        assert (s.asked(Ask.CANCEL_ORDER), s.asked(Ask.GLOBAL_CANCEL)) == (1, 1)
        assert s.broker.snapshot().open_orders == ()


def test_what_only_goes_with_everything_stays_while_others_have_orders() -> None:
    with scene(script=script(SecondPermId(1))) as s:
        s.show(FAR)
        ticket, _ = s.send()
        other = broker_on(s.server, trading={"ib": {"client_id": 99}})
        with closing(other):
            other.connect()
            theirs = other.place(s.ticket(Side.SELL, 1, 89.0))
            other.settle()
            s.hear()
            s.broker.amend(Ticket(ticket.wire_ref, HE_APRIL, Side.BUY, 1, 85.0))
            older = s.broker.snapshot().open_orders[0]
            s.hear()
            with pytest.raises(NotSentError, match=r"clients 99.* cancel it by hand in the terminal"):
                s.broker.cancel(older)
            assert s.asked(Ask.GLOBAL_CANCEL) == 0
            other.cancel(OrderReport(W.WORKING, 0, s.broker.now(), order_id=theirs, client_id=99))
            other.settle()
        # Their order has ended, and that is heard of with the next answer.
        with pytest.raises(NotSentError):
            s.broker.cancel(older)
        s.broker.snapshot()
        s.broker.cancel(older)
        assert s.asked(Ask.GLOBAL_CANCEL) == 1
        assert s.broker.snapshot().open_orders == ()


def test_nothing_goes_with_everything_before_the_orders_of_all_were_told() -> None:
    with scene(script=script(SecondPermId(1))) as s:
        s.show(FAR)
        ticket, _ = s.send()
        s.broker.amend(Ticket(ticket.wire_ref, HE_APRIL, Side.BUY, 1, 85.0))
        older = of(s.hear(), OrderReport)[0]
        with pytest.raises(NotSentError, match="not known yet"):
            s.broker.cancel(older)
        s.broker.snapshot()
        s.broker.cancel(older)
        assert s.asked(Ask.GLOBAL_CANCEL) == 1


@pytest.mark.parametrize("acted", [False, True])
def test_a_connection_that_dies_while_an_order_is_sent_tells_nothing_and_a_later_one_does(*, acted: bool) -> None:
    with scene(script=script(ResetOnRequest(Ask.PLACE_ORDER, acted=acted))) as s:
        s.show(FAR)
        ticket, _ = s.send()
        heard = s.hear()
        assert states(heard) == []
        assert [n.kind for n in of(heard, Notice)] == [NoticeKind.DISCONNECTED]
        assert s.broker.link().state is LinkState.DOWN
        with pytest.raises(NotSentError):
            s.broker.place(s.ticket())
        with pytest.raises(NoAnswerError):
            s.broker.snapshot()
        assert s.broker.connect().generation == 2
        known = [order.wire_ref for order in s.broker.snapshot().open_orders]
        assert known == ([ticket.wire_ref] if acted else [])


def test_what_cannot_be_sent_is_said_at_once() -> None:
    with scene() as s:
        with pytest.raises(NotSentError, match="no such contract"):
            s.broker.place(s.ticket(contract="HE-2031-04"))
        with pytest.raises(NotSentError, match="0 contracts"):
            s.broker.place(s.ticket(quantity=0))
        assert s.asked(Ask.PLACE_ORDER) == 0
        s.broker.close()
        with pytest.raises(NotSentError):
            s.broker.place(s.ticket())


def test_a_trade_by_hand_is_in_the_next_answer() -> None:
    with scene() as s:
        s.play(External(APRIL, TheirSide.SELL, 3, 85.0))
        assert s.broker.snapshot().positions == {HE_APRIL: -3}


def test_waiting_returns_as_soon_as_something_is_heard_and_with_what_was_heard() -> None:
    with scene() as s:
        s.show(TOUCH)
        s.send()
        first = s.broker.wait(5.0)
        assert first
        assert isinstance(first[0], OrderReport)


def test_time_passes_as_the_pace_lets_it() -> None:
    passed: list[float] = []
    with scene(pace=passed.append) as s:
        assert list(s.broker.wait(30.0)) == []
        assert passed == [30.0]
