"""What tests of the csv source need: packaged markets in a context, payloads by map, rows accounted for."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from hydra_assets.home import HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec, SourceBinding
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.base import Dataset, ParseContext, ParseResult, Payload, SourceSettings
from hydra_assets.sources.csv_maps import load_maps
from hydra_assets.sources.csv_source import CsvSource, parse_csv

BARS, CHAINS = Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS
NOW = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
MAPS = load_maps()


@lru_cache
def markets() -> Mapping[str, MarketSpec]:
    """All packaged markets, and a Dalian one that no market file knows."""
    known = load_markets()
    soy = known["ZC"].model_copy(update={"symbol": "DCE_A", "root": "A", "calendar": "weekdays", "options": None})
    return {**known, "DCE_A": soy}


@lru_cache
def context() -> ParseContext:
    """Parse context with every market of :func:`markets`."""
    return ParseContext(markets(), {symbol: calendar_of(spec) for symbol, spec in markets().items()})


def read(
    content: bytes, map_name: str, symbols: str, dataset: Dataset = BARS, name: str = "file.csv", **meta: str
) -> ParseResult:
    """Parse bytes by a packaged map for markets (``"BTC,ETH"``); every payload row must be accounted for."""
    payload = Payload(
        dataset, f"csv:{map_name}", name, content, NOW, meta={"map": map_name, "markets": symbols, **meta}
    )
    result = parse_csv(payload, context(), MAPS[map_name])
    assert result.unaccounted() == []
    assert result.rows["source_row"].null_count() == 0
    return result


def source(data: Path, home: Path, bindings: Mapping[str, tuple[SourceBinding, ...]]) -> CsvSource:
    """The csv source over a data folder."""
    config = HomeConfig(kind="real", markets=tuple(bindings), history_start=date(1970, 1, 2))
    return CsvSource(SourceSettings(home, config, data, bindings))


def binding(map_name: str, files: list[str], *datasets: Dataset, **options: str) -> SourceBinding:
    """A csv binding."""
    return SourceBinding.model_validate(
        {"source": "csv", "datasets": datasets or (BARS,), "options": {"map": map_name, "files": files, **options}}
    )


def reasons(result: ParseResult) -> dict[tuple[str, str], int]:
    """Number of rejects by disposition and reason."""
    return dict(Counter(result.rejects.select("disposition", "reason").iter_rows()))


def loaded(result: ParseResult) -> int:
    """Number of payload rows that gave a canonical row."""
    return result.rows["source_row"].n_unique()
