"""The fills in a database whose owner edits them: append-only for everybody else, and what is done to them shows."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hydra_assets.state.chain import Anchor, ChainReason
from hydra_assets.state.execution_tables import fills
from hydra_assets.state.records import Side
from hydra_exec.journal import store
from hydra_exec.journal.chained import chain_on, verify_fills
from hydra_exec.journal.records import FillKind, FillLine
from tests.support.journal_scene import APRIL, AT, MAY, JournalScene, fill, later
from tests.support.postgres import TestServer, engine_on

EDITED, BROKEN_LINK = ChainReason.EDITED, ChainReason.BROKEN_LINK
LINES = [
    FillLine("a", 1, "a.01", APRIL, Side.BUY, 2, 82.525, AT, 9001, None),
    FillLine("a", 2, "a.02", APRIL, Side.BUY, 0, 82.525, later(0.5), 9001, None),
    FillLine("x", 1, "x", MAY, Side.SELL, 1, 80.0, AT, 0, None, FillKind.ADJUSTMENT),
]


@pytest.fixture(scope="module")
def chain(postgres_server: TestServer) -> Iterator[JournalScene]:
    """Three links, in a database of their own."""
    with postgres_server.database() as url, engine_on(url) as engine:
        scene = JournalScene(engine)
        assert scene.journal.verdict().reason is ChainReason.EMPTY
        scene.send()
        scene.journal.take([fill(1), fill(1, "b")])
        scene.journal.take([fill(2, "b", revision=2)])
        yield scene


@pytest.fixture
def bypassed(chain: JournalScene) -> Iterator[sa.Connection]:
    """What the owner of the database can do, and takes back."""
    with chain.engine.connect() as connection, connection.begin() as transaction:
        connection.execute(sa.text("ALTER TABLE hydra.fills DISABLE TRIGGER append_only"))
        yield connection
        transaction.rollback()


@pytest.mark.parametrize("statement", ["UPDATE hydra.fills SET quantity = 9", "DELETE FROM hydra.fills"])
def test_fills_are_append_only(chain: JournalScene, statement: str) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="append"), chain.engine.begin() as connection:
        connection.execute(sa.text(statement))
    assert chain.journal.verdict().reason is ChainReason.INTACT


@pytest.mark.parametrize(
    ("statements", "reason", "seq"),
    [
        (["UPDATE hydra.fills SET quantity = 9 WHERE seq = 2"], EDITED, 2),
        (["UPDATE hydra.fills SET price = price + 0.025 WHERE seq = 3"], EDITED, 3),
        (["UPDATE hydra.fills SET side = 'SELL' WHERE seq = 1"], EDITED, 1),
        (["UPDATE hydra.fills SET wire_ref = NULL WHERE seq = 1"], EDITED, 1),
        (["UPDATE hydra.fills SET account = 'DU0' WHERE seq = 1"], EDITED, 1),
        (["UPDATE hydra.fills SET body = replace(body, 'BUY', 'SELL'), side = 'SELL' WHERE seq = 1"], EDITED, 1),
        (["DELETE FROM hydra.fills WHERE seq = 2"], BROKEN_LINK, 3),
        (["DELETE FROM hydra.fills WHERE seq = 1"], BROKEN_LINK, 2),
        (
            [
                "UPDATE hydra.fills SET seq = 99 WHERE seq = 1",
                "UPDATE hydra.fills SET seq = 1 WHERE seq = 2",
                "UPDATE hydra.fills SET seq = 2 WHERE seq = 99",
            ],
            EDITED,
            1,
        ),
    ],
)
def test_whatever_is_done_to_them_shows(
    bypassed: sa.Connection, statements: list[str], reason: ChainReason, seq: int
) -> None:
    for statement in statements:
        assert bypassed.execute(sa.text(statement)).rowcount == 1
    found = verify_fills(store.read_chain(bypassed))
    assert (found.reason, found.seq, found.intact) == (reason, seq, False)


def test_a_chain_is_read_as_it_was_written(bypassed: sa.Connection) -> None:
    bypassed.execute(sa.text("DELETE FROM hydra.fills"))
    assert store.last_link(bypassed) is None
    assert store.read_chain(bypassed) == []
    store.add_fills(bypassed, "DU1", [])
    links = chain_on(None, "DU1", LINES)
    store.add_fills(bypassed, "DU1", links[:2])
    assert store.last_link(bypassed) == Anchor(2, links[1].entry.sha256)
    store.add_fills(bypassed, "DU1", links[2:])
    assert store.read_chain(bypassed) == links
    assert store.last_link(bypassed) == Anchor(3, links[2].entry.sha256)


def test_the_journal_says_what_was_done(chain: JournalScene) -> None:
    for quantity, reason in ((9, EDITED), (1, ChainReason.INTACT)):
        with chain.engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE hydra.fills DISABLE TRIGGER append_only"))
            connection.execute(sa.update(fills).where(fills.c.seq == 1).values(quantity=quantity))
            connection.execute(sa.text("ALTER TABLE hydra.fills ENABLE TRIGGER append_only"))
        assert chain.journal.verdict().reason is reason


def test_two_accounts_are_one_chain(chain: JournalScene) -> None:
    other = JournalScene(chain.engine)
    other.journal.take([fill(1)])
    chain.journal.take([fill(1, "c")])
    found = other.journal.verdict()
    assert (found.reason, found.message) == (ChainReason.INTACT, "5 entries, each follows the one before it")
