"""The directory of the server's socket: short, private, the same for every caller.

Socket paths end at about 100 bytes, and ``trust`` authentication makes this directory the only protection, so it is
``/tmp/hydra-<uid>/<hash of the data directory>``, whatever TMPDIR says, and is refused unless owner and mode are
exactly right. ``/run/user/<uid>`` would vanish with the user's last login session while the server goes on.
"""

import hashlib
import os
import stat
from pathlib import Path

from hydra_console.bootstrap.account import Account
from hydra_console.bootstrap.errors import BootstrapError

_PREFIX = "/tmp/hydra-"  # noqa: S108  verified below; a name of its own per user


def runtime_root() -> Path:
    """The caller's runtime directory."""
    return Path(f"{_PREFIX}{os.geteuid()}")


def is_runtime_path(path: str) -> bool:
    """Whether a socket directory is one of ours, of any user and home."""
    return path.startswith(_PREFIX)


def socket_directory(data: Path) -> Path:
    """Where the server of a data directory has its socket."""
    return runtime_root() / hashlib.sha256(os.fsencode(os.path.realpath(data))).hexdigest()[:16]


def make_runtime_root() -> Path:
    """Create or verify the runtime directory; others may pass through it by name, and neither list nor write."""
    root = runtime_root()
    _make(root, 0o711)
    _verify(root, os.geteuid(), forbidden=0o066)
    return root


def make_socket_directory(data: Path, account: Account | None) -> Path:
    """Create or verify the socket directory, which the server's account owns and nobody else enters."""
    make_runtime_root()
    directory = socket_directory(data)
    if _make(directory, 0o700) and account:
        os.chown(directory, account.uid, account.gid)
    _verify(directory, account.uid if account else os.geteuid(), forbidden=0o077)
    return directory


def _make(path: Path, mode: int) -> bool:
    try:
        path.mkdir(mode=mode)
    except FileExistsError:
        return False
    path.chmod(mode)  # mkdir's mode passed through the umask
    return True


def _verify(path: Path, owner: int, *, forbidden: int) -> None:
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != owner or stat.S_IMODE(status.st_mode) & forbidden:
        msg = (
            f"{path} guards the database's socket and is not a directory that only user {owner} can write: "
            f"find out who made it, then remove it"
        )
        raise BootstrapError(msg)
