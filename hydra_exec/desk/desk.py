"""Work a session's orders to their end: ask the order manager, do what it says through the gate, hear what comes of it.

Nothing outlives the desk but by a crash: before it leaves, every ticket has been asked to end, and the broker's full
answer has been compared with the journal.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from hydra_assets.state.records import OrderStatus
from hydra_exec.broker.port import BrokerError, LinkState, OrderReport, Quote, Ticket, Word
from hydra_exec.config import PatienceConfig
from hydra_exec.desk.line import Line
from hydra_exec.journal.records import Algo, Order, TicketRecord
from hydra_exec.manager import (
    Action,
    Amend,
    Cancel,
    CancelReason,
    Finish,
    FinishCode,
    Place,
    TicketView,
    Window,
    Work,
    next_actions,
)
from hydra_exec.risk_gate.codes import GateCode
from hydra_exec.risk_gate.facts import Exposure

AT_ONCE = {"open_share": 0.0, "step_share": 0.001, "cross_share": 0.001}
"""Patience of an order that has to leave: across the spread from the first moment."""

END_SECONDS = 15.0
"""How long the ends of what still lives are waited for: longer than it takes to know that a ticket is absent."""


class WorkOutcome(StrEnum):
    """How a session's work ended."""

    CLEAN = "clean"
    RECOVERED = "recovered"
    """The connection was lost, or journal and broker differed, and at the end they agree."""
    UNRECOVERABLE = "unrecoverable"
    """At the end journal and broker do not agree, or something may still fill."""
    NOTHING_TO_DO = "nothing_to_do"


@dataclass(slots=True)
class Job:
    """An order that is worked."""

    order: Order
    work: Work
    patience: PatienceConfig
    denied: GateCode | None = None
    """What the gate said last."""


@dataclass(frozen=True, slots=True)
class SessionWork:
    """What came of a session: how it ended, and each order's end."""

    outcome: WorkOutcome
    ends: Mapping[str, FinishCode] = field(default_factory=dict)


class Desk:
    """Works orders on one line.

    ``tick_seconds`` is how long it listens before it looks at the orders again; ``keep_going`` is asked at each look,
    and where it says no everything is taken back. ``closed_to_risk`` says that the system's state takes no risk: then
    what lives of an order that would add some is taken back.
    """

    def __init__(
        self,
        line: Line,
        patience: PatienceConfig,
        tick_seconds: float = 1.0,
        end_seconds: float = END_SECONDS,
        keep_going: Callable[[], bool] = lambda: True,
        closed_to_risk: Callable[[], bool] = lambda: False,
    ) -> None:
        self._line, self._patience = line, patience
        self._tick, self._grace = tick_seconds, timedelta(seconds=end_seconds)
        self._keep_going, self._closed_to_risk = keep_going, closed_to_risk
        self._jobs: dict[str, Job] = {}

    def work(self, orders: Sequence[tuple[Order, Work]]) -> SessionWork:
        """Work orders until each is finished or its window is over; then see that nothing is left at the broker.

        BrokerError where it cannot go on; what lives has then been asked to end, as far as anybody listens.
        """
        line = self._line
        before = line.interruptions
        self._jobs = {order.order_ref: Job(order, work, self._patience_of(order)) for order, work in orders}
        for order in self._jobs:
            line.journal.tickets_of(order)
        ends: dict[str, FinishCode] = {}
        last = max((work.window.closes_at for _, work in orders), default=line.broker.now()) + self._grace
        try:
            # An order may fill while the connection is lost: then there is still an answer to be waited for.
            while (self._jobs or not line.agreed) and line.broker.now() < last and self._keep_going():
                ends |= self._look()
                if self._jobs or not line.agreed:
                    line.mind(self._tick, self._managed())
        except BrokerError:
            # The orders themselves stay open: who mends what went wrong has them worked on.
            with contextlib.suppress(BrokerError):
                self._take_back()
            raise
        ends |= self._leave()
        left = [ticket for ticket in line.journal.live() if ticket.order_ref in ends]
        if left or not line.agreed:
            return SessionWork(WorkOutcome.UNRECOVERABLE, ends)
        return SessionWork(WorkOutcome.RECOVERED if line.interruptions > before else WorkOutcome.CLEAN, ends)

    def _patience_of(self, order: Order) -> PatienceConfig:
        return self._patience.model_copy(update=AT_ONCE) if order.algo is Algo.AT_ONCE else self._patience

    def _managed(self) -> frozenset[str]:
        at_hand = self._line.journal.tickets_at_hand
        return frozenset(ticket.wire_ref for order in self._jobs for ticket in at_hand(order))

    def _look(self) -> dict[str, FinishCode]:
        """Ask the manager of every order once and do what it says; the orders that have finished."""
        ends = {}
        closed = self._closed_to_risk()
        for name, job in list(self._jobs.items()):
            for action in self._actions(job, closed=closed):
                if isinstance(action, Finish):
                    ends[name] = action.code
                    self._finish(job, action.code)
                else:
                    self._do(job, action)
        return ends

    def _actions(self, job: Job, *, closed: bool) -> list[Action]:
        line = self._line
        now, quote = line.broker.now(), self._quote(job.order.contract)
        degraded = line.broker.link().state is not LinkState.UP or not line.agreed
        views = [_view(ticket, now) for ticket in line.journal.tickets_at_hand(job.order.order_ref)]
        adds = closed and not self._reduces(job.order, sum(view.filled for view in views))
        return next_actions(job.work, views, quote, now, job.patience, degraded, adds)

    def _quote(self, contract: str) -> Quote | None:
        """The touch; none of a contract that the broker does not list, so that the others are worked all the same."""
        try:
            return self._line.broker.quote(contract)
        except BrokerError:
            return None

    def _reduces(self, order: Order, filled: int) -> bool:
        held = self._line.journal.positions.get(order.contract, 0)
        return Exposure(held).reduces(order.side, order.quantity - filled)

    def _do(self, job: Job, action: Action) -> None:
        line = self._line
        match action:
            case Place(number, quantity, limit_price):
                quote = self._quote(job.order.contract)
                mid = quote.mid if quote is not None else None
                ticket = line.journal.plan(job.order, number, quantity, limit_price, mid)
                verdict = line.broker.send(ticket)
                job.denied = None if verdict.passed else verdict.code
            case Amend(wire_ref, limit_price):
                known = line.journal.book.tickets[wire_ref]
                ticket = Ticket(wire_ref, known.contract, known.side, known.progress.quantity, limit_price)
                verdict = line.broker.amend(ticket)
                if verdict.passed:
                    line.journal.amended(ticket, line.broker.now())
                elif verdict.code is GateCode.NOT_ON_RECORD:
                    # Of an earlier connection: it can be ended and not amended, and another takes its place.
                    self._do(job, Cancel(wire_ref, CancelReason.DEGRADED))
                job.denied = None if verdict.passed else verdict.code
            case Cancel(wire_ref):
                line.journal.cancel_asked(wire_ref)
                verdict = line.broker.cancel(report_of(line.journal.book.tickets[wire_ref], line.broker.now()))
                job.denied = job.denied if verdict.passed else verdict.code
            case Finish():
                pass

    def _finish(self, job: Job, code: FinishCode) -> None:
        reason = f"{code}: {job.denied}" if job.denied is not None and code is not FinishCode.FILLED else str(code)
        self._line.journal.end_order(job.order.order_ref, OrderStatus.DONE, reason)
        self._jobs.pop(job.order.order_ref, None)

    def _take_back(self) -> None:
        """Ask for the end of what still lives, and hear the answers out."""
        line = self._line
        until = line.broker.now() + self._grace
        asked: dict[str, datetime] = {}
        while tickets := [ticket for ticket in line.journal.live() if ticket.order_ref in self._jobs]:
            now = line.broker.now()
            for ticket in tickets:
                # An answer that settles nothing must not be asked for again at once: time would stand still.
                if ticket.wire_ref not in asked or now - asked[ticket.wire_ref] >= timedelta(seconds=self._tick):
                    asked[ticket.wire_ref] = now
                    line.cancel(report_of(ticket, now))
            line.mind(self._tick, self._managed())
            if line.broker.now() >= until:
                break
        line.hear(0.0)

    def _leave(self) -> dict[str, FinishCode]:
        """End what still lives, and compare with the broker a last time."""
        line = self._line
        self._take_back()
        line.reconcile()
        if any(ticket.order_ref in self._jobs and not ticket.acknowledged for ticket in line.journal.live()):
            line.renew()
        ends = {}
        for name, job in list(self._jobs.items()):
            filled = sum(t.progress.filled for t in line.journal.tickets_at_hand(name))
            done = filled >= job.order.quantity
            code = FinishCode.FILLED if done else FinishCode.PARTLY_FILLED if filled else FinishCode.UNFILLED
            ends[name] = code
            self._finish(job, code)
        return ends


def report_of(ticket: TicketRecord, at: datetime) -> OrderReport:
    """A ticket as the broker would report it, to ask for its end."""
    return OrderReport(
        word=Word.WORKING,
        filled=ticket.progress.filled,
        at=at,
        wire_ref=ticket.wire_ref,
        order_id=ticket.order_id,
        generation=ticket.generation,
        contract=ticket.contract,
        side=ticket.side,
        quantity=ticket.progress.quantity,
        limit_price=ticket.limit_price,
    )


def _view(ticket: TicketRecord, now: datetime) -> TicketView:
    return TicketView(
        wire_ref=ticket.wire_ref,
        number=ticket.part,
        quantity=ticket.progress.quantity,
        limit_price=ticket.limit_price,
        state=ticket.progress.state,
        filled=ticket.progress.filled,
        priced_at=ticket.priced_at or ticket.sent_at or now,
    )


__all__ = ["Desk", "SessionWork", "Window", "WorkOutcome", "report_of"]
