"""The embedded PostgreSQL server of a home: started when it is needed, found when it is up, repaired when it is not.

"Up" means that a connection answered, never that a file says so. Nothing restarts the server by itself, so every
command ensures it; a command's end does not end it, :meth:`EmbeddedPostgres.stop` does.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import psycopg2

from hydra_console.bootstrap.account import Account, server_account
from hydra_console.bootstrap.binaries import MAJOR_VERSION, usable_binaries
from hydra_console.bootstrap.errors import BootstrapError
from hydra_console.bootstrap.lock import file_lock
from hydra_console.bootstrap.postmaster import clear_socket, is_server_of, read_pid_file
from hydra_console.bootstrap.rundir import make_socket_directory, socket_directory
from hydra_console.bootstrap.variables import DRIVER_URL

USER = "hydra"
DATABASE = "hydra"
LOG_NAME = "server.log"

START_SECONDS = 60.0
"""Bound on a start, crash recovery and the two seconds for which old backends hold shared memory included."""
STOP_SECONDS = 60

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # One machine, no replicas; and no helper processes for a database that mostly idles.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "io_method": "sync",
    "max_logical_replication_workers": "0",
    "jit": "off",
}

_PASSING_COMPLAINT = "shared memory block"
"""What the server says while backends of a killed one still hold memory; they end within two seconds."""

_PLAIN_PATH = re.compile(r"[\w./ +,:@=-]+")


class EmbeddedPostgres:
    """The server of one data directory, ``<home>/postgres``."""

    def __init__(self, home: Path) -> None:
        self.data = Path(os.path.realpath(home)) / "postgres"
        self.sockets = socket_directory(self.data)
        self._lock = self.data.with_name("postgres.lock")

    def url(self, database: str = DATABASE) -> str:
        """SQLAlchemy URL of a database of this server."""
        return f"{DRIVER_URL}://{USER}@/{database}?host={self.sockets}"

    def running(self) -> bool:
        """Whether this home's own server answers now."""
        return (self.data / "postmaster.pid").exists() and self._answers(DATABASE)

    def ensure(self) -> bool:
        """Return with a server that answers; True where it had to be started. BootstrapError where it cannot be."""
        if self.running():
            return False
        with file_lock(self._lock, wait_seconds=2 * START_SECONDS):
            if self.running():
                return False
            account = server_account(self.data)
            binaries = usable_binaries(account)
            if not self.data.exists():
                self._initialise(binaries, account)
            self._check_version()
            if not self._join_running_server(binaries, account):
                clear_socket(make_socket_directory(self.data, account))
                self._start(binaries, account)
            self._create_database()
            return True

    def stop(self) -> bool:
        """Stop the server, ending its sessions in order; True where one ran."""
        if not self.data.exists():
            return False
        with file_lock(self._lock, wait_seconds=START_SECONDS + STOP_SECONDS):
            pid_file = read_pid_file(self.data)
            if pid_file is None or not is_server_of(pid_file.pid, self.data):
                return False
            account = server_account(self.data)
            self._stop(usable_binaries(account), account)
            with contextlib.suppress(OSError):
                self.sockets.rmdir()
            return True

    def _answers(self, database: str) -> bool:
        try:
            connection = psycopg2.connect(host=str(self.sockets), user=USER, dbname=database, connect_timeout=5)
        except psycopg2.OperationalError:
            return False
        connection.close()
        return True

    def _initialise(self, binaries: Path, account: Account | None) -> None:
        """Make the data directory beside its place and rename it: it is there whole or not at all."""
        for leftover in self.data.parent.glob("postgres.init-*"):
            shutil.rmtree(leftover)
        partial = self.data.with_name(f"postgres.init-{os.getpid()}")
        partial.mkdir(mode=0o700)
        if account:
            os.chown(partial, account.uid, account.gid)
        command = [str(binaries / "initdb"), "-D", _address(partial, account), "-U", USER, "--auth=trust"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
        command += ["--data-checksums", "--no-instructions"]
        for name, value in SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        code, output = self._run(command, account, cwd=partial)
        if code != 0:
            shutil.rmtree(partial, ignore_errors=True)
            msg = f"initdb failed for {self.data}: {_last_line(output)}"
            raise BootstrapError(msg)
        partial.rename(self.data)

    def _check_version(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            found = "none"
        if found != MAJOR_VERSION:
            msg = f"{self.data} is no PostgreSQL {MAJOR_VERSION} data directory (found version: {found}): move it away"
            raise BootstrapError(msg)

    def _join_running_server(self, binaries: Path, account: Account | None) -> bool:
        """Deal with a ``postmaster.pid``: True where its server answers at our socket by now.

        A number that is not a server on this directory is stale, however alive its new bearer is, and the file goes.
        A server that is ours but does not answer here is given time to recover, then stopped: its home was moved, or
        its socket was removed.
        """
        pid_file = read_pid_file(self.data)
        deadline = time.monotonic() + START_SECONDS
        while pid_file and is_server_of(pid_file.pid, self.data):
            if self._answers("postgres"):
                return True
            lost = pid_file.socket_directory and not (self.sockets / ".s.PGSQL.5432").exists()
            if lost or time.monotonic() > deadline:
                self._stop(binaries, account)
                return False
            time.sleep(0.1)
            pid_file = read_pid_file(self.data)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        return False

    def _start(self, binaries: Path, account: Account | None) -> None:
        deadline = time.monotonic() + START_SECONDS
        log = self.data / LOG_NAME
        while True:
            log_size = log.stat().st_size if log.exists() else 0
            remaining = max(1, int(deadline - time.monotonic()))
            command = [str(binaries / "pg_ctl"), "start", "-w", "-s", "-t", str(remaining)]
            command += ["-D", _address(self.data, account), "-l", LOG_NAME, "-o", f"-k {self.sockets}"]
            _, output = self._run(command, account, cwd=self.data)
            if self._answers("postgres"):
                return
            complaint = self._complaint_since(log_size) or _last_line(output)
            if _PASSING_COMPLAINT not in complaint or time.monotonic() > deadline:
                msg = f"PostgreSQL does not start: {complaint} (its log: {log})"
                raise BootstrapError(msg)
            time.sleep(0.2)

    def _stop(self, binaries: Path, account: Account | None) -> None:
        command = [str(binaries / "pg_ctl"), "stop", "-m", "fast", "-w", "-s", "-t", str(STOP_SECONDS)]
        command += ["-D", _address(self.data, account)]
        _, output = self._run(command, account, cwd=self.data)
        pid_file = read_pid_file(self.data)
        if pid_file and is_server_of(pid_file.pid, self.data):
            msg = f"PostgreSQL (process {pid_file.pid}) does not stop: {_last_line(output)}"
            raise BootstrapError(msg)

    def _create_database(self) -> None:
        connection = psycopg2.connect(host=str(self.sockets), user=USER, dbname="postgres", connect_timeout=5)
        with contextlib.closing(connection):
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,))
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")

    def _run(self, command: list[str], account: Account | None, *, cwd: Path) -> tuple[int, str]:
        """Run one of the server's programs inside a directory: no stdin, output to a file that the server may keep."""
        output = self.data.with_name("postgres.out")
        with output.open("wb") as sink:
            process = subprocess.Popen(  # noqa: S603  the wheel's own programs
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"},
                start_new_session=True,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
            code = process.wait(timeout=2 * START_SECONDS)
        return code, output.read_text(encoding="utf-8", errors="replace")

    def _complaint_since(self, log_size: int) -> str:
        """The first fatal line that the server wrote to its log after it had that size; empty where there is none."""
        log = self.data / LOG_NAME
        if not log.exists():
            return ""
        text = log.read_bytes()[log_size:].decode("utf-8", errors="replace")
        return next((line for line in text.splitlines() if "FATAL" in line or "PANIC" in line), "")


def _address(data: Path, account: Account | None) -> str:
    """How the server's programs, started inside the data directory, call it.

    Its path where they can reach it and a shell can read it (pg_ctl passes it through one), else a name for the
    directory they were started in.
    """
    return str(data) if account is None and _PLAIN_PATH.fullmatch(str(data)) else "/proc/self/cwd"


def _last_line(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"
