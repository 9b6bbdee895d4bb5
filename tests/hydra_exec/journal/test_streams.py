"""Any stream of messages, cut into batches anywhere, with another process after any of them: the same book."""

from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_exec.broker.port import ExecutionReport, Message, OrderReport, Word
from hydra_exec.journal.apply import apply
from hydra_exec.journal.records import Book
from tests.support.journal_scene import APRIL, MAY, JournalScene, broken, fill, says

TICKETS = {7: (APRIL, (9001, 9002)), 8: (MAY, (9003,))}
"""Contract and permanent ids of two tickets, by the order ids that they went out under."""


@st.composite
def reports(draw: st.DrawFn) -> OrderReport | ExecutionReport:
    """What a broker may say of one of the tickets, naming it by whatever it likes; or of nobody's."""
    order_id = draw(st.sampled_from([7, 8]))
    contract, perm_ids = TICKETS[order_id]
    names: dict[str, Any] = {
        "perm_id": draw(st.sampled_from([*perm_ids, 9999])),
        "order_id": draw(st.sampled_from([0, order_id])),
        "generation": draw(st.sampled_from([1, 2])),
    }
    if names["perm_id"] == 9999:
        names["order_id"] = 0
    if draw(st.booleans()):
        return says(draw(st.sampled_from(Word)), draw(st.integers(0, 4)), **names)
    base, revision = draw(st.sampled_from("abc")), draw(st.integers(1, 3))
    # A fill is of one ticket, by the same permanent id in all its revisions.
    names["perm_id"] = {"a": perm_ids[0], "b": perm_ids[-1], "c": 9999}[base]
    names["order_id"] = 0 if base == "c" else names["order_id"]
    return fill(draw(st.integers(0, 3)), f"{base}{order_id}", revision, contract=contract, **names)


BATCHES = st.lists(
    st.tuples(st.lists(st.one_of(reports(), st.just(broken())), min_size=1, max_size=5), st.booleans()), max_size=5
)


def told(book: Book, refs: list[str]) -> tuple[object, ...]:
    """What must not depend on who heard it."""
    held = [book.tickets[ref] for ref in refs]
    return dict(book.positions), [(t.progress, t.acknowledged, t.reason) for t in held]


@settings(max_examples=25)
@given(batches=BATCHES)
def test_batches_and_restarts_make_no_difference(
    journal_engine: sa.Engine, batches: list[tuple[list[Message], bool]]
) -> None:
    scene = JournalScene(journal_engine)
    refs = [scene.send(7), scene.send(8, contract=MAY)]
    book = Book(tickets=dict(scene.journal.book.tickets), by_order_id=dict(scene.journal.book.by_order_id))
    for messages, restarts in batches:
        for message in messages:
            apply(book, message)
        scene.journal.take(messages)
        if restarts:
            scene.restart()
    scene.restart()
    for contract in (APRIL, MAY):
        scene.journal.tickets_of(scene.order(contract).order_ref)
    assert told(scene.journal.book, refs) == told(book, refs)
