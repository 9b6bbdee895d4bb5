"""Which source serves which market and dataset: built from a home's bindings, in their order of preference."""

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec, SourceBinding
from hydra_assets.sources.base import Dataset, Source, SourceSettings

FACTORIES: Mapping[str, tuple[str, str]] = {
    "simulated": ("hydra_assets.sources.simulated.source", "SimulatedSource"),
    "cftc": ("hydra_assets.sources.cftc.source", "CftcSource"),
    "databento": ("hydra_assets.sources.databento", "DatabentoSource"),
    "cme_settlement": ("hydra_assets.sources.cme_settlement", "CmeSettlementSource"),
    "csv": ("hydra_assets.sources.csv_source", "CsvSource"),
    "feeds": ("hydra_assets.sources.feeds", "FeedsSource"),
    "ib": ("hydra_assets.sources.ib.source", "IbSource"),
}
"""Module and class of each source; imported when a home uses it, so that definitions load fast."""


def build_sources(home_path: Path, home: HomeConfig, markets: Mapping[str, MarketSpec]) -> dict[str, Source]:
    """One source object per source name that the home's markets bind, with the bindings that name it."""
    names = [binding.source for spec in markets.values() for binding in spec.sources]
    data_root = home_path / home.data if home.data else home_path / "data"
    built: dict[str, Source] = {}
    for name in dict.fromkeys(names):
        bindings: dict[str, tuple[SourceBinding, ...]] = {
            symbol: tuple(b for b in spec.sources if b.source == name) for symbol, spec in markets.items()
        }
        module, cls = FACTORIES[name]
        factory: Callable[[SourceSettings], Source] = getattr(import_module(module), cls)
        built[name] = factory(
            SourceSettings(
                home_path=home_path,
                home=home,
                data_root=data_root,
                bindings={symbol: bound for symbol, bound in bindings.items() if bound},
            )
        )
    return built


def sources_for(
    dataset: Dataset, markets: Mapping[str, MarketSpec], built: Mapping[str, Source]
) -> list[tuple[Source, tuple[MarketSpec, ...]]]:
    """Sources that deliver a dataset, each with the markets that bind it for that dataset."""
    out = []
    for name, source in built.items():
        bound = tuple(
            spec for spec in markets.values() if any(b.source == name and dataset in b.datasets for b in spec.sources)
        )
        if bound:
            out.append((source, bound))
    return out


def preference(spec: MarketSpec, dataset: Dataset, source_label: str) -> int:
    """Rank of a row's source for a market: 0 is preferred; a label is the source's name, or ``name:variant``."""
    for rank, binding in enumerate(b for b in spec.sources if dataset in b.datasets):
        variant = str(binding.options.get("map", ""))
        if source_label in {binding.source, f"{binding.source}:{variant}"}:
            return rank
    return len(spec.sources)
