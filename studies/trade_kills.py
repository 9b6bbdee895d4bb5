"""Trading killed with -9 at random instants, and what is found afterwards.

``uv run python -m studies.trade_kills --kills 10000`` takes an account at the simulated broker through three sessions,
once undisturbed and then, again and again from nothing, in a process that is killed at a random instant of its work;
another process takes it up. Orders, fills and positions must be those of the undisturbed life, no name may have been
sent twice, and the chain of the fills must be whole. The last line is a row of ``docs/studies/trade_kills.md``.
"""

import argparse
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event
from pathlib import Path

import sqlalchemy as sa

from hydra_assets.state.execution_tables import sim_broker_log
from hydra_exec.broker.simulated.records import Taken, record_of
from hydra_exec.journal.journal import Journal
from tests.support.desk_scene import HOME
from tests.support.lives import Left, left, scene_on, wiped
from tests.support.postgres import TestServer, engine_on

ACCOUNT = "SIM"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: how many lines the broker's log had, of how many in the end, and what was wrong afterwards."""

    lines: int
    of: int
    problems: tuple[str, ...]


def trade(url: str, begun: Event | None = None) -> None:
    """A process that takes the account through its sessions; ``begun`` is set once the first order is decided."""
    with engine_on(url) as engine:
        scene, days = scene_on(engine)
        scene.live_through(days[:1])
        if begun is not None:
            begun.set()
        scene.live_through(days)


def run_kills(url: str, kills: int, seed: int = 0) -> Iterator[Kill]:
    """Kill after kill."""
    rng = random.Random(seed)  # noqa: S311  moments, not secrets
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["studies.trade_kills"])
    with engine_on(url) as engine:
        wiped(engine)
        trade(url)
        undisturbed, lines = left(engine, ACCOUNT), _lines(engine)
        length = _length(context, engine, url)
        for _ in range(kills):
            wiped(engine)
            _strike(context, url, rng.uniform(0.0, length))
            struck = _lines(engine)
            trade(url)
            yield Kill(struck, lines, tuple(_problems(engine, undisturbed)))


def _length(context: ForkServerContext, engine: sa.Engine, url: str) -> float:
    """Seconds from the process's first word to its end."""
    wiped(engine)
    begun = context.Event()
    process = context.Process(target=trade, args=(url, begun))
    process.start()
    begun.wait()
    started = time.monotonic()
    process.join()
    return time.monotonic() - started


def _strike(context: ForkServerContext, url: str, moment: float) -> None:
    begun = context.Event()
    process = context.Process(target=trade, args=(url, begun))
    process.start()
    begun.wait()
    process.join(moment)
    process.kill()
    process.join()


def _lines(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(sim_broker_log)) or 0)


def _problems(engine: sa.Engine, undisturbed: Left) -> Iterator[str]:
    found = left(engine, ACCOUNT)
    if found.positions != undisturbed.positions:
        yield f"holds {found.positions}, undisturbed {undisturbed.positions}"
    if over := {ref: lots for ref, lots in found.filled.items() if lots > found.ordered[ref]}:
        yield f"filled beyond the order: {over}"
    with engine.connect() as connection:
        records = [record_of(line) for line in connection.scalars(sa.select(sim_broker_log.c.body))]
    names = Counter(record.wire_ref for record in records if isinstance(record, Taken))
    if twice := {name: count for name, count in names.items() if count > 1}:
        yield f"sent more than once: {twice}"
    scene, _ = scene_on(engine)
    if scene.broker_positions() != found.positions:
        yield f"the broker holds {scene.broker_positions()}, the journal {found.positions}"
    if not Journal(engine, ACCOUNT, HOME).verdict().intact:
        yield "the chain of the fills is broken"


def main() -> None:
    """Print each problem as it comes, and the table's row in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    done: list[Kill] = []
    with tempfile.TemporaryDirectory() as folder:
        server = TestServer(Path(folder))
        try:
            with server.database() as url:
                for kill in run_kills(url, asked.kills, asked.seed):
                    done.append(kill)
                    for problem in kill.problems:
                        print(f"kill {len(done)} at line {kill.lines}: {problem}", flush=True)
        finally:
            server.stop()
    midway = sum(0 < kill.lines < kill.of for kill in done)
    bad = sum(bool(kill.problems) for kill in done)
    print(f"| {asked.seed} | {len(done)} | {midway} | {len({kill.lines for kill in done})} | {bad} |")


if __name__ == "__main__":
    main()
