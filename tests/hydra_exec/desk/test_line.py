"""When a line asks, and what it makes of an answer that was overtaken while it came."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from hydra_exec.broker.port import (
    BrokerKind,
    ExecutionReport,
    Link,
    LinkState,
    Message,
    NoAnswerError,
    Notice,
    NoticeKind,
    OrderReport,
    Snapshot,
    Word,
)
from hydra_exec.desk.line import DIFFERENT_AGAIN, MOST_QUESTIONS, NOTHING, Line, LineEvent
from hydra_exec.journal.compare import ABSENCE, ReconcileCode
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.codes import GateCode, Verdict
from hydra_exec.risk_gate.gate import GuardedBroker
from tests.support.journal_scene import APRIL, JournalScene, fill, later, says

AGREED, ADJUSTED, DIFFERENT = ReconcileCode.AGREED, ReconcileCode.ADJUSTED, ReconcileCode.DIFFERENT


@dataclass
class Wire:
    """A broker that answers and says what a test wants. ``behind`` is heard behind the answers, one batch for each."""

    scene: JournalScene
    price: Mapping[str, float] = field(default_factory=lambda: {APRIL: 82.25})
    positions: dict[str, int] = field(default_factory=dict)
    open_orders: list[OrderReport] = field(default_factory=list)
    executions: list[ExecutionReport] = field(default_factory=list)
    ended: list[OrderReport] = field(default_factory=list)
    behind: list[list[Message]] = field(default_factory=list)
    heard: list[Message] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: later(5))
    link: LinkState = LinkState.UP
    silent: bool = False
    refuses: bool = False
    """Whether an order's end cannot be asked for."""
    asked: int = 0
    cancelled: list[OrderReport] = field(default_factory=list)
    told: list[LineEvent] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        self.asked += 1
        if self.behind:
            self.heard += self.behind.pop(0)
        if self.silent:
            raise NoAnswerError
        return Snapshot(
            self.scene.account,
            1,
            self.now,
            self.now,
            dict(self.positions),
            tuple(self.open_orders),
            tuple(self.executions),
            tuple(self.ended),
        )

    def wait(self, seconds: float) -> Sequence[Message]:
        heard, self.heard = self.heard, []
        if not heard:
            self.now += timedelta(seconds=seconds)
        return heard

    def cancel(self, report: OrderReport) -> Verdict:
        self.cancelled.append(report)
        return Verdict(GateCode.NOT_SENT, "by hand") if self.refuses else Verdict(GateCode.PASSED)

    def line(self) -> Line:
        def unused(*_: Any) -> Any:
            raise AssertionError

        broker = GuardedBroker(
            kind=BrokerKind.IB,
            account=self.scene.account,
            now=lambda: self.now,
            connect=lambda: Link(self.link, 1),
            close=lambda: None,
            link=lambda: Link(self.link, 1),
            snapshot=self.snapshot,
            quote=unused,
            wait=self.wait,
            send=unused,
            amend=unused,
            cancel=self.cancel,
        )
        reconciler = self.scene.reconciler(price=self.price)
        return Line(broker, self.scene.journal, reconciler, tell=lambda event, _: self.told.append(event))


def notice(kind: NoticeKind, text: str = "") -> Notice:
    return Notice(kind, 1, text, later(5), generation=1)


@pytest.fixture
def wire(scene: JournalScene) -> Wire:
    return Wire(scene)


def test_a_line_that_agrees_and_hears_nothing_does_not_ask(wire: Wire) -> None:
    line = wire.line()
    assert line.open().code is AGREED
    for _ in range(20):
        line.mind(1.0)
    assert wire.asked == 1


@pytest.mark.parametrize("agreed_before", [False, True])
def test_a_break_behind_an_answer_makes_the_answer_one_of_before(wire: Wire, *, agreed_before: bool) -> None:
    line, ref = wire.line(), wire.scene.send()
    wire.open_orders = [says(Word.WORKING)]
    if agreed_before:
        line.reconcile(frozenset({ref}))
    asked, wire.told = wire.asked, []
    wire.behind = [[notice(NoticeKind.DISCONNECTED), notice(NoticeKind.LINK_RESTORED)]]
    assert line.reconcile(frozenset({ref})).code is AGREED
    assert wire.asked == asked + 2
    assert wire.told == [*([LineEvent.LOST] if agreed_before else []), LineEvent.RECONCILED]
    assert line.interruptions == int(agreed_before)


def test_a_line_that_is_lost_behind_every_answer_stands_on_nothing(wire: Wire) -> None:
    line = wire.line()
    wire.behind = [[notice(NoticeKind.LINK_RESTORED)] for _ in range(100)]
    assert line.reconcile() is NOTHING
    assert LineEvent.RECONCILED not in wire.told
    assert not line.agreed


def test_what_is_unclear_behind_an_answer_is_asked_again_once(wire: Wire) -> None:
    line, ref = wire.line(), wire.scene.send()
    wire.open_orders = [says(Word.WORKING)]
    wire.behind = [[says(Word.UNCLEAR, detail="?")]]
    assert line.reconcile(frozenset({ref})).code is AGREED
    assert wire.asked == 2


def test_what_every_answer_says_again_is_no_news(wire: Wire) -> None:
    line, ref = wire.line(), wire.scene.send()
    wire.open_orders = [says(Word.UNCLEAR, detail="Inactive")]
    wire.behind = [[*wire.open_orders, notice(NoticeKind.UNKNOWN_CODE, "whatever")] for _ in range(100)]
    assert line.reconcile(frozenset({ref})).code is AGREED
    assert wire.asked == 2
    line.mind(1.0, frozenset({ref}))
    assert wire.asked == 2


def test_a_question_that_was_called_for_while_nobody_minded_is_asked(wire: Wire) -> None:
    line = wire.line()
    line.open()
    wire.heard = [notice(NoticeKind.UNKNOWN_CODE)]
    line.hear(0.0)
    line.mind(1.0)
    assert wire.asked == 2


def test_what_an_adjustment_stood_for_is_taken_over_when_it_is_told(wire: Wire) -> None:
    line = wire.line()
    line.open()
    wire.positions = {APRIL: 1}
    line.reconcile()
    assert wire.scene.rows("fills", "kind") == ["adjustment"]
    late = fill(1, order_id=0)
    wire.heard, wire.executions = [late], [late]
    line.mind(1.0)
    assert line.standing.code is ADJUSTED
    assert wire.scene.rows("fills", "kind", "side") == [("adjustment", "BUY"), ("fill", "BUY"), ("adjustment", "SELL")]
    assert wire.scene.journal.positions == {APRIL: 1}
    asked = wire.asked
    wire.heard = [late]
    line.mind(1.0)
    assert wire.asked == asked, "it was known"


def test_a_difference_is_asked_for_again_soon_and_an_unknown_ticket_later(wire: Wire) -> None:
    line, ref = wire.line(), wire.scene.send()
    wire.open_orders = [says(Word.UNCLEAR)]
    line.reconcile(frozenset({ref}))
    asked = wire.asked
    for seconds, more in ((4.9, 0), (0.1, 1)):
        line.mind(seconds, frozenset({ref}))
        assert wire.asked == asked + more
    wire.positions = {APRIL: 1}
    line.reconcile(frozenset({ref}))
    asked = wire.asked
    line.mind(DIFFERENT_AGAIN.total_seconds() - 0.1, frozenset({ref}))
    assert wire.asked == asked
    line.mind(0.1, frozenset({ref}))
    assert wire.asked > asked


def test_without_a_price_the_line_says_that_they_differ(wire: Wire) -> None:
    wire.price, wire.positions = {}, {APRIL: 1}
    line = wire.line()
    for _ in range(3):
        assert line.reconcile().code is DIFFERENT
    assert set(wire.told) == {LineEvent.DIFFERENT}


def test_what_goes_on_differing_is_asked_for_once_each_time(wire: Wire) -> None:
    wire.price, wire.positions = {}, {APRIL: 1}
    line = wire.line()
    line.open()
    for _ in range(5):
        asked = wire.asked
        line.mind(DIFFERENT_AGAIN.total_seconds())
        assert wire.asked == asked + 1


def test_one_round_of_questions_is_long_enough_for_an_adjustment(wire: Wire) -> None:
    wire.positions = {APRIL: 1}
    assert wire.line().open().code is ADJUSTED
    assert wire.told == [LineEvent.ADJUSTED, LineEvent.RECONCILED]


def test_the_second_order_of_a_ticket_that_its_executions_have_filled_is_asked_for_and_cancelled(wire: Wire) -> None:
    line, ref = wire.line(), wire.scene.send(quantity=1)
    second = says(Word.WORKING, perm_id=9002, client_id=71)
    line.open()
    wire.heard = [says(Word.WORKING, client_id=71), second]
    line.hear(0.0)
    asked, wire.positions = wire.asked, {APRIL: 1}
    wire.heard, wire.executions = [fill(1)], [fill(1)]
    wire.open_orders, wire.ended = [second], [says(Word.FILLED, 1)]
    line.mind(1.0, frozenset({ref}))
    assert wire.asked > asked
    assert wire.cancelled[0] == second
    wire.open_orders, wire.ended = [], [says(Word.FILLED, 1), says(Word.CANCELLED, perm_id=9002)]
    line.mind(5.0, frozenset({ref}))
    asked = wire.asked
    line.mind(60.0, frozenset({ref}))
    assert wire.asked == asked
    assert wire.scene.ticket(ref).progress.state is TicketState.FILLED


def test_silence_that_lasts_is_asked_into_once_each_time_and_says_why(wire: Wire) -> None:
    line = wire.line()
    wire.silent = True
    line.open()
    assert (wire.asked, line.silence) == (MOST_QUESTIONS, "no answer")
    for _ in range(5):
        asked = wire.asked
        line.mind(1.0)
        line.mind(4.0)
        assert wire.asked == asked + 1
    wire.silent = False
    line.mind(5.0)
    assert (line.agreed, line.silence) == (True, "")


def test_what_is_in_question_is_waited_for_and_not_for_ever(wire: Wire) -> None:
    line, ref = wire.line(), wire.scene.send()
    wire.heard = [says(Word.WORKING)]
    line.hear(0.0)
    began = wire.now
    assert line.settle(timedelta(seconds=5)).code is AGREED
    assert wire.now - began >= timedelta(seconds=5)
    assert wire.scene.ticket(ref).progress.state is TicketState.UNKNOWN
    line.settle(timedelta(seconds=15))
    assert wire.scene.ticket(ref).progress.state is TicketState.ABSENT
    asked = wire.asked
    line.settle(timedelta(seconds=15))
    assert wire.asked == asked + 1


def test_an_execution_that_never_comes_holds_an_adjustment_up_and_not_for_ever(wire: Wire) -> None:
    line, ref = wire.line(), wire.scene.send(quantity=1)
    wire.positions, wire.ended = {APRIL: 1}, [says(Word.FILLED, 1)]
    began = wire.now
    assert line.open().code is DIFFERENT
    assert wire.scene.ticket(ref).progress.state is TicketState.FILLED
    while not line.agreed:
        line.mind(1.0)
    assert ABSENCE <= wire.now - began <= 2 * ABSENCE
    assert dict(wire.scene.journal.positions) == {APRIL: 1}
    assert wire.told.count(LineEvent.ADJUSTED) == 1


def test_an_end_that_cannot_be_asked_for_is_told(wire: Wire) -> None:
    line = wire.line()
    wire.refuses = True
    line.cancel(says(Word.WORKING))
    assert wire.told == [LineEvent.CANCELLED_STRANGER, LineEvent.NOT_CANCELLED]


def test_without_an_answer_or_a_link_the_line_stands_on_nothing(wire: Wire) -> None:
    line = wire.line()
    wire.silent = True
    assert line.open() is NOTHING
    assert set(wire.told) == {LineEvent.NO_ANSWER}
    wire.silent, wire.link, asked = False, LinkState.DEGRADED, wire.asked
    assert line.reconcile() is NOTHING
    line.mind(10.0)
    assert wire.asked == asked
