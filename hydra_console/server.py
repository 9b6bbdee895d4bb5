"""The Dagster UI and daemon of a home, as one process group that is known, awaited and ended whole.

``dagster dev`` started in a script's background ignores SIGTERM; it is therefore the leader of a session of its own,
is asked to end by SIGINT, and its end is verified process by process.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from hydra_console.bootstrap.errors import BootstrapError

HOST = "127.0.0.1"
START_SECONDS = 180.0
STOP_SECONDS = 30.0
STATE_FILE = "up.json"
LOG_FILE = "dagster.log"


@dataclass(frozen=True, slots=True)
class Server:
    """A running UI: its leading process, by number and start, and its port."""

    pid: int
    started_at: float
    port: int

    @property
    def url(self) -> str:
        """Where the UI answers."""
        return f"http://{HOST}:{self.port}"

    def alive(self) -> bool:
        """Whether that very process is still there."""
        try:
            process = psutil.Process(self.pid)
            same_start = abs(process.create_time() - self.started_at) < 1
            return same_start and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


def workspace_file() -> Path:
    """``workspace.yaml`` with the three code locations: of the package where it is installed, else of the checkout."""
    package = Path(__file__).resolve().parent
    for candidate in (package / "workspace.yaml", package.parent / "workspace.yaml"):
        if candidate.is_file():
            return candidate
    msg = "workspace.yaml is missing from this installation: install hydra again"
    raise BootstrapError(msg)


def find_server(home: Path) -> Server | None:
    """The UI that this home's state file names, if it is alive."""
    try:
        server = Server(**json.loads((home / STATE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return server if server.alive() else None


def start_server(home: Path, port: int) -> tuple[Server, "subprocess.Popen[bytes]"]:
    """Start the UI and daemon; BootstrapError where the port is taken. Output goes to a file in the home."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            msg = f"port {port} is taken ({error.strerror}): choose another with --port"
            raise BootstrapError(msg) from error
        port = probe.getsockname()[1]
    with (home / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-m", "dagster", "dev", "-w", workspace_file(), "-h", HOST, "-p", str(port)],
            cwd=home,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, [_checkout(), os.environ.get("PYTHONPATH")])),
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process.pid, psutil.Process(process.pid).create_time(), port)
    state = {"pid": server.pid, "started_at": server.started_at, "port": server.port}
    (home / STATE_FILE).write_text(json.dumps(state), encoding="utf-8")
    return server, process


def wait_until_answering(home: Path, server: Server) -> None:
    """Return once the UI answers; BootstrapError, and the UI ended, where it ends before or does not in time."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.alive():
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/server_info", timeout=5).status_code == httpx.codes.OK:
                return
        time.sleep(0.3)
    stop_server(home)
    msg = f"the Dagster UI did not come up; see {home / LOG_FILE}"
    raise BootstrapError(msg)


def stop_server(home: Path) -> bool:
    """End the UI with all its processes and verify that they are gone; True where one ran."""
    server = find_server(home)
    if server is None:
        (home / STATE_FILE).unlink(missing_ok=True)
        return False
    leader = psutil.Process(server.pid)
    family = [leader, *leader.children(recursive=True)]
    leader.send_signal(signal.SIGINT)
    _, alive = psutil.wait_procs(family, timeout=STOP_SECONDS)
    for end in (psutil.Process.terminate, psutil.Process.kill):
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
        _, alive = psutil.wait_procs(alive, timeout=10)
    if alive:
        msg = f"processes {', '.join(str(process.pid) for process in alive)} of the Dagster UI do not end"
        raise BootstrapError(msg)
    (home / STATE_FILE).unlink(missing_ok=True)
    return True


def _checkout() -> str:
    """The directory that our packages are imported from, for code servers started in the home."""
    return str(Path(__file__).resolve().parents[1])
