"""Interactive Brokers through a terminal or gateway: the port's calls outside, one loop and one client inside.

The caller blocks and the client lives on a thread of its own. A connection is a session; the inbox, the quotes and the
allocator of order ids outlive it, so that nothing that was heard is lost with it and no id is given twice.
"""

import contextlib
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any, TypeVar

from hydra_assets.clock import now as wall_clock
from hydra_assets.markets.model import MarketSpec
from hydra_exec.broker.ib.contracts import Directory, Listing, ListingError
from hydra_exec.broker.ib.guard import Permit, check_login, check_name, port_of
from hydra_exec.broker.ib.hearing import Hearing
from hydra_exec.broker.ib.inbox import Inbox
from hydra_exec.broker.ib.loop import LoopThread
from hydra_exec.broker.ib.order_ids import OrderIds
from hydra_exec.broker.ib.questions import UnansweredError
from hydra_exec.broker.ib.quotes import Quotes
from hydra_exec.broker.ib.session import Session
from hydra_exec.broker.ib.snapshot import RestlessError, take
from hydra_exec.broker.ib.words import NotWholeError
from hydra_exec.broker.port import (
    BrokerError,
    BrokerKind,
    Link,
    LinkState,
    Message,
    NoAnswerError,
    NotSentError,
    OrderReport,
    Quote,
    Snapshot,
    Ticket,
)
from hydra_exec.config import TradingConfig

T = TypeVar("T")

QUESTIONS = 24
"""Timeouts that the longest conversation may take before its caller is let go."""


class IBBroker:
    """``Broker`` of one account at Interactive Brokers.

    Parameters
    ----------
    config
        Account, mode and where the terminal listens.
    markets
        Those that may be traded; each needs its terms under ``ib``.
    next_generation
        Called once for each connection that comes about: a number that was never given before.
    order_id_floor
        The highest order id on record for this account, 0 where there is none.
    permit
        Asked for the account at each connection in mode live; without one, live is refused.
    clock
        The instant that it is, UTC.
    pace
        Lets so many seconds pass, where something other than the wall clock moves the terminal.
    throttle
        Whether the client holds itself to the terminal's limit of messages a second.
    """

    def __init__(
        self,
        config: TradingConfig,
        markets: Sequence[MarketSpec],
        *,
        next_generation: Callable[[], int],
        order_id_floor: Callable[[], int],
        permit: Permit | None = None,
        clock: Callable[[], datetime] = wall_clock,
        pace: Callable[[float], None] | None = None,
        throttle: bool = True,
    ) -> None:
        self._config = config
        self._markets = tuple(market for market in markets if market.ib is not None)
        self._next_generation, self._order_id_floor = next_generation, order_id_floor
        self._permit = permit
        self._clock, self._pace, self._throttle = clock, pace, throttle
        self._inbox = Inbox()
        self._quotes = Quotes(clock)
        self._ids = OrderIds()
        self._loop: LoopThread | None = None
        self._session: Session | None = None
        self._generation = 0

    @property
    def kind(self) -> BrokerKind:
        """Which adapter."""
        return BrokerKind.IB

    @property
    def account(self) -> str:
        """The account's name at the broker."""
        return self._config.account

    def now(self) -> datetime:
        """The instant that it is (UTC)."""
        return self._clock()

    def connect(self) -> Link:
        """Open a connection, or keep the one there is.

        Raises
        ------
        RefusedError
            The account must not be traded on, or the client id is taken.
        BrokerError
            Nobody answers, or not to the end.
        """
        if self._alive():
            return self.link()
        self._leave("the connection was lost")
        port = port_of(self._config)
        check_name(self._config)
        session = self._call(self._new_session)
        try:
            self._begin(session, port)
        except BaseException:
            self._run(session.close("not connected"))
            self._stop()
            raise
        self._session = session
        self._resubscribe()
        return self.link()

    def close(self) -> None:
        """Let go of the connection and of the thread. Orders stay as they are."""
        self._leave("closed by us")
        self._stop()

    def link(self) -> Link:
        """How the connection stands."""
        if self._session is None:
            return Link(LinkState.DOWN, self._generation, self._quotes.live)
        hearing = self._session.hearing
        return Link(hearing.state, self._generation, self._quotes.live, self._session.questions.in_doubt)

    def snapshot(self) -> Snapshot:
        """Ask for everything.

        Raises
        ------
        NoAnswerError
            Some of it was not answered to its end, or is of a month that we do not know. Where a question without a
            number never ended, the connection is given up: its End would be taken for that of the next.
        """
        session = self._alive()
        if session is None:
            msg = "there is no connection to ask on"
            raise NoAnswerError(msg)
        try:
            return self._run(take(session, self.account, self._clock))
        except (UnansweredError, RestlessError, NotWholeError, BrokerError, ConnectionError, TimeoutError) as error:
            if session.questions.in_doubt:
                self._leave(session.questions.in_doubt)
            msg = f"no full answer: {error or type(error).__name__}"
            raise NoAnswerError(msg) from error

    def place(self, ticket: Ticket) -> int:
        """Hand a new order to the wire; gives its id on this connection."""
        session, where = self._ready(ticket)
        return self._call(lambda: session.place(ticket, where, self.account, self._ids))

    def amend(self, ticket: Ticket) -> None:
        """Hand another limit for a ticket of this connection to the wire."""
        session, where = self._ready(ticket)
        self._call(lambda: session.amend(ticket, where, self.account))

    def cancel(self, report: OrderReport) -> None:
        """Ask for the end of an order, as the broker last reported it."""
        session = self._connected()
        self._call(lambda: session.cancel(report, self._config.ib.client_id))

    def quote(self, contract: str) -> Quote | None:
        """The touch as last heard; subscribes where nobody listens. BrokerError where the contract is not listed."""
        if self._alive():
            self._directory().find(contract)
            if self._quotes.due(contract):
                self._listen(contract)
        return self._quotes.of(contract)

    def wait(self, seconds: float) -> Sequence[Message]:
        """Let time pass, no longer than until something is heard; what was heard, in order."""
        if heard := self._inbox.take():
            return heard
        heard = self._inbox.take(seconds) if self._pace is None else self._paced(self._pace, seconds)
        self._resubscribe()
        return heard

    def _paced(self, pace: Callable[[float], None], seconds: float) -> Sequence[Message]:
        """What is on its way is heard before any time passes; only where there is nothing, time does."""
        self.settle()
        heard = self._inbox.take()
        if not heard and seconds > 0.0:
            pace(seconds)
            self.settle()
            heard = self._inbox.take()
        return heard

    def settle(self) -> bool:
        """Wait until everything that the terminal has said so far was heard; whether it answered at all."""
        session = self._alive()
        return session is not None and self._run(session.settle())

    def tick(self, contract: str, price: float) -> float:
        """Price increment of a contract at a price, by the broker's rule; BrokerError where it is not listed."""
        return self._directory().find(contract).tick(price)

    def details(self, contract: str) -> Listing:
        """What the broker says of a contract; BrokerError where it is not listed."""
        return self._directory().find(contract)

    def _stop(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            self._loop = None

    def _thread(self) -> LoopThread:
        if self._loop is None:
            self._loop = LoopThread(f"broker {self.account}")
        return self._loop

    @property
    def _limit_s(self) -> float:
        return self._config.ib.timeout_seconds * QUESTIONS

    def _new_session(self) -> Session:
        ib = self._config.ib
        hearing = Hearing(self.account, ib.client_id, self._clock, self._inbox.put)
        return Session(hearing, self._quotes, ib.timeout_seconds, ib.restart_timezone, throttle=self._throttle)

    def _begin(self, session: Session, port: int) -> None:
        ib = self._config.ib
        login = self._run(session.open(ib.host, port, ib.client_id))
        check_login(self._config, login.accounts, self._permit)
        try:
            directory = self._run(session.contracts(self._markets))
        except (UnansweredError, NotSentError) as error:
            msg = f"the terminal at {ib.host}:{port} does not tell its contracts: {error}"
            raise BrokerError(msg) from error
        self._generation = self._next_generation()
        self._ids.raise_to(login.next_order_id, self._order_id_floor())
        where = f"{ib.host}:{port}, client {ib.client_id}"
        self._call(lambda: session.hearing.begin(self._generation, directory, where))

    def _leave(self, text: str) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._run(session.close(text))

    def _resubscribe(self) -> None:
        for contract in self._quotes.wanted() if self._alive() else ():
            if self._quotes.due(contract):
                self._listen(contract)

    def _listen(self, contract: str) -> None:
        # That nobody listens is told by the quote, which is not live; and a lost connection is told by itself.
        with contextlib.suppress(ListingError, NotSentError):
            session = self._connected()
            where = session.hearing.directory.find(contract)
            self._call(lambda: session.listen(where))

    def _alive(self) -> Session | None:
        return None if self.link().state is LinkState.DOWN else self._session

    def _directory(self) -> Directory:
        if self._session is None:
            msg = "there is no connection: contracts are known once there is one"
            raise BrokerError(msg)
        return self._session.hearing.directory

    def _connected(self) -> Session:
        if self._session is None:
            msg = "there is no connection to the terminal"
            raise NotSentError(msg)
        return self._session

    def _ready(self, ticket: Ticket) -> tuple[Session, Listing]:
        session = self._connected()
        try:
            where = session.hearing.directory.find(ticket.contract)
        except ListingError as error:
            raise NotSentError(str(error)) from error
        if ticket.quantity <= 0:
            msg = f"ticket {ticket.wire_ref} is for {ticket.quantity} contracts"
            raise NotSentError(msg)
        return session, where

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._thread().run(work, self._limit_s)

    def _call(self, function: Callable[[], T]) -> T:
        return self._thread().call(function, self._limit_s)
