"""From a decision to the wire, and a hundred orders reconciled, against the loopback TWS with the real client.

``uv run python -m benchmarks.execution`` starts an embedded PostgreSQL and a loopback TWS and trades through everything
that a paper account has: gate, journal, IBBroker, a socket. *To the wire* is the time from asking the gate until the
server has read the order, the journal's commit of it included. *Reconciled*: a hundred orders are sent by a process
that then hears nothing more, and all of them fill; measured is the next process, from opening the connection until
journal and broker agree. The client's own throttle is off. Medians of ``--repeats``.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from statistics import median

import sqlalchemy as sa

from benchmarks.table import Row, print_table
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_exec.assembly import Parts, Rig, ib_rig, session_window
from hydra_exec.config import TradingConfig
from hydra_exec.journal.names import order_ref
from hydra_exec.journal.records import Order
from tests.support.ib_scene import APRIL, HE_APRIL, config_of, hogs
from tests.support.postgres import TestServer, engine_on
from tests.support.tws import Config, Quote
from tests.support.tws.terminal import Terminal
from tests.support.tws.threaded import ThreadedTws

SESSION = date(2025, 3, 3)
MANY = 100
MOST_LOTS = 1_000_000
AT_REST, FILLED = Quote(bid=84.975, ask=85.025), Quote(bid=84.475, ask=84.5)
LIMIT = 84.9


def roomy(market: MarketSpec) -> MarketSpec:
    """The market without a limit that a hundred orders at once would meet."""
    return market.model_copy(update={"risk": market.risk.model_copy(update={"max_position_contracts": MOST_LOTS})})


@contextmanager
def rig_on(engine: sa.Engine, server: ThreadedTws, config: TradingConfig, locks: Path) -> Iterator[Rig]:
    """A process that trades on paper."""
    market = roomy(hogs())
    calendar = calendar_of(market)
    window = session_window(market, calendar, calendar.at_local(SESSION, market.trading_hours.start))
    assert window is not None
    parts = Parts(
        engine=engine,
        config=config,
        markets={"HE": market},
        calendars={"HE": calendar},
        home="benchmark",
        system=lambda: SystemState.RUNNING,
        price=lambda _: None,
    )
    rig = ib_rig(parts, locks=locks, clock=lambda: window[0], throttle=False)
    try:
        rig.line.open()
        server.show(APRIL, AT_REST)
        rig.broker.quote(HE_APRIL)
        rig.line.hear(0.2)
        yield rig
    finally:
        rig.close()


def orders(config: TradingConfig, run: int) -> list[Order]:
    """A hundred orders of one lot that rest below the touch."""
    return [
        Order(
            order_ref=f"{order_ref('HE', SESSION, HE_APRIL)}/{run}/{n}",
            account=config.account,
            market="HE",
            contract=HE_APRIL,
            side=Side.BUY,
            quantity=1,
            session=SESSION,
            work_session=SESSION,
            reference_price=85.0,
            limit_price=86.0,
            motive="target",
            gate_code="passed",
        )
        for n in range(MANY)
    ]


def sent(rig: Rig, server: ThreadedTws, decided: list[Order]) -> list[float]:
    """Send orders; seconds from asking the gate until the server has read each."""
    heard: list[float] = []

    def listen(tws: Terminal) -> None:
        place = tws.desk.place

        def noted(client_id: int, ask: object) -> None:
            heard.append(time.perf_counter())
            place(client_id, ask)  # type: ignore[arg-type]

        tws.desk.place = noted  # type: ignore[method-assign]

    server.read(listen)
    began = []
    rig.journal.decide(decided)
    for order in decided:
        ticket = rig.journal.plan(order, 0, 1, LIMIT, 85.0)
        began.append(time.perf_counter())
        verdict = rig.broker.send(ticket)
        assert verdict.passed, verdict
        while len(heard) < len(began):
            time.sleep(0.0001)
    return [end - start for start, end in zip(began, heard, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    waits: list[float] = []
    reconciled: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        postgres = TestServer(Path(folder) / "home")
        try:
            for run in range(repeats):
                with postgres.database() as url, engine_on(url) as engine, ThreadedTws(Config()) as server:
                    config = config_of(
                        server.port, limits={"orders_per_minute": MOST_LOTS, "orders_per_session": MOST_LOTS}
                    )
                    locks = Path(folder) / "locks"
                    with rig_on(engine, server, config, locks) as rig:
                        waits += sent(rig, server, orders(config, run))
                    server.show(APRIL, FILLED)
                    began = time.perf_counter()
                    with rig_on(engine, server, config, locks) as rig:
                        reconciled.append(time.perf_counter() - began)
                        assert rig.line.agreed
                        assert dict(rig.journal.positions) == {HE_APRIL: MANY}
                        assert rig.journal.verdict().intact
        finally:
            postgres.stop()
    wire_ms, seconds = 1_000.0 * median(waits), median(reconciled)
    most_ms = 1_000.0 * sorted(waits)[int(0.99 * len(waits))]
    print_table(
        [
            Row(
                "L1",
                "decision to order on the wire",
                "<= 20 ms",
                f"{wire_ms:.1f} ms (p99 {most_ms:.1f})",
                wire_ms <= 20.0,
            ),
            Row("L2", "100 orders reconciled", "<= 1 s", f"{seconds:.2f} s", seconds <= 1.0),
        ],
        f"{len(waits)} orders, {repeats} processes",
    )


if __name__ == "__main__":
    main()
