"""An account whose process is killed with -9 while it trades, and what is wrong after another has taken it up."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event

import sqlalchemy as sa

from hydra_assets.state.execution_tables import sim_broker_log
from hydra_exec.broker.simulated.records import Taken, record_of
from hydra_exec.journal.journal import Journal
from tests.support.desk_scene import HOME
from tests.support.lives import Left, left, scene_on, wiped
from tests.support.postgres import engine_on

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
    context.set_forkserver_preload(["tests.support.trade_kills"])
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
