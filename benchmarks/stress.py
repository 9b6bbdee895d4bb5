"""How long the stress report of one recipe takes on one core, and where the time goes.

``uv run python -m benchmarks.stress`` stresses 1,000 sessions of 4 markets with the default plan: 200 bootstrap paths,
200 copula paths, and six dated scenarios at three dates each. Importing ``arch`` (once per process, for the length of
blocks) is measured apart. What the same paths would cost one after the other in the public replay stands beside it.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.replay import best_and_median, market
from benchmarks.table import Row, one_thread, print_table
from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stress.plan import BootstrapPaths, CopulaPaths, StressPlan
from hydra_assets.stress.report import stress_report

SESSIONS, MARKETS, ROUNDS = 1_000, 4, 5
MAX_SECONDS = 3.0


def probabilities(prices: MarketArrays) -> Decisions:
    """Persistent probabilities that know a little of the return which they earn, one in five hundred missing."""
    random = np.random.default_rng(9)
    shape = prices.settle.shape
    state = np.zeros(shape)
    for t in range(1, len(state)):
        state[t] = 0.9 * state[t - 1] + 0.02 * random.standard_normal(shape[1])
    state[:-2] += 0.1 * prices.held_change[2:] / (prices.terms.multiplier * prices.settle[1:-1])
    values = np.clip(0.5 + state, 0.0, 1.0)
    values[random.random(shape) < 0.002] = np.nan
    return Decisions(DecisionKind.PROBABILITY, values[None])


def row(name: str, what: str, work: Callable[[], object], rounds: int, most: float = 0.0) -> Row:
    """Measure one call in processor time; it has run once before."""
    work()
    best, middle = best_and_median(work, rounds)
    figures = f"{best:.2f} s ({middle:.2f} s median of {rounds})"
    return Row(name, what, f"<= {most:g} s" if most else "-", figures, not most or best <= most)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("sessions", SESSIONS), ("markets", MARKETS), ("rounds", ROUNDS)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    one_thread()
    mark = time.process_time()
    import arch.bootstrap  # noqa: F401, PLC0415 - measured

    imported = time.process_time() - mark
    prices = market(options.sessions, options.markets)
    wanted, told, rounds = probabilities(prices), ReplayConfig(), options.rounds
    none = {"stationary_bootstrap": BootstrapPaths(paths=0), "copula": CopulaPaths(paths=0)}
    dated = StressPlan(**none)
    blocks = StressPlan(copula=CopulaPaths(paths=0))
    joint = StressPlan(stationary_bootstrap=BootstrapPaths(paths=0))
    report = partial(stress_report, prices, wanted, told)
    rows = [
        row("T1", "the whole report: 200 + 200 paths, 18 dates", report, rounds, MAX_SECONDS),
        row("T2", "dated scenarios only", lambda: report(dated), rounds),
        row("T3", "T2 and 200 bootstrap paths", lambda: report(blocks), rounds),
        row("T4", "T2 and 200 copula paths", lambda: report(joint), rounds),
        row("T5", "one path in the public replay", lambda: replay(prices, wanted, told), rounds),
        Row("T6", "importing arch, once per process", "-", f"{imported:.2f} s", True),
    ]
    print_table(rows, f"{options.sessions} sessions x {options.markets} markets, one core, processor time")


if __name__ == "__main__":
    main()
