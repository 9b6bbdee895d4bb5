"""What the gate is told: an order that someone wants, the limits, and the situation at its decision and at the wire."""

from dataclasses import dataclass
from datetime import datetime

from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import BrokerKind, Link, Quote
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.grid import PriceGrid


@dataclass(frozen=True, slots=True)
class Exposure:
    """A contract's position with what works: lots held (negative is short) and lots that may still be bought, sold."""

    held: int
    working_buy: int = 0
    working_sell: int = 0

    def after(self, side: Side, lots: int) -> int:
        """Position once all that works on a side and ``lots`` more are filled, and nothing on the other side."""
        return self.held + (self.working_buy + lots if side is Side.BUY else -self.working_sell - lots)

    def reduces(self, side: Side, lots: int) -> bool:
        """Whether ``lots`` more on a side only take risk away: no larger, and not through zero, whatever works."""
        return self.held * side.sign < 0 and self.held * self.after(side, lots) >= 0


@dataclass(frozen=True, slots=True)
class OrderWish:
    """A limit order that someone wants. ``limit_price`` is the worst at which it may fill, in price units.

    Raises
    ------
    ValueError
        It has no lots.
    """

    order_ref: str
    market: str
    contract: str
    side: Side
    quantity: int
    limit_price: float

    def __post_init__(self) -> None:
        if self.quantity < 1:
            msg = f"{self.order_ref}: an order of {self.quantity} lots"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Limits:
    """A market's hard limits, with the account's shares of equity.

    ``max_position`` and ``max_quantity`` (the participation cap) are lots, ``multiplier`` is money per unit of price.
    """

    grid: PriceGrid
    multiplier: float
    max_position: int
    max_quantity: int
    collar_fraction: float
    max_market_notional_share: float
    max_account_notional_share: float
    max_margin_share: float
    min_sessions_to_end: int = 1
    """A new position wants at least so many sessions before first notice or last trade."""
    max_exit_settle_age_sessions: int = 10
    """How old a settle may be for an order that only reduces: a market without data must be left somehow. At the wire
    its limit meets a fresh touch. A new position takes none but the session's own."""
    max_quote_age_seconds: float = 1_200.0


@dataclass(frozen=True, slots=True)
class Situation:
    """What holds when an order is decided. Money is the account's; None says that nobody knows.

    What is not known denies what adds risk and lets go what reduces; NaN and infinity deny both, as faults.
    """

    system: SystemState
    broker: BrokerKind
    has_champion: bool
    champion_simulated: bool
    exists: bool
    """Whether an order of this name exists."""
    reconciled: bool
    """Journal and broker agree, and no ticket of the market is in state unknown."""
    breakers_active: bool
    """Neither the account's nor the market's breaker rests."""
    exposure: Exposure
    settle: float | None
    settle_age_sessions: int | None
    sessions_to_end: int | None
    """Sessions until first notice or last trade, whichever comes first."""
    equity: float | None
    margin_per_lot: float | None
    """Initial margin of a lot, or a proxy of it."""
    other_lots: int = 0
    """Lots, long or short, that are held or work in other contracts of the market."""
    other_market_notional: float = 0.0
    """Value of those."""
    other_account_notional: float = 0.0
    """Value of all positions in other markets."""
    other_margin: float = 0.0
    """Initial margin of all positions but this contract's."""


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The order that a ticket is cut from, as it is on record."""

    order_ref: str
    market: str
    contract: str
    side: Side
    quantity: int
    worst_price: float
    lots_in_others: int
    """Lots of its other tickets: those that may fill, and those that are filled."""


@dataclass(frozen=True, slots=True)
class BookView:
    """What the journal says of a ticket, its contract and its market when it is to be sent."""

    state: TicketState | None
    exposure: Exposure
    unknown: bool
    """Whether a ticket of the market is in state unknown."""


@dataclass(frozen=True, slots=True)
class WireSituation:
    """What holds of a market when something is to be sent; instants are UTC.

    ``opens_at`` and ``closes_at`` are those of the session that is worked, None where there is none; the end of an
    interval is outside it.
    """

    switched_on: bool
    system: SystemState
    limits: Limits
    opens_at: datetime | None
    closes_at: datetime | None
    blackouts: tuple[tuple[datetime, datetime], ...] = ()
    """Windows around the gateway's restarts, first and last instant."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The broker at the instant of a send: its clock, connection and touch, and what was sent of late."""

    at: datetime
    link: Link
    quote: Quote | None
    sent_last_minute: int
    sent_this_session: int


@dataclass(frozen=True, slots=True)
class GateRules:
    """Bounds on instructions to the broker, new orders and amendments alike; cancels are free."""

    orders_per_minute: int
    orders_per_session: int
