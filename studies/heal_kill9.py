"""A promotion and a rollback killed with -9 at random moments, thousands of times: never two champions.

``uv run python -m studies.heal_kill9 --kills 10000`` makes a home with a real database and a real registry. For every
kill another candidate has passed all gates; a process that has all its libraries at hand promotes it, and every second
one takes its predecessor back, and is killed with -9 after a random part of the time that undisturbed work takes. What
is left is looked at, the work is done again by another process, and looked at again. The tests run 20.
"""

import argparse
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar, cast
from unittest.mock import patch

import numpy as np

from hydra_agent.defs import promoting, succession
from hydra_agent.defs.group_watch import Parts
from hydra_agent.past import VerdictCode
from hydra_agent.shadow import Step
from hydra_agent.watch import GroupWatch
from hydra_assets.home import HomeConfig, write_home
from hydra_assets.models.baseline import BaseRate, FittedBaseRate
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import THESIS_FEATURES, Recipe
from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry.champions import Cause, PromotionReason, Record, champions_of, crown, repair_alias
from hydra_assets.registry.mlflow_registry import MlflowRegistry
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.db import claim, connect
from hydra_assets.state.promotions import current_champion
from hydra_assets.state.trial_ledger import TrialLedger
from hydra_assets.stats.eprocess import ECode
from hydra_console.bootstrap.environment import ensure

T = TypeVar("T")
GROUP, FIRST = "sim", date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what was wrong after it, and after the work was done again."""

    number: int
    work: str
    moment: float
    """Share of the undisturbed work's time."""
    struck: bool
    """Whether the process was still at work."""
    problems: tuple[str, ...]


def recipe_of(number: int) -> Recipe:
    """The recipe of candidate ``number``; 0 is the champion that there is at first."""
    return Recipe(features=THESIS_FEATURES, model=BaseRate(), seed=number)


def model_of(number: int) -> TrainedModel:
    """Its fit, which is of no importance here."""
    day = FIRST + timedelta(days=number)
    fitted = FittedBaseRate(THESIS_FEATURES, {}, 0.5)
    return TrainedModel(key_of(number), recipe_of(number), day, "none", 1, fitted, AS_IT_IS, 0.5, True)


def key_of(number: int) -> str:
    """Its experiment."""
    return f"{GROUP}.{FIRST + timedelta(days=number)}.{recipe_of(number).sha256[:10]}"


class Laboratory:
    """A home's database, ledger and registry, without the rest of the pipeline."""

    def __init__(self, home: Path) -> None:
        self.home = home
        environment = ensure(home)
        self.url = environment.url
        self.tracking = os.environ["MLFLOW_TRACKING_URI"]

    def begin(self) -> None:
        """The champion that there is at first."""
        with self.parts() as parts:
            claim(parts.database.engine, "simulated")
            cause = Cause("study", size_fraction=1.0)
            crown(parts.database.engine, parts.registry.registry, GROUP, model_of(0), Record(), cause)

    @contextmanager
    def parts(self) -> Iterator[Parts]:
        """What the functions want; every process has connections of its own."""
        engine = connect(self.url)
        try:
            yield cast(
                "Parts",
                SimpleNamespace(
                    home=SimpleNamespace(root=self.home),
                    database=SimpleNamespace(engine=engine),
                    registry=SimpleNamespace(registry=MlflowRegistry(self.tracking)),
                ),
            )
        finally:
            engine.dispose()

    def passed(self, number: int) -> None:
        """The ledger of a cycle whose candidate passed every gate against the champion of now."""
        session = FIRST + timedelta(days=number)
        with self.parts() as parts:
            champion = current_champion(parts.database.engine, GROUP)
            ledger = TrialLedger(parts.database.engine, self.home)
            trial: dict[str, Any] = {
                "recipe": recipe_of(number).model_dump_json(),
                "champion_recipe_sha256": champion.recipe_sha256 if champion else "",
                "head": "technical",
                "mutations": [{"id": "retrain_window"}],
            }
            ledger.append(EntryKind.TRIAL, GROUP, key_of(number), trial)
            verdict = {"code": str(VerdictCode.PROMOTE), "cycle": f"{GROUP}.{session}", "session": session.isoformat()}
            ledger.append(EntryKind.VERDICT, GROUP, key_of(number), verdict)

    def work(self, number: int) -> None:
        """Promote candidate ``number``, or take the one before it back where the number says so."""
        session = FIRST + timedelta(days=number)
        with self.parts() as parts:
            if taken_back(number):
                self._take_back(parts, session)
                return
            with (
                patch.object(promoting, "fitted", lambda *_: (model_of(number), Record())),
                patch.object(promoting, "newest_watched", lambda *_: session),
            ):
                promoting.promote_passed(parts, GROUP, session, "study")

    def _take_back(self, parts: Parts, session: date) -> None:
        """As ``keep_stage`` does once the e-process has spoken."""
        engine, registry = parts.database.engine, parts.registry.registry
        champions = champions_of(engine, registry, GROUP)
        newest = max(champions, key=lambda c: c.after)
        if newest.reason == PromotionReason.EXPERIMENT:
            before = [c for c in champions if c.model.recipe != newest.model.recipe][-1]
            days = np.array([(session - date(1970, 1, 1)).days], dtype=np.int64)
            view = type("View", (), {"days": days, "__len__": lambda _: 1})()
            watch = cast("GroupWatch", SimpleNamespace(view=view))
            step = Step(ECode.ABORT, 0, 0.2, 6.0)
            succession._take_back(parts, GROUP, newest, before, watch, step, "study")
        repair_alias(engine, registry, GROUP)

    def problems(self, number: int, *, done: bool) -> list[str]:
        """What is wrong with the home."""
        with self.parts() as parts:
            return list(self._problems(parts, number, done))

    def _problems(self, parts: Parts, number: int, done: bool) -> Iterator[str]:
        engine, registry = parts.database.engine, parts.registry.registry
        champion = current_champion(engine, GROUP)
        alias = registry.champion_alias(GROUP)
        ledger = TrialLedger(engine, self.home)
        if not ledger.verdict().intact:
            yield ledger.verdict().message
        if champion is None:
            yield "no champion"
            return
        allowed = {champion.version} if done else {champion.version, champion.previous_version}
        if alias not in allowed:
            yield f"the alias names {alias}, the champion is {champion.version}"
        if not done:
            return
        if taken_back(number):
            if champion.reason != PromotionReason.ROLLED_BACK:
                yield f"the champion's reason is {champion.reason}"
            return
        if champion.recipe_sha256 != recipe_of(number).sha256:
            yield "the candidate is not the champion"
        entries = [e for e in ledger.entries() if e.kind is EntryKind.PROMOTION and e.subject == key_of(number)]
        rows = [c for c in champions_of(engine, registry, GROUP) if c.model.recipe == recipe_of(number)]
        if (len(entries), len(rows)) != (1, 1):
            yield f"{len(entries)} entries and {len(rows)} rows of one promotion"


def taken_back(number: int) -> bool:
    """Every second work takes back what the one before it promoted."""
    return number % 2 == 0


LIBRARIES = (
    "mlflow.tracking",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.tracking._model_registry.utils",
)
"""Imported before any fork: a kill should strike work, not an import."""
FORK = multiprocessing.get_context("fork")


def apart(work: Callable[..., T], *arguments: object) -> tuple[T | None, int | None, float]:
    """What a function gives in a process of its own, its exit code and the seconds.

    Nothing here talks to the database in this process: connections do not survive a fork.
    """
    began = time.monotonic()
    answers: SimpleQueue[T] = FORK.SimpleQueue()
    process = FORK.Process(target=lambda: answers.put(work(*arguments)))
    process.start()
    process.join()
    seconds = time.monotonic() - began
    return (None if process.exitcode else answers.get()), process.exitcode, seconds


def run_kills(home: Path, kills: int, seed: int = 0) -> Iterator[Kill]:
    """Yield the kills one by one; RuntimeError where the home cannot be made or looked at."""
    for name in LIBRARIES:
        importlib.import_module(name)
    apart(Laboratory, home)
    laboratory, random = Laboratory(home), Random(seed)  # noqa: S311  moments, no secrets
    _needed(apart(laboratory.begin)[1])
    undisturbed: dict[bool, float] = {}
    for number in range(1, kills + 3):
        kind, moment = taken_back(number), random.uniform(0.0, 1.0)
        if not kind:
            _needed(apart(laboratory.passed, number)[1])
        if kind not in undisturbed:
            # The first of each kind is timed and left alone.
            undisturbed[kind] = apart(laboratory.work, number)[2]
            continue
        process = FORK.Process(target=laboratory.work, args=(number,))
        process.start()
        process.join(moment * undisturbed[kind])
        struck = process.is_alive()
        if struck and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        found = [f"after the kill: {problem}" for problem in _seen(laboratory, number, done=False)]
        code = apart(laboratory.work, number)[1]
        if code != 0:
            found.append(f"the re-run ended with {code}")
        found += [f"after the re-run: {problem}" for problem in _seen(laboratory, number, done=True)]
        yield Kill(number - 2, "rollback" if kind else "promotion", moment, struck, tuple(found))


def _seen(laboratory: Laboratory, number: int, *, done: bool) -> list[str]:
    found, code, _ = apart(lambda: laboratory.problems(number, done=done))
    _needed(code)
    return found or []


def _needed(code: int | None) -> None:
    if code != 0:
        msg = f"a process of the study ended with {code}"
        raise RuntimeError(msg)


def main() -> None:
    """Kill, look, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hydra-heal-kill9-") as folder:
        home = prepared(Path(folder) / "home")
        counts, bad = Counter[str](), list[Kill]()
        for kill in run_kills(home, asked.kills, asked.seed):
            counts[kill.work] += 1
            counts["struck at work"] += kill.struck
            bad += [kill] if kill.problems else []
            if kill.number % 20 == 0 or kill.problems:
                print(f"{kill.number} kills, {len(bad)} with problems {kill.problems or ''}", flush=True)
    print(f"{dict(counts)}: {len(bad)} with a problem, 0 allowed")
    sys.exit(1 if bad else 0)


def prepared(home: Path) -> Path:
    """A home with its environment in this process."""
    os.environ.pop("HYDRA_POSTGRES_URL", None)
    os.environ["HYDRA_HOME"] = str(home)
    write_home(home, HomeConfig(kind="simulated", markets=("SIM_HE",), history_start=date(2026, 6, 22)))
    return home


if __name__ == "__main__":
    main()
