"""Reading market specifications: the packaged ones, then a home's own ``markets/*.yaml``, which add or override."""

from collections.abc import Iterable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec


class MarketError(Exception):
    """A market file that cannot be used; the message names the file and the key."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML in which a key written twice is an error instead of a silent override."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} is given twice (line {line})")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read_market(file: Traversable) -> MarketSpec:
    """Read one specification file; MarketError naming the file and the key where it is wrong."""
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506  a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        msg = f"{file.name}: {error}"
        raise MarketError(msg) from error
    if not isinstance(content, dict):
        msg = f"{file.name}: a market file is a mapping of keys"
        raise MarketError(msg)
    try:
        return MarketSpec.model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'market'}: {e['msg']}" for e in error.errors())
        msg = f"{file.name}: {wrong}"
        raise MarketError(msg) from error


def load_markets(extra_dir: Path | None = None) -> dict[str, MarketSpec]:
    """All known markets by symbol, in order of symbol.

    A file of ``extra_dir`` (a home's ``markets/``) replaces the packaged market of its symbol or adds one. Two files
    of one folder for the same symbol, bad YAML, an unknown key or a bad value raise MarketError.
    """
    packaged = resources.files("hydra_assets.markets") / "specs"
    markets = _read_all(packaged.iterdir())
    if extra_dir is not None and extra_dir.is_dir():
        markets |= _read_all(extra_dir.iterdir())
    return dict(sorted(markets.items()))


def markets_of(home: HomeConfig, home_path: Path) -> dict[str, MarketSpec]:
    """Markets of a home in its own order, the home's bindings in place of a specification's ``sources``."""
    known = load_markets(home_path / "markets")
    missing = [symbol for symbol in home.markets if symbol not in known]
    if missing:
        msg = (
            f"{home_path / 'home.yaml'}: markets: no market file for {', '.join(missing)}; known are {', '.join(known)}"
        )
        raise MarketError(msg)
    unbound = sorted(set(home.bindings) - set(home.markets))
    if unbound:
        msg = f"{home_path / 'home.yaml'}: bindings: {', '.join(unbound)} is not among this home's markets"
        raise MarketError(msg)
    return {
        symbol: known[symbol].model_copy(update={"sources": home.bindings[symbol]})
        if symbol in home.bindings
        else known[symbol]
        for symbol in home.markets
    }


def _read_all(files: Iterable[Traversable]) -> dict[str, MarketSpec]:
    found: dict[str, tuple[str, MarketSpec]] = {}
    for file in sorted((f for f in files if f.name.endswith((".yaml", ".yml"))), key=lambda f: f.name):
        spec = read_market(file)
        if spec.symbol in found:
            msg = f"{file.name}: symbol: {spec.symbol} stands already in {found[spec.symbol][0]}"
            raise MarketError(msg)
        found[spec.symbol] = (file.name, spec)
    return {symbol: spec for symbol, (_, spec) in found.items()}
