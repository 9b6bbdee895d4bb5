"""Homes of their own database for tests that start real processes on them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra_assets.home import HomeConfig, write_home
from hydra_console.bootstrap.postgres import EmbeddedPostgres

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(sys.executable).parent


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """What a new login shell has, the way to our commands, and the home; nothing of this process."""
    return {
        "PATH": f"{SCRIPTS}:/usr/local/bin:/usr/bin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "HYDRA_HOME": str(home),
        **more,
    }


@contextmanager
def home_of(path: Path, config: HomeConfig) -> Iterator[Path]:
    """A home that is only written; whatever database a command starts for it has ended afterwards."""
    write_home(path, config)
    try:
        yield path
    finally:
        EmbeddedPostgres(path).stop()


def shell(script: str, environment: Mapping[str, str], timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """Run a bash script in the checkout with this environment and no other."""
    return subprocess.run(
        ["/bin/bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script],
        cwd=CHECKOUT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def command(words: Sequence[str], environment: Mapping[str, str], timeout: float = 300) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        [str(SCRIPTS / words[0]), *words[1:]],
        cwd=CHECKOUT,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
