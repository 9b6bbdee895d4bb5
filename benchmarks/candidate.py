"""One candidate from features to verdict, and the assembly of features, on a simulated world.

``uv run python -m benchmarks.candidate`` walks boosted trees on *all* features, 100 trees and about 48 folds over four
markets x five years, through the pipeline's own functions: walk-forward with two workers, calibration and intervals,
Shapley values, replay after costs, gates 1 to 7 and scores. The world is one of ``studies.worlds``; making it is not
counted. With ``--home`` it assembles 2,500 sessions of that home's features, its lake read beforehand. Medians of three
runs; wall seconds are the machine's of the moment, processor seconds are not.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks.table import Row, print_table
from hydra_assets.columns import (
    COT_SCORES,
    CROSS_MARKET,
    DIVERGENCE,
    FEATURE_VECTOR,
    FUTURES_CURVE,
    GREEKS_FLOWS,
    HEADLINE_SCORES,
    IMPLIED_MOMENTS,
    ORDER_FLOW_SCORES,
    REAL_WORLD_DENSITY,
    SENTIMENT,
    DatasetSpec,
)
from hydra_assets.evaluation.contracts import input_contracts
from hydra_assets.evaluation.evidence import Played, cycle_evidence
from hydra_assets.evaluation.first_champion import judge_first
from hydra_assets.evaluation.scores import scores_of
from hydra_assets.evaluation.strategies import played
from hydra_assets.features.assemble import Sources, assemble
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.home import read_home
from hydra_assets.lake import Lake
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import recalibrated
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.inputs import market_arrays
from studies.recipes import with_held_contracts
from studies.worlds import EDGES, WorldFrames, fast_world

FOLD_SESSIONS = 21
CANDIDATE = Recipe(features=FEATURE_NAMES, model=LightGbm(trees=100), refit_sessions=FOLD_SESSIONS)
SEED = 60_001
REPEATS = 3
SESSIONS = 2_500


def judged(world: WorldFrames) -> int:
    """Everything that one candidate takes; returns its folds."""
    run = out_of_fold(world.features, world.labels, CANDIDATE, explain_from=0, workers=2)
    walks = {"candidate": recalibrated(run.predictions, world.labels, CANDIDATE)}
    market = market_arrays(with_held_contracts(world.curve), world.specs)
    play = Played({"candidate": CANDIDATE}, walks, market, played(walks, {"candidate": CANDIDATE}, market))
    expected = {spec.symbol: world.last for spec in world.specs}
    contracts = input_contracts(world.features, world.labels, world.curve, expected, world.last)
    evidence = cycle_evidence(play, ["candidate"], world.labels, world.regimes, contracts, world.last)
    judge_first(evidence)
    scores_of(play, "candidate", world.labels, world.regimes, world.last)
    return int(run.predictions["fold"].n_unique())


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Median wall and processor seconds."""
    walls, cpus = [], []
    for _ in range(REPEATS):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return median(walls), median(cpus)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, help="a home that `hydra cycle` has filled: assembles its features too")
    asked = parser.parse_args()
    world = fast_world(EDGES[2.0], SEED)
    folds = judged(world)
    wall, cpu = timed(lambda: judged(world))
    rows = [
        Row(
            "C1",
            f"candidate: {folds} folds x 100 trees x {len(FEATURE_NAMES)} features, calibration, SHAP, replay, verdict",
            "<= 8 s",
            f"{wall:.2f} s, {cpu:.2f} s of processor",
            wall <= 8.0,
        )
    ]
    if asked.home:
        sources, sessions = of_home(asked.home)
        wall, cpu = timed(lambda: assemble(sources, sessions))
        what = f"features: {len(sessions):,} sessions x {len(FEATURE_NAMES)} features assembled"
        rows.append(Row("C2", what, "<= 1 s", f"{wall:.3f} s, {cpu:.3f} s of processor", wall <= 1.0))
    print_table(rows, "One candidate")


def of_home(root: Path) -> tuple[Sources, pl.DataFrame]:
    """The sources of the newest 2,500 sessions of a home's first markets, read before anything is timed."""
    markets = list(read_home(root).markets)
    lake = Lake(str(root / "lake"))
    every = lake.read(FEATURE_VECTOR.name, markets=markets, columns=["market", "session"]).sort("market", "session")
    sessions = every.head(SESSIONS)
    wanted = sessions["market"].unique(maintain_order=True).to_list()

    def rows(spec: DatasetSpec) -> pl.DataFrame:
        return lake.read(spec.name, markets=wanted)

    sources = Sources(
        curve=rows(FUTURES_CURVE),
        moments=rows(IMPLIED_MOMENTS),
        flows=rows(GREEKS_FLOWS),
        real_world=rows(REAL_WORLD_DENSITY),
        crowd=rows(COT_SCORES),
        headlines=rows(HEADLINE_SCORES),
        order_flow=rows(ORDER_FLOW_SCORES),
        sentiment=rows(SENTIMENT),
        divergence=rows(DIVERGENCE),
        pool=rows(CROSS_MARKET),
    )
    return sources, sessions


if __name__ == "__main__":
    main()
