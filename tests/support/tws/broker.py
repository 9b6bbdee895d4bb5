"""What the broker knows, and how fills change it.

Orders are kept by perm id and executions by their full id, revisions included; both are replaced, never changed.
Whatever happens is told to ``emit`` in the order in which TWS reports it: execution, order, commission, position.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .account import Account
from .book import Book, Liquidity, Match, Quote
from .clock import VirtualClock
from .contracts import Catalogue
from .events import BrokerEvent, Commissioned, Executed, OrderChanged, PositionChanged, Quoted
from .records import BrokerExecution, BrokerOrder, BrokerPosition, Side, Status
from .script import Correct
from .script.director import Director


@dataclass(frozen=True)
class Terms:
    """What the account and its markets are like."""

    account: str = "DU1234567"
    cash: float = 1_000_000.0
    currency: str = "USD"
    commission: float = 2.47
    """Per contract."""
    liquidity: Liquidity = field(default_factory=Liquidity)
    liquidities: dict[int, Liquidity] = field(default_factory=dict)
    """By contract id, where one is not like the others."""
    first_perm_id: int = 9001


class Broker:
    """Books, orders, executions and one account."""

    def __init__(
        self,
        catalogue: Catalogue,
        clock: VirtualClock,
        director: Director,
        terms: Terms,
        emit: Callable[[BrokerEvent], None],
    ) -> None:
        self.catalogue = catalogue
        self.terms = terms
        self.orders: dict[int, BrokerOrder] = {}
        self.executions: dict[str, BrokerExecution] = {}
        self.account = Account(terms.account, terms.cash, catalogue)
        self._clock = clock
        self._director = director
        self.emit = emit
        self._books: dict[int, Book] = {}
        self._latest: dict[str, BrokerExecution] = {}
        self._fills_of: dict[int, list[str]] = {}
        self._corrections: list[tuple[int, str, Correct]] = []
        self._next_perm_id = terms.first_perm_id

    @property
    def positions(self) -> dict[int, BrokerPosition]:
        """Positions that are not flat, by contract id."""
        return {con_id: held for con_id, held in self.account.positions.items() if held.quantity}

    @property
    def fills(self) -> list[BrokerExecution]:
        """Each fill once, as its last revision says; busted ones left out."""
        return [execution for execution in self._latest.values() if execution.quantity]

    def book(self, con_id: int) -> Book:
        """A contract's book."""
        liquidity = self.terms.liquidities.get(con_id, self.terms.liquidity)
        return self._books.setdefault(con_id, Book(liquidity))

    def new_perm_id(self) -> int:
        """Perm ids go up by one over the server's life."""
        self._next_perm_id += 1
        return self._next_perm_id - 1

    def put(self, order: BrokerOrder) -> None:
        """A new or changed order; tells of it."""
        self.orders[order.perm_id] = order
        self.emit(OrderChanged(order))

    def show(self, con_id: int, quote: Quote) -> None:
        """A new quote, and what it fills."""
        self.book(con_id).show(quote)
        self.emit(Quoted(con_id, quote))
        self.match(con_id)

    def step(self, quotes: Mapping[int, Quote]) -> None:
        """A new step: corrections fall due, sizes are whole again, quotes are new, and orders fill on them."""
        due = [entry for entry in self._corrections if entry[0] <= self._clock.step]
        self._corrections = [entry for entry in self._corrections if entry[0] > self._clock.step]
        for _, exec_id, correction in due:
            self.correct(exec_id, correction.price, correction.quantity)
        for book in self._books.values():
            book.refresh()
        for con_id, quote in quotes.items():
            self.book(con_id).show(quote)
            self.emit(Quoted(con_id, quote))
        for con_id in list(self._books):
            self.match(con_id)

    def match(self, con_id: int) -> None:
        """Fill what the book allows."""
        live = [order for order in self.orders.values() if order.con_id == con_id and order.live]
        for match in self.book(con_id).match(live) if live else []:
            self._fill(match)

    def end(self, perm_id: int, reason: str) -> None:
        """Cancel an order that lives."""
        order = self.orders[perm_id]
        if order.live:
            self.put(replace(order, status=Status.CANCELLED, reason=reason))

    def trade_by_hand(self, con_id: int, side: Side, quantity: int, price: float) -> None:
        """A fill without an order of any client."""
        self._execute(None, con_id, side, Match(self.new_perm_id(), quantity, price))

    def correct(self, exec_id: str, price: float | None, quantity: int | None) -> BrokerExecution:
        """The next revision of a fill. Position, costs and its order follow."""
        base = exec_id.rpartition(".")[0]
        last = self._latest[base]
        revised = replace(
            last,
            exec_id=f"{base}.{last.revision + 1:02d}",
            price=last.price if price is None else price,
            quantity=last.quantity if quantity is None else quantity,
        )
        revised = replace(revised, commission=self._commission(revised.quantity))
        self._keep(revised)
        self.account.rebuild(revised.con_id, self.executions.values())
        order = self.orders.get(revised.perm_id)
        if order:
            order = self.orders[order.perm_id] = self._filled(order)
        self._report(revised, order)
        return revised

    def _commission(self, quantity: int) -> float:
        return round(self.terms.commission * quantity, 2)

    def _fill(self, match: Match) -> None:
        order = self.orders[match.perm_id]
        self._execute(order, order.con_id, order.side, match)

    def _execute(self, order: BrokerOrder | None, con_id: int, side: Side, match: Match) -> None:
        corrections = self._director.on_fill()
        execution = BrokerExecution(
            exec_id=f"{self._director.script.seed:08x}.{self._director.fills:08x}.01.01",
            perm_id=match.perm_id,
            client_id=order.client_id if order else 0,
            order_id=order.order_id if order else 0,
            order_ref=order.order_ref if order else "",
            account=self.terms.account,
            con_id=con_id,
            side=side,
            quantity=match.quantity,
            price=match.price,
            time=self._clock.now,
            cumulative=(order.filled if order else 0) + match.quantity,
            average_price=match.price,
            commission=self._commission(match.quantity),
            realized_pnl=None,
        )
        execution = replace(execution, realized_pnl=self.account.fill(execution))
        self._keep(execution)
        if order:
            order = self.orders[order.perm_id] = replace(self._filled(order), last_price=match.price)
            execution = replace(execution, average_price=order.average_price)
            self._keep(execution)
        self._report(execution, order)
        for correction in corrections:
            if correction.steps:
                self._corrections.append((self._clock.step + correction.steps, execution.exec_id, correction))
            else:
                self.correct(execution.exec_id, correction.price, correction.quantity)

    def _filled(self, order: BrokerOrder) -> BrokerOrder:
        fills = [self._latest[base] for base in self._fills_of.get(order.perm_id, [])]
        filled = sum(fill.quantity for fill in fills)
        average = sum(fill.quantity * fill.price for fill in fills) / filled if filled else 0.0
        status = Status.FILLED if filled >= order.quantity else order.status
        return replace(order, filled=filled, average_price=average, status=status)

    def _keep(self, execution: BrokerExecution) -> None:
        base = execution.base
        if base not in self._latest:
            self._fills_of.setdefault(execution.perm_id, []).append(base)
        self._latest[base] = execution
        self.executions[execution.exec_id] = execution

    def _report(self, execution: BrokerExecution, order: BrokerOrder | None) -> None:
        number = order.number if order else None
        self.emit(Executed(execution, number))
        if order:
            self.emit(OrderChanged(order))
        self.emit(Commissioned(execution, number))
        self.emit(PositionChanged(self.account.position(execution.con_id)))
