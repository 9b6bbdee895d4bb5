"""The source of Interactive Brokers on a loopback TWS, with a clock that does not move and waits that are counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from hydra_assets.home import HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec, SourceBinding
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.base import Dataset, FetchRequest, ParseContext, Payload, SourceError, SourceSettings
from hydra_assets.sources.ib.settings import Patience
from hydra_assets.sources.ib.source import IbSource
from tests.support.tws import Config, FutureOption, HistoryBar, Script, chain, listing
from tests.support.tws.threaded import ThreadedTws

CLIENT_ID = 72
"""Of the data role: the trading role's default is 71."""
APRIL, MAY, JUNE = 1000, 1001, 1002
HOGS = listing("HE", ("20250414", "20250514", "20250613"))
MONDAY = date(2025, 3, 3)
EVENING = datetime(2025, 3, 3, 23, 45, tzinfo=UTC)
"""17:45 in Chicago: the settlement is public, the cutoff is past."""
NOON = datetime(2025, 3, 3, 18, 0, tzinfo=UTC)


def hogs(**ib: Any) -> MarketSpec:
    """The market of the loopback's contracts."""
    spec = load_markets()["HE"]
    assert spec.ib is not None
    return spec.model_copy(update={"ib": spec.ib.model_copy(update=ib)})


def context(*specs: MarketSpec) -> ParseContext:
    """What a parser knows."""
    markets = {spec.symbol: spec for spec in specs or (hogs(),)}
    return ParseContext(markets, {symbol: calendar_of(spec) for symbol, spec in markets.items()})


def days(*numbers: int, close: float = 85.0, volume: int = 1000) -> list[HistoryBar]:
    """Daily bars of days of February (25 and later) and March 2025 (before that)."""
    return [
        HistoryBar(datetime(2025, 2 if day > 24 else 3, day, tzinfo=UTC), 84.0, 86.0, 83.5, close, volume + day)
        for day in numbers
    ]


def hog_options() -> list[FutureOption]:
    """Options of April on the rule's expiry, a weekly of the same future, and options of June."""
    return [
        *chain(HOGS[0], "20250414", (82.0, 84.0, 85.0, 86.0, 88.0)),
        *chain(HOGS[0], "20250321", (85.0,), 5100, "HEW"),
        *chain(HOGS[2], "20250613", (95.0, 97.0), 5200),
    ]


@dataclass
class Scene:
    """A server and a source that is bound to it."""

    server: ThreadedTws
    source: IbSource
    specs: tuple[MarketSpec, ...]
    waits: list[float] = field(default_factory=list)

    def fetch(
        self,
        dataset: Dataset = Dataset.FUTURES_BARS,
        now: datetime = EVENING,
        first: date | None = MONDAY,
        last: date = MONDAY,
    ) -> tuple[list[Payload], SourceError | None]:
        """Payloads, and the error behind them."""
        payloads: list[Payload] = []
        try:
            # One by one: what came before a failure is kept.
            for payload in self.source.fetch(FetchRequest(dataset, self.specs, first, last, now)):
                payloads.append(payload)  # noqa: PERF402
        except SourceError as error:
            return payloads, error
        return payloads, None

    def asked(self, kind: int) -> int:
        """How many requests of a kind the server has had."""
        return self.server.read(lambda tws: sum(int(fields[0]) == kind for fields in tws.heard))


def home(port: int, **trading: Any) -> HomeConfig:
    """A real home with the terminal at a port."""
    ib = {"paper_port": port, "timeout_seconds": 1.0, "restart_margin_minutes": 5} | trading.pop("ib", {})
    return HomeConfig(kind="real", markets=("HE",), history_start=MONDAY, trading={"ib": ib, **trading})


def settings(
    config: HomeConfig, specs: tuple[MarketSpec, ...], options: dict[str, Any] | None = None
) -> SourceSettings:
    """Every market bound to the source for both datasets."""
    binding = SourceBinding(
        source="ib", datasets=(str(Dataset.FUTURES_BARS), str(Dataset.OPTION_CHAINS)), options=options or {}
    )
    return SourceSettings(Path(), config, Path(), {spec.symbol: (binding,) for spec in specs})


@contextmanager
def scene(
    config: Config | None = None,
    script: Script | None = None,
    *,
    specs: tuple[MarketSpec, ...] | None = None,
    options: dict[str, Any] | None = None,
    at: datetime = EVENING,
    patience: Patience | None = None,
) -> Iterator[Scene]:
    """A source on a server; waiting moves the server's clock, and no other. At the end nothing was complained of."""
    markets = specs or (hogs(),)
    with ThreadedTws(config or Config(futures=HOGS, options=hog_options()), script) as server:
        waits: list[float] = []

        async def sleep(seconds: float) -> None:
            waits.append(seconds)
            server.read(lambda tws: tws.clock.advance(timedelta(seconds=seconds)))

        source = IbSource(
            settings(home(server.port), markets, options),
            patience or Patience(snapshot_s=1.0, lines=3),
            lambda: at,
            lambda: sum(waits),
            sleep,
        )
        yield Scene(server, source, markets, waits)
        assert server.read(lambda tws: list(tws.complaints)) == []
        assert server.read(lambda tws: dict(tws.broker.orders)) == {}
