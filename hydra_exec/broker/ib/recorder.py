"""Beneath the client: every callback is taken down before the client's own state machine sees it.

``ib_async`` 2.1.0 drops commissions that come before their execution and states of orders it does not know, counts a
corrected fill twice, takes ``filled`` back on a late state and declares living orders cancelled. So nothing is read
from its trades: its wrapper is overridden where reports, errors and answers come in, each is recorded first, and the
original is called after that for what the client itself may need.
"""

import asyncio
from typing import TYPE_CHECKING

from ib_async import (
    CommissionReport,
    Contract,
    ContractDetails,
    Execution,
    Order,
    OrderState,
    PriceIncrement,
)
from ib_async.wrapper import Wrapper
from typing_extensions import override

from hydra_exec.broker.ib import codes, words
from hydra_exec.broker.ib.asking import COMPLETED, ORDERS, POSITIONS, REQUESTS_FROM, TIME, PositionRow, rule_key
from hydra_exec.broker.ib.hearing import NO_ID, Hearing
from hydra_exec.broker.ib.questions import Questions
from hydra_exec.broker.ib.quotes import Quotes

if TYPE_CHECKING:
    from ib_async import IB


class Recorder(Wrapper):
    """One connection's callbacks. Everything here runs on its loop."""

    def __init__(self, ib: "IB", hearing: Hearing, questions: Questions, quotes: Quotes) -> None:
        self.hearing = hearing
        self.questions = questions
        self.quotes = quotes
        self.next_order_id = 0
        self.refused: asyncio.Future[tuple[int, str]] | None = None
        """Done with code and text where the terminal refuses the connection."""
        self.motions = 0
        """Fills and position changes that came by themselves."""
        super().__init__(ib)

    @override
    def nextValidId(self, reqId: int) -> None:
        """Lowest order id that the terminal would take."""
        self.next_order_id = max(self.next_order_id, reqId)

    @override
    def openOrder(self, orderId: int, contract: Contract, order: Order, orderState: OrderState) -> None:
        """An order: by itself, or as a part of an answer."""

        def tell() -> None:
            if not self.hearing.ours(order.account):
                return
            try:
                report = self.hearing.open_order(orderId, contract, order, orderState.status)
            except words.NotWholeError as error:
                self._cannot_read(ORDERS, f"order {order.permId}: {error}", orderId, order.permId, order.clientId)
                return
            self.questions.row(ORDERS, report)

        self.hearing.when_begun(tell)
        super().openOrder(orderId, contract, order, orderState)

    @override
    def orderStatus(
        self,
        orderId: int,
        status: str,
        filled: float,
        remaining: float,
        avgFillPrice: float,
        permId: int,
        parentId: int,
        lastFillPrice: float,
        clientId: int,
        whyHeld: str,
        mktCapPrice: float = 0.0,
    ) -> None:
        """A state: by itself, or behind its order in an answer."""

        def tell() -> None:
            try:
                report = self.hearing.order_status(orderId, clientId, permId, status, filled)
            except words.NotWholeError as error:
                self._cannot_read(ORDERS, f"state of order {permId}: {error}", orderId, permId, clientId)
                return
            self.questions.row(ORDERS, report)

        self.hearing.when_begun(tell)
        super().orderStatus(
            orderId,
            status,
            filled,
            remaining,
            avgFillPrice,
            permId,
            parentId,
            lastFillPrice,
            clientId,
            whyHeld,
            mktCapPrice,
        )

    @override
    def openOrderEnd(self) -> None:
        """All open orders are in."""
        self.questions.end(ORDERS)
        super().openOrderEnd()  # type: ignore[no-untyped-call]  # the client has no types there

    @override
    def completedOrder(self, contract: Contract, order: Order, orderState: OrderState) -> None:
        """An order that is over; only ever part of an answer."""
        if not self.hearing.ours(order.account):
            return
        detail = str(getattr(orderState, "completedStatus", ""))
        try:
            self.questions.row(COMPLETED, self.hearing.ended_order(contract, order, orderState.status, detail))
        except words.NotWholeError as error:
            self.questions.fail(COMPLETED, f"order {order.permId}: {error}")

    @override
    def completedOrdersEnd(self) -> None:
        """All orders that are over are in."""
        self.questions.end(COMPLETED)

    @override
    def execDetails(self, reqId: int, contract: Contract, execution: Execution) -> None:
        """A fill: live, or as a part of an answer."""
        self.motions += not self.questions.asked(reqId)

        def tell() -> None:
            if not self.hearing.ours(execution.acctNumber):
                return
            try:
                self.questions.row(reqId, self.hearing.execution(contract, execution))
            except (words.NotWholeError, KeyError) as error:
                text = f"execution {execution.execId}: {error}"
                self._cannot_read(reqId, text, execution.orderId, execution.permId, execution.clientId)

        self.hearing.when_begun(tell)
        super().execDetails(reqId, contract, execution)

    @override
    def execDetailsEnd(self, reqId: int) -> None:
        """All executions are in."""
        self.questions.end(reqId)
        super().execDetailsEnd(reqId)

    @override
    def commissionReport(self, commissionReport: CommissionReport) -> None:
        """What a fill cost, whether or not the fill is known."""

        def tell() -> None:
            fee = self.hearing.fee(commissionReport)
            if fee is not None:
                for key in self.questions.numbered():
                    self.questions.row(key, fee)

        self.hearing.when_begun(tell)
        super().commissionReport(commissionReport)

    @override
    def position(self, account: str, contract: Contract, posSize: float, avgCost: float) -> None:
        """A position: part of an answer, or a change."""
        if self.questions.asked(POSITIONS):
            self.questions.row(POSITIONS, PositionRow(account, contract, posSize))
        elif self.hearing.ours(account):
            self.motions += 1
        super().position(account, contract, posSize, avgCost)

    @override
    def positionEnd(self) -> None:
        """All positions are in."""
        self.questions.end(POSITIONS)
        super().positionEnd()  # type: ignore[no-untyped-call]

    @override
    def accountSummary(self, _reqId: int, account: str, tag: str, value: str, currency: str) -> None:
        """A figure of the account."""
        if self.hearing.ours(account):
            self.questions.row(_reqId, (tag, value, currency))

    @override
    def accountSummaryEnd(self, reqId: int) -> None:
        """All figures are in."""
        self.questions.end(reqId)

    @override
    def contractDetails(self, reqId: int, contractDetails: ContractDetails) -> None:
        """One contract that fits a description."""
        self.questions.row(reqId, contractDetails)

    @override
    def contractDetailsEnd(self, reqId: int) -> None:
        """All of them are in."""
        self.questions.end(reqId)

    @override
    def marketRule(self, marketRuleId: int, priceIncrements: list[PriceIncrement]) -> None:
        """Price increments; one message is the whole answer."""
        for step in priceIncrements:
            self.questions.row(rule_key(marketRuleId), step)
        self.questions.end(rule_key(marketRuleId))

    @override
    def currentTime(self, time: int) -> None:
        """The terminal's clock, which answers behind everything that it said before."""
        self.questions.row(TIME, time)
        self.questions.end(TIME)

    @override
    def marketDataType(self, reqId: int, marketDataId: int) -> None:
        """Which kind of data a subscription gets."""
        self.quotes.kind(reqId, marketDataId)

    @override
    def priceSizeTick(self, reqId: int, tickType: int, price: float, size: float) -> None:
        """A price with its size."""
        self.quotes.price(reqId, tickType, price, size)

    @override
    def tickSize(self, reqId: int, tickType: int, size: float) -> None:
        """A size alone."""
        self.quotes.size(reqId, tickType, size)

    @override
    def error(self, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str) -> None:
        """A code: the id says what it is about, and the table what it means."""
        says = codes.meaning(errorCode)
        if reqId == NO_ID:
            self._said_of_nothing(says, errorCode, errorString)
        elif self.quotes.knows(reqId):
            if says is not codes.Meaning.INFORMATION:
                self.quotes.refuse(reqId, errorCode)
            self.hearing.note(codes.notice_kind(errorCode), errorCode, errorString)
        elif reqId >= REQUESTS_FROM:
            if says is not codes.Meaning.INFORMATION:
                self.questions.fail(reqId, f"code {errorCode}: {errorString}")
            self.hearing.note(codes.notice_kind(errorCode), errorCode, errorString)
        else:
            self.hearing.when_begun(lambda: self.hearing.order_code(reqId, errorCode, errorString))
        super().error(reqId, errorCode, errorString, advancedOrderRejectJson)

    @override
    def connectionClosed(self) -> None:
        """The socket has gone."""
        self.closed("the connection was lost")
        super().connectionClosed()  # type: ignore[no-untyped-call]

    def closed(self, text: str) -> None:
        """The connection has ended, by the other side or by us."""
        self.quotes.lost()
        self.hearing.closed(text)
        self.questions.fail_all(text)

    def _said_of_nothing(self, says: codes.Meaning, code: int, text: str) -> None:
        if says is codes.Meaning.CLIENT_ID_IN_USE and self.refused and not self.refused.done():
            self.refused.set_result((code, text))
        if says in {codes.Meaning.QUERY_FAILED, codes.Meaning.UNKNOWN, codes.Meaning.PACING}:
            self.questions.fail_nameless(f"code {code}: {text}")
        if says is codes.Meaning.LINK_RESTORED_DATA_LOST:
            self.quotes.lost()
        self.hearing.link_code(code, text)

    def _cannot_read(self, key: int | str, text: str, order_id: int, perm_id: int, client_id: int) -> None:
        self.questions.fail(key, text)
        self.hearing.unreadable(text, order_id, perm_id, client_id)
