"""Each import contract holds, and breaks when somebody breaks it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("hydra_assets", "hydra_agent", "hydra_exec", "hydra_console")
VIOLATIONS = {
    "Roads": ("hydra_exec/targets.py", "import hydra_agent.judge"),
    "Rings: the domain": ("hydra_assets/quality.py", "from hydra_assets.lake import tables"),
    "Rings: Dagster": ("hydra_assets/lake/archive.py", "import dagster"),
    "Rings: only the edge": ("hydra_assets/lake/archive.py", "from hydra_assets import partitions"),
    "Execution": ("hydra_exec/trading_log.py", "import hydra_exec.broker.ib.session"),
    "Truth": ("hydra_assets/signals/classification.py", "import hydra_assets.sources.simulated.truth"),
}


def broken_contracts(tree: Path) -> list[str]:
    """Run the linter on a tree; names of the contracts it reports as broken."""
    # The script puts its own working directory first on the path, so the tree's packages are found, not the checkout's.
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "COLUMNS": "200"},
    )
    summary = re.search(r"Contracts: (\d+) kept, (\d+) broken", done.stdout)
    assert summary, done.stdout + done.stderr
    broken = [
        line for line in done.stdout.splitlines() if re.search(r" BROKEN( \(\d+ ignored imports?\))?$", line.rstrip())
    ]
    assert len(broken) == int(summary[2])
    assert int(summary[1]) + int(summary[2]) == len(VIOLATIONS), "a contract has no violation in this test"
    return broken


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_all_contracts_hold(tree: Path) -> None:
    assert broken_contracts(tree) == []


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_a_contract_breaks(tree: Path, contract: str) -> None:
    file, statement = VIOLATIONS[contract]
    with (tree / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{statement}\n")
    broken = broken_contracts(tree)
    assert len(broken) == 1
    assert broken[0].startswith(contract)
