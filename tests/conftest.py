"""Fixtures that tests of several packages share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from hydra_console.bootstrap.environment import Environment, ensure, stop
from tests.support.postgres import TestServer, engine_on

# The suite says the same of the same code every time; HYPOTHESIS_PROFILE=default searches anew.
settings.register_profile("project", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "project"))

HYDRA_VARIABLES = ("HYDRA_HOME", "HYDRA_POSTGRES_URL", "HYDRA_NOW", "HYDRA_LAKE_URI", "HYDRA_DEBUG", "DAGSTER_HOME")
LONGEST = (
    "tests/endurance/test_kill9.py",
    "tests/test_healing_story.py",
    "tests/test_point_in_time.py",
    "tests/test_real_home.py",
    "tests/test_walking_skeleton.py",
    "tests/hydra_console/cli/test_cycle.py",
    "tests/test_plain_shell.py",
    "tests/test_point_in_time_models.py",
    "tests/hydra_agent/defs/test_labels.py",
    "tests/hydra_console/cli/test_errors.py",
    "tests/studies/test_full_chain.py",
    "tests/hydra_exec/test_crashes.py",
    "tests/hydra_exec/test_random_scripts.py",
    "tests/hydra_exec/test_kill9.py",
    "tests/hydra_exec/test_recorded_failures.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the longest files begin: a file is one process's, and the last to begin should not be waited for."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.fixture(autouse=True)
def _no_home_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the home or database of the shell that runs it."""
    for name in HYDRA_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestServer]:
    """One embedded server per test process."""
    server = TestServer(tmp_path_factory.mktemp("server"))
    yield server
    server.stop()


@pytest.fixture
def database_url(postgres_server: TestServer) -> Iterator[str]:
    """A migrated state database of the test's own."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def state_engine(database_url: str) -> Iterator[sa.Engine]:
    """Engine on a migrated state database of the test's own."""
    with engine_on(database_url) as engine:
        yield engine


@pytest.fixture(scope="session")
def session_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """A home without markets, bootstrapped whole (database, Dagster, MLflow); one per test process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in HYDRA_VARIABLES:
            patch.delenv(name, raising=False)
        home: Path = tmp_path_factory.mktemp("session home")  # a path with a space, throughout
        environment = ensure(home)
        for name in environment.variables:
            patch.delenv(name, raising=False)
    yield environment
    stop(environment.home)


@pytest.fixture
def home_environment(session_environment: Environment, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """The bootstrapped home of this test process, exported as ``hydra`` exports it."""
    for name, value in session_environment.variables.items():
        monkeypatch.setenv(name, value)
    return session_environment
