"""Which process a ``postmaster.pid`` means: ours, or a number that somebody else bears by now."""

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


def end_orphan(socket_directory: Path) -> bool:
    """End a server of ours whose data directory was deleted under it and which still holds the socket.

    It answers for up to a minute longer, out of files that are gone. Its socket's lock file has its number.
    """
    try:
        pid = int((socket_directory / ".s.PGSQL.5432.lock").read_text(encoding="utf-8").split()[0])
        process = psutil.Process(pid)
        if process.name() != "postgres" or process.status() == psutil.STATUS_ZOMBIE:
            return False
        if not process.cwd().endswith(" (deleted)") and os.path.exists(process.cwd()):
            return False
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=10)
    except (OSError, ValueError, IndexError, psutil.Error):
        return False
    return True
