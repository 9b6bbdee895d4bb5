"""One process for each client id: a lock file that the holder's death frees.

Two processes that share a client id throw each other out, or share orders under one set of ids. The terminal's own
refusal (326) comes late and says nobody's name; this one names the holder.
"""

import fcntl
import json
import os
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from hydra_exec.config import IbConnection


class Role(StrEnum):
    """What a connection is for."""

    TRADING = "trading"
    DATA = "data"


class ClientLockError(Exception):
    """The client id is another process's; the message says whose."""


def client_id(connection: IbConnection, role: Role) -> int:
    """The role's own client id: two roles never share one."""
    return connection.client_id + (0 if role is Role.TRADING else 1)


class ClientLock:
    """``with ClientLock(folder, role, client_id):`` holds the id for this process."""

    def __init__(self, folder: Path, role: Role, client: int) -> None:
        self._path = folder / f"client-{client}.lock"
        self._role = role
        self._client = client
        self._held: int | None = None

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the id; ClientLockError with the holder's process id where it is taken."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        opened = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(os.read(opened, 1024))
            os.close(opened)
            msg = f"client id {self._client} is held by {holder}: one process may use it; stop that one first"
            raise ClientLockError(msg) from None
        except BaseException:
            os.close(opened)
            raise
        os.ftruncate(opened, 0)
        os.write(opened, json.dumps({"pid": os.getpid(), "role": str(self._role)}).encode())
        self._held = opened

    def release(self) -> None:
        """Give the id back. The file stays: removing it would let two processes hold two files of one name."""
        if self._held is not None:
            os.ftruncate(self._held, 0)
            os.close(self._held)
            self._held = None


def _holder(content: bytes) -> str:
    try:
        said = json.loads(content)
        return f"process {said['pid']} ({said['role']})"
    except (ValueError, KeyError, TypeError):
        return "another process"
