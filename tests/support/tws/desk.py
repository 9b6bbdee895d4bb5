"""The order desk: takes, amends and cancels clients' orders, as the script lets it.

An order id is new, or names a live order of the same client (a modification); anything else that is not above every
id so far is error 103.
"""

from dataclasses import replace

from .broker import Broker
from .clock import VirtualClock
from .contracts import Future
from .events import OrderTold
from .records import BrokerOrder, Status
from .requests import PlaceOrder
from .script import Notice, Reject, Revoke, SecondPermId
from .script.director import Director

SUPPORTED = frozenset({"MKT", "LMT"})
CANCELLED = (202, "Order Canceled - reason:")
NO_CONTRACT = (200, "No security definition has been found for the request")
OFF_GRID = (110, "The price does not conform to the minimum price variation for this contract.")


class Desk:
    """Orders by the ids that clients gave them."""

    def __init__(self, broker: Broker, clock: VirtualClock, director: Director) -> None:
        self._broker = broker
        self._clock = clock
        self._director = director
        self._ids: dict[int, dict[int, list[int]]] = {}
        self._next: dict[int, int] = {}

    def next_id(self, client_id: int) -> int:
        """The lowest order id that the client may use."""
        return self._next.get(client_id, 1)

    def regress(self, client_id: int, to: int, *, forget: bool) -> None:
        """Hand out ids from ``to`` again; ``forget`` also takes them."""
        if forget:
            self._next[client_id] = to
            self._ids.pop(client_id, None)

    def place(self, client_id: int, ask: PlaceOrder) -> None:
        """A new order or a modification."""
        orders = [self._broker.orders[perm_id] for perm_id in self._ids.get(client_id, {}).get(ask.order_id, [])]
        live = [order for order in orders if order.live]
        if live:
            self._amend(live[-1], ask)
            return
        number = self._director.next_order()
        if orders or ask.order_id < self.next_id(client_id):
            self._tell(client_id, ask.order_id, number, (103, "Duplicate order id"))
            return
        self._next[client_id] = ask.order_id + 1
        future = self._future(ask)
        if future is None:
            self._tell(client_id, ask.order_id, number, NO_CONTRACT)
            return
        order = self._order(client_id, ask, number, future)
        self._ids.setdefault(client_id, {}).setdefault(ask.order_id, []).append(order.perm_id)
        refusal = self._refusal(ask, number, future)
        if refusal:
            code, words = refusal
            rejected = replace(order, status=Status.INACTIVE, reason=f"{code} {words}")
            self._broker.orders[order.perm_id] = rejected
            self._tell(client_id, ask.order_id, number, refusal)
        else:
            self._accept(order)

    def cancel(self, client_id: int, order_id: int) -> None:
        """Cancel the newest order of an id. Orders of other clients cannot be cancelled by id."""
        perm_ids = self._ids.get(client_id, {}).get(order_id, [])
        name = f"OrderId {order_id} that needs to be cancelled"
        if not perm_ids:
            self._tell(client_id, order_id, 0, (10147, f"{name} is not found."))
            return
        order = self._broker.orders[perm_ids[-1]]
        if not order.live:
            self._tell(
                client_id, order_id, order.number, (10148, f"{name} cannot be cancelled, state: {order.status}.")
            )
            return
        self._end(order, "by client", CANCELLED)

    def cancel_all(self) -> None:
        """Cancel whatever lives, whoever sent it and under however many perm ids."""
        for order in self._live():
            self._end(order, "global cancel", CANCELLED)

    def end_day(self) -> None:
        """Day orders end without a word but their state."""
        for order in self._live():
            if order.tif == "DAY":
                self._broker.end(order.perm_id, "end of day")

    def _live(self) -> list[BrokerOrder]:
        return [order for order in self._broker.orders.values() if order.live]

    def _tell(self, client_id: int, order_id: int, number: int, what: tuple[int, str]) -> None:
        self._broker.emit(OrderTold(client_id, order_id, *what, number))

    def _end(self, order: BrokerOrder, reason: str, what: tuple[int, str]) -> None:
        self._broker.end(order.perm_id, reason)
        self._tell(order.client_id, order.order_id, order.number, what)

    def _accept(self, order: BrokerOrder) -> None:
        self._broker.put(order)
        for notice in self._director.on_order(order.number, Notice):
            self._tell(order.client_id, order.order_id, order.number, (notice.code, notice.words))
        for revoke in self._director.on_order(order.number, Revoke)[:1]:
            self._end(order, f"{revoke.code} {revoke.words}", (revoke.code, revoke.words))
        self._broker.match(order.con_id)

    def _amend(self, order: BrokerOrder, ask: PlaceOrder) -> None:
        if ask.limit_price is not None and not self._broker.catalogue[order.con_id].on_grid(ask.limit_price):
            self._tell(order.client_id, order.order_id, order.number, OFF_GRID)
            return
        changed = replace(
            order, quantity=ask.quantity, limit_price=ask.limit_price, order_type=ask.order_type, tif=ask.tif
        )
        same_id = self._ids[order.client_id][order.order_id]
        if self._director.on_order(order.number, SecondPermId) and len(same_id) == 1:
            changed = replace(changed, perm_id=self._broker.new_perm_id(), filled=0, average_price=0.0)
            same_id.append(changed.perm_id)
        self._broker.put(changed)
        self._broker.match(order.con_id)

    def _refusal(self, ask: PlaceOrder, number: int, future: Future) -> tuple[int, str] | None:
        for reject in self._director.on_order(number, Reject):
            return reject.code, reject.words
        if ask.order_type not in SUPPORTED:
            return 387, "Unsupported order type for this exchange and security type."
        if ask.quantity <= 0:
            return 434, "The order size cannot be zero."
        if ask.limit_price is not None and not future.on_grid(ask.limit_price):
            return OFF_GRID
        return None

    def _future(self, ask: PlaceOrder) -> Future | None:
        found = self._broker.catalogue.find(ask.contract, self._clock.now.date())
        return found[0] if len(found) == 1 else None

    def _order(self, client_id: int, ask: PlaceOrder, number: int, future: Future) -> BrokerOrder:
        return BrokerOrder(
            number=number,
            perm_id=self._broker.new_perm_id(),
            client_id=client_id,
            order_id=ask.order_id,
            order_ref=ask.order_ref,
            account=ask.account or self._broker.terms.account,
            con_id=future.con_id,
            side=ask.side,
            quantity=ask.quantity,
            order_type=ask.order_type,
            limit_price=ask.limit_price,
            aux_price=ask.aux_price,
            tif=ask.tif,
            status=Status.SUBMITTED,
        )
