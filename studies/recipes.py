"""What the first recipes recover of a known edge, and how often they are promoted: ``python -m studies.recipes``.

Worlds of the statistical tier (``studies.worlds``): zero edge, and edges of an attainable net Sharpe ratio of 1 and 2
that are constant and never break. Each goes through the pipeline's own functions: walk-forward, calibration, replay
after costs, gates 2 to 7 at every quarterly training date until one passes, as in a home. ``attainable`` is the
oracle's ratio over the same sessions: ``realised``, with the luck of the path, as the recipes' own has it.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl
from scipy.stats import beta

from hydra_assets.evaluation.evidence import Played, cycle_evidence
from hydra_assets.evaluation.first_champion import FIRST_GATES, judge_first
from hydra_assets.evaluation.strategies import played, walked
from hydra_assets.models.recipe import FIRST_RECIPES, STRATEGIES
from hydra_assets.replay.inputs import market_arrays
from hydra_assets.sources.simulated.truth import Knowledge
from hydra_assets.stats.returns import SESSIONS_PER_YEAR, Floats
from hydra_assets.verdict import Severity, Verdict
from studies.worlds import EDGES, WorldFrames, fast_worlds

FIRST_SEEDS = {0.0: 20_001, 1.0: 30_001, 2.0: 40_001}
"""Seeds that nothing was chosen on."""
AT_ONCE = 6
GREEN = (Verdict("study", True, Severity.ERROR, "ok", "simulated inputs"),)


@dataclass(frozen=True, slots=True)
class Found:
    """One world: per recipe net and gross Sharpe ratio, return and cost a year; the oracle's; and the gates' word."""

    edge: float
    seed: int
    net: dict[str, float]
    gross: dict[str, float]
    net_return: dict[str, float]
    cost: dict[str, float]
    attainable: float
    attainable_expected: float
    promoted_on: str | None
    promoted: str | None
    stopped_by: dict[str, str]
    """First gate that fails each recipe at the last training date."""


def with_held_contracts(curve: pl.DataFrame) -> pl.DataFrame:
    """Add to front rows those of the contract that was carried into a roll, as the whole curve would have them.

    Its settle follows from the return that the front row tells.
    """
    rows = curve.sort("market", "session")
    before = [pl.col(name).shift(1).over("market").alias(f"{name}_before") for name in ("contract", "settle")]
    rolled = rows.with_columns(before).filter(
        (pl.col("contract_before") != pl.col("contract")) & pl.col("held_return").is_not_null()
    )
    carried = rolled.with_columns(
        pl.col("contract_before").alias("contract"),
        (pl.col("settle_before") * (1.0 + pl.col("held_return"))).alias("settle"),
        pl.lit("expiring").alias("role"),
        pl.lit(0, pl.Int64).alias("settle_age_sessions"),
    )
    return pl.concat([rows, carried.select(rows.columns)])


def training_dates(first: date, last: date) -> list[date]:
    """First days of the quarters within the span."""
    days = [date(year, month, 1) for year in range(first.year, last.year + 1) for month in (1, 4, 7, 10)]
    return [day for day in days if first < day <= last + timedelta(days=1)]


def studied(edge: float, world: WorldFrames) -> Found:
    """Put one world through the pipeline."""
    market = market_arrays(with_held_contracts(world.curve), world.specs)
    walks = {name: walked(world.features, world.labels, recipe) for name, recipe in STRATEGIES.items()}
    result = played(walks, STRATEGIES, market)
    play = Played(STRATEGIES, walks, market, result)
    span = play.span("boosted", world.last)
    returns = {name: play.returns(name)[span] for name in FIRST_RECIPES}
    costs = {name: play.costs(name)[span] for name in FIRST_RECIPES}
    tested = _session(market.days[span.start]), _session(market.days[span.stop - 1])
    oracle = world.attainable(*tested, Knowledge.PUBLISHED)
    promoted, on, stopped = judged(play, world)
    return Found(
        edge=edge,
        seed=world.seed,
        net={name: sharpe(found) for name, found in returns.items()},
        gross={name: sharpe(returns[name] + costs[name]) for name in returns},
        net_return={name: float(found.mean()) * SESSIONS_PER_YEAR for name, found in returns.items()},
        cost={name: float(found.mean()) * SESSIONS_PER_YEAR for name, found in costs.items()},
        attainable=oracle.realised,
        attainable_expected=oracle.expected,
        promoted_on=on,
        promoted=promoted,
        stopped_by=stopped,
    )


def judged(play: Played, world: WorldFrames) -> tuple[str | None, str | None, dict[str, str]]:
    """First champion as a home would find it: name and date, and what stops each recipe at the last date."""
    stopped = dict[str, str]()
    for day in training_dates(world.first, world.last):
        cutoff = day - timedelta(days=1)
        span = play.span("boosted", cutoff)
        if span.stop - span.start < FIRST_GATES.min_sessions:
            continue
        evidence = cycle_evidence(play, list(FIRST_RECIPES), world.labels, world.regimes, GREEN, cutoff)
        verdict = judge_first(evidence)
        stopped = {r.candidate: r.first_failure.gate.value if r.first_failure else "passed" for r in verdict.reports}
        if verdict.chosen is not None:
            return verdict.chosen, day.isoformat(), stopped
    return None, None, stopped


def sharpe(returns: Floats) -> float:
    """Annual ratio; 0 for what never traded."""
    sd = float(returns.std())
    return float(returns.mean()) / sd * SESSIONS_PER_YEAR**0.5 if sd > 0.0 else 0.0


def _session(day: np.int64) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day))


def _chunk(job: tuple[float, Sequence[int], int]) -> list[Found]:
    edge, seeds, years = job
    return [studied(edge, world) for world in fast_worlds(EDGES[edge], seeds, years)]


def report(found: Sequence[Found]) -> str:
    """Tables of the study."""
    rows = []
    for edge in sorted({f.edge for f in found}):
        worlds = [f for f in found if f.edge == edge]
        oracle = np.array([f.attainable for f in worlds])
        for name in FIRST_RECIPES:
            net = np.array([f.net[name] for f in worlds])
            money = np.array([f.net_return[name] + f.cost[name] for f in worlds])
            cost = np.array([f.cost[name] for f in worlds])
            ratio = f"{net.mean() / oracle.mean():.2f}" if edge else "-"
            off = money.mean() / (money.std(ddof=1) / len(worlds) ** 0.5)
            rows.append(
                (
                    f"{edge:g}",
                    name,
                    str(len(worlds)),
                    f"{net.mean():+.2f} ± {net.std(ddof=1) / len(worlds) ** 0.5:.2f}",
                    f"{np.mean([f.gross[name] for f in worlds]):+.2f}",
                    f"{oracle.mean():.2f}",
                    ratio,
                    f"{100 * cost.mean():.2f} %",
                    f"{off:+.1f}" if not edge else "-",
                )
            )
    head = ("edge", "recipe", "worlds", "net Sharpe", "gross", "attainable", "ratio", "cost a year", "gross return, se")
    promoted = []
    for edge in sorted({f.edge for f in found}):
        worlds = [f for f in found if f.edge == edge]
        n, k = len(worlds), sum(f.promoted is not None for f in worlds)
        upper = float(beta.ppf(0.95, k + 1, n - k)) if k < n else 1.0
        gates = pl.Series([f.stopped_by.get("boosted", "") for f in worlds]).value_counts(sort=True).rows()
        words = ", ".join(f"{gate} {count}" for gate, count in gates)
        promoted.append((f"{edge:g}", f"{k} of {n}", f"{k / n:.1%}", f"{upper:.1%}", words))
    second = ("edge", "promoted", "share", "95 % bound", "what decides on boosted at the last date")
    return markdown(head, rows) + "\n\n" + markdown(second, promoted)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table as the docs have it."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Run the worlds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=50, help="worlds of each edge")
    parser.add_argument("--nulls", type=int, default=200, help="worlds without an edge")
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="write each world's figures there, as JSON lines")
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"
    jobs = []
    for edge in EDGES:
        count = max(asked.nulls, asked.worlds) if edge == 0.0 else asked.worlds
        seeds = [FIRST_SEEDS[edge] + i for i in range(count)]
        jobs += [(edge, seeds[i : i + AT_ONCE], asked.years) for i in range(0, count, AT_ONCE)]
    began, found = perf_counter(), list[Found]()
    with multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
        for done in pool.imap_unordered(_chunk, jobs):
            found += done
            print(f"{len(found)} worlds, {perf_counter() - began:.0f} s", flush=True)
            if asked.out:
                lines = [json.dumps(asdict(f)) for f in done]
                with asked.out.open("a", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
    print(report(found))


if __name__ == "__main__":
    main()
