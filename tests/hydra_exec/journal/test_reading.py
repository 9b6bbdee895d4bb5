"""What is read into a book: no more than what may matter, and no less than messages are about."""

from hydra_exec.broker.port import Word
from hydra_exec.journal.reading import fetch, highest_order_id, keep_tickets, load_book
from hydra_exec.journal.records import Book
from tests.support.journal_scene import APRIL, MAY, JournalScene, fee, fill, says


def lived(scene: JournalScene) -> tuple[str, str]:
    """Two tickets that are filled, and a fill that is nobody's; the names of the two."""
    refs = scene.send(7, quantity=1), scene.send(8, quantity=1, contract=MAY)
    scene.journal.take([fill(1), fill(1, "m", perm_id=9002, order_id=8, contract=MAY)])
    scene.journal.take([fill(1, "n", perm_id=5, order_id=0)])
    return refs


def test_a_book_begins_with_what_may_still_matter(scene: JournalScene) -> None:
    lived(scene)
    live = scene.send(9, contract="HE-2026-06")
    with scene.engine.connect() as connection:
        book = load_book(connection, scene.account)
        assert highest_order_id(connection, scene.account) == 9
    assert (set(book.tickets), set(book.fills), book.by_perm_id) == ({live}, {"n"}, {})
    assert (book.positions, book.client_id) == ({APRIL: 2, MAY: 1}, 0)


def test_no_more_is_fetched_than_messages_are_about(scene: JournalScene) -> None:
    first, _ = lived(scene)
    for report in (
        fill(1, revision=2),
        fill(1, revision=2, perm_id=0),
        fill(1, revision=2, perm_id=0, order_id=0),
        fill(1, revision=2, perm_id=4, order_id=0, wire_ref=first),
        says(Word.CANCELLED),
        says(Word.CANCELLED, perm_id=0),
    ):
        book = Book()
        with scene.engine.connect() as connection:
            fetch(connection, scene.account, book, [report])
        assert (set(book.tickets), set(book.fills)) == ({first}, {"a"})


def test_what_is_about_nothing_fetches_nothing(scene: JournalScene) -> None:
    lived(scene)
    book = Book()
    with scene.engine.connect() as connection:
        nameless = [fee("a.01"), says(Word.WORKING, perm_id=0, order_id=0), fill(1, "z", perm_id=0, order_id=0)]
        fetch(connection, scene.account, book, nameless)
        keep_tickets(connection, JournalScene(scene.engine).account, book)
    assert (book.tickets, book.fills) == ({}, {})


def test_what_is_read_later_lets_go_of_nothing(scene: JournalScene) -> None:
    first, second = lived(scene)
    live = scene.send(9, contract="HE-2026-06")
    scene.journal.take([says(Word.WORKING, perm_id=9003, order_id=9)])
    scene.restart()
    scene.journal.take([says(Word.CANCELLED, order_id=0), says(Word.CANCELLED, perm_id=9002, order_id=0)])
    book = scene.journal.book
    assert book.by_perm_id == {9001: first, 9002: second, 9003: live}
    assert (set(book.tickets), set(book.fills)) == ({first, second, live}, {"a", "m", "n"})


def test_the_first_order_id_of_a_connection_names_a_ticket(scene: JournalScene) -> None:
    ref = scene.send(1)
    scene.journal.take([says(Word.CANCELLED, perm_id=0, order_id=1)])
    scene.restart()
    assert scene.journal.take([fill(1, perm_id=0, order_id=1)])[0].wire_ref == ref
