"""What the breakers of an account and its markets make of a session. Pure.

The machine is the replay's: ACTIVE -> TRIGGERED -> COOLDOWN -> ACTIVE. Where each stands follows from its newest move;
all else (the peak, the sessions of a cooldown) is counted anew from the account's equity, session by session, so that
nothing is lost with a process and a session that is judged twice is judged alike.

The peak is the largest equity since the account's machine last became active, that session's included: one drawdown
does not end trading for ever.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise

from hydra_assets.replay.breakers import (
    AccountFindings,
    Breaker,
    BreakerConfig,
    BreakerReason,
    BreakerState,
    MarketFindings,
    account_breach,
    market_breach,
)

ACCOUNT = ""
"""Name of the account's own machine among those of its markets."""


class OutOfOrderError(Exception):
    """A session is judged after a later one has moved a machine, or the account's sessions do not rise."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a breaker stands. ``since`` is the session of its newest move; None before the first."""

    state: BreakerState = BreakerState.ACTIVE
    reason: BreakerReason | None = None
    since: date | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A move at the cutoff of a session; ``market`` is empty for the account's own. Figures of money are cents."""

    market: str
    session: date
    before: BreakerState
    after: BreakerState
    reason: BreakerReason
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BreakerBook:
    """All machines of an account that ever moved, by market."""

    machines: Mapping[str, Machine] = field(default_factory=dict)

    def of(self, market: str) -> Machine:
        """Return the machine of a market, or of the ``ACCOUNT``."""
        return self.machines.get(market, Machine())

    @property
    def resting_markets(self) -> frozenset[str]:
        """Markets whose own machine is not active: they want no position."""
        resting = {name for name, machine in self.machines.items() if machine.state is not BreakerState.ACTIVE}
        return frozenset(resting - {ACCOUNT})

    @property
    def account_rests(self) -> bool:
        """Whether the account's own machine is not active: no market wants a position."""
        return self.of(ACCOUNT).state is not BreakerState.ACTIVE

    def after(self, moves: Sequence[Move]) -> "BreakerBook":
        """Return the book after moves."""
        return BreakerBook({**self.machines, **{m.market: Machine(m.after, m.reason, m.session) for m in moves}})


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """An account's equity in cents: what it began with, and at the cutoff of each session that it lived through."""

    opening: int
    equities: Sequence[tuple[date, int]]

    @property
    def session(self) -> date:
        """The newest session, which is the one that is judged."""
        return self.equities[-1][0]


def judge(
    book: BreakerBook, history: AccountHistory, markets: Mapping[str, MarketFindings], config: BreakerConfig
) -> list[Move]:
    """Judge the newest session of a history; at most one move of each machine, the account's first.

    Parameters
    ----------
    book
        Where the machines stand.
    history
        The account's sessions since the first, in order.
    markets
        What is found in each market at the newest session. A machine of a market that is not in it only cools.
    config
        Thresholds and the sessions of a cooldown.

    Raises
    ------
    OutOfOrderError
        A machine moved in a later session, or the sessions do not rise.
    """
    places = _places(book, history)
    equity = history.equities[-1][1]
    before = history.equities[-2][1] if len(history.equities) > 1 else history.opening
    peak = _peak(book.of(ACCOUNT), history)
    found = AccountFindings(equity=equity, equity_before=before, peak=peak)
    figures: dict[str, float] = {"equity": equity, "equity_before": before, "peak": peak}
    moves = [_move(book, ACCOUNT, places, (account_breach(found, config), _is_flat(markets)), config, figures)]
    for market in sorted({*markets, *book.machines} - {ACCOUNT}):
        here = markets.get(market)
        breach = None if here is None else market_breach(here, config)
        flat = here is not None and here.lots == 0
        moves.append(_move(book, market, places, (breach, flat), config, {} if here is None else _figures(here)))
    return [move for move in moves if move is not None]


def _places(book: BreakerBook, history: AccountHistory) -> dict[date, int]:
    """Give each session its number, and see that no machine is ahead of them."""
    sessions = [session for session, _ in history.equities]
    places = {session: place for place, session in enumerate(sessions)}
    if not sessions or any(after <= before for before, after in pairwise(sessions)):
        msg = "an account's sessions are judged in order, from its first on"
        raise OutOfOrderError(msg)
    for market, machine in book.machines.items():
        if machine.since is not None and machine.since > sessions[-1]:
            msg = f"breaker of {market or 'the account'} moved in session {machine.since}: judged is {sessions[-1]}"
            raise OutOfOrderError(msg)
    return places


def _place_of(places: Mapping[date, int], since: date) -> int:
    """Place of a session; of one that a process did not live to put on record, that of the next."""
    return min(place for session, place in places.items() if session >= since)


def _peak(account: Machine, history: AccountHistory) -> int:
    since = account.since if account.state is BreakerState.ACTIVE else None
    if since is None:
        return max(history.opening, *(equity for _, equity in history.equities))
    return max(equity for session, equity in history.equities if session >= since)


def _is_flat(markets: Mapping[str, MarketFindings]) -> bool:
    """Whether nothing is held where it could be sold; a market without data cannot keep an account from cooling."""
    fresh = [found for found in markets.values() if found.stale_sessions == 0]
    return not any(found.lots for found in fresh or markets.values())


def _move(
    book: BreakerBook,
    market: str,
    places: Mapping[date, int],
    findings: tuple[BreakerReason | None, bool],
    config: BreakerConfig,
    figures: Mapping[str, float],
) -> Move | None:
    machine, session = book.of(market), max(places)
    if machine.since == session:
        return None
    until = _place_of(places, machine.since) + config.cooldown_sessions if machine.since is not None else 0
    breaker = Breaker(state=machine.state, reason=machine.reason, until=until)
    moved = breaker.advance(places[session], *findings, config.cooldown_sessions)
    return None if moved is None else Move(market, session, moved.before, moved.after, moved.reason, figures)


def _figures(found: MarketFindings) -> dict[str, float]:
    named = {
        "lots": found.lots,
        "trade_profit": found.trade_profit,
        "equity": found.equity,
        "notional": found.notional,
        "cap": found.cap,
        "stale_sessions": found.stale_sessions,
    }
    return {name: number for name, number in named.items() if math.isfinite(number)}
