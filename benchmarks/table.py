"""Targets and what was measured of them, side by side; the timing and the peers that the option benchmarks share."""

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True, slots=True)
class Row:
    """One target: ``id`` as in the issue's list (S1, A1), what is measured, both figures in words, and the verdict."""

    id: str
    what: str
    target: str
    measured: str
    met: bool


def print_table(rows: Sequence[Row], title: str = "") -> None:
    """Print the rows in their order."""
    table = Table("id", "what", "target", "measured", "verdict", title=title or None)
    for row in rows:
        table.add_row(row.id, row.what, row.target, row.measured, "met" if row.met else "NOT MET")
    Console(width=160 if not sys.stdout.isatty() else None).print(table)


def one_thread() -> None:
    """Start this process anew with one thread for BLAS, OpenMP and polars, unless it was started so."""
    if any(os.environ.get(name) != "1" for name in _THREADS):
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - our own command line


def peer(module: str) -> Any:
    """Import a library that is only ever a peer in a benchmark."""
    try:
        return import_module(module)
    except ImportError as missing:
        raise SystemExit(f"{module} is not there ({missing}); install the peers: uv sync --group bench") from missing


def seconds_each(work: Mapping[str, Callable[[], object]], repeats: int = 11) -> dict[str, float]:
    """Median seconds of each, interleaved: one of each per round, so that a busy machine slows all alike."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for call in work.values():
        call()
    for _ in range(repeats):
        for name, call in work.items():
            mark = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - mark)
    return {name: median(values) for name, values in taken.items()}
