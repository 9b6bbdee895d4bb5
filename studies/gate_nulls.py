"""Do the gates promote what is not better, and do they see what is? Null rates and power by simulation.

``uv run python -m studies.gate_nulls`` draws cycles of ten candidates in three worlds where no candidate is better than
the benchmark, and in worlds where exactly one is, by 0.25, 0.5 and 1 of annual Sharpe ratio; every cycle goes through
``judge_cycle`` as a real one does.

cash        no champion; Student-t4 returns with GARCH(1, 1) volatility; true Sharpe ratio zero before and after costs
champion    a champion of Sharpe ratio 1, candidates of equal skill correlated 0.9 with it, same noise
dependent   as champion, with an AR(1) of 0.2 in all returns: results of positions that are held for days
short       as champion over 315 sessions, 1.25 years

Null rates are per candidate for gates 3, 5 and 7 (of the first candidate, so that draws are independent) and per cycle
for gates 4, 6 and jointly (any candidate through all gates). A rate is in order when its exact one-sided 99 % lower
bound is not above the nominal rate. Gate 5 asks for skill and not for more of it than the champion has, so its rate is
nominal in the cash world only; gate 6 is read as a p-value of 0.2; gate 7 is a check of consistency, nominal one half.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.signal import lfilter
from scipy.stats import beta

from hydra_assets.stats.gate_records import (
    CandidateReport,
    CycleEvidence,
    GateCode,
    GateConfig,
    GateStatus,
    StrategyEvidence,
    WalkForwardFacts,
)
from hydra_assets.stats.gates import judge_cycle
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from hydra_assets.stats.trials import ledger_summary
from hydra_assets.verdict import Severity, Verdict

Floats = NDArray[np.float64]

DAILY_VOLATILITY = 0.10 / SESSIONS_PER_YEAR**0.5
COST = 0.02 / SESSIONS_PER_YEAR
HORIZON = 5
GAINS = (0.25, 0.5, 1.0)
CONFIDENCE = 0.99
FEATURES = 30


@dataclass(frozen=True, slots=True)
class World:
    """How one kind of cycle is drawn."""

    name: str
    sessions: int = 5 * SESSIONS_PER_YEAR
    candidates: int = 10
    earlier_trials: int = 30
    """Useless trials of earlier cycles that are on the ledger as well."""
    champion_sharpe: float | None = 1.0
    """None: no champion, and candidates without skill."""
    common: float = 0.9
    """Correlation with the champion; without one, root of the correlation among candidates."""
    ar: float = 0.0
    gain: float = 0.0
    """True annual Sharpe gain of the first candidate; the others have none."""


CASH = World("cash", champion_sharpe=None, common=0.5**0.5)
CHAMPION = World("champion")
NULLS = (CASH, CHAMPION, replace(CHAMPION, name="dependent", ar=0.2), replace(CHAMPION, name="short", sessions=315))
POWERS = (CASH, CHAMPION, NULLS[3])

JOINT = "all gates"
NOMINAL = {
    GateCode.PAIRED_ADVANTAGE.value: 0.05,
    GateCode.STEPWISE.value: 0.05,
    GateCode.DEFLATED_SHARPE.value: 0.05,
    GateCode.OVERFITTING.value: 0.2,
    GateCode.ROBUST_FITNESS.value: 0.5,
    JOINT: 0.05,
}
PER_CYCLE = (GateCode.STEPWISE.value, GateCode.OVERFITTING.value, JOINT)


def noise(random: np.random.Generator, rows: int, sessions: int, ar: float) -> Floats:
    """Rows of zero-mean noise of unit variance: Student t4, GARCH(1, 1) with 0.05 and 0.9, then AR(1)."""
    warm = 100
    shock = random.standard_t(4, (rows, sessions + warm)) / np.sqrt(2.0)
    out, variance = np.empty_like(shock), np.ones(rows)
    for t in range(sessions + warm):
        out[:, t] = np.sqrt(variance) * shock[:, t]
        variance = 0.05 + 0.05 * out[:, t] ** 2 + 0.9 * variance
    if ar:
        out = lfilter([np.sqrt(1.0 - ar * ar)], [1.0, -ar], out, axis=1)
    kept: Floats = out[:, warm:]
    return kept


def cycle(world: World, seed: int) -> CycleEvidence:
    """Draw one cycle. Costs are 2 % of capital a year at the champion's size; regimes alternate every half year."""
    random = np.random.default_rng([20261121, seed])
    n, k = world.sessions, world.candidates
    common, *own = noise(random, 1 + k + world.earlier_trials, n, world.ar)
    skill = world.champion_sharpe or 0.0
    sharpes = np.full(k + world.earlier_trials, skill)
    sharpes[0] += world.gain
    trials = world.common * common + np.sqrt(1.0 - world.common**2) * np.stack(own)
    trials = DAILY_VOLATILITY * (trials + sharpes[:, None] / np.sqrt(SESSIONS_PER_YEAR))
    # Some take twice the champion's risk, some half, which is no skill.
    size = np.exp2(random.uniform(-1.0, 1.0, len(trials)))
    trials *= size[:, None]
    champion = DAILY_VOLATILITY * (common + skill / np.sqrt(SESSIONS_PER_YEAR))
    # Squared errors of a coin, with noise: skill in returns goes with none in calibration here.
    errors = 0.25 + 0.02 * random.standard_normal((k + 1, n))
    sides = [
        StrategyEvidence(f"candidate {i}", trials[i], np.full(n, COST * size[i]), errors[i], FEATURES) for i in range(k)
    ]
    reigning = StrategyEvidence("champion", champion, np.full(n, COST), errors[k], FEATURES)
    edges = np.linspace(0, n, 6).astype(int)
    return CycleEvidence(
        candidates=tuple(sides),
        champion=None if world.champion_sharpe is None else reigning,
        walk_forward=WalkForwardFacts(
            HORIZON, HORIZON, True, True, True, tuple(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        ),
        contracts=(Verdict("inputs", True, Severity.ERROR, "ok", "simulated"),),
        ledger=ledger_summary(np.concatenate([trials[k:], trials[:k]])),
        regimes=(np.arange(n) // (SESSIONS_PER_YEAR // 2)) % 2,
    )


def passes(reports: Sequence[CandidateReport]) -> dict[str, bool]:
    """Whether each gate let the first candidate (or, per cycle, anybody) through. A gate not asked lets through."""
    let = {
        gate.value: [r.verdicts[i].status is not GateStatus.FAILED for r in reports] for i, gate in enumerate(GateCode)
    }
    let[JOINT] = [r.passed for r in reports]
    return {name: any(each) if name in PER_CYCLE else each[0] for name, each in let.items() if name in NOMINAL}


def first_passes(reports: Sequence[CandidateReport]) -> dict[str, bool]:
    """Whether each gate let the first candidate through: power."""
    first = reports[0]
    let = {v.gate.value: v.status is not GateStatus.FAILED for v in first.verdicts} | {JOINT: first.passed}
    return {name: let[name] for name in NOMINAL}


def one(world: World, config: GateConfig, seed: int) -> dict[str, bool]:
    """Draw and judge one cycle."""
    reports = judge_cycle(cycle(world, seed), config)
    return first_passes(reports) if world.gain else passes(reports)


def _start() -> None:
    os.nice(10)


def counts(world: World, draws: int, config: GateConfig, processes: int) -> dict[str, int]:
    """Cycles let through, by gate, of ``draws``."""
    work = partial(one, world, config)
    if processes == 1:
        found = [work(seed) for seed in range(draws)]
    else:
        with ProcessPoolExecutor(processes, initializer=_start) as pool:
            found = list(pool.map(work, range(draws), chunksize=10))
    hits = {name: sum(each[name] for each in found) for name in NOMINAL}
    print(f"{world.name} +{world.gain:g}: {hits} of {draws}", file=sys.stderr, flush=True)
    return hits


def lower_bound(hits: int, draws: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided lower bound of a rate (Clopper and Pearson)."""
    return float(beta.ppf(1.0 - confidence, hits, draws - hits + 1)) if hits else 0.0


def upper_bound(hits: int, draws: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided upper bound of a rate (Clopper and Pearson)."""
    return float(beta.ppf(confidence, hits + 1, draws - hits)) if hits < draws else 1.0


def claimed(world: World, name: str) -> bool:
    """Whether the nominal rate is claimed of this gate in this world."""
    return name != GateCode.DEFLATED_SHARPE.value or world.champion_sharpe is None


def null_table(found: Sequence[tuple[World, dict[str, int]]], draws: int) -> tuple[Table, bool]:
    """One row per gate, one column per world; and whether every claimed rate is in order."""
    table = Table("let through", "nominal", *(world.name for world, _ in found), title=f"{draws} null cycles per world")
    order = True
    for name, nominal in NOMINAL.items():
        cells = []
        for world, hits in found:
            bad = claimed(world, name) and lower_bound(hits[name], draws) > nominal
            order = order and not bad
            mark = " TOO MANY" if bad else "" if claimed(world, name) else " (no claim)"
            cells.append(f"{hits[name] / draws:.3f} (<= {upper_bound(hits[name], draws):.3f}){mark}")
        table.add_row(name, f"{nominal:.2f}", *cells)
    return table, order


def power_table(found: Sequence[tuple[World, dict[str, int]]], draws: int) -> Table:
    """One row per gate, one column per world and gain."""
    table = Table("sees the better one", *(f"{w.name} +{w.gain:g}" for w, _ in found), title=f"{draws} cycles each")
    for name in NOMINAL:
        table.add_row(name, *(f"{hits[name] / draws:.3f}" for _, hits in found))
    return table


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nulls", type=int, default=2000)
    parser.add_argument("--power", type=int, default=400)
    parser.add_argument("--replications", type=int, default=GateConfig().replications)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--worlds", nargs="*", choices=[w.name for w in NULLS], default=[w.name for w in NULLS])
    given = parser.parse_args()
    nulls, powers = ([w for w in each if w.name in given.worlds] for each in (NULLS, POWERS))
    config = replace(GateConfig(), replications=given.replications)
    mark = time.perf_counter()
    console = Console(width=150)
    run = partial(counts, config=config, processes=given.processes)
    order = True
    if given.nulls:
        table, order = null_table([(world, run(world, given.nulls)) for world in nulls], given.nulls)
        console.print(table)
    if given.power:
        worlds = [replace(world, gain=gain) for world in powers for gain in GAINS]
        console.print(power_table([(world, run(world, given.power)) for world in worlds], given.power))
    console.print(f"{time.perf_counter() - mark:.0f} s; null rates {'in order' if order else 'NOT IN ORDER'}")


if __name__ == "__main__":
    main()
