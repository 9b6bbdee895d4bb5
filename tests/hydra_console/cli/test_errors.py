import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hydra_assets.home import HomeConfig, write_home
from hydra_console.bootstrap.environment import Environment
from hydra_console.cli import app
from tests.support.command import Hydra


@pytest.fixture
def home(home_environment: Environment) -> Iterator[Path]:
    """The bootstrapped home of this test process as a simulated home of two markets."""
    config = HomeConfig(kind="simulated", markets=("SIM_HE", "SIM_ZO"), history_start=date(2025, 12, 1))
    write_home(home_environment.home, config)
    yield home_environment.home
    (home_environment.home / "home.yaml").unlink()


def test_user_errors_are_named_as_they_are() -> None:
    for name in app.USER_ERRORS:
        module, _, cls = name.rpartition(".")
        assert issubclass(getattr(importlib.import_module(module), cls), Exception)


def test_help_is_fast_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['hydra', '--help']\n"
        "from hydra_console.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'dagster', 'polars', 'mlflow', 'sqlalchemy', 'duckdb', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cycle" in done.stdout


@pytest.mark.parametrize(
    "arguments", [("status",), ("sql", "SELECT 1"), ("verify",), ("backfill",), ("sources", "check"), ("up",)]
)
def test_without_a_home_the_way_to_one_is_named(
    hydra: Hydra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HYDRA_HOME", str(tmp_path / "none"))
    code, out, err = hydra(*arguments)
    assert (code, out) == (1, "")
    assert err.startswith("hydra: ")
    assert "run `hydra cycle`" in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("backfill", "--first", "yesterday"), "--first 'yesterday' is no date; write e.g. 2026-01-05"),
        (("backfill", "--last", "2026-13-01"), "--last '2026-13-01' is no date"),
        (("backfill", "--market", "HE"), "no market HE in this home; it has SIM_HE, SIM_ZO"),
        (("backfill", "--first", "2025-12-05", "--last", "2025-12-03"), "the range is empty"),
        (("backfill", "--first", "2020-01-02"), "history starts at 2025-12-01"),
        (("backfill", "--asset", "no_such_asset"), "no asset no_such_asset; there are raw_cot_reports"),
        (("sql", "SELEC 1"), "syntax error"),
        (("sql", "DROP TABLE x"), "one query at a time"),
        (("verify", "--dataset", "nope"), "no dataset nope; there are"),
        (("init",), "say --real"),
        (("init", "--real", "--yes"), "--market and --data are needed"),
        (("init", "--real", "--yes", "--market", "QQ", "--data", "."), "no market QQ; there are"),
        (("init", "--real", "--yes", "--market", "SIM_HE", "--data", "."), "no market SIM_HE; there are"),
        (("init", "--real", "--yes", "--market", "HE", "--data", "/no/such/folder"), "is no folder"),
    ],
)
def test_a_users_mistake_is_one_sentence(hydra: Hydra, home: Path, arguments: tuple[str, ...], sentence: str) -> None:
    code, _, err = hydra(*arguments)
    assert code == 1
    assert sentence in err
    assert "Traceback" not in err


def test_a_broken_home_names_file_and_key(hydra: Hydra, home: Path) -> None:
    text = (home / "home.yaml").read_text(encoding="utf-8")
    (home / "home.yaml").write_text(text.replace("SIM_ZO", "ZO"), encoding="utf-8")
    code, _, err = hydra("status")
    assert code == 1
    assert "home.yaml" in err
    assert "never mix" in err
    (home / "home.yaml").write_text(text.replace("seed:", "sede:"), encoding="utf-8")
    assert "sede" in hydra("status")[2]


def test_debug_shows_where_it_happened(hydra: Hydra, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYDRA_DEBUG", "1")
    with pytest.raises(Exception, match="is no date"):
        hydra("backfill", "--first", "yesterday")


def test_unknown_commands_and_options_are_usage_errors(hydra: Hydra) -> None:
    assert hydra("no-such-command")[0] == 2
    assert hydra("status", "--no-such-option")[0] == 2


def test_env_is_exports_and_nothing_else_and_a_clean_shell_takes_them(home_environment: Environment) -> None:
    home = home_environment.home
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "HYDRA_HOME": str(home)}
    call = f"{shlex.quote(sys.executable)} -c 'from hydra_console.cli import main; main()' env"
    printed = subprocess.run(["/bin/sh", "-c", call], env=clean, capture_output=True, text=True, check=True)
    assert printed.stderr == ""
    assert all(line.startswith("export ") for line in printed.stdout.splitlines())
    script = f'eval "$({call})" && env'
    done = subprocess.run(["/bin/sh", "-c", script], env=clean, capture_output=True, text=True, check=True)
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    assert {name: seen[name] for name in home_environment.variables} == home_environment.variables
    again = subprocess.run(["/bin/sh", "-c", call], env=seen, capture_output=True, text=True, check=True)
    assert again.stdout == printed.stdout


@pytest.mark.endurance
def test_dagster_works_in_a_plain_shell_after_env(home_environment: Environment) -> None:
    home = home_environment.home
    clean = {"PATH": os.environ["PATH"], "HOME": str(home), "HYDRA_HOME": str(home)}
    python = shlex.quote(sys.executable)
    script = (
        f"eval \"$({python} -c 'from hydra_console.cli import main; main()' env)\" && "
        f"{python} -m dagster job execute -m tests.support.toy_location -j toy_job --tags "
        '\'{"dagster/asset_partition_range_start": "SIM_HE|2025-01-06", '
        '"dagster/asset_partition_range_end": "SIM_LE|2025-01-10"}\''
    )
    repository = Path(__file__).parents[3]
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=clean, capture_output=True, text=True, check=False, cwd=repository
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "RUN_SUCCESS" in done.stderr


@pytest.mark.endurance
def test_doctor_has_one_line_per_finding(hydra: Hydra, home: Path) -> None:
    _, out, _ = hydra("doctor")
    lines = out.strip().splitlines()
    assert all(line.startswith(("ok ", "problem ")) for line in lines)
    topics = [line.split()[1].rstrip(":") for line in lines]
    assert topics[:8] == ["python", "packages", "permissions", "disk", "home", "environment", "database", "lake"]
    assert topics[8:] == ["hydra_assets.definitions", "hydra_agent.definitions", "hydra_exec.definitions"]


@pytest.mark.endurance
def test_doctor_reports_what_contradicts_and_fails(hydra: Hydra, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1")
    (home / "home.yaml").write_text("kind: simulated\n", encoding="utf-8")
    code, out, _ = hydra("doctor")
    assert code == 1
    problems = {line.split()[1] for line in out.splitlines() if line.startswith("problem")}
    assert {"home:", "environment:"} <= problems
