"""How many deliberate faults the tests find: ``uv run --with mutmut==3.8.1 python -m studies.mutation MODULE ...``.

A module is a file or a folder of a package, as in ``hydra_exec/risk_gate hydra_exec/order_state.py``. mutmut changes
one thing in one function at a time (a comparison, a constant, a name, an argument) and runs the tests that touch the
function. A fault that no test notices survives. The score is the share of faults that are noticed. Tests that want a
database share one server, which waits for no disk.

Everything happens in a copy, so that nobody who works in the tree meets a fault. Tests are those of the mirrored tree
(``tests/hydra_exec/risk_gate``, ``tests/hydra_exec/test_order_state.py``). Only functions are changed, and none that is
decorated: tables at the level of a module, enumerations and properties are not; tests with literal tables are for them.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from studies.recipes import markdown
from tests.support.postgres import TestServer

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/studies/mutation.md"
PACKAGES = ("hydra_assets", "hydra_agent", "hydra_exec", "hydra_console")
SURVIVED, KILLED, NO_TESTS = 0, frozenset({1, 3}), frozenset({5, 33})
"""Exit codes of pytest on a mutant, as mutmut writes them down; what is left is a timeout or a crash."""
WANTED = 0.85
SERVER = """# One server for every fault: who looks at one takes it over as it runs.
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hydra_console.bootstrap.postgres import EmbeddedPostgres
from tests.support import postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.TestServer]:
    server = object.__new__(postgres.TestServer)
    server.postgres = EmbeddedPostgres(Path({home!r}))
    postgres._numbers = (f"{{os.getpid()}}_{{n}}" for n in itertools.count())
    yield server
"""
"""Beside the tests of each package."""


@dataclass(frozen=True, slots=True)
class Score:
    """Faults of one module. What ran into its time limit or crashed was noticed too, and is counted apart."""

    module: str
    killed: int
    stopped: int
    survived: int
    no_tests: int

    @property
    def mutants(self) -> int:
        """All of them."""
        return self.killed + self.stopped + self.survived + self.no_tests

    @property
    def share(self) -> float:
        """Share of faults that were noticed."""
        return (self.killed + self.stopped) / self.mutants


@dataclass(frozen=True, slots=True)
class Survivor:
    """A fault that nobody noticed: the line with it."""

    name: str
    line: str


def main(argv: Sequence[str] | None = None) -> int:
    """Measure modules and write the page; 1 where the score of all together is below ``WANTED``."""
    parser = argparse.ArgumentParser(prog="studies.mutation", description="Do the tests notice deliberate faults?")
    parser.add_argument("modules", nargs="+", type=Path, help="files or folders of a package, relative to the checkout")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table goes")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        prepare(copy, arguments.modules)
        with server(copy, arguments.modules):
            _mutmut(copy, "run", "--max-children", str(arguments.processes))
        scores, names = results(copy)
        survivors = [Survivor(name, _changed_line(_mutmut(copy, "show", name))) for name in names]
    command = " ".join(map(str, arguments.modules))
    arguments.page.write_text(page(scores, survivors, command), encoding="utf-8")
    whole = total(scores)
    print(f"{whole.mutants} mutants, {whole.share:.1%} noticed; {arguments.page}")
    return 0 if whole.share >= WANTED else 1


def prepare(copy: Path, modules: Sequence[Path]) -> None:
    """Copy the packages and the modules' tests, and tell mutmut what to change and what to run."""
    without = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=without)
    for shared in ("tests/support", *map(str, map(_tests_of, modules))):
        target = copy / shared
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / shared).is_dir():
            shutil.copytree(ROOT / shared, target, ignore=without, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / shared, target)
    # It derandomises hypothesis: the same faults are found every time.
    shutil.copy(ROOT / "tests/conftest.py", copy / "tests/conftest.py")
    changed = [str(module if module.suffix == ".py" else module / "*.py") for module in modules]
    own = sorted({module.parts[0] for module in modules})
    settings = {
        "source_paths": own,
        "only_mutate": changed,
        "also_copy": [package for package in PACKAGES if package not in own],
        "pytest_add_cli_args": ["--import-mode=importlib"],
        "pytest_add_cli_args_test_selection": [str(_tests_of(module)) for module in modules],
        "use_git_change_detection": False,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (copy / "pyproject.toml").write_text("\n".join(["[tool.mutmut]", *lines, ""]), encoding="utf-8")


@contextmanager
def server(copy: Path, modules: Sequence[Path]) -> Iterator[None]:
    """A server with a migrated template database, told to all tests of the copy."""
    home = copy / "server"
    home.mkdir()
    running = TestServer(home)
    try:
        for statement in ("ALTER SYSTEM SET fsync TO off", "SELECT pg_reload_conf()"):
            running._execute(statement)
        for package in {module.parts[0] for module in modules}:
            (copy / "tests" / package / "conftest.py").write_text(SERVER.format(home=str(home)), encoding="utf-8")
        yield
    finally:
        running.stop()


def _tests_of(module: Path) -> Path:
    name = module.name if module.suffix != ".py" else f"test_{module.name}"
    return Path("tests") / module.parent / name


def results(copy: Path) -> tuple[list[Score], list[str]]:
    """Scores by module and the names of all survivors, from what mutmut wrote beside its mutants."""
    scores, survivors = [], []
    for path in sorted((copy / "mutants").rglob("*.meta")):
        codes: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        if not codes:
            continue
        kinds = Counter(_kind(code) for code in codes.values())
        module = str(path.relative_to(copy / "mutants").with_suffix(""))
        scores.append(Score(module, kinds["killed"], kinds["stopped"], kinds["survived"], kinds["no_tests"]))
        survivors += [name for name, code in codes.items() if code == SURVIVED]
    return scores, survivors


def _kind(code: int | None) -> str:
    if code is None:
        msg = "a mutant was not looked at"
        raise ValueError(msg)
    if code == SURVIVED:
        return "survived"
    if code in NO_TESTS:
        return "no_tests"
    return "killed" if code in KILLED else "stopped"


def _changed_line(difference: str) -> str:
    lines = [line[1:].strip() for line in difference.splitlines() if line.startswith("+") and line[:3] != "+++"]
    return " ".join(lines)


def _mutmut(copy: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if done.returncode != 0:
        msg = f"mutmut {' '.join(arguments)}:\n{done.stdout[-4_000:]}\n{done.stderr[-4_000:]}"
        raise SystemExit(msg)
    return done.stdout


def total(scores: Sequence[Score]) -> Score:
    """All modules as one."""
    return Score(
        "all",
        sum(score.killed for score in scores),
        sum(score.stopped for score in scores),
        sum(score.survived for score in scores),
        sum(score.no_tests for score in scores),
    )


def page(scores: Sequence[Score], survivors: Sequence[Survivor], command: str) -> str:
    """Write the page: a table of scores, and each fault that nobody noticed."""
    rows = [
        [*map(str, (s.module, s.mutants, s.killed, s.stopped, s.survived, s.no_tests)), f"{s.share:.1%}"]
        for s in (*scores, total(scores))
    ]
    header = ["module", "mutants", "killed", "timeout or crash", "survived", "no tests", "score"]
    return "\n".join(
        [
            "# Mutation testing",
            "",
            f"`uv run --with mutmut==3.8.1 python -m studies.mutation {command}`",
            "",
            "Deliberate faults, one at a time, and whether a test of the mirrored tree notices. Tables of a module,",
            "enumerations and decorated functions are not changed; `order_state.TRANSITIONS` and the gate's codes are",
            "asserted against literal tables instead.",
            "",
            markdown(header, rows),
            "",
            "## What survived",
            "",
            "```text",
            *(f"{survivor.name.rpartition('.')[2]}: {survivor.line}" for survivor in survivors),
            "```",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
