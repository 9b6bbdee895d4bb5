"""What is made of a callback that is not as it should be."""

import sys
from datetime import UTC, date, datetime
from typing import Any

import pytest
from ib_async import CommissionReport, Contract, Execution, Order, OrderState

from hydra_exec.broker.ib.asking import ORDERS
from hydra_exec.broker.ib.contracts import Directory, Listing, directory
from hydra_exec.broker.ib.hearing import Hearing, SentOrder
from hydra_exec.broker.ib.questions import Questions
from hydra_exec.broker.ib.quotes import Quotes
from hydra_exec.broker.ib.recorder import Recorder
from hydra_exec.broker.port import UNNAMED, ExecutionReport, Message, Notice, NoticeKind, OrderReport, Word
from tests.support.ib_scene import Clock

AT = datetime(2026, 1, 5, 15, tzinfo=UTC)
UNSET = sys.float_info.max


class _Nobody:
    """The client that a recorder calls back, as far as it does."""

    def __getattr__(self, name: str) -> Any:
        return _Nobody()

    def __call__(self, *_args: object) -> None:
        return None


@pytest.fixture
def heard() -> list[Message]:
    return []


@pytest.fixture
def recorder(heard: list[Message]) -> Recorder:
    clock = Clock(AT)
    hearing = Hearing("DU1", 71, clock, heard.append)
    made = Recorder(_Nobody(), hearing, Questions(), Quotes(clock))  # type: ignore[arg-type]
    hearing.begin(5, Directory())
    heard.clear()
    return made


def fill(**changes: Any) -> Execution:
    given = {
        "execId": "e.01.01",
        "time": AT,
        "acctNumber": "DU1",
        "side": "BOT",
        "shares": 1.0,
        "price": 85.0,
        "permId": 9,
        "clientId": 71,
        "orderId": 4,
    }
    return Execution(**(given | changes))


@pytest.mark.parametrize("changes", [{"shares": 1.5}, {"side": "XXX"}])
def test_a_fill_that_cannot_be_booked_holds_its_order(
    recorder: Recorder, heard: list[Message], changes: dict[str, Any]
) -> None:
    recorder.execDetails(-1, Contract(conId=1), fill(**changes))
    note, report = heard
    assert isinstance(note, Notice)
    assert isinstance(report, OrderReport)
    assert (note.kind, note.order_id) == (NoticeKind.UNKNOWN_CODE, 4)
    assert "e.01.01" in note.text
    assert (report.word, report.perm_id, report.order_id, report.client_id, report.generation) == (
        Word.UNCLEAR,
        9,
        4,
        71,
        5,
    )


def test_a_state_of_half_a_contract_holds_its_order(recorder: Recorder, heard: list[Message]) -> None:
    recorder.orderStatus(4, "Submitted", 0.5, 1.5, 85.0, 9, 0, 85.0, 71, "", 0.0)
    assert [type(m).__name__ for m in heard] == ["Notice", "OrderReport"]
    recorder.openOrder(4, Contract(conId=1), Order(orderId=4, clientId=71, permId=9, totalQuantity=1.5), OrderState())
    assert [m.word for m in heard if isinstance(m, OrderReport)] == [Word.UNCLEAR, Word.UNCLEAR]


def test_reports_of_other_accounts_are_not_ours(recorder: Recorder, heard: list[Message]) -> None:
    recorder.execDetails(-1, Contract(conId=1), fill(acctNumber="DU2"))
    other = Order(orderId=4, clientId=71, permId=9, totalQuantity=1, account="DU2")
    recorder.openOrder(4, Contract(conId=1), other, OrderState(status="Submitted"))
    assert heard == []


def test_an_amount_that_is_not_there_is_no_fee(recorder: Recorder, heard: list[Message]) -> None:
    recorder.commissionReport(CommissionReport("e", UNSET, "USD", 0.0, 0.0, 0))
    assert heard == []
    recorder.commissionReport(CommissionReport("e", -0.25, "USD", 0.0, 0.0, 0))
    assert len(heard) == 1


def test_inactive_after_a_refusal_is_a_refusal(recorder: Recorder, heard: list[Message]) -> None:
    recorder.hearing.orders[4] = SentOrder("ref")
    recorder.orderStatus(5, "Inactive", 0, 1, 0.0, 10, 0, 0.0, 71, "", 0.0)
    recorder.error(4, 201, "Order rejected", "")
    recorder.orderStatus(4, "Inactive", 0, 1, 0.0, 9, 0, 0.0, 71, "", 0.0)
    assert [m.word for m in heard if isinstance(m, OrderReport)] == [Word.UNCLEAR, Word.REJECTED, Word.REJECTED]


def test_a_code_on_an_amendment_that_overtook_the_acknowledgement_is_unclear(
    recorder: Recorder, heard: list[Message]
) -> None:
    recorder.hearing.orders[4] = SentOrder("ref", amended=True)
    recorder.error(4, 110, "The price does not conform", "")
    assert [m.word for m in heard if isinstance(m, OrderReport)] == [Word.UNCLEAR]


def test_a_refusal_of_an_amendment_leaves_the_order_to_be_asked_about(recorder: Recorder, heard: list[Message]) -> None:
    recorder.hearing.orders[4] = SentOrder("ref", amended=True)
    recorder.orderStatus(4, "Submitted", 0, 1, 0.0, 9, 0, 0.0, 71, "", 0.0)
    recorder.error(4, 201, "Order rejected - reason:", "")
    recorder.orderStatus(4, "Submitted", 0, 1, 0.0, 9, 0, 0.0, 71, "", 0.0)
    assert [m.word for m in heard if isinstance(m, OrderReport)] == [Word.WORKING, Word.UNCLEAR, Word.WORKING]
    assert not recorder.hearing.orders[4].ended


def test_a_report_names_a_client_only_where_it_was_told(recorder: Recorder, heard: list[Message]) -> None:
    recorder.hearing.orders[4] = SentOrder("ref")
    recorder.error(4, 201, "Order rejected", "")
    recorder.error(5, 201, "Order rejected", "")
    recorder.orderStatus(0, "Submitted", 0, 1, 0.0, 9, 0, 0.0, 0, "", 0.0)
    recorder.hearing.unreadable("half a contract", order_id=4)
    assert [m.client_id for m in heard if isinstance(m, OrderReport)] == [71, UNNAMED, 0, UNNAMED]
    over = Order(permId=9, totalQuantity=1, filledQuantity=1)
    assert recorder.hearing.ended_order(Contract(conId=1), over, "Filled", "").client_id == UNNAMED


def test_a_fill_of_a_contract_that_is_none_of_ours_is_foreign(recorder: Recorder, heard: list[Message]) -> None:
    april = Listing(
        "HE-2025-04",
        77,
        "HE",
        "HEJ5",
        "HE",
        "CME",
        "USD",
        1.0,
        ((0.0, 0.025),),
        date(2025, 4, 14),
        "US/Central",
        "",
        "",
    )
    recorder.hearing.directory = directory([april], {})
    for con_id in (77, 1):
        recorder.execDetails(-1, Contract(conId=con_id, secType="FUT", symbol="HE"), fill(execId=f"{con_id}.01"))
    known, unknown = heard
    assert isinstance(known, ExecutionReport)
    assert isinstance(unknown, ExecutionReport)
    assert (known.contract, known.foreign) == ("HE-2025-04", False)
    assert (unknown.contract, unknown.foreign) == ("FUT HE (1)", True)


def test_orders_of_other_clients_that_live(recorder: Recorder) -> None:
    def said(perm_id: int, client_id: int, state: str) -> None:
        recorder.orderStatus(4, state, 0, 1, 0.0, perm_id, 0, 0.0, client_id, "", 0.0)

    said(9, 71, "Submitted")
    said(10, 12, "Submitted")
    said(11, 0, "Inactive")
    said(12, 99, "PreSubmitted")
    assert recorder.hearing.others == {10: 12, 11: 0, 12: 99}
    said(12, 99, "Cancelled")
    assert recorder.hearing.others == {10: 12, 11: 0}


def test_nothing_is_told_before_the_connection_counts_and_all_of_it_after(heard: list[Message]) -> None:
    clock = Clock(AT)
    hearing = Hearing("DU1", 71, clock, heard.append)
    recorder = Recorder(_Nobody(), hearing, Questions(), Quotes(clock))  # type: ignore[arg-type]
    recorder.error(-1, 2104, "farm", "")
    recorder.execDetails(-1, Contract(conId=1), fill())
    recorder.error(4, 201, "Order rejected", "")
    assert heard == []
    hearing.begin(8, Directory())
    assert [type(m).__name__ for m in heard] == ["Notice", "ExecutionReport", "OrderReport", "Notice"]
    assert {m.generation for m in heard} == {8}


def test_rows_go_only_to_questions_that_are_open() -> None:
    questions = Questions()
    questions.row(ORDERS, 1)
    questions.end(ORDERS)
    questions.fail(ORDERS, "no")
    questions.fail_nameless("no")
    assert not questions.asked(ORDERS)
