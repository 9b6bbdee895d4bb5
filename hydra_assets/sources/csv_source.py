"""The ``csv`` source: vendor tables on disk, read by declared column maps.

A binding says ``options: {map: NAME, files: [globs below the data folder], root: the vendor's name of the market}``,
for intraday bars also ``hours: "08:30-13:20"``, the local hours in which the market trades.
One file bound by several markets (a chain of two coins) is one payload, read once for all of them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hydra_assets.markets.model import SourceBinding
from hydra_assets.sources.base import (
    Dataset,
    FetchRequest,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    SourceError,
    SourceHealth,
    SourceSettings,
)
from hydra_assets.sources.csv_chains import parse_chain
from hydra_assets.sources.csv_intraday import parse_intraday
from hydra_assets.sources.csv_intraday_map import IntradayMap
from hydra_assets.sources.csv_lean import parse_lean
from hydra_assets.sources.csv_lean_files import bundle
from hydra_assets.sources.csv_maps import BarsMap, ChainMap, ColumnMap, LeanMap, MapError, load_maps
from hydra_assets.sources.csv_prices import parse_prices
from hydra_assets.sources.local_files import matching_files, read_file

NAME = "csv"


def parse_csv(payload: Payload, context: ParseContext, column_map: ColumnMap) -> ParseResult:
    """Read a payload by its map; raises ParseError, and nothing else, where that is impossible."""
    if payload.dataset not in column_map.datasets:
        raise ParseError("other_dataset", f"the map {column_map.name} holds no {payload.dataset}")
    if isinstance(column_map, BarsMap):
        return parse_prices(payload, context, column_map)
    if isinstance(column_map, ChainMap):
        return parse_chain(payload, context, column_map)
    if isinstance(column_map, IntradayMap):
        return parse_intraday(payload, context, column_map)
    return parse_lean(payload, context, column_map)


@dataclass
class _Delivery:
    """Files of one payload, and the markets that bound them with the vendor's name and the trading hours of each."""

    map_name: str
    files: list[Path]
    roots: dict[str, str] = field(default_factory=dict)
    hours: dict[str, str] = field(default_factory=dict)


class CsvSource:
    """Tables on disk through column maps, packaged or of the home's ``maps`` folder."""

    name = NAME
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.FUTURES_BARS: (
            "Prices at the settlement publication of their session, volume and open interest one session later; "
            "later where the file says when it was written."
        ),
        Dataset.INTRADAY_BARS: (
            "When the file was had, or as its map says: a bar's end plus the transport, or the settlement publication; "
            "never before the bar was over."
        ),
        Dataset.OPTION_CHAINS: (
            "Settlements at their publication, or when the file says they were written; snapshots at their instant "
            "plus the transport; volume and open interest of a daily file one session later."
        ),
    }

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings
        try:
            self._maps = load_maps(settings.home_path / "maps")
        except MapError as error:
            raise SourceError("bad_map", str(error)) from error

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """Whole files of the markets' bindings, each once; the ingest skips bytes it has read before.

        Raises SourceError ``no_map``, ``unknown_map``, ``bad_pattern`` and ``unreadable_file``.
        """
        wanted = {spec.symbol for spec in request.markets}
        for delivery in self._deliveries(request.dataset, wanted):
            column_map = self._map(delivery.map_name)
            names = [path.relative_to(self._settings.data_root).as_posix() for path in delivery.files]
            if isinstance(column_map, LeanMap):
                contents = [(path.name, read_file(path)) for path in delivery.files]
                name, content = Path(names[0]).parent.as_posix(), bundle(contents)
            else:
                name, content = names[0], read_file(delivery.files[0])
            symbols = list(delivery.roots)
            meta = {"map": column_map.name, "markets": ",".join(symbols)}
            meta |= {f"root.{symbol}": root for symbol, root in delivery.roots.items() if root}
            meta |= {f"hours.{symbol}": hours for symbol, hours in delivery.hours.items() if hours}
            if len(symbols) == 1:
                meta["market"] = symbols[0]
            yield Payload(
                dataset=request.dataset,
                source=f"{NAME}:{column_map.name}",
                name=name,
                content=content,
                fetched_at=request.now,
                meta=meta,
            )

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """Rows of a payload by the map that its ``meta`` names."""
        column_map = self._maps.get(payload.meta.get("map", ""))
        if column_map is None:
            raise ParseError("unknown_map", f"no column map {payload.meta.get('map')!r}")
        return parse_csv(payload, context, column_map)

    def check(self) -> SourceHealth:
        """Whether every map is known and every glob of every binding matches a file."""
        problems = []
        files: set[Path] = set()
        for symbol, bindings in self._settings.bindings.items():
            for binding in bindings:
                try:
                    self._check_datasets(binding)
                    for pattern in _patterns(binding):
                        found = matching_files(self._settings.data_root, [pattern])
                        files.update(found)
                        if not found:
                            problems.append(f"{symbol}: {pattern} matches no file")
                except SourceError as error:
                    problems.append(f"{symbol}: {error.detail}")
        if problems:
            return SourceHealth(NAME, ok=False, reason="binding_problem", detail="; ".join(problems))
        return SourceHealth(NAME, ok=True, reason="ok", detail=f"{len(files)} files in {self._settings.data_root}")

    def _check_datasets(self, binding: SourceBinding) -> None:
        column_map = self._map(str(binding.options.get("map", "")))
        wrong = [d for d in binding.datasets if d not in column_map.datasets]
        if wrong:
            raise SourceError("wrong_dataset", f"the map {column_map.name} holds no {', '.join(wrong)}")

    def _map(self, name: str) -> ColumnMap:
        if not name:
            raise SourceError("no_map", f"a csv binding needs options.map, one of {', '.join(sorted(self._maps))}")
        if name not in self._maps:
            raise SourceError("unknown_map", f"no column map {name!r}; known are {', '.join(sorted(self._maps))}")
        return self._maps[name]

    def _deliveries(self, dataset: Dataset, wanted: set[str]) -> list[_Delivery]:
        """Payloads to be: one per map and file, for LEAN one per map and folder."""
        found: dict[tuple[str, Path], _Delivery] = {}
        for symbol, bindings in self._settings.bindings.items():
            for binding in bindings:
                if symbol not in wanted or dataset not in binding.datasets:
                    continue
                map_name = str(binding.options.get("map", ""))
                by_folder = isinstance(self._map(map_name), LeanMap)
                for path in matching_files(self._settings.data_root, _patterns(binding)):
                    key = (map_name, path.parent if by_folder else path)
                    delivery = found.setdefault(key, _Delivery(map_name, []))
                    if path not in delivery.files:
                        delivery.files.append(path)
                    delivery.roots[symbol] = str(binding.options.get("root", ""))
                    delivery.hours[symbol] = str(binding.options.get("hours", ""))
        return list(found.values())


def _patterns(binding: SourceBinding) -> list[str]:
    files = binding.options.get("files")
    patterns = [files] if isinstance(files, str) else files if isinstance(files, list) else []
    if not patterns:
        raise SourceError("no_files", "a csv binding needs options.files, globs below the data folder")
    return patterns
