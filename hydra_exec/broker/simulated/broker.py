"""The simulated broker: ``port.Broker`` of one account, on quotes drawn from daily bars. No socket, clock or database.

Its time is virtual. ``begin`` opens a session, each ``wait`` in it lets one step pass, and after the last step its day
orders end. Whatever it accepts or fills is in its store before it is said, so that an order outlives the process that
sent it; what was not heard when a connection ended is not said again, as it is with any broker: the snapshot tells.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TypeVar

from hydra_exec.broker.port import (
    BrokerKind,
    ExecutionReport,
    FeeReport,
    Link,
    LinkState,
    Message,
    Notice,
    NoticeKind,
    NotSentError,
    OrderReport,
    Quote,
    Snapshot,
    Ticket,
)
from hydra_exec.broker.simulated.books import FIRST_PERM_ID
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.exchange import DUPLICATE, Exchange, Said
from hydra_exec.broker.simulated.log import Store
from hydra_exec.broker.simulated.outbox import Outbox
from hydra_exec.broker.simulated.path import happens
from hydra_exec.broker.simulated.tape import SessionTape

BY_CLIENT = "cancelled by the client"
NOT_FOUND = 10147
_DELAY_STREAM = 0x52E2_0000
_Stampable = TypeVar("_Stampable", bound=OrderReport | ExecutionReport | FeeReport)


class SimulatedBroker:
    """One account that trades on tapes.

    Parameters
    ----------
    tapes
        The markets' tapes of each session that may be begun. Those of a session that is under way are needed again
        after a restart, and have to be the same.
    store
        Lines of the account, from which everything is rebuilt.
    next_generation
        Gives the number of a new connection.
    last_trades
        Last trading dates by contract: what is held beyond its own is settled by the exchange, and gone.
    """

    def __init__(
        self,
        account: str,
        tapes: Mapping[date, Sequence[SessionTape]],
        store: Store,
        next_generation: Callable[[], int],
        config: SimConfig | None = None,
        last_trades: Mapping[str, date] | None = None,
    ) -> None:
        self._config = config or SimConfig()
        self._exchange = Exchange(account, tapes, store, self._config, last_trades)
        self._next_generation = next_generation
        self._outbox = Outbox()
        self._generation = 0
        self._connected = False

    @property
    def kind(self) -> BrokerKind:
        """Simulated."""
        return BrokerKind.SIMULATED

    @property
    def account(self) -> str:
        """The account's name."""
        return self._exchange.books.account

    @property
    def session(self) -> date | None:
        """The session that it is in, None before the first."""
        return self._exchange.books.session

    @property
    def finished(self) -> bool:
        """Whether all markets of the session have closed; so they have before the first one."""
        return self._exchange.finished

    def begin(self, session: date) -> None:
        """Go to the opening of a session; nothing where it is in it. BrokerError where it is in a later one.

        What is left of the session before passes first: an order that nobody manages may fill in it.
        """
        self._exchange.begin(session)
        self._hear(self._exchange.commit(flush=False))
        self._outbox.hurry()

    def now(self) -> datetime:
        """The virtual instant."""
        return self._exchange.books.now

    def connect(self) -> Link:
        """Open a connection, or keep the one there is."""
        if not self._connected:
            self._generation, self._connected, self._outbox = self._next_generation(), True, Outbox()
        return self.link()

    def close(self) -> None:
        """Let go of the connection, and of what was not heard on it."""
        self._connected = False

    def link(self) -> Link:
        """Up once connected: a simulated connection is never lost."""
        return Link(LinkState.UP if self._connected else LinkState.DOWN, self._generation)

    def snapshot(self) -> Snapshot:
        """Everything, at once; orders and executions of the session. NoAnswerError is never raised."""
        self._exchange.check()
        books = self._exchange.books
        # An order that repeated another's name never was one; its report would end the one that lives.
        own = [p for p in books.of_session if books.by_ref[books.orders[p].taken.wire_ref] == p]
        reports = {p: self._stamped(books.report(p)) for p in own}
        return Snapshot(
            account=books.account,
            generation=self._generation,
            asked_at=books.now,
            taken_at=books.now,
            positions=dict(sorted(books.positions.items())),
            open_orders=tuple(report for p, report in reports.items() if books.orders[p].live),
            executions=tuple(self._stamped(execution) for execution in books.executions),
            ended=tuple(report for p, report in reports.items() if not books.orders[p].live),
            fees=tuple(self._stamped(fee) for fee in books.fees),
        )

    def place(self, ticket: Ticket) -> int:
        """Take or refuse an order; it is on record before this returns.

        Raises
        ------
        NotSentError
            Not connected, or the limit is no number.
        """
        self._may_send(ticket.limit_price)
        perm_id = self._exchange.take(ticket)
        said = self._exchange.commit(flush=True)
        books = self._exchange.books
        if books.orders[perm_id].taken.refusal == DUPLICATE:
            # The first order of this name is not the one that was refused: how it stands is said last.
            first = books.by_ref[ticket.wire_ref]
            said = [Said(perm_id, replace(books.report(perm_id), perm_id=0)), Said(first, books.report(first))]
        self._hear(said)
        return perm_id - FIRST_PERM_ID + 1

    def amend(self, ticket: Ticket) -> None:
        """Give an order another limit; one that has ended stays as it is and says so. NotSentError as in ``place``."""
        self._may_send(ticket.limit_price)
        perm_id = self._exchange.books.by_ref.get(ticket.wire_ref)
        if perm_id is None:
            self._not_found(ticket.wire_ref)
            return
        self._exchange.amend(perm_id, ticket.limit_price)
        self._hear(self._exchange.commit(flush=False))

    def cancel(self, report: OrderReport) -> None:
        """End an order; one that has ended says how. NotSentError where it is not connected."""
        self._may_send(0.0)
        books = self._exchange.books
        perm_id = report.perm_id if report.perm_id in books.orders else books.by_ref.get(report.wire_ref)
        if perm_id is None:
            self._not_found(report.wire_ref)
            return
        self._exchange.end(perm_id, BY_CLIENT)
        self._hear(self._exchange.commit(flush=False))

    def quote(self, contract: str) -> Quote | None:
        """The touch of the step; after the close the last one there was, None where there was none."""
        return self._exchange.floor.quote(contract, self._exchange.books.now)

    def wait(self, seconds: float) -> Sequence[Message]:
        """Give what is to be heard at once; where there is nothing, let one step pass and give what that brought.

        A step is one of the session's, however long ``seconds`` are, unless they are none. Outside a session that much
        time passes and nothing happens.
        """
        heard = self._outbox.take()
        if heard or seconds <= 0.0:
            return heard
        if self._exchange.finished:
            self._exchange.idle(seconds)
        else:
            self._exchange.step()
            self._outbox.step()
        said = self._exchange.commit(flush=False)
        self._hear(said)
        if self._exchange.finished:
            self._outbox.hurry()
        return self._outbox.take()

    def _may_send(self, limit_price: float) -> None:
        if not self._connected:
            msg = "the simulated broker is not connected: connect first"
            raise NotSentError(msg)
        if not math.isfinite(limit_price):
            msg = f"{limit_price} is no limit price"
            raise NotSentError(msg)

    def _hear(self, said: Sequence[Said]) -> None:
        """What a connection hears; without one, nobody does."""
        for each in said if self._connected else ():
            wire_ref = self._exchange.books.orders[each.perm_id].taken.wire_ref
            late = happens(self._config.delay_rate, self._config.seed, wire_ref, _DELAY_STREAM)
            self._outbox.put(self._stamped(each.message), self._config.ack_delay_steps if late else 0)

    def _not_found(self, wire_ref: str) -> None:
        text = f"{NOT_FOUND} no order of this name"
        self._outbox.put(Notice(NoticeKind.INFORMATION, NOT_FOUND, text, self.now(), wire_ref), 0)

    def _stamped(self, message: _Stampable) -> _Stampable:
        return replace(message, generation=self._generation)
