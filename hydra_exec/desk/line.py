"""The line to the broker: what is heard goes into the journal, and nothing is sent before the two agree."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from hydra_exec.broker.port import (
    ExecutionReport,
    LinkState,
    Message,
    NoAnswerError,
    Notice,
    NoticeKind,
    OrderReport,
    Word,
)
from hydra_exec.connection.keeper import UNSETTLING, ConnectionKeeper, KeeperCode
from hydra_exec.journal.compare import ReconcileCode
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.reconcile import Reconciler, Reconciliation
from hydra_exec.journal.records import Applied, TicketRecord
from hydra_exec.risk_gate.gate import GuardedBroker

ASKING = frozenset(
    {
        NoticeKind.CONNECTED,
        NoticeKind.LINK_RESTORED,
        NoticeKind.LINK_RESTORED_DATA_LOST,
        NoticeKind.UNKNOWN_CODE,
        NoticeKind.DUPLICATE_ORDER_ID,
    }
)
"""Notices after which the broker is asked for everything."""
PAUSE_SECONDS = 0.3
"""Between two questions, so that what is on its way arrives."""
MOST_QUESTIONS = 8
"""Together longer than a difference has to last before it is adjusted."""
ASK_AGAIN = timedelta(seconds=5)
DIFFERENT_AGAIN = timedelta(seconds=2)
"""Where journal and broker differ."""


class LineEvent(StrEnum):
    """What happened to the line, for whoever keeps a log."""

    LOST = "lost"
    RECONCILED = "reconciled"
    DIFFERENT = "different"
    ADJUSTED = "adjusted"
    NO_ANSWER = "no_answer"
    CANCELLED_STRANGER = "cancelled_stranger"
    NOT_CANCELLED = "not_cancelled"
    """The end of an order could not be asked for: a person has to, in the terminal."""


Teller = Callable[[LineEvent, str], None]
NOTHING = Reconciliation(ReconcileCode.NO_ANSWER, {})
NEVER = datetime.min.replace(tzinfo=UTC)


class Line:
    """One account's connection, journal and reconciler.

    Without a ``keeper`` the connection is one that is never lost.
    """

    def __init__(
        self,
        broker: GuardedBroker,
        journal: Journal,
        reconciler: Reconciler,
        keeper: ConnectionKeeper | None = None,
        tell: Teller | None = None,
    ) -> None:
        self.broker, self.journal = broker, journal
        self._reconciler, self._keeper = reconciler, keeper
        self._tell = tell or (lambda _event, _detail: None)
        self._asked: tuple[datetime, frozenset[TicketRecord]] | None = None
        self._calls: set[Message] = set()
        """What was heard since the last question and calls for one."""
        self.standing = NOTHING
        self.silence = ""
        """Why the last question had no full answer; empty where it had one."""
        self.interruptions = 0

    @property
    def agreed(self) -> bool:
        """Whether the journal is what the broker says, as of the last full answer on this connection."""
        return self.standing.agreed

    def open(self) -> Reconciliation:
        """Connect and reconcile; BrokerError where there is no connection to be had."""
        self.broker.connect()
        self.hear(0.0)
        return self.reconcile()

    def hear(self, seconds: float) -> Sequence[Message]:
        """Let time pass and take what is heard into the journal, whatever the state of the connection."""
        messages = self.broker.wait(seconds)
        self._calls.update(self._calls_for_questions(messages, self.journal.take(messages)))
        if self._keeper is not None:
            self._keeper.hear(messages)
        if self.standing is not NOTHING and _unsettled_by(messages):
            self.standing = NOTHING
            self.interruptions += 1
            self._tell(LineEvent.LOST, self.broker.link().detail)
        return messages

    def mind(self, seconds: float, managed: frozenset[str] = frozenset()) -> None:
        """Hear; and where what was heard, or a dead connection, calls for it, connect again and reconcile.

        ``managed`` are the tickets that somebody works now. RefusedError where the account must not be traded on.
        """
        self.hear(seconds)
        if self._keeper is not None and self._keeper.step().code is KeeperCode.CONNECT:
            self.hear(0.0)
        if self.broker.link().state is not LinkState.UP:
            return
        if self._calls or self._open_questions():
            # What went on through a whole round of questions takes time, and not another round.
            lasts = (self.silence or self.standing.code is ReconcileCode.DIFFERENT) and not self._calls
            self.reconcile(managed, 1 if lasts else MOST_QUESTIONS)

    def settle(self, within: timedelta) -> Reconciliation:
        """Reconcile, and let time pass until nothing is in question any more, no longer than so much."""
        self.reconcile()
        until = self.broker.now() + within
        while (not self.agreed or self._unsettled()) and self.broker.now() < until:
            self.mind(1.0)
        return self.standing

    def _calls_for_questions(self, messages: Sequence[Message], found: Sequence[Applied]) -> Iterator[Message]:
        """Messages that only a full answer can settle, without their instants: said again they are the same.

        An execution in a contract with an adjustment is what the adjustment stood for, told late.
        """
        for message, applied in zip(messages, found, strict=True):
            match message:
                case Notice(kind=kind) if kind in ASKING:
                    yield replace(message, at=NEVER)
                case OrderReport(word=Word.UNCLEAR):
                    yield replace(message, at=NEVER)
                case ExecutionReport() if applied.fill and self.journal.book.adjusted(applied.fill.contract):
                    yield message
                case _:
                    pass

    def _open_questions(self) -> bool:
        """Whether a full answer may settle something: an unknown ticket, a fill that no execution told of.

        What the last answer did not settle is asked again, but not at every look.
        """
        open_ones = self._unsettled()
        if self.agreed and not open_ones:
            return False
        if self._asked is None or open_ones - self._asked[1]:
            return True
        again = DIFFERENT_AGAIN if self.standing.code is ReconcileCode.DIFFERENT else ASK_AGAIN
        return self.broker.now() - self._asked[0] >= again

    def _unsettled(self) -> frozenset[TicketRecord]:
        book = self.journal.book
        return frozenset(
            ticket
            for ticket in book.tickets.values()
            if ticket.unknown or ticket.progress.unexplained or (not ticket.live and book.open_ends(ticket.wire_ref))
        )

    def reconcile(self, managed: frozenset[str] = frozenset(), questions: int = MOST_QUESTIONS) -> Reconciliation:
        """Ask for everything until journal and broker agree, nobody's orders are gone and nothing is unknown.

        What is heard while an answer comes may be newer than the answer: where it calls for a question, that is asked
        too, and where it is a break, the answer is one of before. What every answer says again is no news.

        What cannot be settled so stays as it is: ``standing`` says so, and nothing that adds risk is sent.
        """
        answered: set[Message] = set()
        for question in range(questions):
            if question:
                self.hear(PAUSE_SECONDS)
            self._calls.clear()
            if self.broker.link().state is not LinkState.UP:
                self.standing = NOTHING
                return self.standing
            try:
                snapshot = self.broker.snapshot()
            except NoAnswerError as error:
                self.standing, self.silence = NOTHING, str(error) or "no answer"
                self._asked = self.broker.now(), self._unsettled()
                self._tell(LineEvent.NO_ANSWER, str(error))
                continue
            self.silence = ""
            if _unsettled_by(self.hear(0.0)):
                self.standing = NOTHING
                continue
            self._calls, answered = self._calls - answered, answered | self._calls
            self.standing = self._reconciler.take(snapshot, managed)
            for report in self.standing.strangers:
                self.cancel(report)
            if self.standing.code is ReconcileCode.ADJUSTED:
                self._tell(LineEvent.ADJUSTED, str(dict(self.standing.differences)))
            self._asked = self.broker.now(), self._unsettled()
            if self.standing.agreed and not self.standing.strangers and not self._calls:
                if self._keeper is not None:
                    self._keeper.reconciled()
                self._tell(LineEvent.RECONCILED, "")
                return self.standing
        if self.standing is not NOTHING:
            self._tell(LineEvent.DIFFERENT, str(dict(self.standing.differences)))
        return self.standing

    def renew(self) -> None:
        """Connect anew and reconcile: only a later connection can tell that something never arrived."""
        if self._keeper is not None and self.broker.link().state is LinkState.UP:
            self.broker.close()
            self.mind(0.0)

    def cancel(self, report: OrderReport) -> None:
        """Ask for an order's end, on record first."""
        if report.wire_ref:
            self.journal.cancel_asked(report.wire_ref)
        self._tell(LineEvent.CANCELLED_STRANGER, report.wire_ref or str(report.perm_id))
        verdict = self.broker.cancel(report)
        if not verdict.passed:
            self._tell(LineEvent.NOT_CANCELLED, verdict.message)


def _unsettled_by(messages: Sequence[Message]) -> bool:
    return any(isinstance(m, Notice) and m.kind in UNSETTLING for m in messages)
