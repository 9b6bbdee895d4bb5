"""One connection from its handshake to its end: what is sent, and what is asked. Everything runs on the loop."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from ib_async import IB, Contract, ExecutionFilter, Order
from ib_async.client import Client
from ib_async.ib import StartupFetchNONE

from hydra_assets.markets.model import MarketSpec
from hydra_exec.broker.ib import asking
from hydra_exec.broker.ib.contracts import Directory, Listing, ListingError, about, directory, listing, rule_of, wanted
from hydra_exec.broker.ib.hearing import Hearing, SentOrder
from hydra_exec.broker.ib.order_ids import OrderIds
from hydra_exec.broker.ib.questions import Questions, UnansweredError
from hydra_exec.broker.ib.quotes import Quotes
from hydra_exec.broker.ib.recorder import Recorder
from hydra_exec.broker.ib.unreadable import decoder_logger
from hydra_exec.broker.port import (
    UNNAMED,
    BrokerError,
    LinkState,
    NotSentError,
    OrderReport,
    Refusal,
    RefusedError,
    Ticket,
)

NO_CONTRACT = "code 200:"
LINGER_TURNS = 200
"""Turns of the loop that a closed socket is given to report its end."""


class Login(NamedTuple):
    """What the terminal said at the handshake."""

    accounts: Sequence[str]
    next_order_id: int


class _Ib(IB):
    """The client with our recorder beneath it."""

    def __init__(self, hearing: Hearing, questions: Questions, quotes: Quotes) -> None:
        super().__init__()
        # It would ask for the account's summary at every 1102, under a number of its own.
        self.errorEvent -= self._onError
        self.wrapper = Recorder(self, hearing, questions, quotes)
        self.client = Client(self.wrapper)  # type: ignore[no-untyped-call]  # the client has no types there
        self.client.apiEnd += self.disconnectedEvent
        self.client.decoder.logger = decoder_logger(hearing)


class Session:
    """One connection. It is used once: the next one is another session."""

    def __init__(self, hearing: Hearing, quotes: Quotes, timeout_s: float, timezone: str, *, throttle: bool) -> None:
        self.hearing = hearing
        self.questions = Questions()
        self._quotes = quotes
        self._timeout_s = timeout_s
        self._ib = _Ib(hearing, self.questions, quotes)
        # Only very old terminals leave the zone out of the time of an execution.
        self._ib.TimezoneTWS = timezone
        if not throttle:
            self._ib.client.MaxRequests = 0
        self._recorder: Recorder = self._ib.wrapper  # type: ignore[assignment]  # set by _Ib
        # The client's methods carry no types.
        self._client: Any = self._ib.client
        self._tickets: dict[str, int] = {}
        self._orders_told = False

    @property
    def motions(self) -> int:
        """Fills and position changes that came by themselves."""
        return self._recorder.motions

    async def open(self, host: str, port: int, client_id: int) -> Login:
        """Shake hands; RefusedError where the client id is taken, BrokerError where nobody answers."""
        refused = self._recorder.refused = asyncio.get_running_loop().create_future()
        opening = asyncio.ensure_future(
            self._ib.connectAsync(
                host, port, client_id, self._timeout_s, raiseSyncErrors=True, fetchFields=StartupFetchNONE
            )
        )

        def ended(text: str) -> None:
            # A failure of the handshake itself is told by its exception, which says more.
            if not refused.done() and not text.startswith("API connection failed"):
                refused.set_result((0, text))

        self._client.apiError += ended
        await asyncio.wait({opening, refused}, return_when=asyncio.FIRST_COMPLETED)
        if refused.done():
            opening.cancel()
            with contextlib.suppress(BaseException):
                await opening
            code, text = refused.result()
            if code:
                msg = (
                    f"client id {client_id} is in use at {host}:{port}: another process of ours holds it, or the "
                    f"terminal has not yet let go of an earlier one"
                )
                raise RefusedError(Refusal.CLIENT_ID_IN_USE, msg)
            msg = f"the terminal at {host}:{port} ended the connection: {text}"
            raise BrokerError(msg)
        refused.cancel()
        try:
            opening.result()
        except Exception as error:
            reason = str(error) or type(error).__name__
            msg = f"no connection to a terminal at {host}:{port}: {reason}; is it running, and is its API port open?"
            raise BrokerError(msg) from error
        return Login(self._client.getAccounts(), self._recorder.next_order_id)

    async def close(self, text: str) -> None:
        """End the connection and let the socket go."""
        self._recorder.closed(text)
        self._ib.disconnect()
        for _ in range(LINGER_TURNS):
            if self._client.conn.transport is None:
                return
            await asyncio.sleep(0)

    async def ask(self, key: str, send: Any, *, binding: bool = True) -> list[Any]:
        """Ask something that has no number."""
        self._need_connection()
        return await self.questions.ask(key, send, self._timeout_s, binding=binding)

    async def ask_numbered(self, send: Any) -> list[Any]:
        """Ask something under a number of its own; ``send`` takes it."""
        self._need_connection()
        number = asking.request_number(self._client)
        return await self.questions.ask(number, lambda: send(number), self._timeout_s)

    async def settle(self) -> bool:
        """Wait until everything that was said so far was heard: answers come in order. Whether there was one."""
        try:
            await self.ask(asking.TIME, self._client.reqCurrentTime, binding=False)
        except (UnansweredError, NotSentError):
            return False
        return True

    async def positions(self) -> list[asking.PositionRow]:
        """Every position of the login."""
        return await self.ask(asking.POSITIONS, self._client.reqPositions)

    async def open_orders(self) -> list[OrderReport]:
        """Orders that live, of every client, each followed by its state."""
        before = set(self.hearing.others)
        reports: list[OrderReport] = await self.ask(asking.ORDERS, self._client.reqAllOpenOrders)
        self.hearing.gone(before - {report.perm_id for report in reports})
        self._orders_told = True
        return reports

    async def ended_orders(self) -> list[OrderReport]:
        """Orders that the terminal still remembers and that are over."""
        return await self.ask(asking.COMPLETED, lambda: self._client.reqCompletedOrders(False))

    async def executions(self, account: str) -> list[Any]:
        """Executions of the day with their fees, of every client."""
        wish = ExecutionFilter(acctCode=account)
        return await self.ask_numbered(lambda number: self._client.reqExecutions(number, wish))

    async def equity(self) -> float | None:
        """Net liquidation value, None where it was not told: nothing hangs on it."""
        try:
            rows = await self.ask_numbered(lambda n: self._client.reqAccountSummary(n, "All", "NetLiquidation"))
        except UnansweredError:
            return None
        return next((float(value) for tag, value, _ in rows if tag == "NetLiquidation"), None)

    async def contracts(self, markets: Sequence[MarketSpec]) -> Directory:
        """What the broker lists for our markets; UnansweredError where it does not answer to the end."""
        found: list[Listing] = []
        faults: dict[str, str] = {}
        rules: dict[int, list[Any]] = {}
        for spec in markets:
            for details in await self._details(wanted(spec)):
                number = rule_of(details)
                if number is not None and number not in rules:
                    rules[number] = await self._rule(number)
                try:
                    found.append(listing(spec, details, rules.get(number, []) if number is not None else []))
                except ListingError as error:
                    faults[about(spec, details)] = str(error)
        return directory(found, faults, markets)

    def place(self, ticket: Ticket, where: Listing, account: str, ids: OrderIds) -> int:
        """Send a new order."""
        self._need_link()
        for known in self.hearing.orders:
            ids.seen(known)
        order_id = ids.take()
        self.hearing.orders[order_id] = SentOrder(ticket.wire_ref)
        self._tickets[ticket.wire_ref] = order_id
        self._client.placeOrder(order_id, where.wire(), _order(ticket, where, account))
        return order_id

    def amend(self, ticket: Ticket, where: Listing, account: str) -> None:
        """Send an order of this connection again, with another limit."""
        self._need_link()
        order_id = self._tickets.get(ticket.wire_ref)
        if order_id is None:
            msg = f"ticket {ticket.wire_ref} was not sent on this connection: cancel it, do not amend it"
            raise NotSentError(msg)
        sent = self.hearing.orders[order_id]
        if sent.ended:
            msg = f"ticket {ticket.wire_ref} has ended: an amendment might be taken for a new order"
            raise NotSentError(msg)
        sent.amended = True
        self._client.placeOrder(order_id, where.wire(), _order(ticket, where, account))

    def cancel(self, report: OrderReport, client_id: int) -> None:
        """Ask for the end of an order of this client.

        An id that an amendment has given to two orders reaches only the newer one, and a terminal that has lost an id
        reaches none by it: what lives all the same goes with everything else, as long as that is ours too.
        """
        self._need_connection()
        unnamed = report.client_id == UNNAMED and report.order_id in self.hearing.orders
        ours = report.client_id == client_id or unnamed
        if report.order_id <= 0 or not ours:
            msg = (
                f"order {report.perm_id} is of client {report.client_id}, ours is {client_id}: "
                f"cancel it in the terminal, or from its own client"
            )
            raise NotSentError(msg)
        sent = self.hearing.orders.get(report.order_id, SentOrder())
        known = list(sent.perm_ids)
        if sent.unreachable or (report.perm_id and len(known) > 1 and report.perm_id != known[-1]):
            self._need_no_others(report)
            self._client.reqGlobalCancel()
        else:
            self._client.cancelOrder(report.order_id)

    def listen(self, where: Listing) -> None:
        """Subscribe to a contract's touch."""
        self._need_connection()
        number = asking.request_number(self._client)
        self._quotes.asked(where, number)
        self._client.reqMktData(number, where.wire(), "", False, False, [])

    async def _details(self, contract: Contract) -> list[Any]:
        try:
            return await self.ask_numbered(lambda number: self._client.reqContractDetails(number, contract))
        except UnansweredError as error:
            if NO_CONTRACT in str(error):
                return []
            raise

    async def _rule(self, number: int) -> list[Any]:
        try:
            return await self.ask(asking.rule_key(number), lambda: self._client.reqMarketRule(number))
        except UnansweredError:
            if self.questions.in_doubt:
                raise
            return []

    def _need_connection(self) -> None:
        if self.hearing.state is LinkState.DOWN or not self._client.isReady():
            msg = "there is no connection to the terminal"
            raise NotSentError(msg)

    def _need_no_others(self, report: OrderReport) -> None:
        # The terminal would end the orders of a person and of every other client with ours.
        if self._orders_told and not self.hearing.others:
            return
        clients = ", ".join(str(client) for client in sorted(set(self.hearing.others.values())))
        others = f"clients {clients} (0 is the terminal itself) have orders" if clients else "others' are not known yet"
        msg = (
            f"order {report.perm_id} (id {report.order_id}) can only be ended together with every order of the login, "
            f"and {others}: cancel it by hand in the terminal"
        )
        raise NotSentError(msg)

    def _need_link(self) -> None:
        self._need_connection()
        if self.hearing.state is not LinkState.UP:
            msg = "the terminal has lost the broker (1100): what is sent now may be held and worked hours later"
            raise NotSentError(msg)


def _order(ticket: Ticket, where: Listing, account: str) -> Order:
    return Order(
        action=str(ticket.side),
        totalQuantity=ticket.quantity,
        orderType="LMT",
        lmtPrice=where.outward(ticket.limit_price),
        tif="DAY",
        account=account,
        orderRef=ticket.wire_ref,
        outsideRth=False,
        transmit=True,
    )
