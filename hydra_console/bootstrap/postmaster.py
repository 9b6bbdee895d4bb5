"""Which process a ``postmaster.pid`` means: ours, or a number that somebody else bears by now."""

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class PidFile:
    """The lines of ``postmaster.pid`` that matter here."""

    pid: int
    socket_directory: str


def read_pid_file(data: Path) -> PidFile | None:
    """Parse ``postmaster.pid``; None where there is none or nothing in it (the server writes it in two steps)."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
        return PidFile(int(lines[0]), lines[4].strip() if len(lines) > 4 else "")
    except (FileNotFoundError, NotADirectoryError, IndexError, ValueError):
        return None


def is_server_of(pid: int, data: Path) -> bool:
    """Whether a live process is a PostgreSQL server working in that very directory (not merely of that path)."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or process.name() != "postgres":
            return False
        working = f"/proc/{pid}/cwd" if os.path.exists("/proc/self/cwd") else process.cwd()
        return os.path.samefile(working, data)
    except (psutil.Error, OSError):
        return False


def clear_socket(socket_directory: Path) -> None:
    """Free the socket's name before a start, when no server of the data directory is left.

    A server whose data directory was deleted under it answers for up to a minute longer, out of files that are
    gone: it is ended, and known by the socket directory on its command line. Any other number is stale; nobody but
    us has files in this directory.
    """
    lock = socket_directory / ".s.PGSQL.5432.lock"
    with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
        process = psutil.Process(int(lock.read_text(encoding="utf-8").split()[0]))
        if process.name() == "postgres" and str(socket_directory) in process.cmdline():
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=10)
    lock.unlink(missing_ok=True)
    (socket_directory / ".s.PGSQL.5432").unlink(missing_ok=True)
