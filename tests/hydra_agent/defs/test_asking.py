from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from hydra_agent.defs.asking import BY_RULES, understood, vocabulary
from hydra_agent.llm.assistant import Assistant
from hydra_agent.llm.budget import Spent
from hydra_agent.llm.config import LlmConfig, Provider
from hydra_agent.llm.transport import Reply
from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, write

TODAY = date(2026, 11, 21)


class Says:
    """A provider that says the same whatever it is asked."""

    def __init__(self, text: str) -> None:
        self.text = text

    def complete(self, messages: object) -> Reply:
        return Reply(self.text)


def assistant(text: str | None) -> Assistant:
    chain = () if text is None else (Provider(name="local", base_url="http://127.0.0.1:1/v1", model="m"),)
    return Assistant(
        LlmConfig(chain=chain),
        lambda _: None,
        lambda _: Spent(),
        lambda: datetime(2026, 11, 21, tzinfo=UTC),
        transport_for=lambda *_: Says(text or ""),
    )


@pytest.fixture
def engine(state_engine: sa.Engine) -> sa.Engine:
    def told(subject: str, **more: Any) -> None:
        write(state_engine, JournalEntry(JournalKind.VERDICT, "sim", TODAY, subject, **more))

    told("a", head="technical", outcome="stopped", mutation="belief", regime="calm", tags=("gate_3", "gate_5"))
    told("b", head="research", outcome="promote", mutation="add_feature", regime="stressed", tags=("gate_3",))
    return state_engine


def test_the_vocabulary_is_what_the_journal_holds(engine: sa.Engine) -> None:
    words = vocabulary(engine)
    assert set(words.kinds) == set(JournalKind)
    assert (set(words.heads), set(words.mutations)) == ({"technical", "research"}, {"belief", "add_feature"})
    assert (set(words.regimes), set(words.tags)) == ({"calm", "stressed"}, {"gate_3", "gate_5"})
    assert set(words.outcomes) == {"stopped", "promote"}


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("verdicts", JournalQuery(kinds=("verdict",), limit=20)),
        ("last 3 promotions", JournalQuery(kinds=("promotion",), limit=3)),
        (
            "which experiments of the technical head failed in october 2026?",
            JournalQuery(
                kinds=("verdict",),
                heads=("technical",),
                outcomes=("stopped",),
                date_from=date(2026, 10, 1),
                date_to=date(2026, 10, 31),
                limit=20,
            ),
        ),
        ("experiments", JournalQuery(kinds=("experiment",), limit=20)),
        (
            'belief in calm "limit down" tagged gate_5',
            JournalQuery(mutations=("belief",), regimes=("calm",), text="limit down", tags=("gate_5",), limit=20),
        ),
    ],
)
def test_rules_read_plain_questions(question: str, query: JournalQuery, engine: sa.Engine) -> None:
    found = understood(engine, assistant(None), question, TODAY)
    assert (found.query, found.by, found.unread) == (query, BY_RULES, ())


def test_a_model_s_reading_is_taken_where_it_names_what_exists(engine: sa.Engine) -> None:
    reply = (
        '{"tags": [], "date_from": null, "date_to": null, "mutation": null, "head": "HEAD", "outcome": null, '
        '"regime": null, "kind": "verdict", "text": null, "limit": 7}'
    )
    good = understood(engine, assistant(reply.replace("HEAD", "research")), "what did research do", TODAY)
    assert (good.by, good.query) == ("local", JournalQuery(kinds=("verdict",), heads=("research",), limit=7))
    for bad in (reply.replace("HEAD", "oracle"), "SELECT * FROM journal", ""):
        found = understood(engine, assistant(bad), "verdicts of research", TODAY)
        assert (found.by, found.query.heads) == (BY_RULES, ("research",))
