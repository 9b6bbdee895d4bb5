"""Simulated homes of the full-chain tier: made by `hydra backfill`, kept, and read with what they hide."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from hydra_agent.frames import view_of
from hydra_agent.healbench.home_world import Hidden, HomeWorld, home_world
from hydra_agent.view import GroupView
from hydra_assets.defs.group import GroupHistory
from hydra_assets.home import DEFAULT_SIM_MARKETS, HomeConfig, read_home, write_home
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import load_markets, markets_of
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.replay.inputs import aligned
from hydra_assets.sources.simulated.market import build_market
from hydra_assets.sources.simulated.source import world_of
from hydra_assets.sources.simulated.truth import Knowledge, expected_gap, world_truth
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR, World
from hydra_console.bootstrap.postgres import EmbeddedPostgres
from studies.worlds.edges import EDGES

LAST = date(2026, 11, 20)
NOW = "2026-11-20T23:30:00+00:00"
EDGE = EDGES[1.0]
"""Attainable net Sharpe ratio of about 1, as in the statistical tier."""
LOG = "backfill.log"
FINISHED = "full_chain.json"
"""Written into a home once all of its datasets are there; a home without it is backfilled again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One home: ``after`` is what the edge is multiplied by from session ``break_session`` on, None for never."""

    seed: int
    years: int
    break_session: int
    after: float | None = None
    edge: float = EDGE
    markets: tuple[str, ...] = DEFAULT_SIM_MARKETS

    @property
    def name(self) -> str:
        """Folder."""
        return f"seed{self.seed}-{self.years}y" + (
            "" if self.after is None else f"-{self.break_session}x{self.after:g}"
        )

    def config(self) -> HomeConfig:
        """Its ``home.yaml``: the markets' own sources with another edge.

        Its bootstrap stays: a reading without a standard error counts for nothing in the options' view.
        """
        known = load_markets()
        broken = self.after is not None
        world = {
            "edge.kind": "constant" if self.edge > 0.0 else "none",
            "edge.sharpe": f"{self.edge:g}",
            "edge.break_session": str(self.break_session) if broken else "null",
            "edge.after_break": f"{self.after:g}" if broken else "0",
        }
        bindings = {
            symbol: tuple(one.model_copy(update={"options": {"world": world}}) for one in known[symbol].sources)
            for symbol in self.markets
        }
        return HomeConfig(
            kind="simulated",
            markets=self.markets,
            history_start=date(LAST.year - self.years, LAST.month, LAST.day + 3),
            history_end=LAST,
            seed=self.seed,
            bindings=bindings,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A home, and the seconds that making it took when it was made; processor time without the database's."""

    home: Path
    seconds: float
    cpu_seconds: float


class HomeMakingError(Exception):
    """A home could not be made; the message has the command's last lines."""


def brought_up(folder: Path, plan: Plan) -> Made:
    """Make a home with a database of its own, or find it made.

    Raises
    ------
    HomeMakingError
        `hydra backfill` failed, or the folder holds a home of another plan.
    """
    home = folder / plan.name
    done = home / FINISHED
    if (home / "home.yaml").exists() and read_home(home) != plan.config():
        msg = f"{home} is a home of another plan: choose another folder"
        raise HomeMakingError(msg)
    if not done.exists():
        write_home(home, plan.config())
        seconds, cpu_seconds = _backfilled(home)
        done.write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}), encoding="utf-8")
    return Made(home, **json.loads(done.read_text(encoding="utf-8")))


def _backfilled(home: Path) -> tuple[float, float]:
    """Seconds and processor seconds of the command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HYDRA_", "DAGSTER_"))}
    environment |= {"HYDRA_HOME": str(home.absolute()), "HYDRA_NOW": NOW}
    command = [str(Path(sys.executable).parent / "hydra"), "backfill"]
    start = time.monotonic()
    try:
        with (home / LOG).open("w", encoding="utf-8") as log:
            running = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603  our own command
            # Homes are made side by side, so what each one costs is asked of its own process.
            _, status, usage = os.wait4(running.pid, 0)
            running.returncode = os.waitstatus_to_exitcode(status)
    finally:
        EmbeddedPostgres(home).stop()
    if running.returncode:
        tail = (home / LOG).read_text(encoding="utf-8").splitlines()[-10:]
        raise HomeMakingError("\n".join([f"hydra backfill of {home} ended with {running.returncode}", *tail]))
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def read_world(home: Path) -> HomeWorld:
    """The world of a home: its group's view by the pipeline's own functions, and the truth behind it."""
    config = read_home(home)
    specs = tuple(markets_of(config, home).values())
    history = GroupHistory(Lake(str(home / "lake")), specs, config.history_end or LAST)
    view = view_of(history.features, history.labels, history.regimes, history.curve, history.market)
    return home_world(config.seed, view, hidden(view, _world_of(specs), specs, config.seed, config.history_start))


def hidden(view: GroupView, world: World, specs: tuple[MarketSpec, ...], seed: int, start: date) -> Hidden:
    """What is behind a view of a world that began at ``start``."""
    last = date.fromordinal(int(view.days[-1]) + date(1970, 1, 1).toordinal())
    latent = world_truth(world, seed, specs, start, last)["latent"].with_columns(
        beta=pl.col("edge_sds_per_gap") * np.sqrt(SESSIONS_PER_YEAR)
    )
    built = [build_market(spec, world, seed, start, last) for spec in specs]
    published = np.concatenate([expected_gap(market, Knowledge.PUBLISHED) for market in built if market is not None])
    # Both in the order of markets and sessions: gap = (view - position) / sqrt(2).
    latent = latent.with_columns(expected_position=pl.col("view") - np.sqrt(2.0) * pl.Series(published))
    columns = ("view", "expected_position", "gap", "beta", "next_return_mean")
    return Hidden(*(aligned(latent, name, view.market) for name in columns))


def row_of_session(home: Path, view: GroupView, number: int) -> int:
    """First row at which some market of a home has had ``number`` sessions before, by its calendar."""
    config = read_home(home)
    first = np.datetime64(config.history_start, "D")
    counted = [calendar_of(spec).sessions for spec in markets_of(config, home).values()]
    day = min(sessions[sessions >= first][number] for sessions in counted)
    return int(np.searchsorted(view.days, day.astype("datetime64[D]").astype(np.int64)))


def _world_of(specs: tuple[MarketSpec, ...]) -> World:
    worlds = {world_of([binding.options.get("world") for binding in spec.sources]).model_dump_json() for spec in specs}
    if len(worlds) > 1:
        msg = "the markets of the home live in several worlds"
        raise ValueError(msg)
    return World.model_validate_json(worlds.pop())
