"""The gate: it holds the broker, and whoever trades holds the gate.

``guard`` gives back what a desk needs and nothing that leads to the broker: no attribute, no ``__dict__``, no slot and
no bound method of it. The broker lives in the cells of functions. That keeps honest code honest: no slip, no helpful
``gate.broker.place`` gets past the checks, and tests and the import contract see to it. Python does not keep out code
that wants to get in: a function's ``__closure__``, the frames of a traceback and the garbage collector all lead there.

A send is: look, check, write ahead, hand over, note down. The order of the last three is the point. A process that dies
between them leaves a ticket on record as sent that the broker may or may not know, never one that it alone knows.

One thread uses a gate. Instructions are counted since the gate was made: a process that starts again begins anew.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from hydra_exec.broker.port import (
    Broker,
    BrokerKind,
    Link,
    Message,
    NotSentError,
    OrderReport,
    Quote,
    Snapshot,
    Ticket,
)
from hydra_exec.risk_gate.book import Book
from hydra_exec.risk_gate.codes import GateCode, Verdict
from hydra_exec.risk_gate.decide import PASSED
from hydra_exec.risk_gate.facts import BookView, Exposure, GateRules, Moment, WireSituation
from hydra_exec.risk_gate.wire import Handed, Request, Step, may_cancel, may_send

_P = ParamSpec("_P")
_R = TypeVar("_R")

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class GuardedBroker:
    """A broker behind the gate: all but the last three do as the broker's own of that name.

    ``send`` and ``amend`` never raise for what the broker does: what became of it is their verdict. PASSED says that it
    was handed over, NOT_SENT that it has certainly not left, UNCLEAR that nobody can tell, any other code that the
    broker was not asked. What the book raises comes through; before ``Book.sending`` has returned nothing was sent.
    """

    kind: BrokerKind
    account: str
    now: Callable[[], datetime]
    connect: Callable[[], Link]
    close: Callable[[], None]
    link: Callable[[], Link]
    snapshot: Callable[[], Snapshot]
    quote: Callable[[str], Quote | None]
    wait: Callable[[float], Sequence[Message]]
    send: Callable[[Ticket], Verdict]
    """Hand a ticket that is on record to the wire."""
    amend: Callable[[Ticket], Verdict]
    """Hand another limit for a ticket to the wire that this gate has sent."""
    cancel: Callable[[OrderReport], Verdict]
    """Ask for the end of an order; the book is not told, the desk does that first."""


class _Rate:
    """Instants at which something was handed over."""

    def __init__(self) -> None:
        self._instants: deque[datetime] = deque()

    def note(self, at: datetime) -> None:
        while self._instants and self._instants[0] <= at - timedelta(days=1):
            self._instants.popleft()
        self._instants.append(at)

    def since(self, start: datetime) -> int:
        """Instructions from an instant on."""
        return sum(instant >= start for instant in self._instants)


def _detached(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """Wrap a bound method, which would lead to its object by ``__self__``."""

    def call(*arguments: _P.args, **named: _P.kwargs) -> _R:
        return method(*arguments, **named)

    return call


def guard(broker: Broker, rules: GateRules, book: Book, situation: Callable[[str], WireSituation]) -> GuardedBroker:
    """Put a broker behind the gate.

    Parameters
    ----------
    broker
        Kept where nothing but the gate's own functions reaches it.
    rules
        Bounds on the rate of instructions.
    book
        The journal: asked before each send, and told before and after it.
    situation
        What holds of a market, asked anew for each send.
    """
    rate = _Rate()
    handed: dict[str, Handed] = {}

    def judge(step: Step, ticket: Ticket) -> tuple[Verdict, datetime, int]:
        at, link, order = broker.now(), broker.link(), book.order_of(ticket.wire_ref)
        if order is None:
            return Verdict(GateCode.NOT_ON_RECORD, f"{ticket.wire_ref} is not on record"), at, link.generation
        wire = situation(order.market)
        buys, sells = book.working(ticket.contract)
        view = BookView(
            state=book.state_of(ticket.wire_ref),
            exposure=Exposure(book.held(ticket.contract), buys, sells),
            unknown=book.unknown(order.market),
        )
        moment = Moment(
            at=at,
            link=link,
            quote=broker.quote(ticket.contract),
            sent_last_minute=rate.since(at - MINUTE),
            sent_this_session=0 if wire.opens_at is None else rate.since(wire.opens_at),
        )
        request = Request(step, ticket, order, handed.get(ticket.wire_ref), view)
        return may_send(request, wire, rules, moment), at, link.generation

    def send(ticket: Ticket) -> Verdict:
        verdict, at, generation = judge(Step.SEND, ticket)
        if not verdict.passed:
            return verdict
        book.sending(ticket, at)
        rate.note(at)
        handed[ticket.wire_ref] = Handed(ticket, generation)
        try:
            order_id = broker.place(ticket)
        except NotSentError as error:
            book.not_sent(ticket.wire_ref)
            return Verdict(GateCode.NOT_SENT, str(error))
        except Exception as error:
            book.unclear(ticket.wire_ref)
            return Verdict(GateCode.UNCLEAR, repr(error))
        book.sent(ticket.wire_ref, order_id, generation)
        return PASSED

    def amend(ticket: Ticket) -> Verdict:
        verdict, at, generation = judge(Step.AMEND, ticket)
        if not verdict.passed:
            return verdict
        rate.note(at)
        try:
            broker.amend(ticket)
        except NotSentError as error:
            # The ticket itself lives on as it was: nothing to tell the book.
            return Verdict(GateCode.NOT_SENT, str(error))
        except Exception as error:
            book.unclear(ticket.wire_ref)
            return Verdict(GateCode.UNCLEAR, repr(error))
        handed[ticket.wire_ref] = Handed(ticket, generation)
        return PASSED

    def cancel(report: OrderReport) -> Verdict:
        verdict = may_cancel(broker.link())
        if not verdict.passed:
            return verdict
        try:
            broker.cancel(report)
        except NotSentError as error:
            return Verdict(GateCode.NOT_SENT, str(error))
        except Exception as error:
            return Verdict(GateCode.UNCLEAR, repr(error))
        return PASSED

    return GuardedBroker(
        kind=broker.kind,
        account=broker.account,
        now=_detached(broker.now),
        connect=_detached(broker.connect),
        close=_detached(broker.close),
        link=_detached(broker.link),
        snapshot=_detached(broker.snapshot),
        quote=_detached(broker.quote),
        wait=_detached(broker.wait),
        send=send,
        amend=amend,
        cancel=cancel,
    )
