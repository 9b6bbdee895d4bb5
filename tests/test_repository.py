"""What the repository as a whole must be: free of its makers' machines, of one size of idea, true to its README."""

import importlib.util
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hydra_assets", "hydra_agent", "hydra_exec", "hydra_console")
MAX_LINES = 320
NOT_OURS = ("/" + "work/", "/" + "opt/", "/" + "root/", "py" + "pi.org", "python" + "hosted")
"""Paths of a machine, and hosts that packages come from."""


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lock", ROOT / "scripts" / "lock.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_file_names_a_machine_or_a_host(tracked: list[Path]) -> None:
    found = []
    for file in tracked:
        content = file.read_bytes()
        found += [f"{file.relative_to(ROOT)}: {mark}" for mark in NOT_OURS if mark.encode() in content]
    assert found == []


def test_what_is_made_again_is_not_tracked(tracked: list[Path]) -> None:
    names = {str(file.relative_to(ROOT)) for file in tracked}
    assert "uv.lock" not in names
    assert [name for name in names if re.search(r"(^|/)(\.venv|\.hydra|__pycache__|\.mypy_cache)/", name)] == []
    assert {"LICENSE", "README.md", "CONTRIBUTING.md", "requirements.lock", ".ci/run", "workspace.yaml"} <= names


def test_a_module_is_one_idea() -> None:
    long = {
        str(file.relative_to(ROOT)): lines
        for package in PACKAGES
        for file in (ROOT / package).rglob("*.py")
        if (lines := len(file.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert long == {}


def test_packages_are_marked_as_typed() -> None:
    assert [package for package in PACKAGES if not (ROOT / package / "py.typed").exists()] == []


def test_the_dagster_packages_are_of_one_release(project: dict[str, Any]) -> None:
    pins = dict(re.findall(r"^(dagster[\w-]*)==([\d.]+)$", "\n".join(project["project"]["dependencies"]), re.MULTILINE))
    assert set(pins) == {"dagster", "dagster-webserver", "dagster-postgres"}
    assert pins["dagster"] == pins["dagster-webserver"]
    # Its integrations are numbered 0.(16 + minor).(patch).
    _, minor, patch = map(int, pins["dagster"].split("."))
    assert pins["dagster-postgres"] == f"0.{16 + minor}.{patch}"
    assert {name: metadata.version(name) for name in pins} == pins


def test_every_constraint_says_why(project: dict[str, Any]) -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = text[text.index("constraint-dependencies = [") :].split("]\n")[0].splitlines()[1:]
    unexplained = [
        line.strip()
        for before, line in zip(["", *block], block, strict=False)
        if line.strip().startswith('"') and not before.strip().startswith("#")
    ]
    assert unexplained == []
    assert len(project["tool"]["uv"]["constraint-dependencies"]) == sum(line.strip().startswith('"') for line in block)


def test_the_lock_answers_the_project(lock: ModuleType, project: dict[str, Any]) -> None:
    assert lock.complaints((ROOT / "requirements.lock").read_text(encoding="utf-8"), project) == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: re.sub(r"^polars==[\d.]+", "polars==0.1.0", text, flags=re.MULTILINE), "polars 0.1.0 is locked"),
        (lambda text: re.sub(r"^pandas==[\d.]+", "pandas==2.2.0", text, flags=re.MULTILINE), "pandas 2.2.0 is locked"),
        (lambda text: text.replace("\nduckdb==", "\nducks=="), "duckdb is not locked"),
        (lambda text: text + "nothing==1.0\n", "nothing has no hash"),
        (lambda text: "--index-url https" + "://host\n" + text, "the lock names a host"),
    ],
)
def test_a_wrong_lock_is_noticed(lock: ModuleType, project: dict[str, Any], change: Any, complaint: str) -> None:
    found = lock.complaints(change((ROOT / "requirements.lock").read_text(encoding="utf-8")), project)
    assert [line for line in found if line.startswith(complaint)] != []


def test_the_readme_commands_exist(project: dict[str, Any]) -> None:
    from hydra_console.cli.app import app

    command = typer.main.get_command(app)
    names = set(getattr(command, "commands", {}))
    for page in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        used = set(re.findall(r"(?:`|\buv run )hydra ([a-z-]+)", text))
        assert used - names == set(), page
        scripts = re.findall(r"uv run (scripts/\w+\.py)", text)
        assert [script for script in scripts if not (ROOT / script).exists()] == []
        links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
        assert [link for link in links if not (ROOT / link).exists()] == [], page
        markers = set(re.findall(r"pytest -m (\w+)", text))
        known = {marker.split(":")[0] for marker in project["tool"]["pytest"]["ini_options"]["markers"]}
        assert markers <= known, page
    assert names - set(re.findall(r"`hydra ([a-z-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))) == set()


def test_ci_runs_the_readme_command() -> None:
    readme, ci = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", ".ci/run"))
    assert "uv run pytest\n" in readme
    assert re.search(r"^step \d+ uv run pytest$", ci, re.MULTILINE)
