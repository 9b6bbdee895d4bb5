"""Observing with diagnosing, and a whole cycle of twenty real candidates, on a simulated world.

``uv run python -m benchmarks.healing`` takes a world of four markets x five years (``studies.worlds``; making it is not
counted). *Observe and diagnose*: from the pipeline's frames to the newest session's ranked causes. *Cycle*: twenty
proposals of the heads, each walked forward in an isolated process of its own (three at a time, snapshot and start-up
counted), then the arena and gates 1 to 7. Medians of ``--repeats`` runs; wall seconds are the machine's of the moment.
"""

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.table import Row, print_table
from hydra_agent.arena import played
from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.experiment.isolated import run_all
from hydra_agent.experiment.task import FEATURES_FILE, LABELS_FILE, Limits, Task
from hydra_agent.frames import reign_of, reigns_of, session_of, view_of, walk_of
from hydra_agent.heads.base import Situation
from hydra_agent.heads.budget import BudgetConfig
from hydra_agent.heads.hypothesise import Past, hypothesise
from hydra_agent.judge.cycle import Trial, judge
from hydra_agent.view import GroupView, Walk
from hydra_agent.watch import GroupWatch
from hydra_assets.evaluation.strategies import walked
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import train
from hydra_assets.registry.champions import Champion
from hydra_assets.replay.inputs import market_arrays
from hydra_assets.replay.market import MarketArrays
from hydra_assets.verdict import Severity, Verdict
from studies.recipes import with_held_contracts
from studies.worlds import EDGES, WorldFrames, fast_world

SEED = 60_001
CANDIDATES = 20
CHAMPION = FIRST_RECIPES[BOOSTED]
GREEN = (Verdict("benchmark", True, Severity.ERROR, "ok", "simulated inputs"),)
REIGN_SESSIONS = 400


def view_made(world: WorldFrames, market: MarketArrays) -> GroupView:
    """The view of a world."""
    return view_of(world.features, world.labels, world.regimes, with_held_contracts(world.curve), market)


def observed(world: WorldFrames, market: MarketArrays, champion: Champion, trial: Walk) -> int:
    """From frames to the newest diagnosis; the number of its signals."""
    view = view_made(world, market)
    [started] = reigns_of([champion])
    reign = reign_of(view, world.features, [champion], started, None, trial)
    watch = GroupWatch("sim", view, (reign,), ())
    watch.decided(len(view) - 1)
    return len(watch.health(len(view) - 1).signals)


def cycled(world: WorldFrames, market: MarketArrays, folder: Path) -> int:
    """Propose, run in isolation, judge; the number of candidates that were trained."""
    snapshot = folder / "snapshot"
    snapshot.mkdir()
    world.features.write_parquet(snapshot / FEATURES_FILE)
    world.labels.write_parquet(snapshot / LABELS_FILE)
    view = view_made(world, market)
    diagnosis = Diagnosis((Cause(CauseCode.EDGE_DECAY, 0.8, "benchmark"),))
    situation = Situation(CHAMPION, diagnosis, len(view), FEATURE_NAMES)
    found = hypothesise(situation, Past((), (), {}), len(view), config=BudgetConfig(per_cycle=CANDIDATES))
    recipes = {f"c{i}": recipe for i, (_, recipe) in enumerate(found.chosen)}
    tasks = [Task(key, folder / key, snapshot, recipe) for key, recipe in recipes.items()]
    runs = run_all(tasks, Limits())
    walks = [walk_of(r.key, recipes[r.key], r.predictions, market) for r in runs if r.predictions is not None]
    champion = walk_of("champion", CHAMPION, walked(world.features, world.labels, CHAMPION), market)
    returns = played(market, [*walks, champion])
    trials = [Trial(w.name, view.days[w.starts[0] :], returns.net[i, w.starts[0] :]) for i, w in enumerate(walks)]
    judge(view, walks, champion, returns, trials, GREEN)
    return len(walks)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1, help="cycles; observing is repeated three times as often")
    asked = parser.parse_args()
    world = fast_world(EDGES[2.0], SEED)
    market = market_arrays(with_held_contracts(world.curve), world.specs)
    after = session_of(view_made(world, market), len(market.days) - REIGN_SESSIONS) - timedelta(days=1)
    snapshot = training_snapshot(world.features, world.labels, FEATURE_NAMES, CHAMPION.label, after)
    model = train(BOOSTED, CHAMPION, snapshot, AS_IT_IS, thesis_green=True)
    champion = Champion(1, model.sha256, model, after, "first_champion")
    trial = walk_of(BOOSTED, CHAMPION, walked(world.features, world.labels, CHAMPION), market)
    walls, signals = [], 0
    for _ in range(3 * asked.repeats):
        began = time.perf_counter()
        signals = observed(world, market, champion, trial)
        walls.append(time.perf_counter() - began)
    cycles, trained = [], 0
    for _ in range(asked.repeats):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            trained = cycled(world, market, Path(folder))
            cycles.append(time.perf_counter() - began)
    sessions = f"{len(market.days):,} sessions x {len(world.specs)} markets"
    look, cycle = median(walls), median(cycles)
    rows = [
        Row("H1", f"observe and diagnose: {signals:,} signals over {sessions}", "<= 5 s", f"{look:.2f} s", look <= 5.0),
        Row(
            "H2",
            f"cycle: {trained} candidates in processes of their own, arena, gates",
            "<= 150 s",
            f"{cycle:.0f} s, {cycle / max(trained, 1):.1f} s a candidate",
            cycle <= 150.0 and trained == CANDIDATES,
        ),
    ]
    print_table(rows, "Healing")


if __name__ == "__main__":
    main()
