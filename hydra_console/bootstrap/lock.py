"""A file lock with a bounded wait, so that concurrent commands start one server and initialise once."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra_console.bootstrap.errors import BootstrapError

POLL_SECONDS = 0.05


@contextmanager
def file_lock(path: Path, *, wait_seconds: float, what: str = "hydra process") -> Iterator[None]:
    """Hold an exclusive lock on a file; BootstrapError where another process holds it for longer than the wait.

    The kernel releases the lock with its holder, however that ends; the file itself says nothing and stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    msg = f"another {what} is at work in {path.parent} and did not end within {wait_seconds:.0f} s"
                    raise BootstrapError(msg) from error
                time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
