"""``requirements.lock``: one tested answer of the resolver, with hashes.

    uv run scripts/lock.py             write it from the resolution that this checkout runs on
    uv run scripts/lock.py --upgrade   resolve again to the newest versions that pyproject.toml allows, then write it
    uv run scripts/lock.py --check     say whether it still answers pyproject.toml; needs the package index

``uv.lock`` names the hosts that files come from and is therefore not part of the repository; this file names versions
and digests only, so that it holds for every mirror.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# Every package that HYDRA and its tests run on, by version and digest; written by `uv run scripts/lock.py`.
# Install exactly this, and nothing that a package asks for besides, with
#     uv pip install --no-deps --require-hashes -r requirements.lock && uv pip install --no-deps -e .
"""
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)(\[[^]]*\])?==(?P<version>[^ ;\\]+)", re.MULTILINE)


def pins(text: str) -> dict[str, set[str]]:
    """Versions by normalised package name; more than one where a marker tells them apart."""
    out: dict[str, set[str]] = {}
    for match in _PIN.finditer(text):
        out.setdefault(normalised(match["name"]), set()).add(match["version"])
    return out


def normalised(name: str) -> str:
    """The name by which an index knows a package."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(project: dict[str, object]) -> list[tuple[Requirement, bool]]:
    """What pyproject.toml asks for: each requirement, and whether the lock must have it (a constraint need not)."""
    table = project["project"]
    groups = project["dependency-groups"]
    uv = project["tool"]["uv"]  # type: ignore[index]
    direct = [*table["dependencies"], *groups["dev"]]  # type: ignore[index]
    return [
        *((Requirement(text), True) for text in direct),
        *((Requirement(text), False) for text in uv["constraint-dependencies"]),
    ]


def complaints(lock_text: str, project: dict[str, object]) -> list[str]:
    """Where the lock does not answer the project: missing packages, versions out of bounds, hosts, missing hashes."""
    locked = pins(lock_text)
    out = []
    for requirement, needed in wanted(project):
        versions = locked.get(normalised(requirement.name), set())
        if needed and not versions:
            out.append(f"{requirement.name} is not locked")
        out += [
            f"{requirement.name} {version} is locked, pyproject.toml wants {requirement.specifier}"
            for version in sorted(versions)
            if not requirement.specifier.contains(version, prereleases=True)
        ]
    if "://" in lock_text or "--index-url" in lock_text:
        out.append("the lock names a host")
    entries = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", lock_text) if _PIN.match(entry)]
    out += [f"{entry.split('==')[0]} has no hash" for entry in entries if "--hash=sha256:" not in entry]
    return out


def overriding(lock_text: str, project: dict[str, object]) -> str:
    """The lock's entries of packages that pyproject.toml overrides, against what another package asks for."""
    names = {normalised(Requirement(text).name) for text in project["tool"]["uv"]["override-dependencies"]}  # type: ignore[index]
    entries = re.split(r"\n(?=[A-Za-z0-9])", lock_text)
    return "\n".join(entry for entry in entries if normalised(entry.split("==")[0]) in names)


def write(*, upgrade: bool) -> None:
    """Resolve and write the lock."""
    _uv("lock", *(["--upgrade"] if upgrade else []))
    # Peers of the benchmarks stay out: they are nobody's dependency.
    text = _uv(
        "export", "--locked", "--format", "requirements.txt", "--no-emit-project", "--no-header", "--group", "dev"
    )
    LOCK.write_text(HEADER + text, encoding="utf-8")
    print(f"{LOCK.name}: {len(pins(text))} packages")


def check() -> int:
    """Print complaints; then let the resolver look at the whole set, hashes included, without installing anything."""
    text, project = LOCK.read_text(encoding="utf-8"), tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found = complaints(text, project)
    for line in found:
        print(f"requirements.lock: {line}; run `uv run scripts/lock.py`")
    if found:
        return 1
    with tempfile.TemporaryDirectory() as empty:
        # From another directory: there uv does not add this project's constraints, which carry no hash.
        _uv("venv", "--quiet", empty, where=Path(empty))
        overrides = Path(empty) / "overrides.txt"
        overrides.write_text(overriding(text, project), encoding="utf-8")
        held = ("--require-hashes", "--override", str(overrides), "--python", empty, "-r", str(LOCK))
        dry = ("pip", "install", "--dry-run", "--quiet", *held)
        _uv(*dry, where=Path(empty))
    print("requirements.lock answers pyproject.toml")
    return 0


def _uv(*arguments: str, where: Path = ROOT) -> str:
    done = subprocess.run(["uv", *arguments], cwd=where, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603, S607
    if done.returncode != 0:
        sys.exit(f"uv {' '.join(arguments)} failed")
    return done.stdout


def main() -> int:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--upgrade", action="store_true", help="resolve again to the newest versions allowed")
    choice.add_argument("--check", action="store_true", help="say whether the lock still answers pyproject.toml")
    arguments = parser.parse_args()
    if arguments.check:
        return check()
    write(upgrade=arguments.upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main())
