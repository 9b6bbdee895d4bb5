"""Vendor files on disk: the globs of a market's bindings, and the date that a file's name carries."""

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path

from hydra_assets.markets.model import SourceBinding
from hydra_assets.sources.base import Dataset, SourceError, SourceSettings

_DATE = re.compile(r"(?<!\d)((?:19|20)\d{2})-?(0[1-9]|1[0-2])-?(0[1-9]|[12]\d|3[01])(?!\d)")


def bound_texts(
    settings: SourceSettings, markets: Sequence[str], option: str, dataset: Dataset | None = None
) -> list[str]:
    """Values of an option (one text or several) over the markets' bindings for a dataset, each once, in order."""
    found: list[str] = []
    for binding in bound(settings, markets, dataset):
        value = binding.options.get(option, [])
        found += [value] if isinstance(value, str) else [str(item) for item in value] if isinstance(value, list) else []
    return list(dict.fromkeys(found))


def bound(settings: SourceSettings, markets: Sequence[str], dataset: Dataset | None = None) -> Iterator[SourceBinding]:
    """The markets' bindings that deliver a dataset (any dataset where None)."""
    for market in markets:
        for binding in settings.bindings.get(market, ()):
            if dataset is None or str(dataset) in binding.datasets:
                yield binding


def matching_files(root: Path, patterns: list[str]) -> list[Path]:
    """Files below ``root`` that match any pattern, each once, in order of their path."""
    found: set[Path] = set()
    for pattern in patterns:
        if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
            detail = f"{pattern!r} must be relative to the data folder and stay in it"
            raise SourceError("bad_pattern", detail)
        found.update(path for path in root.glob(pattern) if path.is_file())
    return sorted(found)


def bound_files(
    settings: SourceSettings, markets: Sequence[str], dataset: Dataset | None = None, option: str = "files"
) -> list[Path]:
    """Files of the markets' bindings for a dataset, each once."""
    return matching_files(settings.data_root, bound_texts(settings, markets, option, dataset))


def read_file(path: Path) -> bytes:
    """Bytes of a file; SourceError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError("unreadable_file", str(error)) from error


def dates_in_name(name: str) -> tuple[date, date] | None:
    """First and last date that a file name carries (20220208, 2022-02-08, or a range of two), None without one."""
    days = list(_dates(name))
    return (min(days), max(days)) if days else None


def _dates(name: str) -> Iterator[date]:
    for match in _DATE.finditer(name):
        try:
            yield datetime(int(match[1]), int(match[2]), int(match[3])).date()  # noqa: DTZ001  a date, no instant
        except ValueError:
            continue
