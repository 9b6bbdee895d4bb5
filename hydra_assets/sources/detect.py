"""What the files in a folder are: by name and first bytes, each with a sentence, for a first home of one's own.

Detection only proposes. A wrong guess costs an edit of ``home.yaml``; the parsers decide on every row.
"""

import gzip
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from hydra_assets.markets.model import MarketSpec, SourceBinding
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.detect_rules import RULES, Confidence, Detected, Sample
from hydra_assets.sources.local_files import dates_in_name

__all__ = ["Confidence", "Detected", "Detection", "bindings_for", "detect", "detect_sources"]

HEAD_BYTES, TAIL_BYTES = 16_384, 4_096
UNPACKED_BYTES = 64 * 2**20
MAX_FILES = 20_000
_ISO_DAY = re.compile(r"\b((?:19|20)\d{2})-(\d{2})-(\d{2})\b")
_LEAN_BAR = re.compile(r"^((?:19|20)\d{2})(\d{2})(\d{2}) 00:00,")


@dataclass(frozen=True, slots=True)
class Detection:
    """A folder's files as bindings per market, and the dates that its prices span."""

    found: tuple[Detected, ...]
    bindings: dict[str, tuple[SourceBinding, ...]]
    first: date | None
    last: date | None


def detect(folder: Path, markets: Sequence[MarketSpec]) -> list[Detected]:
    """Everything below a folder that a source here can read; guesses only among the given markets.

    Files of one kind in one folder that differ by date alone are one entry with a glob. What is not recognised is
    left out.
    """
    by_root = {spec.root: spec.symbol for spec in markets}
    paths = sorted(path for path in folder.rglob("*") if path.is_file())[:MAX_FILES]
    found = []
    for path in paths:
        sample = _sample(path, folder)
        guess = next((d for rule in RULES if (d := rule(sample, by_root)) is not None), None)
        if guess is not None:
            found.append(_spanned(guess, sample))
    return _grouped(found)


def bindings_for(detected: Iterable[Detected], markets: Sequence[MarketSpec]) -> dict[str, tuple[SourceBinding, ...]]:
    """Bindings per market: its own price and chain files first, then what serves every market.

    A market without files of its own gets no binding at all.
    """
    every = [d for d in detected if d.any_market or d.markets]
    bound: dict[str, tuple[SourceBinding, ...]] = {}
    for spec in markets:
        own = [d for d in every if spec.symbol in d.markets]
        if not own:
            continue
        shared = [d for d in every if d.any_market and _serves(d, spec)]
        merged: dict[tuple[str, str | None, tuple[Dataset, ...]], list[Detected]] = {}
        for d in [*own, *shared]:
            merged.setdefault((d.source, d.map, d.datasets), []).append(d)
        bound[spec.symbol] = tuple(_binding(group) for group in merged.values())
    return bound


def detect_sources(folder: Path, markets: Sequence[MarketSpec]) -> Detection:
    """Detection of a folder for some markets, ready for a home's configuration."""
    found = detect(folder, markets)
    prices = [d for d in found if d.markets]
    firsts, lasts = [d.first for d in prices if d.first], [d.last for d in prices if d.last]
    return Detection(tuple(found), bindings_for(found, markets), min(firsts, default=None), max(lasts, default=None))


def _serves(detected: Detected, spec: MarketSpec) -> bool:
    return bool(spec.cftc_codes if detected.source == "cftc" else spec.headline_terms)


def _binding(group: list[Detected]) -> SourceBinding:
    options: dict[str, str | int | float | bool | list[str] | dict[str, str]] = {}
    if group[0].map is not None:
        options["map"] = group[0].map
    options["files"] = [d.files for d in group]
    scopes = {d.files: d.scope for d in group if d.scope is not None}
    if scopes:
        options["scopes"] = scopes
    datasets = tuple(str(dataset) for dataset in group[0].datasets)
    return SourceBinding.model_validate({"source": group[0].source, "datasets": datasets, "options": options})


def _sample(path: Path, folder: Path) -> Sample:
    name = path.relative_to(folder).as_posix()
    try:
        if path.name.endswith(".gz"):
            with gzip.open(path) as file:
                content = file.read(UNPACKED_BYTES)
            head, tail = content[:HEAD_BYTES], content[-TAIL_BYTES:]
        elif path.name.endswith(".zip"):
            with zipfile.ZipFile(path) as archive, archive.open(archive.infolist()[0]) as member:
                head, tail = member.read(HEAD_BYTES), b""
        else:
            with path.open("rb") as file:
                head = file.read(HEAD_BYTES)
                file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
                tail = file.read()
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, IndexError, RuntimeError, NotImplementedError):
        head, tail = b"", b""
    return Sample(name, head.decode("utf-8", "replace"), tail.decode("utf-8", "replace"))


def _spanned(detected: Detected, sample: Sample) -> Detected:
    lean = detected.map == "lean"
    # The names of LEAN's files date minutes and universes; its daily bars say their day themselves.
    named = None if lean else dates_in_name(sample.name)
    days = list(named) if named is not None else []
    if not days and detected.source == "csv":
        # The first date of a line: the others may be expiries.
        lines = [*sample.head.split("\n")[0 if lean else 1 : 4], *sample.tail.split("\n")[-3:]]
        for match in filter(None, map((_LEAN_BAR if lean else _ISO_DAY).search, lines)):
            try:
                days.append(date(int(match[1]), int(match[2]), int(match[3])))
            except ValueError:
                continue
    return replace(detected, first=min(days, default=None), last=max(days, default=None))


def _grouped(found: list[Detected]) -> list[Detected]:
    """Entries that differ only by the date in the file's name become one with a glob."""
    groups: dict[tuple[object, ...], list[Detected]] = {}
    for d in found:
        folder, _, name = d.files.rpartition("/")
        pattern = re.sub(r"\d{4}-?\d{2}-?\d{2}(?:[T_-]?\d[\dZ-]*)?", "*", name) if dates_in_name(name) else name
        key = (folder, pattern, d.source, d.map, d.datasets, d.any_market, d.scope)
        groups.setdefault(key, []).append(d)
    out = []
    for place, group in groups.items():
        files = group[0].files if len(group) == 1 else "/".join(str(part) for part in place[:2] if part)
        symbols = tuple(dict.fromkeys(symbol for d in group for symbol in d.markets))
        firsts, lasts = [d.first for d in group if d.first], [d.last for d in group if d.last]
        first, last = min(firsts, default=None), max(lasts, default=None)
        out.append(replace(group[0], files=files, markets=symbols, first=first, last=last))
    return out
