"""One connection: handshake, requests in, messages out. Bytes in, actions out; it touches no socket."""

import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .answers import ANSWERS
from .answers.account import portfolio, position, send_pnl
from .answers.market import COMPETING
from .events import BrokerEvent, Commissioned, Executed, OrderChanged, OrderTold, PositionChanged, Quoted
from .frames import FrameReader, ProtocolError, split_fields, version_range
from .kinds import REQUEST_ID_AT, Ask
from .messages import executions, market, orders, session
from .messages.base import Message
from .outbox import Action, Outbox
from .records import BrokerOrder
from .script import Fail, Ignore, NextIdRegress, ResetOnRequest

if TYPE_CHECKING:
    from .terminal import Terminal

ANSWERED = frozenset(int(ask) for ask in Ask)
CLIENT_ID_IN_USE = (326, "Unable to connect as the client id is already in use. Retry with a unique client id.")
UNKNOWN_MESSAGE = (505, "Fatal Error: Unknown message id.")
FARMS = (
    (2104, "Market data farm connection is OK:usfuture"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)


class Session:
    """What one client sees."""

    def __init__(self, tws: "Terminal") -> None:
        self.tws = tws
        self.outbox = Outbox(tws.director, tws.clock)
        self.client_id = -1
        self.ready = False
        self.data_type = market.LIVE
        self.wants_positions = False
        self.wants_account = False
        self.tickers: dict[int, tuple[int, bool]] = {}
        self.pnl: set[int] = set()
        self.pnl_single: dict[int, int] = {}
        self._reader = FrameReader()
        self._greeted = False

    def receive(self, data: bytes) -> None:
        """Bytes from the client. What is no TWS protocol ends the connection, as does a version out of range."""
        try:
            for payload in self._reader.feed(data):
                if self.outbox.ended:
                    return
                if not self._greeted:
                    self._greet(payload)
                else:
                    self._request(split_fields(payload))
        except Exception as problem:
            # A loop only logs what a protocol raises, and the test would go on without noticing.
            self.tws.complaints.append("".join(traceback.format_exception(problem)))
            self.outbox.end(reset=False)

    def take(self) -> Iterator[Action]:
        """What the socket is to do now."""
        return self.outbox.take()

    def send(self, *messages: Message) -> None:
        """Messages to this client."""
        for message in messages:
            self.outbox.put(message)

    def send_order(self, order: BrokerOrder) -> None:
        """An order and its state."""
        future = self.tws.broker.catalogue[order.con_id]
        self.send(orders.open_order(order, future, self.tws.config.server_version), orders.order_status(order))

    def hear(self, event: BrokerEvent) -> None:
        """What happened at the broker, as far as it is this client's."""
        broker, config = self.tws.broker, self.tws.config
        match event:
            case OrderChanged(order) if order.client_id == self.client_id:
                self.send_order(order)
            case OrderTold(client_id, order_id, code, words, number) if client_id == self.client_id:
                self.send(session.error(order_id, code, words, order=number))
            case Executed(fill, number) if fill.client_id == self.client_id:
                future = broker.catalogue[fill.con_id]
                self.send(executions.execution(fill, future, config.server_version, config.zone, order=number))
            case Commissioned(fill, number) if fill.client_id == self.client_id:
                self.send(executions.commission(fill, broker.catalogue[fill.con_id].currency, order=number))
            case PositionChanged(held):
                if self.wants_positions:
                    self.send(position(self, held))
                if self.wants_account:
                    self.send(portfolio(self, held))
                send_pnl(self)
            case Quoted(con_id, quote):
                for request, (followed, delayed) in self.tickers.items():
                    if followed == con_id:
                        self.send(*market.ticks(request, quote, delayed=delayed))
                send_pnl(self)
            case _:
                pass

    def lose_data(self, *, competing: bool = False) -> None:
        """Subscriptions of quotes end; the client is told only where another session took them."""
        for request in self.tickers if competing else ():
            self.send(session.error(request, *COMPETING))
        self.tickers = {}

    def _greet(self, payload: bytes) -> None:
        low, high = version_range(payload)
        version = self.tws.config.server_version
        if not low <= version <= high:
            raise ProtocolError(f"the client speaks {low} to {high}, the server {version}")
        self._greeted = True
        self.outbox.raw(session.hello(version, self.tws.clock.now, self.tws.config.zone))

    def _request(self, fields: list[str]) -> None:
        number = int(fields[0])
        self.tws.heard.append(tuple(fields))
        if number not in ANSWERED:
            self.send(session.error(session.NO_ID, *UNKNOWN_MESSAGE))
            return
        ask = Ask(number)
        fault = self.tws.director.on_request(ask)
        match fault:
            case Ignore():
                return
            case Fail(code=code, words=words):
                at = REQUEST_ID_AT.get(ask)
                self.send(session.error(session.NO_ID if at is None else int(fields[at]), code, words))
                return
            case ResetOnRequest(acted=acted):
                # Ended first, so that what the request brings about goes to nobody.
                self.outbox.end(reset=True)
                if not acted:
                    return
            case None:
                pass
        if ask is Ask.START:
            self._start(int(fields[2]))
        else:
            ANSWERS[ask](self, fields)

    def _start(self, client_id: int) -> None:
        faults = self.tws.director.on_connection()
        present = [other for other in self.tws.sessions if other.ready and not other.outbox.ended]
        taken = any(other.client_id == client_id for other in present)
        if taken or any(not isinstance(fault, NextIdRegress) for fault in faults):
            self.send(session.error(session.NO_ID, *CLIENT_ID_IN_USE))
            self.outbox.end(reset=False)
            return
        self.client_id, self.ready = client_id, True
        next_id = self.tws.desk.next_id(client_id)
        for fault in faults:
            if isinstance(fault, NextIdRegress):
                self.tws.desk.regress(client_id, fault.to, forget=fault.forget)
                next_id = fault.to
        self.send(session.managed_accounts([self.tws.account]), session.next_valid_id(next_id))
        for code, words in FARMS:
            self.send(session.error(session.NO_ID, code, words))
