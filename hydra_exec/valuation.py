"""What an account is worth: every fill at its price and fee, what is held at the last settle of its contract. Pure.

    equity = capital - sum(signed lots * price * multiplier) - sum(fees) + sum(held * last settle * multiplier)

Whole cents throughout, so that the sum does not depend on the order of its parts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

CENTS = 100


@dataclass(frozen=True, slots=True)
class Trade:
    """A fill as money counts it: ``lots`` bought positive, ``fee`` for the whole fill."""

    contract: str
    lots: int
    price: float
    fee: float
    at: datetime


@dataclass(slots=True)
class Holding:
    """One market: lots by contract, cash that its trades have left, and the cash since it was last flat."""

    lots: dict[str, int] = field(default_factory=dict)
    cash: int = 0
    since_flat: int = 0


class Valuation:
    """An account's books in cents, fold over its trades. ``market_of`` gives market and multiplier of a contract."""

    def __init__(self, capital: float, market_of: Callable[[str], tuple[str, float]]) -> None:
        self.capital = round(CENTS * capital)
        self._market_of = market_of
        self.settles: dict[str, float] = {}
        """Last known settle of each contract, or the price of its first fill before there is one."""
        self.holdings: dict[str, Holding] = {}

    def trade(self, trades: Iterable[Trade]) -> None:
        """Book trades, in order of time."""
        for trade in trades:
            market, multiplier = self._market_of(trade.contract)
            holding = self.holdings.setdefault(market, Holding())
            if not holding.lots:
                holding.since_flat = 0
            flow = -round(CENTS * trade.lots * trade.price * multiplier) - round(CENTS * trade.fee)
            holding.cash += flow
            holding.since_flat += flow
            held = holding.lots.pop(trade.contract, 0) + trade.lots
            if held:
                holding.lots[trade.contract] = held
            self.settles.setdefault(trade.contract, trade.price)

    def mark(self, settles: Mapping[str, float]) -> None:
        """Take a session's settles; a contract without one keeps its last."""
        self.settles.update(settles)

    def lots(self, market: str) -> dict[str, int]:
        """Lots of a market's contracts."""
        return self.holdings.get(market, Holding()).lots

    def value(self, market: str) -> int:
        """What a market's positions are worth at their last settles."""
        lots = self.lots(market)
        return sum(round(CENTS * held * self.settles[c] * self._market_of(c)[1]) for c, held in lots.items())

    def open_profit(self, market: str) -> int:
        """What the open trade of a market has earned since it was last flat; 0 where nothing is held."""
        holding = self.holdings.get(market, Holding())
        return holding.since_flat + self.value(market) if holding.lots else 0

    def profit(self, market: str) -> int:
        """What a market has earned since the beginning."""
        return self.holdings.get(market, Holding()).cash + self.value(market)

    @property
    def equity(self) -> int:
        """The account's worth."""
        return self.capital + sum(self.profit(market) for market in self.holdings)
