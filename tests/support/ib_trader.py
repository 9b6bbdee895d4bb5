"""An account on a loopback TWS whose quotes and faults a test sets: gate, journal, line and desk, the real client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.state.execution_tables import tickets
from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_exec.assembly import Parts, Rig, ib_rig
from hydra_exec.config import TradingConfig
from hydra_exec.desk.desk import SessionWork
from hydra_exec.desk.line import LineEvent
from hydra_exec.journal import store
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.records import Order, TicketRecord
from hydra_exec.manager import Window, Work
from hydra_exec.manager.patience import Bounds
from hydra_exec.risk_gate.grid import PriceGrid
from tests.support.desk_scene import APRIL, FIRST, HOME, MAY, hogs
from tests.support.ib_scene import ACCOUNT, config_of
from tests.support.tws import Config, Script, Terms
from tests.support.tws.clock import VirtualClock
from tests.support.tws.terminal import Terminal
from tests.support.tws.threaded import ThreadedTws

CON_IDS = {APRIL: 1000, MAY: 1001}
NAMES = {con_id: contract for contract, con_id in CON_IDS.items()}
STEP = timedelta(seconds=20)
MOST_EVENTS = 300
"""Of one account's life: questions, cancels and breaks."""


@dataclass
class Trader:
    """An account on a server whose quotes and faults a test sets. ``restart`` is another process."""

    engine: sa.Engine
    server: ThreadedTws
    config: TradingConfig
    locks: Path
    home: str = HOME
    clock: VirtualClock = field(default_factory=VirtualClock)
    told: list[tuple[LineEvent, str]] = field(default_factory=list)
    spec: MarketSpec = field(default_factory=hogs)
    system: SystemState = SystemState.RUNNING

    def __post_init__(self) -> None:
        self.clock = self.server.read(lambda tws: tws.clock)
        self.server.read(lambda tws: setattr(tws.clock, "length", STEP))
        self.calendar = calendar_of(self.spec)
        self.rig = self.made()

    def made(self) -> Rig:
        """A rig, not connected yet."""
        parts = Parts(
            engine=self.engine,
            config=self.config,
            markets={"HE": self.spec},
            calendars={"HE": self.calendar},
            home=self.home,
            system=lambda: self.system,
            price=lambda _contract: 85.0,
            tell=self.tell,
        )
        clock, server = self.clock, self.server
        return ib_rig(
            parts, locks=self.locks, clock=lambda: clock.now, pace=lambda _seconds: server.step(), throttle=False
        )

    def tell(self, event: LineEvent, detail: str) -> None:
        """Keep what the line tells of; a line that never comes to rest is a fault of its own."""
        self.told.append((event, detail))
        assert len(self.told) < MOST_EVENTS, f"a storm: {self.told[-4:]}"

    def restart(self) -> None:
        """The process is gone, and another one begins."""
        self.rig.close()
        self.rig = self.made()

    def order(self, lots: int, name: str = "1", *, steps: int = 40, chase: float = 1.0) -> tuple[Order, Work]:
        """An order of so many contracts, bought positive, on record; its window begins now and has so many steps."""
        now, side = self.clock.now, Side.of(lots)
        limit = 85.0 + side.sign * chase
        order = Order(
            order_ref=f"HE/{self.config.account}/{APRIL}/{name}",
            account=self.config.account,
            market="HE",
            contract=APRIL,
            side=side,
            quantity=abs(lots),
            session=FIRST,
            work_session=FIRST,
            reference_price=85.0,
            limit_price=limit,
            motive="target",
            gate_code="passed",
        )
        self.rig.journal.decide([order])
        bounds = Bounds(PriceGrid.of_tick(self.spec.tick), limit, self.spec.risk.price_collar_fraction)
        return order, Work(side, abs(lots), bounds, Window(now, now + steps * STEP))

    def work(self, *orders: tuple[Order, Work]) -> SessionWork:
        """Work orders to their end."""
        return self.rig.desk.work(orders)

    def tickets(self) -> list[TicketRecord]:
        """Every ticket on record, as the database has it, in the order in which they were made."""
        with self.engine.connect() as connection:
            return store.ticket_records(connection, tickets.c.account == self.config.account)

    def held(self) -> dict[str, int]:
        """What the journal's fills add up to, read anew."""
        return dict(Journal(self.engine, self.config.account, self.home).positions)

    def truth(self) -> dict[str, int]:
        """What is held at the broker."""
        return self.server.read(truth)

    def rows(self, table: sa.Table, *columns: str) -> list[Any]:
        """Rows of the account, in order; plain values where one column is wanted."""
        key = next(iter(table.primary_key.columns))
        query = sa.select(*(table.c[name] for name in columns)).where(table.c.account == self.config.account)
        with self.engine.connect() as connection:
            found = [tuple(row) for row in connection.execute(query.order_by(key))]
        return [row[0] for row in found] if len(columns) == 1 else found


@contextmanager
def trader(
    engine: sa.Engine,
    locks: Path,
    script: Script | None = None,
    *,
    config: Config | None = None,
    account: str = ACCOUNT,
    home: str = HOME,
    **trading: Any,
) -> Iterator[Trader]:
    """A server and an account on it; at the end the server has no complaints."""
    config = config or Config(terms=Terms(account=account))
    with ThreadedTws(config, script) as server:
        found = Trader(engine, server, config_of(server.port, account=account, **trading), locks, home)
        try:
            yield found
        finally:
            found.rig.close()
        assert server.read(lambda tws: list(tws.complaints)) == []


def truth(tws: Terminal) -> dict[str, int]:
    """Positions at the broker by our contracts."""
    return {NAMES[con_id]: held.quantity for con_id, held in tws.broker.positions.items()}


def sent_as(tws: Terminal) -> dict[str, int]:
    """Distinct order ids by our name, in every request to place an order."""
    ids: dict[str, set[str]] = {}
    for fields in tws.heard:
        if fields[0] == "3":
            ids.setdefault(fields[26], set()).add(fields[1])
    return {ref: len(each) for ref, each in ids.items()}


def unsynced(engine: sa.Engine) -> sa.Engine:
    """Commits that do not wait for the disk: they outlive every process but the database's own."""

    @sa.event.listens_for(engine, "connect")
    def relax(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit TO off")

    engine.dispose()
    return engine
