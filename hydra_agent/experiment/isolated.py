"""Runs experiments in processes of their own, a few at a time, and kills what goes beyond its limits."""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any

import polars as pl

from hydra_agent.experiment.task import LOG, PREDICTIONS, RECIPE, RESULT, Limits, Task

AT_ONCE = 3
PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR")
"""Variables that an experiment may see: none that names a database, a registry or a secret."""
LOG_TAIL = 400


class RunReason(StrEnum):
    """How a run ended."""

    DONE = "done"
    NOT_TRAINABLE = "not_trainable"
    TIMED_OUT = "timed_out"
    KILLED = "killed"
    """By a limit of the kernel, for want of memory, or by somebody."""
    FAILED = "failed"
    DAMAGED = "damaged"
    """Its result is not what it says it is."""


@dataclass(frozen=True, slots=True)
class Run:
    """What an experiment came to; ``predictions`` where it is DONE."""

    key: str
    reason: RunReason
    message: str
    seconds: float
    result: dict[str, Any]
    predictions: pl.DataFrame | None


def run_all(
    tasks: Sequence[Task], limits: Limits, report: Callable[[Run], None] = lambda _: None, at_once: int = AT_ONCE
) -> list[Run]:
    """Run experiments, at most ``at_once`` side by side; their order is kept."""

    def one(task: Task) -> Run:
        run = run_task(task, limits)
        report(run)
        return run

    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return list(pool.map(one, tasks))


def run_task(task: Task, limits: Limits) -> Run:
    """Run one experiment, or read what it came to where it has run on the same snapshot before."""
    done = finished(task)
    if done is not None:
        return done
    task.folder.mkdir(parents=True, exist_ok=True)
    for name in (RESULT, PREDICTIONS):
        (task.folder / name).unlink(missing_ok=True)
    (task.folder / RECIPE).write_text(task.recipe.model_dump_json(), encoding="utf-8")
    kernel = {"RLIMIT_AS": limits.memory_bytes, "RLIMIT_CPU": limits.cpu_seconds, "RLIMIT_FSIZE": limits.file_bytes}
    (task.folder / "limits.json").write_text(json.dumps(kernel), encoding="utf-8")
    began = monotonic()
    # Its own folder is no place to import from.
    command = [sys.executable, "-P", "-m", "hydra_agent.experiment.child", str(task.snapshot), str(task.folder)]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    # A core each: several run side by side.
    environment |= {
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "HOME": str(task.folder),
    }
    with (task.folder / LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  our own interpreter on our own module; no shell
            command,
            cwd=task.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            code = process.wait(limits.wall_seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            return Run(
                task.key, RunReason.TIMED_OUT, f"ended after {limits.wall_seconds:g} s", monotonic() - began, {}, None
            )
        except BaseException:
            _kill(process)
            raise
    seconds = monotonic() - began
    if code != 0:
        said = (task.folder / LOG).read_text(encoding="utf-8", errors="replace").strip()[-LOG_TAIL:]
        reason = RunReason.KILLED if code < 0 or "MemoryError" in said else RunReason.FAILED
        return Run(task.key, reason, said.splitlines()[-1] if said else f"ended with {code}", seconds, {}, None)
    return finished(task) or Run(task.key, RunReason.DAMAGED, "no result that can be read", seconds, {}, None)


def finished(task: Task) -> Run | None:
    """The run that the folder holds: of this recipe and this snapshot, whole; else None."""
    try:
        result: dict[str, Any] = json.loads((task.folder / RESULT).read_text(encoding="utf-8"))
        if (result["recipe_sha256"], result["snapshot"]) != (task.recipe.sha256, task.snapshot.name):
            return None
        seconds = float(result["seconds"])
        if not result["trained"]:
            return Run(task.key, RunReason.NOT_TRAINABLE, result["message"], seconds, result, None)
        content = (task.folder / PREDICTIONS).read_bytes()
        if hashlib.sha256(content).hexdigest() != result["predictions_sha256"]:
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Run(task.key, RunReason.DONE, "", seconds, result, pl.read_parquet(content))


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process with everything that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
