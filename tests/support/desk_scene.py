"""An account on a rig, with targets that a test sets: the desk's whole road but for the lake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache

import sqlalchemy as sa

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar, calendar_of
from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.state.system import SystemState
from hydra_exec.account_run import Account, AccountRun
from hydra_exec.assembly import Parts, Rig, simulated_rig
from hydra_exec.breakers.account import AccountBreakers
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.path import DayBar
from hydra_exec.broker.simulated.tape import SessionTape, SimTerms, working_window
from hydra_exec.config import TradingConfig
from hydra_exec.market_days import ContractDay, MarketDay
from hydra_exec.plan import Wanted
from hydra_exec.targets import TargetReason
from hydra_exec.trading_log import equities

APRIL, MAY = "HE-2025-04", "HE-2025-05"
FIRST = date(2025, 3, 3)
HOME = "0f0e0d0c"


@cache
def hogs() -> MarketSpec:
    """The market that is traded."""
    return load_markets()["HE"]


def sessions(n: int, first: date = FIRST) -> list[date]:
    """Sessions of the market from a date on."""
    calendar = calendar_of(hogs())
    out = [first]
    while len(out) < n:
        out.append(calendar.next_session(out[-1]))
    return out


@dataclass
class World:
    """What happens to the market: settles by session, what is wanted in each, and how liquid it is."""

    wanted: Mapping[date, int]
    settles: Mapping[date, float]
    contract: Mapping[date, str] = field(default_factory=dict)
    reasons: Mapping[date, TargetReason] = field(default_factory=dict)
    range_width: float = 1.0
    day_cap: int = 50
    margin_per_lot: float = 1_500.0
    sessions_to_end: int = 20
    last_trades: Mapping[str, date] = field(default_factory=dict)

    def days(self) -> dict[date, dict[str, MarketDay]]:
        """The market's days."""
        return {session: {"HE": self.day(session)} for session in self.settles}

    def day(self, session: date) -> MarketDay:
        """One of them: both contracts settle half a cent apart."""
        settle, contract = self.settles[session], self.contract.get(session, APRIL)
        prices = {APRIL: settle, MAY: settle + 0.5}
        wanted = Wanted(
            "HE",
            session,
            contract,
            self.wanted.get(session, 0),
            self.reasons.get(session, TargetReason.OK),
            prices,
            frozenset({APRIL}) if contract == MAY else frozenset(),
        )
        listed = {
            name: ContractDay(price, 0, self.sessions_to_end, name in wanted.ending) for name, price in prices.items()
        }
        return MarketDay("HE", session, wanted, listed, self.day_cap, self.margin_per_lot)

    def tapes(self) -> dict[date, list[SessionTape]]:
        """The market's tapes: each session opens at the last settle and ends at its own."""
        spec, calendar = hogs(), calendar_of(hogs())
        out: dict[date, list[SessionTape]] = {}
        before: float | None = None
        for session, settle in self.settles.items():
            opens = before if before is not None else settle
            half = 0.5 * self.range_width
            bars = {
                name: DayBar(
                    settle=settle + more,
                    open=opens + more,
                    high=max(opens, settle) + more + half,
                    low=min(opens, settle) + more - half,
                )
                for name, more in ((APRIL, 0.0), (MAY, 0.5))
            }
            out[session] = [
                SessionTape(
                    session, SimTerms.of(spec), *working_window(spec, calendar, session), self.day_cap, 0.01, bars
                )
            ]
            before = settle
        return out


@dataclass
class DeskScene:
    """An account that a test takes through sessions; ``restart`` is another process."""

    engine: sa.Engine
    world: World
    config: TradingConfig = field(default_factory=TradingConfig)
    system: SystemState = SystemState.RUNNING
    sim: SimConfig = field(default_factory=SimConfig)
    run_id: str = "run"
    prices: dict[str, float] = field(default_factory=dict)

    def parts(self, price_of: Mapping[str, float] | None = None) -> Parts:
        """What a rig is made from."""
        spec = hogs()
        known = price_of or {}
        return Parts(
            engine=self.engine,
            config=self.config,
            markets={"HE": spec},
            calendars={"HE": calendar_of(spec)},
            home=HOME,
            system=lambda: self.system,
            price=known.get,
            run_id=self.run_id,
        )

    def rig(self) -> Rig:
        """A rig on the world's tapes."""
        return simulated_rig(self.parts(self.prices), self.world.tapes(), self.sim, self.world.last_trades)

    def account(self, rig: Rig) -> Account:
        """The account on a rig."""
        spec = hogs()
        calendars: dict[str, SessionCalendar] = {"HE": calendar_of(spec)}
        config = self.config
        return Account(
            engine=self.engine,
            config=config,
            markets={"HE": spec},
            calendars=calendars,
            line=rig.line,
            desk=rig.desk,
            breakers=AccountBreakers(
                self.engine,
                config.account,
                config.breakers or BreakerConfig(),
                {"HE": spec},
                equities(self.engine, config.account),
            ),
            virtual=rig.virtual,
            real_sources=False,
            system=lambda: self.system,
            run_id=self.run_id,
        )

    def live_through(self, days: Sequence[date]) -> AccountRun:
        """A process that takes the account through sessions; its run, when it has ended."""
        rig = self.rig()
        try:
            run = AccountRun(self.account(rig), self.world.days())
            run.run(days)
            return run
        finally:
            rig.close()

    def broker_positions(self) -> dict[str, int]:
        """What the broker itself says is held."""
        rig = self.rig()
        try:
            rig.broker.connect()
            return dict(rig.broker.snapshot().positions)
        finally:
            rig.close()
