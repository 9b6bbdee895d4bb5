"""The line to the broker: what is heard goes into the journal, and nothing is sent before the two agree."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from hydra_exec.broker.port import LinkState, Message, NoAnswerError, Notice, NoticeKind, OrderReport, Word
from hydra_exec.connection.keeper import UNSETTLING, ConnectionKeeper, KeeperCode
from hydra_exec.journal.compare import ReconcileCode
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.reconcile import Reconciler, Reconciliation
from hydra_exec.journal.records import TicketRecord
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
PAUSE_SECONDS = 0.2
"""Between two questions, so that what is on its way arrives."""
MOST_QUESTIONS = 8
ASK_AGAIN = timedelta(seconds=5)


class LineEvent(StrEnum):
    """What happened to the line, for whoever keeps a log."""

    LOST = "lost"
    RECONCILED = "reconciled"
    DIFFERENT = "different"
    ADJUSTED = "adjusted"
    NO_ANSWER = "no_answer"
    CANCELLED_STRANGER = "cancelled_stranger"


Teller = Callable[[LineEvent, str], None]
NOTHING = Reconciliation(ReconcileCode.NO_ANSWER, {})


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
        self.standing = NOTHING
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
        self.journal.take(messages)
        if self._keeper is not None:
            self._keeper.hear(messages)
        if self.standing is not NOTHING and any(isinstance(m, Notice) and m.kind in UNSETTLING for m in messages):
            self.standing = NOTHING
            self.interruptions += 1
            self._tell(LineEvent.LOST, self.broker.link().detail)
        return messages

    def mind(self, seconds: float, managed: frozenset[str] = frozenset()) -> None:
        """Hear; and where what was heard, or a dead connection, calls for it, connect again and reconcile.

        ``managed`` are the tickets that somebody works now. RefusedError where the account must not be traded on.
        """
        messages = self.hear(seconds)
        if self._keeper is not None and self._keeper.step().code is KeeperCode.CONNECT:
            messages = [*messages, *self.hear(0.0)]
        if self.broker.link().state is not LinkState.UP:
            return
        if self._calls_for_questions(messages) or self._open_questions():
            self.reconcile(managed)

    def _calls_for_questions(self, messages: Sequence[Message]) -> bool:
        return any(
            (isinstance(m, Notice) and m.kind in ASKING) or (isinstance(m, OrderReport) and m.word is Word.UNCLEAR)
            for m in messages
        )

    def _open_questions(self) -> bool:
        """Whether a full answer may settle something: an unknown ticket, a fill that no execution told of.

        What the last answer did not settle is asked again, but not at every look.
        """
        open_ones = self._unsettled()
        if self.agreed and not open_ones:
            return False
        if self._asked is None or open_ones - self._asked[1]:
            return True
        return self.broker.now() - self._asked[0] >= ASK_AGAIN

    def _unsettled(self) -> frozenset[TicketRecord]:
        tickets = self.journal.book.tickets.values()
        return frozenset(ticket for ticket in tickets if ticket.unknown or ticket.progress.unexplained)

    def reconcile(self, managed: frozenset[str] = frozenset()) -> Reconciliation:
        """Ask for everything until journal and broker agree, nobody's orders are gone and nothing is unknown.

        What cannot be settled so stays as it is: ``standing`` says so, and nothing that adds risk is sent.
        """
        for question in range(MOST_QUESTIONS):
            if question:
                self.hear(PAUSE_SECONDS)
            if self.broker.link().state is not LinkState.UP:
                self.standing = NOTHING
                return self.standing
            try:
                snapshot = self.broker.snapshot()
            except NoAnswerError as error:
                self.standing = NOTHING
                self._tell(LineEvent.NO_ANSWER, str(error))
                continue
            self.hear(0.0)
            self.standing = self._reconciler.take(snapshot, managed)
            for report in self.standing.strangers:
                self.cancel(report)
            if self.standing.code is ReconcileCode.ADJUSTED:
                self._tell(LineEvent.ADJUSTED, str(dict(self.standing.differences)))
            self._asked = self.broker.now(), self._unsettled()
            if self.standing.agreed and not self.standing.strangers:
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
        self.broker.cancel(report)
