"""Whether this machine, installation and home can do the work: one line per finding, with what to do."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hydra_assets.home import HomeConfig, HomeError, read_home

MINIMUM_FREE_GB = 5.0
TOGETHER = ("dagster", "dagster-webserver")
"""Released together; a mixed set fails at import or at run time."""
SHOWN = ("polars", "deltalake", "duckdb", "mlflow", "lightgbm", "sqlalchemy")
LOCATIONS = ("hydra_assets.definitions", "hydra_agent.definitions", "hydra_exec.definitions")
LOCATION_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, what was found and what to do."""

    topic: str
    ok: bool
    detail: str


def examine(home: Path) -> Iterator[Finding]:
    """Look at everything in order; a part that raises is a problem with its message."""
    yield _python()
    yield _packages()
    yield _guarded("permissions", lambda: _permissions(home))
    yield _guarded("disk", lambda: _disk(home))
    yield _guarded("home", lambda: _home(home))
    yield _guarded("environment", lambda: _flags(home))  # before the database, which sets it right for this process
    database = _guarded("database", lambda: _database(home))
    yield database
    yield _guarded("lake", lambda: _lake(home))
    if database.ok and (home / "home.yaml").exists():
        for module in LOCATIONS:
            yield _location(module)


def _guarded(topic: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:
        return Finding(topic, False, f"{type(error).__name__}: {' '.join(str(error).split())}")


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    ok = (3, 11) <= sys.version_info[:2] < (3, 14)
    return Finding("python", ok, version if ok else f"{version}; hydra needs 3.11, 3.12 or 3.13")


def _packages() -> Finding:
    found = {name: metadata.version(name) for name in TOGETHER + SHOWN}
    text = ", ".join(f"{name} {version}" for name, version in found.items())
    if len({found[name] for name in TOGETHER}) > 1:
        return Finding("packages", False, f"{' and '.join(TOGETHER)} must be of one release; install again ({text})")
    return Finding("packages", True, text)


def _permissions(home: Path) -> Finding:
    place = home if home.exists() else next(parent for parent in home.parents if parent.exists())
    ok = os.access(place, os.W_OK | os.X_OK)
    return Finding(
        "permissions", ok, f"{place} is {'writable' if ok else 'not writable: set HYDRA_HOME to one that is'}"
    )


def _disk(home: Path) -> Finding:
    place = home if home.exists() else next(parent for parent in home.parents if parent.exists())
    free = shutil.disk_usage(place).free / 1e9
    ok = free >= MINIMUM_FREE_GB
    return Finding("disk", ok, f"{free:.1f} GB free" + ("" if ok else f"; {MINIMUM_FREE_GB:.0f} GB are needed"))


def _home(home: Path) -> Finding:
    if not (home / "home.yaml").exists():
        return Finding("home", True, "none yet: `hydra cycle` makes one, or `hydra init --real` for your own markets")
    try:
        config: HomeConfig = read_home(home)
    except HomeError as error:
        return Finding("home", False, str(error))
    return Finding("home", True, f"{home}: {config.kind}, {', '.join(config.markets)}, from {config.history_start}")


def _database(home: Path) -> Finding:
    from hydra_console.bootstrap.environment import describe, ensure  # noqa: PLC0415

    if not (home / "home.yaml").exists():
        kind = "embedded" if describe(home).embedded else "HYDRA_POSTGRES_URL"
        return Finding("database", True, f"{kind}, not looked at without a home")
    environment = ensure(home)
    kind = "embedded" if environment.embedded else "HYDRA_POSTGRES_URL"
    return Finding("database", True, f"{kind}, answers{', was started for this' if environment.started else ''}")


def _flags(home: Path) -> Finding:
    from hydra_console.bootstrap.environment import describe  # noqa: PLC0415

    wanted = describe(home).variables
    other = [name for name, value in wanted.items() if name in os.environ and os.environ[name] != value]
    if other:
        return Finding("environment", False, f"set to something else in this shell: {', '.join(other)}; unset them")
    return Finding("environment", True, "nothing in this shell contradicts `hydra env`")


def _lake(home: Path) -> Finding:
    from hydra_assets.columns import DATASETS  # noqa: PLC0415
    from hydra_assets.lake import Lake  # noqa: PLC0415

    root = os.environ.get("HYDRA_LAKE_URI") or str(home / "lake")
    if "://" not in root and not Path(root).exists():
        return Finding("lake", True, "no table yet")
    lake = Lake(root)
    held = [name for name in DATASETS if lake.exists(name)]
    for name in held:
        lake.table(name)
    return Finding("lake", True, f"{len(held)} tables open")


def _location(module: str) -> Finding:
    """Import a code location in a process of its own, as Dagster would."""
    if importlib.util.find_spec(module) is None:
        return Finding(module, False, "is not installed; install hydra again")
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module names
            [sys.executable, "-c", f"import {module}; {module}.defs.get_repository_def()"],
            capture_output=True,
            text=True,
            check=False,
            timeout=LOCATION_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return Finding(module, False, f"does not load within {LOCATION_SECONDS} s")
    if done.returncode == 0:
        return Finding(module, True, "loads")
    return Finding(module, False, (done.stderr.strip().splitlines() or ["does not load"])[-1])
