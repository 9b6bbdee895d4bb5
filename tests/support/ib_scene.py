"""A broker of the real client on a loopback TWS, and what tests of it share."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.state.records import Side
from hydra_exec.broker.ib.broker import IBBroker
from hydra_exec.broker.port import Message, OrderReport, Ticket, Word
from hydra_exec.config import IbConnection, TradingConfig
from tests.support.tws import Config, Quote, Script
from tests.support.tws.script import Event
from tests.support.tws.threaded import ThreadedTws

ACCOUNT = "DU1234567"
APRIL, MAY, JUNE = 1000, 1001, 1002
HE_APRIL, HE_MAY = "HE-2025-04", "HE-2025-05"
TOUCH = Quote(bid=84.975, ask=85.025, last=85.0, bid_size=7, ask_size=9)
OTHER_PORT = 1
"""A port on which nothing listens."""
CLIENT_ID = 71


def config_of(port: int, **changes: Any) -> TradingConfig:
    """Trading on paper against a terminal at a port; changes are of ``trading`` and, below ``ib``, of its terminal."""
    ib = {"paper_port": port, "live_port": OTHER_PORT, "timeout_seconds": 2.0, "client_id": CLIENT_ID}
    ib |= changes.pop("ib", {})
    return TradingConfig.model_validate({"broker": "ib", "account": ACCOUNT, **changes, "ib": IbConnection(**ib)})


def hogs() -> MarketSpec:
    """The market of the loopback's contracts."""
    return load_markets()["HE"]


@dataclass
class Scene:
    """A server, a broker that is connected to it, and everything that the broker has passed on."""

    server: ThreadedTws
    broker: IBBroker
    heard: list[Message] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def hear(self) -> list[Message]:
        """What is new, once everything that the terminal has said was read."""
        self.broker.settle()
        new = list(self.broker.wait(0))
        self.heard += new
        return new

    def show(self, quote: Quote = TOUCH, con_id: int = APRIL) -> None:
        self.server.show(con_id, quote)

    def play(self, event: Event) -> None:
        self.server.play(event)

    def step(self, count: int = 1) -> list[Message]:
        self.server.step(count)
        return self.hear()

    def ticket(
        self, side: Side = Side.BUY, quantity: int = 1, limit: float = 85.025, contract: str = HE_APRIL
    ) -> Ticket:
        return Ticket(f"ref-{next(self.numbers)}", contract, side, quantity, limit)

    def send(self, ticket: Ticket | None = None) -> tuple[Ticket, int]:
        ticket = ticket or self.ticket()
        return ticket, self.broker.place(ticket)

    def truth(self) -> dict[int, int]:
        """Positions at the broker by contract id."""
        return self.server.read(lambda tws: {held.con_id: held.quantity for held in tws.broker.positions.values()})

    def asked(self, kind: int) -> int:
        """How many requests of a kind the server has had."""
        return self.server.read(lambda tws: sum(int(fields[0]) == kind for fields in tws.heard))


@contextmanager
def scene(
    config: Config | None = None,
    script: Script | None = None,
    *,
    markets: Sequence[MarketSpec] | None = None,
    trading: dict[str, Any] | None = None,
    **arguments: Any,
) -> Iterator[Scene]:
    """A connected broker; at the end the server must have nothing to complain of."""
    with ThreadedTws(config, script) as server:
        broker = broker_on(server, markets=markets, trading=trading, **arguments)
        try:
            broker.connect()
            broker.settle()
            yield Scene(server, broker, list(broker.wait(0)))
        finally:
            broker.close()
        assert server.read(lambda tws: list(tws.complaints)) == []


def broker_on(
    server: ThreadedTws,
    *,
    markets: Sequence[MarketSpec] | None = None,
    trading: dict[str, Any] | None = None,
    **arguments: Any,
) -> IBBroker:
    """A broker that is not connected yet; generations count from 1, and no id was ever used."""
    generations = itertools.count(1)
    given: dict[str, Any] = {
        "next_generation": lambda: next(generations),
        "order_id_floor": lambda: 0,
        "throttle": False,
        **arguments,
    }
    return IBBroker(config_of(server.port, **(trading or {})), markets or [hogs()], **given)


def states(messages: Sequence[Message], perm_id: int | None = None) -> list[Word]:
    """What was said of orders, in order."""
    return [
        message.word for message in messages if isinstance(message, OrderReport) and perm_id in {None, message.perm_id}
    ]


def of(messages: Sequence[Message], kind: type) -> list[Any]:
    """Messages of a kind."""
    return [message for message in messages if isinstance(message, kind)]


@dataclass
class Clock:
    """An instant that a test moves."""

    at: datetime = datetime(2025, 3, 3, 15, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at
