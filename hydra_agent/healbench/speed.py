"""What the benchmark's parts cost in CPU time on one core: ``python -m hydra_agent.healbench.speed``.

A candidate is a logistic recipe of twelve features, walked forward over a world; its replay is shared with the others
of its batch. The least of some repetitions, since other work on the machine only ever adds.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import product

from hydra_agent.arena import played
from hydra_agent.healbench.lab import ArrayLab
from hydra_agent.healbench.worlds import BenchWorld, make_world
from hydra_agent.view import Walk
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC, Recipe


def milliseconds(work: Callable[[], object], times: int) -> float:
    """Least CPU time of a repetition."""
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return 1e3 * min(found)


def walked(world: BenchWorld, recipe: Recipe, every: int) -> Walk:
    """Walk a recipe in a laboratory that has kept no fit."""
    return ArrayLab(world.view, every).walk({"a": recipe}, len(world.view))["a"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    world = make_world(1)
    sys.stdout.write(f"world: {milliseconds(lambda: make_world(1), times):.0f} ms\n")
    first = FIRST_RECIPES[LOGISTIC]
    for refit, every in product((63, 126, 252), (1, 2, 5)):
        walk = partial(walked, world, first.model_copy(update={"refit_sessions": refit}), every)
        sys.stdout.write(f"walk, refit {refit}, every {every}: {milliseconds(walk, times):.0f} ms\n")
    said = walked(world, first, 5)
    for count in (1, 10, 50):
        batch = milliseconds(partial(played, world.truth.market, [said] * count), times)
        sys.stdout.write(f"replay of {count}: {batch:.0f} ms, {batch / count:.1f} each\n")


if __name__ == "__main__":
    main()
