"""Records of one candidate's life: orders, fills, rolls, positions, days and the account. Money is in whole cents."""

from dataclasses import dataclass, field

from hydra_assets.replay.breakers import BreakerState, Transition


@dataclass(frozen=True, slots=True)
class Order:
    """What is wanted of one market in the session after ``session``: signed lots."""

    session: int
    market: int
    lots: int


@dataclass(frozen=True, slots=True)
class Fill:
    """What was done of an order, in cents. ``to_settle`` is its profit from its own price to the session's settle."""

    session: int
    market: int
    lots: int
    price: float
    to_settle: int
    spread: int
    fee: int
    impact: int


@dataclass(frozen=True, slots=True)
class Roll:
    """A change of contract: so many lots sold in the one and bought in the other."""

    session: int
    market: int
    lots: int
    cost: int


@dataclass(slots=True)
class Position:
    """One market's holding, and the profit in cents of the trade that is open in it."""

    lots: int = 0
    trade_profit: int = 0
    roll_due: bool = False
    stale_sessions: int = 0


@dataclass(slots=True)
class Day:
    """Cents and lots of one session."""

    gross: int = 0
    spread: int = 0
    fee: int = 0
    impact: int = 0
    roll: int = 0
    turnover: int = 0
    missing: int = 0

    @property
    def net(self) -> int:
        """Gross less all costs."""
        return self.gross - self.spread - self.fee - self.impact - self.roll


@dataclass(slots=True)
class Account:
    """Everything that happened to one candidate."""

    cash: int
    peak: int
    positions: list[Position]
    days: list[Day] = field(default_factory=list)
    equity: list[int] = field(default_factory=list)
    held: list[tuple[int, ...]] = field(default_factory=list)
    states: list[BreakerState] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    rolls: list[Roll] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
