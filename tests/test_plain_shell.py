"""After ``eval "$(hydra env)"`` in a clean shell, Dagster's own commands work on the home."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import httpx
import psutil
import pytest

from hydra_assets.columns import DATASETS, RAW_COT_REPORTS
from hydra_assets.home import HomeConfig
from hydra_assets.lake import Lake
from tests.support.homes import CHECKOUT, clean_environment, home_of, shell
from tests.support.ui import DagsterUi

pytestmark = pytest.mark.endurance

FIRST, LAST = date(2026, 11, 9), date(2026, 11, 20)
NOW = "2026-11-20T23:30:00+00:00"
ENTER = 'eval "$(hydra env)"'


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    config = HomeConfig(kind="simulated", markets=("SIM_ZO",), history_start=FIRST, history_end=LAST)
    with home_of(tmp_path_factory.mktemp("plain") / "home with space", config) as path:
        yield path


def tags(first: str, last: str) -> str:
    return json.dumps({"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last})


def test_env_prints_only_exports_that_bash_can_read(home: Path) -> None:
    done = shell(f'{ENTER}; echo "$DAGSTER_HOME"; hydra env', clean_environment(home, HYDRA_NOW=NOW))
    assert done.returncode == 0, done.stderr
    dagster_home, *exports = done.stdout.splitlines()
    assert Path(dagster_home) == home / "dagster"
    assert exports
    assert all(line.startswith("export ") for line in exports)


def test_dagster_job_execute_materialises_the_datasets(home: Path) -> None:
    execute = "dagster job execute -m hydra_assets.definitions -j"
    script = f"""
    {ENTER}
    {execute} reports_job --tags '{tags("2026-11-02", "2026-11-16")}'
    {execute} datasets_job --tags '{tags(f"SIM_ZO|{FIRST}", f"SIM_ZO|{LAST}")}'
    """
    done = shell(script, clean_environment(home, HYDRA_NOW=NOW))
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    lake = Lake(str(home / "lake"))
    held = {name: lake.read(name).height for name in DATASETS if lake.exists(name)}
    assert {RAW_COT_REPORTS.name, "raw_futures_bars", "raw_option_chains", "raw_headlines", "raw_posts"} <= set(held)
    assert {"futures_curve", "cot_positions", "option_quotes"} <= set(held)
    assert lake.read("futures_curve")["session"].n_unique() == 10
    # Two weeks have no fold yet, and what is out of fold has no rows.
    assert {name for name, rows in held.items() if not rows} == {"feature_contributions", "replay_report"}, held


def test_dagster_dev_loads_the_three_locations(home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (home / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/bash", "-c", f"{ENTER} && exec dagster dev -w workspace.yaml -h 127.0.0.1 -p {port}"],
            cwd=CHECKOUT,
            env=clean_environment(home, HYDRA_NOW=NOW),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        ui = DagsterUi(f"http://127.0.0.1:{port}")
        wait_for_answer(ui, process)
        ui.wait_until_loaded()
        assert set(ui.locations()) == {"hydra_assets.definitions", "hydra_agent.definitions", "hydra_exec.definitions"}
        names = {node["name"] for node in ui.assets()}
        assert {"raw_cot_reports", "futures_curve"} <= names
    finally:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        os.kill(process.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(family, timeout=60)
        for left in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()
    assert not alive, f"still there after SIGINT: {alive}"


def wait_for_answer(ui: DagsterUi, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert process.poll() is None, "dagster dev ended by itself"
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{ui.url}/server_info", timeout=5).status_code == 200:
                return
        time.sleep(0.5)
    pytest.fail("dagster dev does not answer")
