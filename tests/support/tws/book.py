"""One contract's market: the quote, and how much of it orders may take in a step.

An order that arrives marketable takes the touch. One that rests fills at its own limit once the other side's quote
reaches it. Both take no more in one step than the quoted size and than ``adv_share`` of the average daily volume; the
rest waits for the next step. Priority is price, then arrival.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .records import BrokerOrder, Side


@dataclass(frozen=True, slots=True)
class Quote:
    """Touch and last trade; a price of None is an empty side, a size of None is without limit."""

    bid: float | None
    ask: float | None
    bid_size: int | None = None
    ask_size: int | None = None
    last: float | None = None
    last_size: int = 1
    volume: int = 0

    @property
    def mark(self) -> float | None:
        """The last trade, else the middle, else whichever side is there."""
        if self.last is not None:
            return self.last
        sides = [price for price in (self.bid, self.ask) if price is not None]
        return sum(sides) / len(sides) if sides else None


UNLIMITED = 1 << 30
Tape = Callable[[int], Mapping[int, Quote]]
"""The simulated market: quotes by contract id that are new in a step."""


@dataclass(frozen=True, slots=True)
class Liquidity:
    """How much of a day's volume orders may take in one step; None is without limit."""

    adv: int | None = None
    adv_share: float = 0.05

    @property
    def per_step(self) -> int | None:
        """Contracts; at least one, so that no order waits for ever."""
        return None if self.adv is None else max(1, int(self.adv * self.adv_share))


@dataclass(frozen=True, slots=True)
class Match:
    """A fill to be: which order, how much, at what price."""

    perm_id: int
    quantity: int
    price: float


class Book:
    """Quote of one contract and what was taken from it in this step."""

    def __init__(self, liquidity: Liquidity) -> None:
        self.quote = Quote(None, None)
        self._liquidity = liquidity
        self._of_quote = {Side.BUY: 0, Side.SELL: 0}
        self._of_step = {Side.BUY: 0, Side.SELL: 0}
        self._resting: set[int] = set()

    def show(self, quote: Quote) -> None:
        """A new quote: its size is whole again, what the step allows is not."""
        self.quote = quote
        self._of_quote = {Side.BUY: 0, Side.SELL: 0}

    def refresh(self) -> None:
        """A new step under the same quote."""
        self._of_quote = {Side.BUY: 0, Side.SELL: 0}
        self._of_step = {Side.BUY: 0, Side.SELL: 0}

    def match(self, orders: Sequence[BrokerOrder]) -> list[Match]:
        """What fills now, of these live orders."""
        matches = []
        for order in sorted(orders, key=_priority):
            price = self._price(order)
            quantity = min(order.remaining, self._available(order.side)) if price is not None else 0
            if price is not None and quantity > 0:
                self._of_quote[order.side] += quantity
                self._of_step[order.side] += quantity
                matches.append(Match(order.perm_id, quantity, price))
            if price is None:
                self._resting.add(order.perm_id)
        return matches

    def _touch(self, side: Side) -> tuple[float | None, int | None]:
        quote = self.quote
        return (quote.ask, quote.ask_size) if side is Side.BUY else (quote.bid, quote.bid_size)

    def _price(self, order: BrokerOrder) -> float | None:
        touch, _ = self._touch(order.side)
        limit = order.limit_price
        if touch is None or order.order_type == "MKT" or limit is None:
            return touch
        if (touch - limit) * order.side.sign > 0:
            return None
        return limit if order.perm_id in self._resting else touch

    def _available(self, side: Side) -> int:
        _, size = self._touch(side)
        allowed = self._liquidity.per_step
        left_of_quote = UNLIMITED if size is None else size - self._of_quote[side]
        left_of_step = UNLIMITED if allowed is None else allowed - self._of_step[side]
        return min(left_of_quote, left_of_step)


def _priority(order: BrokerOrder) -> tuple[float, int]:
    aggressive = float("inf") if order.limit_price is None else order.side.sign * order.limit_price
    return -aggressive, order.number
