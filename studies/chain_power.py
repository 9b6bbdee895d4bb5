"""The whole chain of a promotion, from gate 1 to full size: what it lets through and what it sees, jointly.

``uv run python -m studies.chain_power`` draws cycles as ``studies.gate_nulls`` does, but longer: gates 1 to 7 judge the
first sessions, the fittest that passes opens the sealed hold-out of the next half-year at the level of a first opening,
and if that agrees it trades provisionally for two years against the champion in shadow, until the e-process confirms it
or takes it back. The columns count cycles; *promoted* with gain 0 is the joint rate of false promotions. Brackets are
exact one-sided 95 % bounds.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from rich.console import Console
from rich.table import Table

from hydra_agent.arena import Returns
from hydra_agent.judge.holdout import HOLDOUT_SESSIONS, judge_holdout
from hydra_agent.past import HOLDOUT_WEALTH
from hydra_agent.shadow import steps
from hydra_assets.stats.alpha_wealth import spend
from hydra_assets.stats.eprocess import ECode
from hydra_assets.stats.fitness import fitness
from hydra_assets.stats.gate_records import CycleEvidence, GateConfig, StrategyEvidence, WalkForwardFacts
from hydra_assets.stats.gates import judge_cycle
from hydra_assets.stats.returns import SESSIONS_PER_YEAR, Floats
from studies.gate_nulls import CASH, CHAMPION, HORIZON, World, cycle, lower_bound, upper_bound

SHADOW_SESSIONS = 2 * SESSIONS_PER_YEAR
GAINS = (0.0, 0.25, 0.5, 1.0)
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Fate:
    """How far a cycle came; sessions from promotion to the end of the provisional time, None where it went on."""

    gates: bool
    promoted: bool
    better: bool
    """Whether it is the candidate with the gain."""
    confirmed: bool
    taken_back: bool
    sessions: int | None


def judged_part(whole: CycleEvidence, n: int) -> CycleEvidence:
    """The first sessions of a cycle, as gates see them."""
    edges = np.linspace(0, n, 6).astype(int).tolist()
    facts = WalkForwardFacts(HORIZON, HORIZON, True, True, True, tuple(pairwise(edges)))
    return replace(
        whole,
        candidates=tuple(_cut(side, n) for side in whole.candidates),
        champion=None if whole.champion is None else _cut(whole.champion, n),
        walk_forward=facts,
        regimes=None if whole.regimes is None else whole.regimes[:n],
    )


def _cut(side: StrategyEvidence, n: int) -> StrategyEvidence:
    return replace(side, net_returns=side.net_returns[:n], costs=side.costs[:n], squared_errors=side.squared_errors[:n])


def fate(world: World, config: GateConfig, seed: int) -> Fate:
    """Draw a cycle and follow it."""
    n, sealed = world.sessions, world.sessions + HOLDOUT_SESSIONS
    whole = cycle(replace(world, sessions=sealed + SHADOW_SESSIONS), seed)
    part = judged_part(whole, n)
    passed = [i for i, report in enumerate(judge_cycle(part, config)) if report.passed]
    if not passed:
        return Fate(False, False, False, False, False, None)
    best = max(passed, key=lambda i: _total(part.candidates[i]))
    nobody = np.zeros(sealed + SHADOW_SESSIONS)
    own = whole.candidates[best].net_returns
    champion = nobody if whole.champion is None else whole.champion.net_returns
    both = np.stack([own, champion])
    level = spend([], HOLDOUT_WEALTH)
    found = judge_holdout(Returns(both, both, both), whole.champion is not None, slice(n, sealed), level, HORIZON)
    if not found.passed:
        return Fate(True, False, best == 0, False, False, None)
    for step in steps(_sized(own, champion), champion, sealed):
        back = step.code is ECode.ABORT
        return Fate(True, True, best == 0, not back, back, step.row - sealed)
    return Fate(True, True, best == 0, False, False, None)


def _sized(own: Floats, champion: Floats) -> Floats:
    """Both at the same volatility, as the pipeline sizes them; here candidates take other sizes for no reason."""
    sd = champion.std()
    return own * (sd / own.std()) if sd > 0.0 else own


def _total(side: StrategyEvidence) -> float:
    return fitness(side.net_returns, side.costs, side.squared_errors, side.features).total


def row(world: World, draws: int, config: GateConfig, processes: int) -> list[str]:
    """One line of the table."""
    work = partial(fate, world, config)
    with ProcessPoolExecutor(processes) as pool:
        found = list(pool.map(work, range(draws), chunksize=5))

    def rate(hits: int) -> str:
        low, high = lower_bound(hits, draws, CONFIDENCE), upper_bound(hits, draws, CONFIDENCE)
        return f"{hits / draws:.3f} ({low:.3f}-{high:.3f})"

    right = [f for f in found if f.promoted and (f.better or not world.gain)]
    waits = [f.sessions for f in right if f.confirmed and f.sessions is not None]
    return [
        world.name,
        f"{world.gain:g}",
        rate(sum(f.gates for f in found)),
        rate(sum(f.promoted for f in found)),
        rate(len(right)) if world.gain else "-",
        rate(sum(f.confirmed for f in found)),
        rate(sum(f.taken_back for f in found)),
        f"{np.median(waits):.0f}" if waits else "-",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=400, help="cycles of each world and gain")
    parser.add_argument("--replications", type=int, default=GateConfig().replications)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    config = replace(GateConfig(), replications=given.replications)
    began = time.perf_counter()
    names = (
        "world",
        "gain",
        "passes gates 1-7",
        "promoted",
        "the better one",
        "confirmed in 2 years",
        "taken back in 2 years",
        "sessions to confirm",
    )
    table = Table(*names, title=f"{given.draws} cycles of ten candidates each")
    for world in (CASH, CHAMPION):
        for gain in GAINS:
            table.add_row(*row(replace(world, gain=gain), given.draws, config, given.processes))
    console = Console(width=170)
    console.print(table)
    console.print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
