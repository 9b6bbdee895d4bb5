"""The one place where an adapter is made: what comes out of it is behind the risk gate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from hydra_assets.clock import now as wall_clock
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import Broker, Sessions
from hydra_exec.broker.simulated.broker import SimulatedBroker
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.store import DatabaseStore
from hydra_exec.broker.simulated.tape import SessionTape, working_window
from hydra_exec.config import TradingConfig
from hydra_exec.connection.blackout import Blackout
from hydra_exec.connection.client_lock import ClientLock, Role, client_id
from hydra_exec.connection.keeper import ConnectionKeeper, KeeperRules
from hydra_exec.connection.log import ConnectionLog
from hydra_exec.deciding import limits_of
from hydra_exec.desk.desk import Desk
from hydra_exec.desk.line import Line, Teller
from hydra_exec.journal.gate_book import GateBook
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.reconcile import Price, Reconciler
from hydra_exec.risk_gate.decide import CLOSED_TO_RISK
from hydra_exec.risk_gate.facts import GateRules, WireSituation
from hydra_exec.risk_gate.gate import GuardedBroker, guard
from hydra_exec.trading_log import switched_on

SIMULATED_TICK_SECONDS = 1.0
"""Any time will do: the simulated broker's waits are steps."""
SIMULATED_STEPS = 250
"""Of a session, about one a minute. In coarse steps prices jump through limits that a market would trade at on its way:
resting orders then look far worse than they are."""
NO_PARTICIPATION_CAP = 1_000_000
"""At the wire: the order's own size was capped when it was decided, and no ticket is larger than its order."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an account is put together from."""

    engine: sa.Engine
    config: TradingConfig
    markets: Mapping[str, MarketSpec]
    calendars: Mapping[str, SessionCalendar]
    home: str
    """What tells this home from all others."""
    system: Callable[[], SystemState]
    price: Price
    """Last known price of a contract, for a line that no execution told of."""
    run_id: str = ""
    tell: Teller | None = None


@dataclass(frozen=True, slots=True)
class Rig:
    """An account that can be traded: everything but the broker itself, which stays behind the gate."""

    broker: GuardedBroker
    journal: Journal
    line: Line
    desk: Desk
    virtual: Sessions | None
    close: Callable[[], None]


def simulated_rig(
    parts: Parts,
    tapes: Mapping[date, Sequence[SessionTape]],
    sim: SimConfig | None = None,
    last_trades: Mapping[str, date] | None = None,
) -> Rig:
    """An account at the simulated broker, on tapes."""
    account = parts.config.account
    journal = Journal(parts.engine, account, parts.home, parts.run_id)
    store = DatabaseStore(parts.engine, account)
    config = sim or SimConfig(seed=parts.config.seed, steps=SIMULATED_STEPS)
    broker = SimulatedBroker(account, tapes, store, journal.next_generation, config, last_trades)
    guarded = _guarded(broker, journal, parts, lambda: ())
    line = Line(guarded, journal, Reconciler(journal, 0, parts.price), tell=parts.tell)
    desk = Desk(line, parts.config.patience, SIMULATED_TICK_SECONDS)

    def close() -> None:
        guarded.close()
        store.close()

    return Rig(guarded, journal, line, desk, broker, close)


def ib_rig(
    parts: Parts,
    *,
    locks: Path,
    permit: Callable[[str], str | None] | None = None,
    clock: Callable[[], datetime] = wall_clock,
    pace: Callable[[float], None] | None = None,
    throttle: bool = True,
    tick_seconds: float = 1.0,
) -> Rig:
    """An account at Interactive Brokers, on paper or live: the same path, and ``permit`` is all that differs.

    ``locks`` is the folder of the client ids' lock files. ClientLockError where another process trades already.
    """
    from hydra_exec.broker.ib.broker import IBBroker  # noqa: PLC0415  the client library is slow to import

    config = parts.config
    lock = ClientLock(locks, Role.TRADING, client_id(config.ib, Role.TRADING))
    lock.acquire()
    journal = Journal(parts.engine, config.account, parts.home, parts.run_id)
    broker = IBBroker(
        config,
        list(parts.markets.values()),
        next_generation=journal.next_generation,
        order_id_floor=journal.order_id_floor,
        permit=permit,
        clock=clock,
        pace=pace,
        throttle=throttle,
    )
    margin = timedelta(minutes=config.ib.restart_margin_minutes)
    blackout = Blackout(config.ib.restart_at, config.ib.restart_timezone, margin)
    guarded = _guarded(broker, journal, parts, lambda: tuple(blackout.windows(broker.now())))
    log = ConnectionLog(parts.engine, Role.TRADING, config.account, parts.run_id)
    keeper = ConnectionKeeper(guarded, KeeperRules(blackout=blackout), alive=broker.settle, log=log)
    line = Line(guarded, journal, Reconciler(journal, config.ib.client_id, parts.price), keeper, parts.tell)
    desk = Desk(
        line,
        config.patience,
        tick_seconds,
        keep_going=lambda: switched_on(parts.engine),
        closed_to_risk=lambda: parts.system() in CLOSED_TO_RISK,
    )

    def close() -> None:
        keeper.stop()
        lock.release()

    return Rig(guarded, journal, line, desk, None, close)


def _guarded(
    broker: Broker,
    journal: Journal,
    parts: Parts,
    blackouts: Callable[[], tuple[tuple[datetime, datetime], ...]],
) -> GuardedBroker:
    """Put a broker behind the gate; nothing else keeps hold of it."""
    limits = parts.config.limits
    rules = GateRules(limits.orders_per_minute, limits.orders_per_session)

    def situation(market: str) -> WireSituation:
        spec, calendar = parts.markets[market], parts.calendars[market]
        window = session_window(spec, calendar, broker.now())
        return WireSituation(
            switched_on=switched_on(parts.engine),
            system=parts.system(),
            limits=limits_of(spec, NO_PARTICIPATION_CAP, limits, parts.config.patience.max_quote_age_seconds),
            opens_at=window[0] if window else None,
            closes_at=window[1] if window else None,
            blackouts=blackouts(),
        )

    return guard(broker, rules, GateBook(journal), situation)


def session_window(spec: MarketSpec, calendar: SessionCalendar, at: datetime) -> tuple[datetime, datetime] | None:
    """The trading hours that an instant lies in, None where it lies in none."""
    for day in (at.date() - timedelta(days=1), at.date(), at.date() + timedelta(days=1)):
        if calendar.is_session(day):
            opens_at, closes_at = working_window(spec, calendar, day)
            if opens_at <= at < closes_at:
                return opens_at, closes_at
    return None
