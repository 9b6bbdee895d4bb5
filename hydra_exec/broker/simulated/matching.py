"""Which orders fill on a quote, how much, and at what price. Pure; the rules are those of the loopback TWS' book.

An order that finds the other side's quote within its limit takes the touch. One that a quote once left unfilled rests,
and fills at its own limit when the quote reaches it. A step gives no more than its cap, by price and then by arrival.

Taking liquidity moves the price, which the loopback TWS does not know: after Q lots taken on one side in a session the
account has paid k Q^(3/2) for it in all, whatever the pieces, with k the tape's impact; a fill pays its own part of
that, on the grid and never beyond its limit, so that quantities are the same without it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hydra_assets.state.records import Side
from hydra_exec.broker.simulated.path import PRICE_DECIMALS


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that may fill. ``number`` is its place in arrival."""

    number: int
    side: Side
    remaining: int
    limit_price: float
    resting: bool


@dataclass(slots=True)
class Allowance:
    """Lots of one contract and side: what a step and the session still give, and what was taken from the touch."""

    of_step: int
    of_day: int
    taken: int = 0

    @property
    def lots(self) -> int:
        """What may fill now."""
        return max(min(self.of_step, self.of_day), 0)

    def use(self, lots: int, took: bool) -> None:
        """A fill."""
        self.of_step -= lots
        self.of_day -= lots
        self.taken += lots if took else 0


@dataclass(frozen=True, slots=True)
class Touch:
    """Bid and ask of a contract."""

    bid: float
    ask: float

    def against(self, side: Side) -> float:
        """The price that an order of this side can take."""
        return self.ask if side is Side.BUY else self.bid


@dataclass(frozen=True, slots=True)
class Match:
    """A fill to be."""

    number: int
    quantity: int
    price: float
    took: bool


def match(
    orders: Sequence[WorkingOrder],
    touch: Touch | None,
    allowances: dict[Side, Allowance],
    impact: float,
    tick: float,
) -> tuple[list[Match], list[int]]:
    """Fills of one contract's live orders, and the numbers of those that rest from now on.

    ``allowances`` are used up by the fills. Without a quote every order rests.
    """
    matches: list[Match] = []
    rest: list[int] = []
    for order in sorted(orders, key=lambda o: (-o.side.sign * o.limit_price, o.number)):
        reach = touch is not None and (touch.against(order.side) - order.limit_price) * order.side.sign <= 0.0
        if touch is None or not reach:
            if not order.resting:
                rest.append(order.number)
            continue
        allowance = allowances[order.side]
        quantity = min(order.remaining, allowance.lots)
        if quantity <= 0:
            continue
        if order.resting:
            price = order.limit_price
        else:
            moved = impact_ticks(impact, tick, allowance.taken, quantity)
            price = _worse(touch.against(order.side), moved, order, tick)
        allowance.use(quantity, took=not order.resting)
        matches.append(Match(order.number, quantity, price, took=not order.resting))
    return matches, rest


def impact_ticks(impact: float, tick: float, taken: int, quantity: int) -> int:
    """Whole ticks that each lot of a fill pays after ``taken`` lots: its part of k Q^(3/2)."""
    whole = impact * (math.pow(taken + quantity, 1.5) - math.pow(taken, 1.5))
    return math.floor(whole / quantity / tick + 0.5)


def _worse(touch: float, ticks: int, order: WorkingOrder, tick: float) -> float:
    if ticks <= 0:
        return touch
    moved = round(round(touch / tick + order.side.sign * ticks) * tick, PRICE_DECIMALS)
    return min(moved, order.limit_price) if order.side is Side.BUY else max(moved, order.limit_price)
