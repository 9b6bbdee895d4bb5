"""Runs a job of a code location in this process, over a range of partitions, and says what came of it."""

import importlib
import os
import socket
import time
import uuid
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import psutil
from dagster_shared.check import CheckError

PROCESS_TAG = "hydra/process"
"""Host, process number and its start: whether a run that says it is going on still has its process."""

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""A ranged run has one line per partition for the console; the event log has them all."""


@dataclass(frozen=True, slots=True)
class JobRequest:
    """A job of a code location with the tags that give its range; ``assets`` narrows it, with their checks."""

    module: str
    job: str
    tags: Mapping[str, str] = field(default_factory=dict)
    assets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """One asset check's verdict over the run's range."""

    asset: str
    check: str
    passed: bool
    blocking: bool
    """Whether its severity is ERROR."""
    description: str


@dataclass(frozen=True, slots=True)
class StepFailure:
    """A step that failed, with the innermost cause's sentence."""

    step: str
    message: str


@dataclass(frozen=True, slots=True)
class Progress:
    """Steps of the run that ended, of how many, and which one runs."""

    done: int
    total: int
    step: str
    partitions: int


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """What a run did. ``materialised`` counts partitions by asset (1 for an unpartitioned one)."""

    request: JobRequest
    run_id: str
    success: bool
    seconds: float
    materialised: Mapping[str, int]
    checks: tuple[CheckOutcome, ...]
    failures: tuple[StepFailure, ...]


class UnknownJobError(Exception):
    """The code location has no job of that name; the message lists those it has."""


class _Recorder:
    """Listens to a run's events as they are written, batch by batch."""

    def __init__(self, total: int, report: Callable[[Progress], None]) -> None:
        self.total = total
        self.report = report
        self.done: set[str] = set()
        self.step = ""
        self.materialised: Counter[str] = Counter()
        self.checks: list[CheckOutcome] = []
        self.failures: list[StepFailure] = []

    def __call__(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            return
        match event.event_type:
            case dg.DagsterEventType.STEP_START:
                self.step = event.step_key or ""
            case dg.DagsterEventType.STEP_SUCCESS | dg.DagsterEventType.STEP_SKIPPED:
                self.done.add(event.step_key or "")
            case dg.DagsterEventType.STEP_FAILURE:
                self.done.add(event.step_key or "")
                self.failures.append(StepFailure(event.step_key or "", _cause(event.step_failure_data.error)))
            case dg.DagsterEventType.RUN_FAILURE if not self.failures:
                self.failures.append(StepFailure("", _cause(event.job_failure_data.error)))
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                if event.asset_key is not None:
                    self.materialised[event.asset_key.to_user_string()] += 1
                return  # one per partition: too many to show each
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                data = event.asset_check_evaluation_data
                self.checks.append(
                    CheckOutcome(
                        asset=data.asset_key.to_user_string(),
                        check=data.check_name,
                        passed=data.passed,
                        blocking=data.severity is dg.AssetCheckSeverity.ERROR,
                        description=data.description or "",
                    )
                )
            case _:
                return
        self.report(Progress(len(self.done), self.total, self.step, sum(self.materialised.values())))


def run_job(
    instance: dg.DagsterInstance, request: JobRequest, report: Callable[[Progress], None] = lambda _: None
) -> JobOutcome:
    """Run a job in this process with the in-process executor; a failed step is an outcome, not an exception.

    Raises UnknownJobError, and whatever importing the code location raises.
    """
    job = _job(request)
    run_id = str(uuid.uuid4())
    recorder = _Recorder(len(job.graph.node_defs), report)
    instance.add_event_listener(run_id, recorder)
    started = time.monotonic()
    try:
        success = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            raise_on_error=False,
            run_config=_QUIET,
            asset_selection=[dg.AssetKey.from_user_string(name) for name in request.assets] or None,
            tags={**request.tags, PROCESS_TAG: _process_tag(psutil.Process())},
        ).success
    except (dg.DagsterError, CheckError) as error:
        # Refused before a step began: a range that the partitions do not have, a tag of the wrong form.
        success = False
        recorder.failures.append(StepFailure("", " ".join(str(error).split())))
    return JobOutcome(
        request=request,
        run_id=run_id,
        success=success,
        seconds=time.monotonic() - started,
        materialised=dict(recorder.materialised),
        checks=tuple(recorder.checks),
        failures=tuple(recorder.failures),
    )


def fail_abandoned_runs(instance: dg.DagsterInstance) -> list[str]:
    """Mark runs of this machine whose process is gone (killed) as failed; their ids."""
    going_on = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    abandoned = []
    for run in instance.get_runs(dg.RunsFilter(statuses=going_on)):
        tag = run.tags.get(PROCESS_TAG, "")
        if tag.startswith(f"{socket.gethostname()}|") and not _alive(tag):
            instance.report_run_failed(run, "the process that executed the run is gone")
            abandoned.append(run.run_id)
    return abandoned


def load_location(module: str) -> Any:
    """Import a code location without Dagster's remark, once per asset, that backfill policies are in beta."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)
        return importlib.import_module(module)


def _job(request: JobRequest) -> dg.JobDefinition:
    definitions: dg.Definitions = load_location(request.module).defs
    repository = definitions.get_repository_def()
    if not repository.has_job(request.job):
        known = ", ".join(sorted(name for name in repository.job_names if not name.startswith("__")))
        msg = f"{request.module} has no job {request.job}; it has: {known or 'none'}"
        raise UnknownJobError(msg)
    return repository.get_job(request.job)


def _process_tag(process: psutil.Process) -> str:
    return f"{socket.gethostname()}|{process.pid}|{process.create_time():.2f}"


def _alive(tag: str) -> bool:
    try:
        process = psutil.Process(int(tag.split("|")[1]))
        return process.pid == os.getpid() or (process.status() != psutil.STATUS_ZOMBIE and _process_tag(process) == tag)
    except (psutil.Error, ValueError, IndexError):
        return False


def _cause(error: Any) -> str:
    """First line of the innermost cause's message, with its class."""
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip().splitlines()[0] if error is not None and error.message.strip() else "no message"
