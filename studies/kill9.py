"""A run killed with -9 at random moments, and what is found afterwards.

``uv run python -m studies.kill9 --kills 200`` makes a simulated home, runs `hydra cycle` on it uninterrupted, and then,
again and again from the same fresh state, kills the command at a random moment of its work: its whole process group,
that and the database server, or the server alone under the running command. What the kill left is compared with the
uninterrupted run, then the command is run again to its end and compared once more (see ``studies.consistency``).
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

import dagster as dg

from hydra_assets.home import HomeConfig, write_home
from hydra_console.bootstrap.environment import Environment, ensure
from hydra_console.bootstrap.postgres import EmbeddedPostgres
from hydra_console.bootstrap.postmaster import read_pid_file
from studies.consistency import Holdings, holdings, problems_after_completion, problems_after_kill

NOW = "2026-11-20T23:30:00+00:00"
CONFIG = HomeConfig(
    kind="simulated",
    markets=("SIM_HE", "SIM_LE"),
    history_start=date(2026, 6, 22),
    history_end=date(2026, 11, 20),
)
"""Long enough for a first champion on October 1 and orders after it."""
COMPLETION_SECONDS = 600.0
MAX_MISSES = 5
SHOWN_PROBLEMS = 3


class Victim(StrEnum):
    """What a kill strikes."""

    COMMAND = "command"
    BOTH = "command and database"
    DATABASE = "database"


WEIGHTS = {Victim.COMMAND: 7, Victim.BOTH: 2, Victim.DATABASE: 1}


class StudyError(Exception):
    """The study itself cannot go on; the message has the command's output."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: its moment (seconds after the first run began, and of how many), and what came of it."""

    number: int
    victim: Victim
    moment: float
    work: float
    step: str
    """The job and step that was going on, by Dagster's event log."""
    partitions: int
    """Partitions that the lake held after the kill."""
    recovery: float
    """Seconds until the database answered again."""
    completion: float
    """Seconds that the re-run took."""
    problems: tuple[str, ...]


class Laboratory:
    """A home that is put back to its freshly made state before each run."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.template = root / "template"
        self.output = root / "output.log"
        self.server = EmbeddedPostgres(self.home)
        write_home(self.home, CONFIG)
        with self.exported():
            pass
        self.server.stop()
        _copy(self.home, self.template)

    def reset(self) -> None:
        """Put the home back to its state before any run."""
        self.server.stop()
        shutil.rmtree(self.home)
        _copy(self.template, self.home)
        self.server.ensure()

    def start(self) -> "subprocess.Popen[bytes]":
        """`hydra cycle` as a process group of its own."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HYDRA_", "DAGSTER_", "MLFLOW_", "_MLFLOW_"))}
        with self.output.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-c", "from hydra_console.cli import main; main()", "cycle"],
                env=clean | {"HYDRA_HOME": str(self.home), "HYDRA_NOW": NOW},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def complete(self) -> float:
        """Run the command to its end; the seconds it took. StudyError where it does not succeed."""
        started = time.monotonic()
        if self.start().wait(COMPLETION_SECONDS) != 0:
            raise StudyError(self.output.read_text(encoding="utf-8")[-4000:])
        return time.monotonic() - started

    @contextmanager
    def exported(self) -> Iterator[Environment]:
        """The home's environment in this process, database up; afterwards this process's own again."""
        before = dict(os.environ)
        os.environ.pop("HYDRA_POSTGRES_URL", None)
        os.environ |= {"HYDRA_HOME": str(self.home), "HYDRA_NOW": NOW}
        try:
            yield ensure(self.home)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def look(self) -> tuple[Holdings, list[dg.RunRecord], str]:
        """What the home holds, its runs from first to last, and the step that its last run reached."""
        with self.exported() as environment, dg.DagsterInstance.get() as instance:
            records = list(reversed(instance.get_run_records()))
            return holdings(self.home, environment.url, instance), records, _step_reached(instance, records)

    def kill_server(self) -> None:
        """SIGKILL the postmaster."""
        pid_file = read_pid_file(self.server.data)
        if pid_file is None:
            msg = "the database server is not running"
            raise StudyError(msg)
        os.kill(pid_file.pid, signal.SIGKILL)


def run_kills(root: Path, kills: int, seed: int = 0) -> Iterator[Kill]:
    """Yield the kills one by one, each completed and compared; StudyError where a re-run does not complete."""
    laboratory = Laboratory(root)
    try:
        baseline, first, end = _baseline(laboratory)
        rng = random.Random(seed)  # noqa: S311  moments, not secrets
        # One kill in each of as many equal stretches of the work, in random order: a few kills reach all of it.
        width = (end - first) / kills
        for number, stretch in enumerate(rng.sample(range(kills), kills), start=1):
            begin = first + stretch * width
            yield _one(laboratory, baseline, number, rng, (begin, begin + width), (first, end))
    finally:
        laboratory.server.stop()


def _baseline(laboratory: Laboratory) -> tuple[Holdings, float, float]:
    """Two uninterrupted runs, which must agree; when the second one's work began and ended, in seconds.

    A third one on the finished home must change nothing: whatever a kill leaves, running again is safe.
    """
    laboratory.reset()
    laboratory.complete()
    baseline, _, _ = laboratory.look()
    laboratory.reset()
    started = time.time()
    seconds = laboratory.complete()
    again, records, _ = laboratory.look()
    laboratory.complete()
    repeated, _, _ = laboratory.look()
    for found in (again, repeated):
        differing = problems_after_completion(found, baseline)
        if differing:
            msg = f"uninterrupted runs differ: {differing[:5]}"
            raise StudyError(msg)
    return baseline, (records[0].start_time or started) - started, seconds


def _one(
    laboratory: Laboratory,
    baseline: Holdings,
    number: int,
    rng: random.Random,
    stretch: tuple[float, float],
    work: tuple[float, float],
) -> Kill:
    victim = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    for _ in range(MAX_MISSES):
        laboratory.reset()
        moment = rng.uniform(*stretch)
        if _strike(laboratory, victim, moment):
            break
        stretch = work  # the machine was faster than before, and the end came first
    else:
        msg = f"the command ended before the kill {MAX_MISSES} times"
        raise StudyError(msg)
    began = time.monotonic()
    laboratory.server.ensure()
    recovery = time.monotonic() - began
    found, _, step = laboratory.look()
    problems = [f"after the kill: {text}" for text in problems_after_kill(found, baseline)]
    completion = laboratory.complete()
    final, _, _ = laboratory.look()
    problems += [f"after the re-run: {text}" for text in problems_after_completion(final, baseline)]
    first, end = work
    return Kill(
        number,
        victim,
        moment - first,
        end - first,
        step,
        found.hashes.height,
        recovery,
        completion,
        tuple(problems),
    )


def _strike(laboratory: Laboratory, victim: Victim, moment: float) -> bool:
    """Start the command and kill at the moment; False where it had ended before."""
    process = laboratory.start()
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        pass
    else:
        return False
    if victim is not Victim.DATABASE:
        os.killpg(process.pid, signal.SIGKILL)
    if victim is not Victim.COMMAND:
        laboratory.kill_server()
    # Without its database the command has to give up by itself.
    process.wait(COMPLETION_SECONDS)
    return True


def _step_reached(instance: dg.DagsterInstance, records: list[dg.RunRecord]) -> str:
    if not records:
        return "no run"
    run = records[-1].dagster_run
    ended = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
    entries = instance.all_logs(run.run_id, of_type={dg.DagsterEventType.STEP_START, *ended})
    if not entries:
        return f"{run.job_name}, no step yet"
    event = entries[-1].get_dagster_event()
    return f"{run.job_name}, {'after ' if event.event_type in ended else ''}{event.step_key}"


def _copy(source: Path, target: Path) -> None:
    # Owners matter: the data directory belongs to the account that PostgreSQL runs under.
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)  # noqa: S603, S607


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory(prefix="hydra-kill9-") as root:
        print(f"{'kill':>4} {'victim':22}{'moment':>14}  {'step reached':48}{'held':>6}{'db up':>7}{'again':>7}  found")
        for kill in run_kills(Path(root), options.kills, options.seed):
            bad += bool(kill.problems)
            moment = f"{kill.moment:.1f}/{kill.work:.1f} s"
            shown = list(kill.problems[:SHOWN_PROBLEMS])
            more = [f"and {len(kill.problems) - len(shown)} more"] if len(kill.problems) > len(shown) else []
            verdict = "; ".join(shown + more) or "consistent, completed"
            print(
                f"{kill.number:>4} {kill.victim:22}{moment:>14}  {kill.step:48}{kill.partitions:>6}"
                f"{kill.recovery:>6.1f}s{kill.completion:>6.1f}s  {verdict}",
                flush=True,
            )
    print(f"{options.kills} kills, {bad} with a problem")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
