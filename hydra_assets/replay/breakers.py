"""Circuit breakers: ACTIVE -> TRIGGERED -> COOLDOWN -> ACTIVE, one machine per account and one per market in it.

A breach triggers; a triggered machine wants no position and sells what there is through the ordinary caps; flat, it
cools down for some sessions; then it is active again. The account's peak equity starts anew there, so that one drawdown
does not end trading for ever. The transition table is the whole machine; ``breaker_arrays`` steps many with it.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated

from pydantic import Field

from hydra_assets.markets.model import Strict


class BreakerState(IntEnum):
    """State of a machine; the values are those in result arrays."""

    ACTIVE = 0
    TRIGGERED = 1
    COOLDOWN = 2


class BreakerEvent(IntEnum):
    """What can happen to a machine at a session's cutoff."""

    BREACH = 0
    FLAT = 1
    COOLED = 2


TRANSITIONS: dict[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (BreakerState.ACTIVE, BreakerEvent.BREACH): BreakerState.TRIGGERED,
    (BreakerState.TRIGGERED, BreakerEvent.FLAT): BreakerState.COOLDOWN,
    (BreakerState.COOLDOWN, BreakerEvent.COOLED): BreakerState.ACTIVE,
}
"""Every move there is. Any other event leaves the state: a breach while triggered or cooling changes nothing."""


class BreakerReason(StrEnum):
    """Why a breaker tripped. The first two are the account's; of several, the first in this order is given."""

    DAILY_LOSS = "daily_loss"
    """The session lost more than a share of the equity before it, costs included."""
    DRAWDOWN = "drawdown"
    """Equity is below its peak by more than a share of it, or gone."""
    STALE_DATA = "stale_data"
    """The market has had no usable session for too long, and a position is held in it."""
    POSITION = "position"
    """The position's value is beyond a multiple of the equity."""
    PARTICIPATION = "participation"
    """Leaving would take too many sessions at the participation cap: liquidity has dried up."""
    SINGLE_TRADE = "single_trade"
    """The open trade has lost more than a share of the equity since it was entered, before costs."""


REASONS = tuple(BreakerReason)
"""Codes of reasons in arrays are places in this tuple."""


class BreakerConfig(Strict):
    """Thresholds as shares of equity unless said otherwise; None switches a breaker off. All are choices.

    ``position_multiple`` bounds one market's value over equity, ``exit_sessions`` the sessions that leaving takes,
    ``max_stale_sessions`` the sessions in a row without usable data, ``cooldown_sessions`` the wait once flat.
    """

    daily_loss: Annotated[float, Field(gt=0)] | None = 0.03
    drawdown: Annotated[float, Field(gt=0, lt=1)] | None = 0.15
    single_trade_loss: Annotated[float, Field(gt=0)] | None = 0.03
    position_multiple: Annotated[float, Field(gt=0)] | None = 3.0
    exit_sessions: Annotated[float, Field(gt=0)] | None = 10.0
    max_stale_sessions: Annotated[int, Field(ge=0)] | None = 3
    cooldown_sessions: Annotated[int, Field(ge=1)] = 10


@dataclass(frozen=True, slots=True)
class Transition:
    """A move of one machine at the cutoff of a session. ``market`` is None for the account's own."""

    session: int
    market: int | None
    before: BreakerState
    after: BreakerState
    reason: BreakerReason


@dataclass(slots=True)
class Breaker:
    """One machine. ``reason`` is the one it last tripped for, ``until`` the session at which it has cooled."""

    market: int | None = None
    state: BreakerState = BreakerState.ACTIVE
    reason: BreakerReason | None = None
    until: int = 0

    def advance(self, session: int, breach: BreakerReason | None, flat: bool, cooldown: int) -> Transition | None:
        """Take a session's findings at its cutoff; at most one move."""
        event = {
            BreakerState.ACTIVE: BreakerEvent.BREACH if breach else None,
            BreakerState.TRIGGERED: BreakerEvent.FLAT if flat else None,
            BreakerState.COOLDOWN: BreakerEvent.COOLED if session >= self.until else None,
        }[self.state]
        if event is None:
            return None
        before, self.state = self.state, TRANSITIONS[self.state, event]
        if event is BreakerEvent.BREACH:
            self.reason = breach
        elif event is BreakerEvent.FLAT:
            self.until = session + cooldown
        assert self.reason is not None  # noqa: S101 - a machine leaves ACTIVE by a breach only
        return Transition(session, self.market, before, self.state, self.reason)


@dataclass(frozen=True, slots=True)
class AccountFindings:
    """What the account's breakers look at, in cents, at a session's cutoff."""

    equity: int
    equity_before: int
    peak: int


def account_breach(found: AccountFindings, config: BreakerConfig) -> BreakerReason | None:
    """Which of the account's breakers trips, if any."""
    loss = found.equity_before - found.equity
    if config.daily_loss is not None and loss > config.daily_loss * max(found.equity_before, 0):
        return BreakerReason.DAILY_LOSS
    if config.drawdown is not None and (
        found.equity <= 0 or found.peak - found.equity > config.drawdown * max(found.peak, 0)
    ):
        return BreakerReason.DRAWDOWN
    return None


@dataclass(frozen=True, slots=True)
class MarketFindings:
    """What one market's breakers look at: lots held, cents, lots a session's cap would be, sessions without data.

    ``notional`` is the value of one lot; it and ``cap`` are NaN where the session has a fault.
    """

    lots: int
    trade_profit: int
    equity: int
    notional: float
    cap: float
    stale_sessions: int


def market_breach(found: MarketFindings, config: BreakerConfig) -> BreakerReason | None:
    """Which of a market's breakers trips, if any; NaN trips none, since staleness answers for it."""
    held, equity = abs(found.lots), max(found.equity, 0)
    if config.max_stale_sessions is not None and held and found.stale_sessions > config.max_stale_sessions:
        return BreakerReason.STALE_DATA
    if config.position_multiple is not None and held * found.notional > config.position_multiple * equity:
        return BreakerReason.POSITION
    if config.exit_sessions is not None and held > config.exit_sessions * found.cap:
        return BreakerReason.PARTICIPATION
    if config.single_trade_loss is not None and -found.trade_profit > config.single_trade_loss * equity:
        return BreakerReason.SINGLE_TRADE
    return None
