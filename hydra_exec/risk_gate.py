"""The risk gate: every order passes here or is denied with a code. Pure; it knows nothing of models or brokers."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from hydra_assets.state.records import Side

GRID_TOLERANCE_TICKS = 1e-6


class GateCode(StrEnum):
    """Verdict on an order."""

    PASSED = "passed"
    HALTED = "halted"
    """The system's state allows no new position; orders that only reduce one pass."""
    NO_CHAMPION = "no_champion"
    """Nothing vouches for the order."""
    STALE_INPUT = "stale_input"
    """The price that the limit was set from is not this session's."""
    BAD_PRICE = "bad_price"
    """The limit is not a positive finite price on the tick grid."""
    PRICE_COLLAR = "price_collar"
    """The limit is too far from the settle."""
    POSITION_LIMIT = "position_limit"
    """The position after a complete fill would be beyond the market's limit."""
    PARTICIPATION = "participation"
    """The order is larger than the market's cap on a share of its volume."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A limit order that someone wants. ``held`` is the broker's own position in the contract before it."""

    market: str
    contract: str
    side: Side
    quantity: int
    limit_price: float
    held: int

    @property
    def after(self) -> int:
        """Position in the contract after a complete fill."""
        return self.held + (self.quantity if self.side is Side.BUY else -self.quantity)

    @property
    def reduces(self) -> bool:
        """Whether the order only takes risk away: no larger, and not through zero."""
        return abs(self.after) < abs(self.held) and self.after * self.held >= 0


@dataclass(frozen=True, slots=True)
class Limits:
    """A market's hard limits; ``max_quantity`` is the participation cap in contracts."""

    max_position: int
    max_quantity: int
    price_collar_fraction: float
    tick: float


@dataclass(frozen=True, slots=True)
class Situation:
    """What the gate is told besides the order: is there a champion, which settle, how old, may there be new risk."""

    has_champion: bool
    settle: float | None
    settle_age_sessions: int | None
    halted: bool = False
    """HALTED or LOCKDOWN."""


def check(intent: Intent, limits: Limits, situation: Situation) -> GateCode:
    """Judge an order. One that only reduces a position passes without a champion and over the position limit."""
    return next(_denials(intent, limits, situation), GateCode.PASSED)


def _denials(intent: Intent, limits: Limits, situation: Situation) -> Iterator[GateCode]:
    if situation.halted and not intent.reduces:
        yield GateCode.HALTED
    if not situation.has_champion and not intent.reduces:
        yield GateCode.NO_CHAMPION
    if situation.settle is None or situation.settle_age_sessions != 0:
        yield GateCode.STALE_INPUT
    elif not on_grid(intent.limit_price, limits.tick):
        yield GateCode.BAD_PRICE
    elif abs(intent.limit_price - situation.settle) > limits.price_collar_fraction * abs(situation.settle):
        yield GateCode.PRICE_COLLAR
    if abs(intent.after) > limits.max_position and not intent.reduces:
        yield GateCode.POSITION_LIMIT
    if intent.quantity > limits.max_quantity:
        yield GateCode.PARTICIPATION


def on_grid(price: float, tick: float) -> bool:
    """Whether a price is positive, finite and a whole number of ticks."""
    return math.isfinite(price) and price > 0.0 and abs(price / tick - round(price / tick)) <= GRID_TOLERANCE_TICKS
