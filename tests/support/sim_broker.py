"""Tapes, tickets and simulated brokers for tests."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import count

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Message, Ticket
from hydra_exec.broker.simulated.broker import SimulatedBroker
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.log import MemoryStore, Store
from hydra_exec.broker.simulated.path import DayBar
from hydra_exec.broker.simulated.tape import SessionTape, SimTerms

FIRST = date(2025, 3, 3)
CONTRACT = "HE-2025-04"
TERMS = SimTerms("HE", tick=0.025, half_spread_ticks=1.0, fee_per_contract=2.47, currency="USD")
BAR = DayBar(settle=85.0, open=84.5, high=86.0, low=84.0)


def tape(
    session: date = FIRST,
    *,
    bars: dict[str, DayBar] | None = None,
    day_cap: int = 50,
    impact: float = 0.0,
    opens_hour: int = 14,
    minutes: int = 250,
    terms: SimTerms = TERMS,
) -> SessionTape:
    """One market's session; ten minutes a step by default."""
    opens = datetime(session.year, session.month, session.day, opens_hour, tzinfo=UTC)
    held = {CONTRACT: BAR} if bars is None else bars
    return SessionTape(session, terms, opens, opens + timedelta(minutes=minutes), day_cap, impact, held)


def days(n: int) -> list[date]:
    """Consecutive dates; the broker knows no calendar."""
    return [FIRST + timedelta(days=i) for i in range(n)]


def broker_on(
    tapes: Sequence[SessionTape], store: Store | None = None, config: SimConfig | None = None, *, connect: bool = True
) -> SimulatedBroker:
    """A broker on these tapes, connected."""
    by_session: dict[date, list[SessionTape]] = {}
    for each in tapes:
        by_session.setdefault(each.session, []).append(each)
    generations = count(1)
    broker = SimulatedBroker("SIM", by_session, store or MemoryStore(), lambda: next(generations), config)
    if connect:
        broker.connect()
    return broker


def ticket(ref: str, side: Side, quantity: int, limit: float, contract: str = CONTRACT) -> Ticket:
    """A ticket."""
    return Ticket(ref, contract, side, quantity, limit)


def played_out(broker: SimulatedBroker) -> list[Message]:
    """Everything that is heard until the session is over."""
    heard = list(broker.wait(0.0))
    while not broker.finished:
        heard += broker.wait(60.0)
    return heard + list(broker.wait(0.0))
