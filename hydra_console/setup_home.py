"""A first home of one's own markets: what the files in a folder could be, as a configuration to accept or edit."""

from datetime import date
from pathlib import Path

from hydra_assets.home import HomeConfig, HomeError, read_home
from hydra_assets.markets.loader import load_markets, markets_of
from hydra_assets.sources.base import SourceError, SourceHealth
from hydra_assets.sources.registry import build_sources

DEFAULT_YEARS = 10
"""Sessions that are materialised where nobody says from when."""


def known_real_markets(home: Path) -> list[str]:
    """Symbols of all markets that are not simulated."""
    return [symbol for symbol, spec in load_markets(home / "markets").items() if not spec.simulated]


def propose_home(home: Path, symbols: list[str], data: Path, history_start: date | None) -> HomeConfig:
    """The configuration of a real home over a folder; HomeError where a market or the folder will not do."""
    from hydra_assets.sources.detect import detect_sources  # noqa: PLC0415  reads samples of the files

    known = load_markets(home / "markets")
    unknown = [symbol for symbol in symbols if symbol not in known or known[symbol].simulated]
    if unknown:
        msg = (
            f"no market {', '.join(unknown)}; there are {', '.join(known_real_markets(home))}, "
            f"and a file in {home / 'markets'} adds one"
        )
        raise HomeError(msg)
    if not data.is_dir():
        msg = f"{data} is no folder"
        raise HomeError(msg)
    detected = detect_sources(data.absolute(), [known[symbol] for symbol in symbols])
    bare = [symbol for symbol in symbols if not detected.bindings.get(symbol)]
    if bare:
        msg = f"no file in {data} is recognised as data of {', '.join(bare)}; see docs/how-to for the layouts"
        raise HomeError(msg)
    start = history_start or detected.first
    if history_start is None and start and detected.last:
        # Everything is loaded; earlier rows belong to the first session and serve as its history.
        start = max(start, detected.last.replace(year=detected.last.year - DEFAULT_YEARS, day=1))
    if start is None:
        msg = "the files do not say where the history begins: give --history-start"
        raise HomeError(msg)
    return HomeConfig(
        kind="real",
        markets=tuple(symbols),
        history_start=start,
        history_end=detected.last,
        data=str(data.absolute()),
        bindings={symbol: tuple(detected.bindings[symbol]) for symbol in symbols},
    )


def check_sources(home: Path) -> list[SourceHealth]:
    """Ask every source of a home whether it could deliver now; one that cannot even be built is not well."""
    config = read_home(home)
    try:
        sources = build_sources(home, config, markets_of(config, home))
    except SourceError as error:
        return [SourceHealth("configuration", False, error.reason, error.detail)]
    return [source.check() for source in sources.values()]
