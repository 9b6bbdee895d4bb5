"""The journal: written once, found by every field, and text is text whatever it looks like."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, search, write

DAY = date(2024, 5, 1)
FIRST = JournalEntry(
    JournalKind.PROPOSAL,
    "sim",
    DAY,
    "sim.2024-05-01.aa",
    head="technical",
    mutation="retrain_window",
    regime="calm",
    tags=("edge_decay", "late_source"),
    message="train on 252 sessions",
    facts={"share": 0.25, "deep": {"list": [1, None, "é"]}},
    note="the model said so",
    run_id="run 1",
)
SECOND = replace(
    FIRST,
    kind=JournalKind.VERDICT,
    session=DAY + timedelta(days=9),
    mutation="belief+drop_group",
    head="structural",
    outcome="stopped",
    regime="stressed",
    tags=("edge_decay",),
    message="100% of 1_000 lost; it's \\ over",
    note="",
)
THIRD = JournalEntry(JournalKind.META, "grains", DAY, "grains.20", message="nothing passes")
ALL = (FIRST, SECOND, THIRD)


@pytest.fixture
def engine(state_engine: sa.Engine) -> sa.Engine:
    for entry in ALL:
        assert write(state_engine, entry)
    return state_engine


def found(engine: sa.Engine, query: JournalQuery) -> list[JournalEntry]:
    return [entry for _, entry in search(engine, query)]


def test_what_is_written_is_read_back_newest_first(engine: sa.Engine) -> None:
    rows = search(engine, JournalQuery())
    assert [entry for _, entry in rows] == [THIRD, SECOND, FIRST]
    written = [at for at, _ in rows]
    assert written == sorted(written, reverse=True)
    assert all(abs(at - datetime.now(UTC)) < timedelta(minutes=5) for at in written)


def test_the_same_entry_is_written_once(engine: sa.Engine) -> None:
    assert not write(engine, FIRST)
    assert not write(engine, replace(FIRST, message="other words", session=DAY + timedelta(days=1)))
    assert found(engine, JournalQuery()) == [THIRD, SECOND, FIRST]
    assert write(engine, replace(FIRST, kind=JournalKind.OPERATOR))


QUERIES: list[tuple[JournalQuery, list[JournalEntry]]] = [
    (JournalQuery(kinds=("proposal",)), [FIRST]),
    (JournalQuery(kinds=("proposal", "meta")), [THIRD, FIRST]),
    (JournalQuery(kinds=("nonsense",)), []),
    (JournalQuery(tags=("edge_decay",)), [SECOND, FIRST]),
    (JournalQuery(tags=("edge_decay", "late_source")), [FIRST]),
    (JournalQuery(tags=("edge",)), []),
    (JournalQuery(date_from=DAY + timedelta(days=1)), [SECOND]),
    (JournalQuery(date_from=DAY, date_to=DAY), [THIRD, FIRST]),
    (JournalQuery(date_to=DAY - timedelta(days=1)), []),
    (JournalQuery(mutations=("retrain_window",)), [FIRST]),
    (JournalQuery(mutations=("belief+drop_group", "retrain_window")), [SECOND, FIRST]),
    (JournalQuery(heads=("structural",)), [SECOND]),
    (JournalQuery(outcomes=("stopped",)), [SECOND]),
    (JournalQuery(regimes=("calm", "stressed")), [SECOND, FIRST]),
    (JournalQuery(model_group="grains"), [THIRD]),
    (JournalQuery(text="TRAIN ON"), [FIRST]),
    (JournalQuery(text="05-01.AA"), [SECOND, FIRST]),
    (JournalQuery(text="model SAID"), [FIRST]),
    (JournalQuery(model_group="sim", kinds=("verdict",), text="lost"), [SECOND]),
    (JournalQuery(model_group="grains", kinds=("verdict",)), []),
]
TEXTS: list[tuple[str, list[JournalEntry]]] = [
    ("100%", [SECOND]),
    ("1_000", [SECOND]),
    ("\\", [SECOND]),
    ("it's", [SECOND]),
    # As patterns they would find something.
    ("%", [SECOND]),
    ("_", [SECOND]),
    ("t%n", []),
    ("tr_in", []),
    ("\\\\", []),
    ("'; DROP TABLE hydra.journal; --", []),
    ("' OR 1=1 --", []),
    ("%(text)s", []),
    ("a\0b", []),
]


def test_every_field_narrows_the_search(engine: sa.Engine) -> None:
    for query, entries in QUERIES:
        assert found(engine, query) == entries, query


def test_text_is_text(engine: sa.Engine) -> None:
    for text, entries in TEXTS:
        assert found(engine, JournalQuery(text=text)) == entries, text
    assert len(found(engine, JournalQuery())) == 3


def test_sql_in_a_value_is_a_value(engine: sa.Engine) -> None:
    for field in ("kinds", "tags", "mutations", "heads", "outcomes", "regimes"):
        value: dict[str, Any] = {field: ("') OR 1=1 --",)}
        assert found(engine, JournalQuery(**value)) == [], field


def test_the_limit_keeps_the_newest(engine: sa.Engine) -> None:
    assert found(engine, JournalQuery(limit=2)) == [THIRD, SECOND]
    assert found(engine, JournalQuery(limit=10**9)) == [THIRD, SECOND, FIRST]
    # A limit below one would be an error of the database.
    assert found(engine, JournalQuery(limit=-5)) == [THIRD]


def test_the_journal_is_append_only(engine: sa.Engine) -> None:
    for statement in ("UPDATE hydra.journal SET message = ''", "DELETE FROM hydra.journal", "TRUNCATE hydra.journal"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine.begin() as connection:
            connection.execute(sa.text(statement))


def test_figures_without_a_spelling_are_refused(state_engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="json"):
        write(state_engine, replace(FIRST, facts={"sharpe": float("nan")}))
    assert found(state_engine, JournalQuery()) == []
