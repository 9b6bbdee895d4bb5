"""Under which account the embedded server runs: PostgreSQL refuses root, so root lends it an unprivileged one.

No account is made. A data directory that exists keeps its owner; a new one goes to ``postgres`` where the system has
that account, else to ``nobody``. The data directory may lie below directories that this account cannot enter
(``/root``, pytest's temporary directories): the server's tools are started *inside* it and address it as
``/proc/self/cwd``, which no parent's permissions guard, so no permission outside the data directory is changed.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from hydra_console.bootstrap.errors import BootstrapError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its primary group, by number."""

    uid: int
    gid: int


def server_account(data: Path) -> Account | None:
    """The account to switch to, None where the server runs as the caller; BootstrapError where none will do."""
    owner = data.stat().st_uid if data.exists() else None
    if os.geteuid() != 0:
        if owner not in {None, os.geteuid()}:
            msg = f"{data} belongs to user {owner}: run as that user, or set another HYDRA_HOME"
            raise BootstrapError(msg)
        return None
    if owner:
        return _account_of(owner)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    msg = (
        f"PostgreSQL does not run as root, and this system has none of the accounts {', '.join(CANDIDATES)}: "
        "run hydra as an ordinary user, or set HYDRA_POSTGRES_URL to a server of your own"
    )
    raise BootstrapError(msg)


def _account_of(uid: int) -> Account:
    try:
        return Account(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return Account(uid, uid)
