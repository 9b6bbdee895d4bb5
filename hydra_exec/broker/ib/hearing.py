"""What one connection says, in the words of the port and in the order in which it was said.

Nothing here asks whether the connection is up, whether a message is new or whether it fits what was known: whoever
keeps the journal decides that. Until the connection has its generation and knows our contracts by the broker's ids,
what is heard is kept back and told then, in its order.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ib_async import CommissionReport, Contract, Execution, Order

from hydra_exec.broker.ib import codes, words
from hydra_exec.broker.ib.contracts import Directory
from hydra_exec.broker.port import (
    UNNAMED,
    ExecutionReport,
    FeeReport,
    LinkState,
    Message,
    Notice,
    NoticeKind,
    OrderReport,
    Word,
)

NO_ID = -1
UNREADABLE = 0
"""Stands for a code in notices about messages that we could not take apart."""
NO_AMOUNT = 1e300
"""Amounts beyond this are TWS' way of saying that there is none."""
ENDED = frozenset({Word.FILLED, Word.CANCELLED, Word.REJECTED})


@dataclass(slots=True)
class SentOrder:
    """What this connection knows of an order id of this client."""

    wire_ref: str = ""
    acknowledged: bool = False
    amended: bool = False
    rejected: bool = False
    unreachable: bool = False
    """The terminal knows no order of this id, whatever it says of living ones."""
    perm_ids: dict[int, Word] = field(default_factory=dict)
    """By perm id, in the order in which they were heard of: an amendment may bring a second order of the same id."""

    @property
    def ended(self) -> bool:
        """Whether everything that was heard of it is over."""
        return self.rejected or (bool(self.perm_ids) and all(word in ENDED for word in self.perm_ids.values()))


class Hearing:
    """One connection's reports. Used on its loop only."""

    def __init__(
        self, account: str, client_id: int, clock: Callable[[], datetime], sink: Callable[[Message], None]
    ) -> None:
        self._account = account
        self._client_id = client_id
        self._clock = clock
        self._sink = sink
        self._held: list[Callable[[], object]] | None = []
        self.generation = 0
        self.directory = Directory()
        self.state = LinkState.UP
        self.disturbances = 0
        """Grows with whatever makes an answer that is under way doubtful."""
        self.orders: dict[int, SentOrder] = {}
        self.others: dict[int, int] = {}
        """Clients of the living orders that are not of this one, by perm id, as far as they were heard of."""

    def begin(self, generation: int, directory: Directory, where: str = "") -> None:
        """The connection counts from here on; what was heard before comes first, then that it counts."""
        self.generation, self.directory = generation, directory
        held, self._held = self._held or [], None
        for tell in held:
            tell()
        self.note(NoticeKind.CONNECTED, 0, where)
        for fault in directory.faults.values():
            self.note(NoticeKind.INFORMATION, 0, fault)

    def when_begun(self, tell: Callable[[], object]) -> None:
        """Tell something now, or as soon as the connection counts."""
        if self._held is None:
            tell()
        else:
            self._held.append(tell)

    def emit(self, message: Message) -> None:
        """Pass a message on."""
        self._sink(message)

    def note(self, kind: NoticeKind, code: int, text: str, order_id: int = 0) -> None:
        """Say something about the connection, or about an order that stays as it is."""
        now = self._clock()
        self.when_begun(lambda: self.emit(Notice(kind, code, text, now, order_id=order_id, generation=self.generation)))

    def contract_name(self, contract: Contract) -> str:
        """Our name of a contract, else the broker's."""
        named = self.directory.names.get(contract.conId)
        return named or foreign_name(contract)

    def ours(self, account: str) -> bool:
        """Whether a report is about our account, or does not say."""
        return account in {"", self._account}

    def open_order(self, order_id: int, contract: Contract, order: Order, state: str) -> OrderReport:
        """An order, with the state that it is in; what is filled of it stands in its status, not here."""
        own = order.clientId == self._client_id and order_id > 0
        sent = self._acknowledge(order_id) if own else SentOrder()
        said = words.word(state, rejected=sent.rejected)
        report = OrderReport(
            word=said,
            filled=0,
            at=self._clock(),
            wire_ref=order.orderRef,
            perm_id=order.permId,
            order_id=order_id,
            client_id=order.clientId,
            generation=self.generation,
            contract=self.contract_name(contract),
            side=words.SIDES.get(order.action),
            quantity=words.whole(order.totalQuantity),
            limit_price=self._price(contract, order.lmtPrice),
            account=order.account,
            detail=state,
        )
        sent.perm_ids[order.permId] = said
        self._note_other(order.permId, order.clientId, said)
        self.emit(report)
        return report

    def order_status(self, order_id: int, client_id: int, perm_id: int, state: str, filled: float) -> OrderReport:
        """A state and what is filled; it names the order by ids only."""
        own = client_id == self._client_id and order_id > 0
        sent = self._acknowledge(order_id) if own else SentOrder()
        said = words.word(state, rejected=sent.rejected)
        if perm_id:
            sent.perm_ids[perm_id] = said
        self._note_other(perm_id, client_id, said)
        report = OrderReport(
            word=said,
            filled=words.whole(filled),
            at=self._clock(),
            perm_id=perm_id,
            order_id=order_id,
            client_id=client_id,
            generation=self.generation,
            detail=state,
        )
        self.emit(report)
        return report

    def gone(self, perm_ids: Iterable[int]) -> None:
        """Orders of other clients that are no longer told of as living ones."""
        for perm_id in perm_ids:
            self.others.pop(perm_id, None)

    def ended_order(self, contract: Contract, order: Order, state: str, detail: str) -> OrderReport:
        """One of the orders that are over. They carry neither order id nor client id, and are not passed on alone."""
        told = float(order.filledQuantity)
        filled = 0 if told > NO_AMOUNT else words.whole(told)
        return OrderReport(
            word=words.ended_word(state, filled),
            filled=filled,
            at=self._clock(),
            wire_ref=order.orderRef,
            perm_id=order.permId,
            generation=self.generation,
            contract=self.contract_name(contract),
            side=words.SIDES.get(order.action),
            quantity=words.whole(order.totalQuantity) or filled,
            limit_price=self._price(contract, order.lmtPrice),
            account=order.account,
            detail=detail or state,
        )

    def execution(self, contract: Contract, fill: Execution) -> ExecutionReport:
        """A revision of a fill; NotWholeError or KeyError where it is none that can be booked."""
        base, number = words.revision(fill.execId)
        listing = self.directory.of(contract.conId)
        report = ExecutionReport(
            exec_id=fill.execId,
            base_exec_id=base,
            revision=number,
            contract=self.contract_name(contract),
            side=words.SIDES[fill.side],
            quantity=words.whole(fill.shares),
            price=listing.inward(fill.price) if listing else fill.price,
            executed_at=fill.time,
            perm_id=fill.permId,
            wire_ref=fill.orderRef,
            order_id=fill.orderId,
            client_id=fill.clientId,
            generation=self.generation,
            account=fill.acctNumber,
            foreign=listing is None,
        )
        self.emit(report)
        return report

    def fee(self, report: CommissionReport) -> FeeReport | None:
        """What a fill cost, None where the amount is still missing."""
        if abs(report.commission) > NO_AMOUNT:
            return None
        fee = FeeReport(report.execId, report.commission, report.currency, self.generation)
        self.emit(fee)
        return fee

    def unreadable(self, text: str, order_id: int = 0, perm_id: int = 0, client_id: int = UNNAMED) -> None:
        """Something about an order cannot be taken as it was said: hold it, and ask."""
        self.note(NoticeKind.UNKNOWN_CODE, UNREADABLE, text, order_id)
        if order_id or perm_id:
            self._unclear(order_id, perm_id, client_id, text)

    def order_code(self, order_id: int, code: int, text: str) -> None:
        """A code on one of this client's order ids."""
        sent = self.orders.get(order_id, SentOrder())
        said = codes.order_word(code, acknowledged=sent.acknowledged, amended=sent.amended)
        kind = codes.notice_kind(code)
        if said is None or kind is not NoticeKind.INFORMATION:
            self.note(kind, code, text, order_id)
        if said is None:
            return
        if said in ENDED and len(sent.perm_ids) > 1:
            # The id names several orders, and the code does not say which of them is over.
            said = Word.UNCLEAR
        sent.rejected = sent.rejected or said is Word.REJECTED
        sent.unreachable = sent.unreachable or code in codes.NO_SUCH_ID
        self._tell(said, order_id, 0, self._client_id if order_id in self.orders else UNNAMED, f"{code} {text}")

    def link_code(self, code: int, text: str) -> None:
        """A code that is about no request: it may change how the link stands."""
        says = codes.meaning(code)
        if says is codes.Meaning.LINK_LOST:
            self._turn(LinkState.DEGRADED)
        elif says in {codes.Meaning.LINK_RESTORED, codes.Meaning.LINK_RESTORED_DATA_LOST}:
            self._turn(LinkState.UP)
        elif says is codes.Meaning.TERMINAL_GONE:
            self._turn(LinkState.DOWN)
        self.note(codes.notice_kind(code), code, text)

    def closed(self, text: str) -> None:
        """The connection has ended."""
        if self.state is not LinkState.DOWN:
            self._turn(LinkState.DOWN)
            self.note(NoticeKind.DISCONNECTED, UNREADABLE, text)

    def _turn(self, state: LinkState) -> None:
        self.state = state
        self.disturbances += 1

    def _note_other(self, perm_id: int, client_id: int, said: Word) -> None:
        if client_id == self._client_id or said in ENDED:
            self.others.pop(perm_id, None)
        else:
            self.others[perm_id] = client_id

    def _acknowledge(self, order_id: int) -> SentOrder:
        sent = self.orders.setdefault(order_id, SentOrder())
        sent.acknowledged = True
        return sent

    def _price(self, contract: Contract, limit: float | Decimal | None) -> float | None:
        price = NO_AMOUNT * 10 if limit is None else float(limit)
        if abs(price) > NO_AMOUNT:
            return None
        listing = self.directory.of(contract.conId)
        return listing.inward(price) if listing else price

    def _unclear(self, order_id: int, perm_id: int, client_id: int, text: str) -> None:
        self._tell(Word.UNCLEAR, order_id, perm_id, client_id, text)

    def _tell(self, said: Word, order_id: int, perm_id: int, client_id: int, text: str) -> None:
        self.emit(
            OrderReport(
                said,
                0,
                self._clock(),
                perm_id=perm_id,
                order_id=order_id,
                client_id=client_id,
                generation=self.generation,
                detail=text,
            )
        )


def foreign_name(contract: Contract) -> str:
    """How to call a contract that is none of ours."""
    return f"{contract.secType} {contract.localSymbol or contract.symbol} ({contract.conId})"
