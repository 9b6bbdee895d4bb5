"""One database a process: every scene is an account of its own."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.support.journal_scene import JournalScene
from tests.support.postgres import TestServer, engine_on


@pytest.fixture(scope="session")
def journal_engine(postgres_server: TestServer) -> Iterator[sa.Engine]:
    """A migrated database that all scenes share; a commit is not waited for."""
    with postgres_server.database() as url, engine_on(f"{url}&options=-csynchronous_commit%3Doff") as engine:
        yield engine


@pytest.fixture
def scene(journal_engine: sa.Engine) -> JournalScene:
    """An account that nobody else uses."""
    return JournalScene(journal_engine)
