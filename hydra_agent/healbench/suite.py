"""The suite: which faults on which worlds, every policy on the same ones, spread over processes by world and fault."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace

import numpy as np

from hydra_agent.heads.research import PROVIDERS, DictionaryProvider
from hydra_agent.healbench.case import Case, Setting
from hydra_agent.healbench.faults import Fault, FaultName, catalogue
from hydra_agent.healbench.faults.elsewhere import TRAP
from hydra_agent.healbench.measure import Row, measured, variant, worth
from hydra_agent.healbench.policies import POLICIES
from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE, DoNothing
from hydra_agent.healbench.worlds import make_world
from hydra_agent.judge.holdout import HOLDOUT_SESSIONS

FIRST_SEED = 1
"""Seeds of the reported suite; ``TUNING_SEED`` and later are those that constants were chosen on."""
TUNING_SEED = 2_000_000
FAULT_ROW, FAULT_SPREAD = 1512, 126
"""A fault comes three years after the first champion, and up to half a year later."""
ELSEWHERE = frozenset({FaultName.HOSTILE_REPLIES, FaultName.TAMPERED_JOURNAL, FaultName.KILLED})
"""Rows of the table that no path shows (``checks``)."""


@dataclass(frozen=True, slots=True)
class Job:
    """One world under one fault; ``place`` is the fault's in the catalogue."""

    place: int
    seed: int
    policies: tuple[str, ...]


def jobs_of(
    faults: Sequence[str], worlds: int, quiet_worlds: int, policies: Sequence[str], first_seed: int = FIRST_SEED
) -> list[Job]:
    """Jobs of a suite: ``quiet_worlds`` of F0, ``worlds`` of the others; do nothing and the oracle always take part."""
    wanted = tuple(name for name in POLICIES if name in {*policies, DO_NOTHING, ORACLE})
    out = []
    for place, fault in enumerate(catalogue(FAULT_ROW)):
        if fault.name in ELSEWHERE or (faults and fault.name not in faults):
            continue
        count = quiet_worlds if fault.name is FaultName.NONE else worlds
        out += [Job(place, first_seed + i, wanted) for i in range(count)]
    # Faults mixed, so that progress says something of the rest.
    return sorted(out, key=lambda job: (job.seed, job.place))


def case_of(place: int, seed: int, setting: Setting | None = None) -> tuple[Case, Fault]:
    """The case of a fault and a seed: always the same one."""
    rng = np.random.default_rng([seed, place])
    row = FAULT_ROW + int(rng.integers(FAULT_SPREAD))
    fault = catalogue(row)[place]
    world = fault.apply(make_world(seed), rng)
    case = Case(world, row, setting or Setting())
    if fault.name is FaultName.LOOK_AHEAD:
        # The trap is offered as soon as it is there, and again when the hold-out has been lived through.
        case.forced_turns = (row, row + HOLDOUT_SESSIONS)
        case.providers = (DictionaryProvider("trap", (TRAP,)), *PROVIDERS)
    return case, fault


def run_job(job: Job) -> list[Row]:
    """Run all policies of a job and measure them."""
    case, fault = case_of(job.place, job.seed)
    return rows_of(case, fault, Case(make_world(job.seed), case.fault_row, case.setting), job.policies)


def rows_of(case: Case, fault: Fault, quiet: Case, policies: Sequence[str]) -> list[Row]:
    """Run policies on a case and measure them; ``quiet`` is the same world without the fault."""
    records = []
    for name in policies:
        start = time.process_time()
        record = POLICIES[name].run(case)
        records.append(replace(record, seconds=time.process_time() - start))
    rows = measured(case, fault, records)
    undamaged = worth(quiet, DoNothing().run(quiet))
    for row, record in zip(rows, records, strict=True):
        row["undamaged"] = undamaged
        row["trapped"] = any(TRAP in promotion.recipe.features for promotion in record.promotions)
    return rows


def run_all(jobs: Sequence[Job], workers: int, report: Callable[[int, Job], None]) -> list[Row]:
    """Run jobs in processes of one thread each; rows in the jobs' order whatever finishes first."""
    # Read by the libraries of a child when they are loaded.
    os.environ.update({"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"})
    found: dict[int, list[Row]] = {}
    if workers < 2:
        for i, job in enumerate(jobs):
            found[i] = run_job(job)
            report(i + 1, job)
    else:
        with ProcessPoolExecutor(workers) as pool:
            waiting = {pool.submit(run_job, job): i for i, job in enumerate(jobs)}
            for done, future in enumerate(as_completed(waiting), start=1):
                i = waiting[future]
                found[i] = future.result()
                report(done, jobs[i])
    return [row for i in sorted(found) for row in found[i]]


def names() -> list[str]:
    """Faults that have paths, with their variants."""
    return [f"{fault.name} {variant(fault)}".strip() for fault in catalogue(FAULT_ROW) if fault.name not in ELSEWHERE]
