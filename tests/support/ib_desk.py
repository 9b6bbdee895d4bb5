"""The account of ``desk_scene`` on a loopback TWS: the real client, a real socket, and the server's own time.

The server's market is the simulated broker's: the same paths of quotes, the same caps for each step. So the same
orders, worked by the same desk, should come to the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hydra_exec.account_run import Account, AccountRun
from hydra_exec.assembly import Rig, ib_rig
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.floor import Floor
from hydra_exec.broker.simulated.tape import SessionTape
from hydra_exec.journal import store
from hydra_exec.live_session import open_sessions, work_session
from tests.support.desk_scene import FIRST, DeskScene, World
from tests.support.ib_scene import ACCOUNT, config_of
from tests.support.ib_trader import CON_IDS, sent_as, truth
from tests.support.tws import Config, Liquidity, Quote, Script, Terms
from tests.support.tws.clock import VirtualClock
from tests.support.tws.script import EndDay
from tests.support.tws.terminal import Terminal
from tests.support.tws.threaded import ThreadedTws

NOTHING = Quote(None, None)
STEPS = 300
"""Of a session: 55 s each for lean hogs. Steps of a minute would be silence that counts as death."""


class Market:
    """The simulated broker's quotes as the server's tape, and its sessions as the server's days."""

    def __init__(self, tapes: Mapping[date, Sequence[SessionTape]], sim: SimConfig) -> None:
        self._tapes, self._sim = tapes, sim
        self._floor = Floor((), sim)
        self.clock = VirtualClock()
        """Replaced by the server's."""
        self.server: ThreadedTws | None = None

    def __call__(self, _step: int) -> dict[int, Quote]:
        """Quotes at the server's instant."""
        out = {}
        for contract, con_id in CON_IDS.items():
            touch = self._floor.touch(contract, self.clock.now)
            out[con_id] = Quote(touch.bid, touch.ask) if touch else NOTHING
        return out

    def begin(self, session: date) -> None:
        """It is a session's opening."""
        self._floor = Floor(self._tapes[session], self._sim)
        instants = self._floor.instants
        self.at(instants[0], instants[1] - instants[0])

    def close(self) -> None:
        """It is the session's end, and that of its day orders."""
        assert self.server is not None
        self.at(self._floor.instants[-1])
        self.server.play(EndDay())

    def at(self, instant: datetime, length: timedelta | None = None) -> None:
        """Move the server's clock; ``length`` of its steps from here on."""
        assert self.server is not None

        def move(tws: Terminal) -> None:
            tws.clock.now = instant
            tws.clock.length = length or tws.clock.length

        self.server.read(move)
        for con_id, quote in self(0).items():
            self.server.show(con_id, quote)


@dataclass
class IbDesk(DeskScene):
    """An account that a test takes through sessions; each one is a process of its own, as it is in earnest."""

    server: ThreadedTws = field(kw_only=True)
    market: Market = field(kw_only=True)
    locks: Path = field(kw_only=True)

    def rig(self) -> Rig:
        """A rig on the server, not connected yet."""
        clock, server = self.market.clock, self.server
        return ib_rig(
            self.parts(), locks=self.locks, clock=lambda: clock.now, pace=lambda _seconds: server.step(), throttle=False
        )

    def account(self, rig: Rig) -> Account:
        """The account on a rig, on markets that are real to it."""
        return replace(super().account(rig), real_sources=True)

    def live_through(self, days: Sequence[date]) -> AccountRun:
        """Two processes a session, as in earnest: one works in its hours, one decides at its cutoff; the last run."""
        for day in days:
            self.market.begin(day)
            with self.process() as (account, run):
                work_session(account, run, open_sessions(account.markets, account.calendars, self.market.clock.now))
            self.market.close()
            with self.process() as (_, run):
                run.run([day])
        return run

    @contextmanager
    def process(self) -> Iterator[tuple[Account, AccountRun]]:
        """An account on a rig of its own."""
        rig = self.rig()
        try:
            account = self.account(rig)
            yield account, AccountRun(account, self.world.days())
        finally:
            rig.close()

    def broker_positions(self) -> dict[str, int]:
        """What is true."""
        return self.server.read(truth)

    def orders_sent(self) -> dict[str, int]:
        """How many new orders each of our names was sent as, by the order ids in every request that was heard."""
        return self.server.read(sent_as)


@contextmanager
def ib_desk(
    engine: sa.Engine,
    world: World,
    locks: Path,
    script: Script | None = None,
    *,
    sim: SimConfig | None = None,
    terms: Terms | None = None,
    **trading: Any,
) -> Iterator[IbDesk]:
    """A server in the first session's opening, and the account on it; at the end the server has no complaints.

    ``terms`` are the broker's; without them each step gives what a step of the simulated broker does.
    """
    sim = sim or SimConfig(steps=STEPS, impact=False)
    per_step = -(-world.day_cap // sim.steps)
    terms = terms or Terms(liquidity=Liquidity(adv=per_step, adv_share=1.0))
    market = Market(world.tapes(), sim)
    with ThreadedTws(Config(terms=terms, tape=market), script) as server:
        market.server, market.clock = server, server.read(lambda tws: tws.clock)
        config = config_of(server.port, **{"account": terms.account, **trading})
        scene = IbDesk(engine, world, config, server=server, market=market, locks=locks)
        market.begin(min(world.settles, default=FIRST))
        yield scene
        assert server.read(lambda tws: list(tws.complaints)) == []


def booked(engine: sa.Engine, account: str = ACCOUNT) -> list[tuple[str, str, int, float, str]]:
    """Fills of an account by their last revision, in the order in which they were heard: what counts of each."""
    latest = store.latest_fills()
    query = (
        sa.select(latest.c.contract, latest.c.side, latest.c.quantity, latest.c.price, latest.c.kind)
        .where(latest.c.account == account, latest.c.quantity > 0)
        .order_by(latest.c.seq)
    )
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]
