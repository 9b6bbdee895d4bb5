"""Snapshots of experiments, their processes, and the arena that they are played in."""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from hydra_agent.defs.group_watch import Parts, recipe_walk
from hydra_agent.experiment.isolated import Run, run_all
from hydra_agent.experiment.task import FEATURES_FILE, LABELS_FILE, Limits, Task
from hydra_agent.frames import session_of, view_of, walk_of
from hydra_agent.judge.holdout import HOLDOUT_SESSIONS
from hydra_agent.view import GroupView, Walk
from hydra_assets.defs.group import GroupHistory
from hydra_assets.models.recipe import Recipe
from hydra_assets.registry.champions import Champion, champion_as_of

EXPERIMENTS_FOLDER = "experiments"


@dataclass(frozen=True, slots=True)
class Bench:
    """What the experiments of one cycle share: history up to its session, the seal, and who reigns."""

    group: str
    session: date
    sealed_after: date
    """Last session that experiments may know; what comes after it is the sealed hold-out."""
    known: GroupHistory
    """Up to the seal."""
    whole: GroupHistory
    """Up to the session."""
    view: GroupView
    """Of ``whole``; its first ``sealed_row`` rows are what is known."""
    sealed_row: int
    champion: Champion | None

    def champion_walk(self, history: GroupHistory) -> Walk | None:
        """Walk-forward of the reigning recipe over a history."""
        if self.champion is None:
            return None
        return recipe_walk(history, self.champion.model.name, self.champion.model.recipe)


def bench_of(parts: Parts, group: str, session: date) -> Bench:
    """The bench of a cycle; ValueError where the history is not longer than the hold-out."""
    whole = parts.history(group, session)
    view = view_of(whole.features, whole.labels, whole.regimes, whole.curve, whole.market)
    sealed_row = len(view) - HOLDOUT_SESSIONS
    if sealed_row < 1:
        msg = f"{len(view)} sessions are no more than the hold-out's {HOLDOUT_SESSIONS}"
        raise ValueError(msg)
    sealed_after = session_of(view, sealed_row - 1)
    champion = champion_as_of(parts.champions(group), session + timedelta(days=1))
    return Bench(group, session, sealed_after, cut_history(whole, sealed_after), whole, view, sealed_row, champion)


def cut_history(history: GroupHistory, last: date) -> GroupHistory:
    """A history as it was at an earlier session."""
    return GroupHistory(history.lake, history.specs, last, history.impact)


def snapshot_folder(parts: Parts, history: GroupHistory) -> Path:
    """Frames of a history as an immutable folder, named by what is in it; written once."""
    root = parts.home.root / EXPERIMENTS_FOLDER / "snapshots"
    root.mkdir(parents=True, exist_ok=True)
    frames = {FEATURES_FILE: history.features, LABELS_FILE: history.labels}
    temporary = root / f"tmp-{os.getpid()}"
    temporary.mkdir(exist_ok=True)
    found = hashlib.sha256()
    for name, frame in frames.items():
        file = temporary / name
        frame.write_parquet(file, compression="zstd")
        found.update(name.encode() + hashlib.sha256(file.read_bytes()).digest())
        file.chmod(0o444)
    folder = root / found.hexdigest()
    if folder.exists():
        for file in temporary.iterdir():
            file.unlink()
        temporary.rmdir()
    else:
        temporary.replace(folder)
    return folder


def experiment_folder(parts: Parts, key: str, part: str) -> Path:
    """An experiment's own folder; ``part`` is ``known`` or ``sealed``."""
    return parts.home.root / EXPERIMENTS_FOLDER / key / part


def run_recipes(
    parts: Parts,
    history: GroupHistory,
    recipes: dict[str, Recipe],
    part: str,
    limits: Limits,
    report: Callable[[Run], None] = lambda _: None,
) -> list[Run]:
    """Walk recipes over a history, each in a process of its own; what ran before on the same frames is read."""
    snapshot = snapshot_folder(parts, history)
    tasks = [Task(key, experiment_folder(parts, key, part), snapshot, recipe) for key, recipe in recipes.items()]
    return run_all(tasks, limits, report)


def walks_of(runs: Sequence[Run], recipes: dict[str, Recipe], history: GroupHistory) -> list[Walk]:
    """Walks of the runs that have predictions."""
    return [
        walk_of(run.key, recipes[run.key], run.predictions, history.market)
        for run in runs
        if run.predictions is not None
    ]
