import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hydra_assets.home import HomeConfig, write_home
from hydra_console.bootstrap.environment import Environment

pytestmark = pytest.mark.endurance

NOW = "2026-01-15T12:00:00+00:00"


def hydra(home: Path, *arguments: str, now: str = NOW) -> subprocess.CompletedProcess[str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("HYDRA_", "DAGSTER_", "MLFLOW_"))}
    return subprocess.run(
        [sys.executable, "-c", "from hydra_console.cli import main; main()", *arguments],
        env={**inherited, "HYDRA_HOME": str(home), "HYDRA_NOW": now},
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
    )


@pytest.fixture(scope="module")
def home(session_environment: Environment) -> Iterator[Path]:
    """A simulated home of two markets and eight sessions, after its first cycle."""
    path = session_environment.home
    write_home(path, HomeConfig(kind="simulated", markets=("SIM_HE", "SIM_ZO"), history_start=date(2026, 1, 5)))
    done = hydra(path, "cycle")
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    assert "sessions 2026-01-05 to 2026-01-14" in done.stderr
    assert "Traceback" not in done.stderr
    assert "futures_curve" in done.stdout
    assert "next: " in done.stdout
    yield path
    (path / "home.yaml").unlink()


def test_every_dataset_reaches_the_newest_finished_session(home: Path) -> None:
    status = json.loads(hydra(home, "status", "--json").stdout)
    newest = {row["dataset"]: row["last"] for row in status["datasets"]}
    for name in ("raw_futures_bars", "raw_option_chains", "futures_curve", "cot_positions", "option_quotes"):
        assert newest[name] == "2026-01-14"
    assert status["watermark"].startswith("SIMULATED")
    assert status["running_runs"] == []


def test_sql_prints_json_with_bound_parameters(home: Path) -> None:
    query = "SELECT market, session, count(*) AS n FROM futures_curve WHERE session = ? AND market = ? GROUP BY ALL"
    done = hydra(home, "sql", query, "-p", "2026-01-14", "-p", "SIM_HE", "--json")
    (row,) = json.loads(done.stdout)
    assert (row["market"], row["session"]) == ("SIM_HE", "2026-01-14")
    assert row["n"] > 0


def test_the_next_cycle_computes_the_new_sessions_only(home: Path) -> None:
    done = hydra(home, "cycle", now="2026-01-16T12:00:00+00:00")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "sessions 2026-01-14 to 2026-01-15" in done.stderr


def test_backfill_gives_the_same_hashes(home: Path) -> None:
    query = "SELECT dataset, market, session, sha256 FROM partition_content WHERE run_id = ? ORDER BY ALL"
    newest = "SELECT run_id FROM partition_content WHERE dataset = 'futures_curve' ORDER BY id DESC LIMIT 1"
    done = hydra(home, "backfill", "-m", "SIM_ZO", "--first", "2026-01-06", "--last", "2026-01-08")
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = json.loads(hydra(home, "sql", newest, "--json").stdout)
    again = json.loads(hydra(home, "sql", query, "-p", run["run_id"], "--json").stdout)
    assert {row["market"] for row in again} == {"SIM_ZO"}
    differing = (
        "SELECT dataset, market, session FROM partition_content WHERE session BETWEEN '2026-01-06' AND '2026-01-08' "
        "AND market = 'SIM_ZO' GROUP BY ALL HAVING count(DISTINCT sha256) > 1"
    )
    assert json.loads(hydra(home, "sql", differing, "--json").stdout) == []


def test_verify_agrees_and_finds_a_lake_that_was_changed(home: Path) -> None:
    done = hydra(home, "verify", "-d", "futures_curve")
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 differ" in done.stdout
    from hydra_assets.lake import Lake

    lake, day = Lake(str(home / "lake")), date(2026, 1, 6)
    rows = lake.read("futures_curve", markets=["SIM_HE"], first=day, last=day)
    lake.replace("futures_curve", "SIM_HE", day, day, rows.with_columns(settle=rows["settle"] + 1))
    done = hydra(home, "verify", "-d", "futures_curve")
    assert done.returncode == 1
    assert "SIM_HE" in done.stdout
    assert "content differs" in done.stdout
    lake.replace("futures_curve", "SIM_HE", day, day, rows)


def test_sources_of_the_embedded_market_are_well(home: Path) -> None:
    done = hydra(home, "sources", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ok")


def test_up_answers_and_down_ends_everything(home: Path) -> None:
    import httpx
    import psutil

    done = hydra(home, "up", "--detach", "--port", "0")
    assert done.returncode == 0, done.stderr[-3000:]
    url = done.stdout.split("Dagster UI: ")[1].split()[0]
    state = json.loads((home / "up.json").read_text(encoding="utf-8"))
    family = [psutil.Process(state["pid"]), *psutil.Process(state["pid"]).children(recursive=True)]
    query = "{workspaceOrError {... on Workspace {locationEntries {name locationOrLoadError {__typename}}}}}"
    answer = httpx.post(f"{url}/graphql", json={"query": query}, timeout=60).json()
    locations = answer["data"]["workspaceOrError"]["locationEntries"]
    assert {entry["name"] for entry in locations} == {
        f"hydra_{part}.definitions" for part in ("assets", "agent", "exec")
    }
    assert {entry["locationOrLoadError"]["__typename"] for entry in locations} == {"RepositoryLocation"}
    assert "up already" in hydra(home, "up", "--detach").stdout
    assert {c.laddr.ip for p in family for c in p.net_connections("inet") if c.status == "LISTEN"} <= {"127.0.0.1"}
    done = hydra(home, "down")
    assert "Dagster UI and daemon, embedded PostgreSQL" in done.stdout
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert "nothing was running" in hydra(home, "down").stdout


def test_a_taken_port_is_a_sentence(home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = hydra(home, "up", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "choose another with --port" in done.stderr
