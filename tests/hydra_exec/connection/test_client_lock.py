"""One process for each client id."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hydra_exec.config import IbConnection
from hydra_exec.connection.client_lock import ClientLock, ClientLockError, Role, client_id

HOLDER = """
import sys
from pathlib import Path
from hydra_exec.connection.client_lock import ClientLock, Role
with ClientLock(Path(sys.argv[1]), Role.DATA, 72):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_roles_do_not_share_an_id() -> None:
    connection = IbConnection(client_id=71)
    assert [client_id(connection, role) for role in Role] == [71, 72]


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path) -> None:
    with ClientLock(tmp_path / "locks", Role.TRADING, 71):
        with pytest.raises(ClientLockError, match=rf"client id 71 is held by process {os.getpid()} \(trading\)"):
            ClientLock(tmp_path / "locks", Role.TRADING, 71).acquire()
        with pytest.raises(ClientLockError):
            ClientLock(tmp_path / "locks", Role.DATA, 71).acquire()
        with ClientLock(tmp_path / "locks", Role.DATA, 72):
            pass
    with ClientLock(tmp_path / "locks", Role.TRADING, 71) as again:
        again.release()
        again.release()
        with ClientLock(tmp_path / "locks", Role.TRADING, 71):
            pass


def test_a_holder_without_a_name(tmp_path: Path) -> None:
    with ClientLock(tmp_path, Role.TRADING, 71):
        (tmp_path / "client-71.lock").write_text("")
        with pytest.raises(ClientLockError, match="another process"):
            ClientLock(tmp_path, Role.TRADING, 71).acquire()


def test_death_frees_the_id(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(ClientLockError, match=rf"process {process.pid} \(data\)"):
            ClientLock(tmp_path, Role.DATA, 72).acquire()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with ClientLock(tmp_path, Role.DATA, 72):
            pass
