"""Orders through the real client: what is sent, and what is heard of it, when all goes well and when it does not."""

import pytest

from hydra_assets.state.records import Side
from hydra_exec.broker.port import (
    ExecutionReport,
    FeeReport,
    Notice,
    NoticeKind,
    OrderReport,
    Ticket,
    Word,
)
from tests.support.ib_scene import ACCOUNT, APRIL, CLIENT_ID, HE_APRIL, of, scene, states
from tests.support.tws import Ask, Config, Liquidity, Out, Quote, Terms, script
from tests.support.tws.script import (
    TIF_PRESET,
    Correct,
    Delay,
    DelayAck,
    Drop,
    Duplicate,
    Fail,
    Postpone,
    Reject,
    Revoke,
)
from tests.support.tws.script import Notice as Remark

W = Word
FAR = Quote(bid=80.0, ask=90.0)


def test_what_is_sent_is_a_day_limit_order_under_our_own_name() -> None:
    with scene() as s:
        s.show()
        ticket, order_id = s.send(s.ticket(Side.SELL, 2, 84.975))
        s.hear()
        (sent,) = s.server.read(lambda tws: [fields for fields in tws.heard if fields[0] == str(Ask.PLACE_ORDER)])
        assert int(sent[1]) == order_id == 1
        assert (sent[2], sent[16:20], sent[21], sent[23], sent[26:28]) == (
            str(APRIL),
            ("SELL", "2", "LMT", "84.975"),
            "DAY",
            ACCOUNT,
            (ticket.wire_ref, "1"),
        )
        assert sent[33] == "0"  # outsideRth


def test_a_fill_from_its_order_to_its_fee() -> None:
    with scene() as s:
        s.show()
        ticket, order_id = s.send()
        heard = s.hear()
        assert states(heard) == [W.WORKING, W.WORKING, W.FILLED, W.FILLED]
        assert [m.filled for m in of(heard, OrderReport)] == [0, 0, 0, 1]
        assert [type(m).__name__ for m in heard] == [
            "OrderReport",
            "OrderReport",
            "ExecutionReport",
            "OrderReport",
            "OrderReport",
            "FeeReport",
        ]
        (fill,) = of(heard, ExecutionReport)
        assert (fill.wire_ref, fill.order_id, fill.perm_id, fill.client_id) == (
            ticket.wire_ref,
            order_id,
            9001,
            CLIENT_ID,
        )
        assert (fill.contract, fill.side, fill.quantity, fill.price) == (HE_APRIL, Side.BUY, 1, 85.025)
        assert (fill.base_exec_id + ".01", fill.revision, fill.generation) == (fill.exec_id, 1, 1)
        assert fill.executed_at == s.server.read(lambda tws: tws.clock.now)
        (fee,) = of(heard, FeeReport)
        assert (fee.exec_id, fee.fee, fee.currency, fee.generation) == (fill.exec_id, 2.47, "USD", 1)
        named = of(heard, OrderReport)[0]
        assert (named.wire_ref, named.contract, named.side, named.quantity, named.limit_price, named.account) == (
            ticket.wire_ref,
            HE_APRIL,
            Side.BUY,
            1,
            85.025,
            ACCOUNT,
        )
        assert s.truth() == {APRIL: 1}


def test_parts_of_a_fill() -> None:
    config = Config(terms=Terms(liquidity=Liquidity(adv=40, adv_share=0.05)))
    with scene(config) as s:
        s.show(Quote(bid=84.975, ask=85.025))
        s.send(s.ticket(quantity=5))
        heard = [*s.hear(), *s.step(), *s.step()]
        assert [fill.quantity for fill in of(heard, ExecutionReport)] == [2, 2, 1]
        statuses = [m.filled for m in of(heard, OrderReport) if not m.wire_ref]
        assert statuses == [0, 2, 4, 5]


def test_a_correction_is_another_revision_of_the_same_fill() -> None:
    with scene(script=script(Correct(price=84.9))) as s:
        s.show()
        s.send()
        first, second = of(s.hear(), ExecutionReport)
        assert (first.base_exec_id, first.revision) == (second.base_exec_id, second.revision - 1)
        assert (first.price, second.price) == (85.025, 84.9)


def test_a_bust_is_a_revision_of_nothing() -> None:
    with scene(script=script(Correct(quantity=0))) as s:
        s.show()
        s.send()
        assert [fill.quantity for fill in of(s.hear(), ExecutionReport)] == [1, 0]
        assert s.truth() == {}


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Duplicate(Out.EXECUTION), ["ExecutionReport", "ExecutionReport", "FeeReport"]),
        (Postpone(Out.EXECUTION, until=Out.COMMISSION), ["FeeReport", "ExecutionReport"]),
        (Drop(Out.EXECUTION), ["FeeReport"]),
    ],
)
def test_fills_are_passed_on_as_they_come_said_twice_out_of_order_or_not_at_all(
    fault: object, kinds: list[str]
) -> None:
    with scene(script=script(fault)) as s:  # type: ignore[arg-type]
        s.show()
        s.send()
        assert [type(m).__name__ for m in s.hear() if not isinstance(m, OrderReport)] == kinds


def test_a_late_state_is_passed_on_when_it_comes() -> None:
    with scene(script=script(Delay(Out.ORDER_STATUS, 1, 1))) as s:
        s.show()
        s.send()
        s.hear()
        assert [(m.word, m.filled) for m in of(s.step(), OrderReport)] == [(W.WORKING, 0)]


def test_a_fill_before_the_order_was_acknowledged() -> None:
    with scene(script=script(DelayAck(1, 1))) as s:
        s.show()
        ticket, _ = s.send()
        (fill,) = of(s.hear(), ExecutionReport)
        assert fill.wire_ref == ticket.wire_ref
        assert states(s.step()) == [W.WORKING, W.WORKING, W.FILLED, W.FILLED]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Reject(1), [W.REJECTED]),
        (Reject(1, 203, "The security is not available or allowed for this account."), [W.REJECTED]),
        (Reject(1, 99_999, "Something new"), [W.UNCLEAR]),
        (Fail(Ask.PLACE_ORDER, 1, 321, "Error validating request"), [W.UNCLEAR]),
        (Fail(Ask.PLACE_ORDER, 1, 100, "Max rate of messages per second has been exceeded"), [W.UNCLEAR]),
        (Fail(Ask.PLACE_ORDER, 1, 200, "No security definition has been found"), [W.REJECTED]),
        (Revoke(1), [W.WORKING, W.WORKING, W.CANCELLED, W.CANCELLED, W.CANCELLED]),
        (Remark(1, 399), [W.WORKING, W.WORKING]),
        (Remark(1, *TIF_PRESET), [W.WORKING, W.WORKING]),
        (Remark(1, 404, "Shares are not available"), [W.WORKING, W.WORKING]),
        (Remark(1, 2109, "Outside regular trading hours is ignored"), [W.WORKING, W.WORKING]),
        (Remark(1, 99_999, "Something new"), [W.WORKING, W.WORKING, W.UNCLEAR]),
    ],
)
def test_codes_on_an_order(fault: object, said: list[Word]) -> None:
    with scene(script=script(fault)) as s:  # type: ignore[arg-type]
        s.show(FAR)
        _, order_id = s.send()
        heard = s.hear()
        assert states(heard) == said
        assert {m.order_id for m in of(heard, OrderReport)} == {order_id}
        alive = s.server.read(lambda tws: [order.live for order in tws.broker.orders.values()])
        assert any(alive) == (said[0] is W.WORKING and said[-1] is not W.CANCELLED)


def test_remarks_on_an_order_are_notices_that_name_it() -> None:
    with scene(script=script(Remark(1, *TIF_PRESET), Remark(1, 99_999, "new"))) as s:
        s.show(FAR)
        _, order_id = s.send()
        notes = [(n.kind, n.code, n.order_id) for n in of(s.hear(), Notice)]
        assert notes == [(NoticeKind.INFORMATION, 10349, order_id), (NoticeKind.UNKNOWN_CODE, 99_999, order_id)]


def test_a_price_off_the_grid_refuses_a_new_order_and_leaves_an_amended_one() -> None:
    with scene() as s:
        s.show(FAR)
        s.send(s.ticket(limit=85.01))
        assert states(s.hear()) == [W.REJECTED]
        ticket, _ = s.send()
        s.hear()
        s.broker.amend(Ticket(ticket.wire_ref, HE_APRIL, Side.BUY, 1, 85.01))
        heard = s.hear()
        assert (states(heard), [n.code for n in of(heard, Notice)]) == ([], [110])
        assert s.server.read(lambda tws: [order.live for order in tws.broker.orders.values()]) == [False, True]
