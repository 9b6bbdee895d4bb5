import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import date

import dagster as dg
import psutil
import pytest

from hydra_console.bootstrap.environment import Environment
from hydra_console.cycle import complaints
from hydra_console.plan import SessionRange, location_requests
from hydra_console.runner import PROCESS_TAG, JobRequest, Progress, UnknownJobError, fail_abandoned_runs, run_job
from tests.support import toy_location

MODULE = "tests.support.toy_location"


def request(first: str, last: str, *assets: str) -> JobRequest:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return JobRequest(MODULE, "toy_job", tags, assets)


@pytest.fixture
def instance(home_environment: Environment) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_a_range_is_the_product_of_neighbouring_markets_and_days(instance: dg.DagsterInstance) -> None:
    outcome = run_job(instance, request("SIM_HE|2025-01-06", "SIM_ZO|2025-01-07"))
    assert outcome.success
    wanted = ["SIM_HE|2025-01-06", "SIM_HE|2025-01-07", "SIM_ZO|2025-01-06", "SIM_ZO|2025-01-07"]
    assert sorted(toy_location.SEEN["first"]) == sorted(toy_location.SEEN["second"]) == wanted
    assert outcome.materialised == {"first": 4, "second": 4}
    run = instance.get_run_by_id(outcome.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.SUCCESS


def test_materialisations_are_in_the_event_log(instance: dg.DagsterInstance) -> None:
    run_job(instance, request("SIM_LE|2025-02-03", "SIM_LE|2025-02-05"))
    partitions = instance.get_materialized_partitions(dg.AssetKey("second"))
    assert {"SIM_LE|2025-02-03", "SIM_LE|2025-02-04", "SIM_LE|2025-02-05"} <= partitions


def test_progress_ends_with_all_steps_done(instance: dg.DagsterInstance) -> None:
    seen: list[Progress] = []
    run_job(instance, request("SIM_HE|2025-01-06", "SIM_LE|2025-03-03"), seen.append)
    assert [p.done for p in seen] == sorted(p.done for p in seen)
    assert (seen[-1].done, seen[-1].total) == (3, 3)
    assert seen[-1].partitions == 2 * 3 * 41


def test_failed_step_is_an_outcome_with_its_innermost_cause(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOY_FAILS", "1")
    outcome = run_job(instance, request("SIM_HE|2025-01-06", "SIM_HE|2025-01-06"))
    assert not outcome.success
    assert [(f.step, f.message) for f in outcome.failures] == [("second", "KeyError: 'innermost'")]
    assert complaints([outcome]) == [
        "toy_job: second: KeyError: 'innermost'",
        "first: check plausible warns: three rows look odd",
    ]


def test_assets_narrow_a_job(instance: dg.DagsterInstance) -> None:
    outcome = run_job(instance, request("SIM_HE|2025-01-06", "SIM_HE|2025-01-06", "second"))
    assert outcome.materialised == {"second": 1}


def test_range_that_does_not_exist_is_a_failure_and_no_traceback(instance: dg.DagsterInstance) -> None:
    outcome = run_job(instance, request("SIM_HE|1999-01-06", "SIM_HE|1999-01-06"))
    assert not outcome.success
    assert outcome.failures


def test_unknown_job_names_those_there_are(instance: dg.DagsterInstance) -> None:
    with pytest.raises(UnknownJobError, match="it has: toy_job"):
        run_job(instance, JobRequest(MODULE, "no_such_job"))


def test_location_says_what_it_wants_in_a_cycle() -> None:
    wanted = SessionRange(("SIM_HE",), date(2025, 1, 6), date(2025, 1, 7))
    assert list(location_requests(MODULE, "cycle_runs", wanted)) == [
        JobRequest(MODULE, "toy_job", {"toy/range": "SIM_HE 2025-01-06 2025-01-07"})
    ]
    assert list(location_requests(MODULE, "watch_runs", wanted)) == []
    assert list(location_requests("json", "cycle_runs", wanted)) == []


def test_runs_of_killed_processes_are_marked_failed_and_others_left(instance: dg.DagsterInstance) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    started = psutil.Process(child.pid).create_time()
    child.kill()
    child.wait()
    job = toy_location.defs.get_repository_def().get_job("toy_job")

    def run_of(tag: str) -> str:
        run = instance.create_run_for_job(job, tags={PROCESS_TAG: tag}, status=dg.DagsterRunStatus.STARTED)
        return run.run_id

    host = socket.gethostname()
    dead = run_of(f"{host}|{child.pid}|{started:.2f}")
    reused = run_of(f"{host}|1|0.00")
    ours = run_of(f"{host}|{os.getpid()}|{psutil.Process().create_time():.2f}")
    elsewhere = run_of(f"another-host|{child.pid}|{started:.2f}")
    assert set(fail_abandoned_runs(instance)) == {dead, reused}
    status = {run_id: instance.get_run_by_id(run_id).status for run_id in (dead, reused, ours, elsewhere)}  # type: ignore[union-attr]
    assert status[dead] is status[reused] is dg.DagsterRunStatus.FAILURE
    assert status[ours] is status[elsewhere] is dg.DagsterRunStatus.STARTED
    for run_id in status:
        instance.delete_run(run_id)
