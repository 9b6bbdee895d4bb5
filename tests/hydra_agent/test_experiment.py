"""An experiment in a process of its own: the same result as here, and nothing beyond its limits, secrets or network."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from hydra_agent.experiment import isolated
from hydra_agent.experiment.isolated import Run, RunReason, finished, run_all, run_task
from hydra_agent.experiment.task import (
    FEATURES_FILE,
    LABELS_FILE,
    PREDICTIONS,
    RESULT,
    ExperimentKey,
    Limits,
    Task,
)
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import recalibrated
from hydra_assets.models.recipe import Recipe
from tests.support.groups import BOOSTED, SEEING, group

GROUP = group(200)
LIMITS = Limits(wall_seconds=60.0)


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("snapshots") / ("a" * 64)
    folder.mkdir()
    GROUP.features.write_parquet(folder / FEATURES_FILE)
    GROUP.labels.write_parquet(folder / LABELS_FILE)
    for file in folder.iterdir():
        file.chmod(0o444)
    return folder


def task(snapshot: Path, folder: Path, recipe: Recipe = BOOSTED) -> Task:
    return Task("sim.2024-05-01.0123456789", folder / "own folder", snapshot, recipe)


@pytest.fixture(scope="module")
def ran(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Task, Run]:
    """An experiment that has run; what the kernel and the caller gave it is all that it had."""
    of = task(snapshot, tmp_path_factory.mktemp("ran"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYDRA_POSTGRES_URL", "postgresql://nobody@127.0.0.1:1/none")
        return of, run_task(of, LIMITS)


def test_the_result_is_what_this_process_makes(ran: tuple[Task, Run]) -> None:
    of, run = ran
    assert (run.reason, run.message, run.key) == (RunReason.DONE, "", of.key)
    walked = out_of_fold(GROUP.features, GROUP.labels, BOOSTED)
    here = recalibrated(walked.predictions, GROUP.labels, BOOSTED)
    assert run.predictions is not None
    assert run.predictions.equals(here)
    assert here.height > 0
    assert run.result["recipe_sha256"] == BOOSTED.sha256
    assert run.result["snapshot"] == "a" * 64
    assert run.result["network"] in {"namespace", "refused"}


def test_it_leaves_its_own_files_and_touches_no_others(ran: tuple[Task, Run], snapshot: Path) -> None:
    of, _ = ran
    assert {path.name for path in of.folder.iterdir()} == {
        "recipe.json",
        "limits.json",
        "log.txt",
        PREDICTIONS,
        RESULT,
    }
    assert {path.name for path in snapshot.iterdir()} == {FEATURES_FILE, LABELS_FILE}
    assert all(path.stat().st_mode & 0o222 == 0 for path in snapshot.iterdir())


def test_what_has_run_is_read_and_not_run_again(ran: tuple[Task, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    of, run = ran
    monkeypatch.setattr(subprocess, "Popen", None)
    again = run_task(of, LIMITS)
    assert again.reason is RunReason.DONE
    assert again.predictions is not None
    assert run.predictions is not None
    assert again.predictions.equals(run.predictions)
    assert again.result == run.result


@pytest.fixture
def copied(ran: tuple[Task, Run], tmp_path: Path) -> Task:
    """A copy of what an experiment left."""
    of, _ = ran
    own = replace(of, folder=tmp_path)
    for name in (RESULT, PREDICTIONS):
        (tmp_path / name).write_bytes((of.folder / name).read_bytes())
    assert finished(own) is not None
    return own


def _flipped(of: Task) -> None:
    content = bytearray((of.folder / PREDICTIONS).read_bytes())
    content[len(content) // 2] ^= 1
    (of.folder / PREDICTIONS).write_bytes(content)


def _cut(of: Task) -> None:
    (of.folder / PREDICTIONS).write_bytes((of.folder / PREDICTIONS).read_bytes()[:-1])


def _gone(of: Task) -> None:
    (of.folder / PREDICTIONS).unlink()


def _without_result(of: Task) -> None:
    (of.folder / RESULT).unlink()


def _result(change: Callable[[dict[str, Any]], object]) -> Callable[[Task], None]:
    def write(of: Task) -> None:
        result = json.loads((of.folder / RESULT).read_text())
        (of.folder / RESULT).write_text(json.dumps(change(result)))

    return write


@pytest.mark.parametrize(
    "damage",
    [
        _flipped,
        _cut,
        _gone,
        _without_result,
        _result(lambda _: []),
        _result(lambda _: None),
        _result(lambda _: "done"),
        _result(lambda result: {**result, "seconds": None}),
        _result(lambda result: {**result, "snapshot": "b" * 64}),
        _result(lambda result: {**result, "recipe_sha256": SEEING.sha256}),
        _result(lambda result: {**result, "predictions_sha256": "0" * 64}),
        _result(lambda result: {name: value for name, value in result.items() if name != "trained"}),
    ],
)
def test_what_is_damaged_is_not_believed(copied: Task, damage: Callable[[Task], None]) -> None:
    damage(copied)
    assert finished(copied) is None


def test_a_result_of_another_recipe_or_snapshot_is_not_this_one_s(copied: Task) -> None:
    assert finished(replace(copied, recipe=SEEING)) is None
    assert finished(replace(copied, snapshot=copied.snapshot.parent / ("b" * 64))) is None


def test_a_recipe_that_cannot_be_trained_says_so(copied: Task) -> None:
    """The child's own words, as it writes them for a ModelError."""
    result = {"recipe_sha256": BOOSTED.sha256, "snapshot": "a" * 64, "seconds": 1.0}
    (copied.folder / RESULT).write_text(json.dumps(result | {"trained": False, "message": "infinite_feature: carry"}))
    found = finished(copied)
    assert found is not None
    assert (found.reason, found.message, found.predictions) == (
        RunReason.NOT_TRAINABLE,
        "infinite_feature: carry",
        None,
    )


def test_killed_in_the_middle_it_runs_again_to_the_same_result(
    ran: tuple[Task, Run], snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def recorded(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        started.append(real(*args, **kwargs))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    of = task(snapshot, tmp_path)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_task, of, LIMITS)
        # Limits are on, frames are being read: it has given up the network, which comes after the limits.
        wait_until(lambda: bool(started) and psutil.Process(started[0].pid).nice() == 5)
        started[0].send_signal(signal.SIGKILL)
        killed = running.result()
    assert (killed.reason, killed.predictions) == (RunReason.KILLED, None)
    # As a kill while it writes leaves them.
    (of.folder / f"{PREDICTIONS}.tmp").write_bytes(b"half")
    (of.folder / PREDICTIONS).write_bytes(b"of another try")
    assert finished(of) is None
    again = run_task(of, LIMITS)
    assert again.reason is RunReason.DONE
    assert again.predictions is not None
    assert ran[1].predictions is not None
    assert again.predictions.equals(ran[1].predictions)
    assert again.result["predictions_sha256"] == ran[1].result["predictions_sha256"]
    assert len(started) == 2


def test_a_memory_limit_ends_it(snapshot: Path, tmp_path: Path) -> None:
    run = run_task(task(snapshot, tmp_path), replace(LIMITS, memory_bytes=96 * 2**20))
    assert run.reason in {RunReason.KILLED, RunReason.FAILED}
    assert run.predictions is None
    assert run.message


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.01)


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets a shell script stand for the child's interpreter."""

    def put(script: str) -> None:
        file = tmp_path / "interpreter"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(file))

    return put


def test_beyond_its_time_it_is_killed_with_all_that_it_started(
    snapshot: Path, tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    stand_in("sleep 600 & echo $! > other.pid; sleep 600")
    of = task(snapshot, tmp_path)
    run = run_task(of, replace(LIMITS, wall_seconds=0.3))
    assert (run.reason, run.message, run.predictions) == (RunReason.TIMED_OUT, "ended after 0.3 s", None)
    assert 0.3 <= run.seconds < 10.0
    other = int((of.folder / "other.pid").read_text())
    wait_until(lambda: not psutil.pid_exists(other) or psutil.Process(other).status() == psutil.STATUS_ZOMBIE)


def test_it_sees_no_secret_and_no_address(
    snapshot: Path, tmp_path: Path, stand_in: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = {
        "HYDRA_POSTGRES_URL": "postgresql://u:s3cr3t@h/d",
        "HYDRA_HOME": "/s3cr3t",
        "MLFLOW_TRACKING_URI": "http://s3cr3t",
        "OPENAI_API_KEY": "s3cr3t",
        "ANTHROPIC_API_KEY": "s3cr3t",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "DATABENTO_API_KEY": "s3cr3t",
        "DAGSTER_HOME": "/s3cr3t",
        "PGPASSWORD": "s3cr3t",
        "HTTPS_PROXY": "http://s3cr3t",
        "SSH_AUTH_SOCK": "/s3cr3t",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    stand_in('env > seen; for word in "$@"; do echo "$word" >> words; done; ls -l /proc/$$/fd > open; exit 3')
    of = task(snapshot, tmp_path)
    run = run_task(of, LIMITS)
    assert (run.reason, run.message) == (RunReason.FAILED, "ended with 3")
    seen = dict(line.split("=", 1) for line in (of.folder / "seen").read_text().splitlines() if "=" in line)
    assert "s3cr3t" not in (of.folder / "seen").read_text()
    allowed = {*isolated.PASSED_ON, "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "HOME"}
    assert set(seen) - {"PWD", "SHLVL", "_", "OLDPWD"} <= allowed
    assert seen["HOME"] == str(of.folder)
    assert (of.folder / "words").read_text().split("\n")[:3] == ["-P", "-m", "hydra_agent.experiment.child"]
    # No open connection of the parent's comes along either.
    assert "socket" not in (of.folder / "open").read_text()


@pytest.mark.parametrize(
    ("script", "reason", "message"),
    [
        ("echo one; echo 'ValueError: two' >&2; exit 1", RunReason.FAILED, "ValueError: two"),
        ("echo 'numpy: MemoryError' >&2; exit 1", RunReason.KILLED, "numpy: MemoryError"),
        ("kill -9 $$", RunReason.KILLED, "ended with -9"),
        ("exit 0", RunReason.DAMAGED, "no result that can be read"),
        ("printf '{\"trained\": true' > result.json", RunReason.DAMAGED, "no result that can be read"),
    ],
)
def test_how_a_run_ends(
    snapshot: Path,
    tmp_path: Path,
    stand_in: Callable[[str], None],
    script: str,
    reason: RunReason,
    message: str,
) -> None:
    stand_in(script)
    run = run_task(task(snapshot, tmp_path), LIMITS)
    assert (run.reason, run.message, run.predictions) == (reason, message, None)


def test_runs_keep_their_order_and_are_reported_as_they_end(
    snapshot: Path, tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    stand_in('case "$5" in *slow*) sleep 0.4;; esac; exit 1')
    names = ["slow", "b", "c", "d"]
    tasks = [replace(task(snapshot, tmp_path), key=name, folder=tmp_path / name) for name in names]
    reported: list[str] = []
    runs = run_all(tasks, LIMITS, lambda run: reported.append(run.key), at_once=2)
    assert [run.key for run in runs] == names
    assert sorted(reported) == sorted(names)
    assert reported[-1] == "slow"


def python(code: str, *arguments: str, **kwargs: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=False, **kwargs
    )


def test_a_child_without_network_connects_nowhere() -> None:
    code = """
import _socket, socket, sys
from hydra_agent.experiment.child import give_up_network
port, how = int(sys.argv[1]), give_up_network()
def refused(call):
    try:
        call()
    except OSError:
        return True
    return False
def plain(kind=socket.SOCK_STREAM):
    return socket.socket(socket.AF_INET, kind)
tries = [
    lambda: socket.create_connection(("127.0.0.1", port), 2),
    lambda: plain().connect(("127.0.0.1", port)),
    lambda: plain(socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port)),
    lambda: plain(socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, ("127.0.0.1", port)),
    lambda: socket.getaddrinfo("example.com", 80),
]
if how == "namespace":
    # Past our own refusals there is no way either.
    tries.append(lambda: _socket.socket().connect(("127.0.0.1", port)))
print(how, [refused(call) for call in tries])
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        found = python(code, port)
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()
    assert found.returncode == 0, found.stderr
    assert "False" not in found.stdout
    assert found.stdout.split()[0] in {"namespace", "refused"}


def test_limits_hold_and_stricter_ones_stay() -> None:
    code = """
import json, resource
from hydra_agent.experiment.child import hold_to
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
hold_to({"RLIMIT_AS": 400 * 2**20, "RLIMIT_CPU": 77, "RLIMIT_FSIZE": 10**6})
try:
    bytearray(500 * 2**20)
except MemoryError:
    print(json.dumps([resource.getrlimit(getattr(resource, n)) for n in ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE")]))
"""
    found = python(code)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == [[400 * 2**20] * 2, [77, 77], [1000, 1000]]


def test_it_ends_with_the_process_that_started_it() -> None:
    child = "import time; from hydra_agent.experiment.child import hold_to, give_up_network; hold_to({}); "
    child += "give_up_network(); print('ready', flush=True); time.sleep(600)"
    code = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', sys.argv[1]]); "
    code += "print(p.pid, flush=True); p.wait()"
    parent = subprocess.Popen([sys.executable, "-c", code, child], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "ready\n"
        assert psutil.pid_exists(pid)
        parent.kill()
        parent.wait()
        wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    finally:
        parent.kill()
        parent.wait()
        if parent.stdout is not None:
            parent.stdout.close()


KEY = ExperimentKey("live-stock_2", date(2025, 6, 30), "0a1b2c3d4e")


def test_keys_are_read_as_they_are_written() -> None:
    assert KEY.text == "live-stock_2.2025-06-30.0a1b2c3d4e"
    assert ExperimentKey.read(KEY.text) == KEY
    assert ExperimentKey.fits(KEY.text)
    made = ExperimentKey.of("sim", date(2025, 6, 30), SEEING)
    assert made.recipe == SEEING.sha256[:10]
    assert made != ExperimentKey.of("sim", date(2025, 6, 30), BOOSTED)
    with pytest.raises(ValueError, match="no experiment"):
        ExperimentKey.of("../sim", date(2025, 6, 30), SEEING)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sim",
        "sim.2025-06-30",
        "sim.2025-06-30.0a1b2c3d4",
        "sim.2025-06-30.0A1B2C3D4E",
        "sim.2025-13-30.0a1b2c3d4e",
        "sim.2025-02-30.0a1b2c3d4e",
        "sim.٢٠٢٥-06-30.0a1b2c3d4e",
        "../etc.2025-06-30.0a1b2c3d4e",
        "a/b.2025-06-30.0a1b2c3d4e",
        ".2025-06-30.0a1b2c3d4e",
        "sim.2025-06-30.0a1b2c3d4e\n",
        " sim.2025-06-30.0a1b2c3d4e",
    ],
)
def test_what_is_no_key_becomes_no_folder(text: str) -> None:
    assert not ExperimentKey.fits(text)
    with pytest.raises(ValueError, match=r"no experiment|month|day"):
        ExperimentKey.read(text)
