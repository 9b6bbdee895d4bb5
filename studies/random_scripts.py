"""Random failure scripts played to the whole desk, and whether the journal was right after each.

``uv run python -m studies.random_scripts --examples 10000`` draws scenes (``tests.support.random_scripts``): up to four
faults of any kind, two orders, a market that moves, a process that may end in between. Each is played by the real
client to a loopback TWS. The last line is a row of ``docs/studies/random_scripts.md``.
"""

import argparse
import logging
import tempfile
import time
from collections import Counter
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.support.ib_trader import unsynced
from tests.support.postgres import TestServer, engine_on
from tests.support.random_scripts import WITHIN_SECONDS, Played, Scene, play, scenes


def run(engine: sa.Engine, locks: Path, examples: int, number: int) -> list[Played]:
    """Play so many scenes; a problem is printed with its scene and does not end the run."""
    done: list[Played] = []

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=False,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(scene=scenes())
    def one(scene: Scene) -> None:
        try:
            played = play(engine, locks, scene)
        except Exception as error:
            played = Played((repr(error),), 0.0, 0, 0, 0, scene.script)
        done.append(played)
        if played.problems or played.seconds > WITHIN_SECONDS:
            print(f"{scene}: {played.seconds:.2f} s, {played.problems}", flush=True)

    one()
    return done


def main() -> None:
    """Print each problem as it comes, what was played, and the table's row in the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    # The client logs every code that it is told.
    logging.disable(logging.CRITICAL)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        server = TestServer(Path(folder))
        try:
            with server.database() as url, engine_on(url) as engine:
                done = run(unsynced(engine), Path(folder), asked.examples, asked.seed)
        finally:
            server.stop()
    kinds = Counter(type(fault).__name__ for played in done for fault in played.script.faults)
    print(", ".join(f"{name} {count}" for name, count in sorted(kinds.items())))
    seconds = sorted(played.seconds for played in done)
    bad = sum(bool(played.problems) or played.seconds > WITHIN_SECONDS for played in done)
    fills = sum(played.fills for played in done)
    orders = sum(played.orders for played in done)
    adjustments = sum(played.adjustments for played in done)
    print(
        f"| {asked.seed} | {len(done)} | {sum(kinds.values())} | {orders} | {fills} | {adjustments} "
        f"| {seconds[len(seconds) // 2]:.2f} | {seconds[-1]:.2f} | {time.monotonic() - started:.0f} | {bad} |"
    )


if __name__ == "__main__":
    main()
