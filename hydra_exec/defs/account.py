"""The home's account in Dagster: what it lives on is read from the lake, and what it has not seen is traded."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl

from hydra_assets.columns import FUTURES_CURVE, RAW_FUTURES_BARS, TARGET_POSITIONS, TIME_OF_DAY_CURVE
from hydra_assets.defs.ranges import cutoff_frame
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.replay.costs import CostConfig
from hydra_assets.replay.inputs import CURVE_COLUMNS
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.content import latest_content
from hydra_assets.state.demands import state_beside
from hydra_assets.state.records import Alert, AlertLevel
from hydra_assets.state.system import SystemState
from hydra_exec.account_data import AccountData, Frames, account_data
from hydra_exec.account_run import Account, AccountRun
from hydra_exec.assembly import Parts, Rig, simulated_rig
from hydra_exec.breakers.account import AccountBreakers
from hydra_exec.breakers.demand import ORIGIN as BREAKERS
from hydra_exec.broker.port import BrokerKind
from hydra_exec.config import TradingConfig, trading_config
from hydra_exec.defs.demand import BOOKS, EXECUTION, after_trading, demand
from hydra_exec.desk.desk import WorkOutcome
from hydra_exec.desk.line import LineEvent
from hydra_exec.journal.reconcile import Price
from hydra_exec.trading_log import equities, home_id, last_traded

WINDOW_DAYS = 120
"""Calendar days that hold the volatility's window and any horizon before a session."""
TOLD = {
    LineEvent.ADJUSTED: "the journal took over what the broker holds and no execution told of",
    LineEvent.NOT_CANCELLED: "an order lives that nobody of us works, and its end could not be asked for",
}
"""What happens to the line and is an alarm."""
CURVE = tuple(dict.fromkeys((*CURVE_COLUMNS, "last_trade", "first_notice", "open_interest")))


class AccountParts:
    """Home, lake and database of a run, with the home's trading as it is configured."""

    def __init__(self, home: HomeResource, lake: LakeResource, database: DatabaseResource, run_id: str) -> None:
        self.home, self.lake, self.database, self.run_id = home, lake, database, run_id

    @property
    def config(self) -> TradingConfig:
        """``trading`` of the home."""
        return trading_config(self.home.config)

    def system(self) -> SystemState:
        """The system's state, but for what the account's own breakers and books demand of it.

        These stand in each decision by themselves, as they are in that session; what was posted is of the one before.
        """
        return state_beside(self.database.engine, frozenset({BREAKERS, BOOKS}))

    def demand(self, account: Account) -> None:
        """Post what the account's breakers and books demand of the system's state after a run."""
        sink = AlertSink(self.database.engine, self.home.config.webhook_url)
        demand(self.database.engine, sink, EXECUTION, after_trading(account), self.run_id)

    def tell(self, event: LineEvent, detail: str) -> None:
        """Raise an alarm where a person should look: at a real broker, for at the other contracts just expire."""
        if event in TOLD and self.config.broker is not BrokerKind.SIMULATED:
            code, message = str(event), f"{TOLD[event]}: {detail}"
            sink = AlertSink(self.database.engine, self.home.config.webhook_url)
            key = f"{code}|{self.config.account}|{detail}"
            sink.raise_alert(Alert(AlertLevel.CRITICAL, code, message, run_id=self.run_id, dedupe_key=key))

    def sessions(self, first: date, last: date) -> dict[str, list[date]]:
        """Each market's own sessions in a range, within its span of the home."""
        out = {}
        for market, calendar in self.home.calendars.items():
            start = max(first, self.home.config.first_session(market))
            end = min(last, self.home.config.last_session(market) or last)
            out[market] = calendar.between(start, end) if start <= end else []
        return out

    def ready(self, first: date, last: date) -> list[date]:
        """Sessions of the account in a range that may be traded: up to the first that wants a market's targets.

        The account goes through a session once, with all its markets: one whose targets nobody has computed yet would
        be left out for ever.
        """
        wanted = self.sessions(first, last)
        content = latest_content(self.database.engine, datasets=[TARGET_POSITIONS.name], first=first, last=last)
        there = set(content.select("market", "session").iter_rows())
        missing = [day for market, days in wanted.items() for day in days if (market, day) not in there]
        limit = min(missing, default=date.max)
        return sorted({day for days in wanted.values() for day in days if day < limit})

    def data(self, first: date, last: date) -> AccountData:
        """What the account lives on in a range of sessions."""
        markets, sessions = self.home.markets, self.sessions(first, last)

        def read(dataset: str, start: date, columns: tuple[str, ...] | None = None) -> pl.DataFrame:
            wanted = list(columns) if columns else None
            return self.lake.lake.read(dataset, markets=list(markets), first=start, last=last, columns=wanted)

        frames = Frames(
            targets=read(TARGET_POSITIONS.name, first),
            curve=read(FUTURES_CURVE.name, first - timedelta(days=WINDOW_DAYS), CURVE),
            day_curve=read(TIME_OF_DAY_CURVE.name, first),
            raw_bars=read(RAW_FUTURES_BARS.name, first),
            cutoffs={m: cutoff_frame(self.home.calendars[m], days) for m, days in sessions.items()},
        )
        return account_data(markets, self.home.calendars, sessions, frames, CostConfig())


def account_of(parts: AccountParts, rig: Rig) -> Account:
    """The home's account on a rig."""
    engine, config = parts.database.engine, parts.config
    return Account(
        engine=engine,
        config=config,
        markets=parts.home.markets,
        calendars=parts.home.calendars,
        line=rig.line,
        desk=rig.desk,
        breakers=AccountBreakers(
            engine, config.account, config.breakers, parts.home.markets, equities(engine, config.account), parts.run_id
        ),
        virtual=rig.virtual,
        real_sources=parts.home.config.kind == "real",
        system=parts.system,
        run_id=parts.run_id,
    )


def parts_of(parts: AccountParts, price: Price) -> Parts:
    """What a rig is put together from."""
    engine = parts.database.engine
    return Parts(
        engine=engine,
        config=parts.config,
        markets=parts.home.markets,
        calendars=parts.home.calendars,
        home=home_id(engine),
        system=parts.system,
        price=price,
        run_id=parts.run_id,
        tell=parts.tell,
    )


def trade_history(
    parts: AccountParts, last: date, progress: Callable[[date, WorkOutcome], None] | None = None
) -> list[date]:
    """Take the simulated account through the sessions up to ``last`` that it has not seen; those that it has now.

    The last session before them is read too: what was decided in it is worked on the first of them.
    """
    seen = last_traded(parts.database.engine, parts.config.account)
    earliest = min(parts.home.config.first_session(market) for market in parts.home.markets)
    first = seen + timedelta(days=1) if seen is not None else earliest
    sessions = parts.ready(first, last) if first <= last else []
    if not sessions:
        return []
    data = parts.data(seen or first, sessions[-1])
    runs: list[AccountRun] = []

    def price(contract: str) -> float | None:
        return runs[0].valuation.settles.get(contract)

    rig = simulated_rig(parts_of(parts, price), data.tapes, last_trades=data.last_trades)
    try:
        account = account_of(parts, rig)
        runs.append(AccountRun(account, data.days))
        done = runs[0].run(sessions, progress)
        parts.demand(account)
        return done
    finally:
        rig.close()
