"""Third question: the journal entries that a person means.

The answer is a filter of fields with known values, never a query. ``text`` is looked for as it stands: whoever runs the
filter binds it as a parameter and escapes wildcards.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from hydra_agent.llm.parse import parse
from hydra_agent.llm.prompt import compose, system
from hydra_agent.llm.records import CallCode, Checked
from hydra_agent.llm.rerank import StrictReply
from hydra_agent.llm.text import fenced, plain
from hydra_agent.llm.transport import Message

DEFAULT_LIMIT = 20
MAX_LIMIT = 200
FIRST_DATE = date(1970, 1, 1)
LAST_DATE = date(2200, 12, 31)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _iso(value: object) -> date | None:
    """A date as ``2025-03-31`` and in no other form."""
    if value is None:
        return None
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        msg = "a date reads like 2025-03-31"
        raise ValueError(msg)
    return date.fromisoformat(value)


Code = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Day = Annotated[Annotated[date, Field(ge=FIRST_DATE, le=LAST_DATE)] | None, BeforeValidator(_iso)]


class FilterReply(StrictReply):
    """Form of a reply: every key is there, and null where it does not matter."""

    tags: Annotated[list[Code], Field(max_length=10)]
    date_from: Day
    date_to: Day
    mutation: Code | None
    head: Code | None
    outcome: Code | None
    regime: Code | None
    kind: Code | None
    text: Annotated[str, StringConstraints(max_length=200)] | None
    limit: Annotated[int, Field(ge=1, le=MAX_LIMIT)]


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """What must hold of an entry; None and empty hold of every one. Newest first, at most ``limit``."""

    tags: tuple[str, ...] = ()
    """All of them."""
    date_from: date | None = None
    """Inclusive, as is ``date_to``."""
    date_to: date | None = None
    mutation: str | None = None
    head: str | None = None
    outcome: str | None = None
    regime: str | None = None
    kind: str | None = None
    text: str | None = None
    """A substring, whatever the case."""
    limit: int = DEFAULT_LIMIT


Words = Mapping[str, tuple[str, ...]]
"""A field's values, each with the words that mean it; a value means itself without being listed."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The values that exist in the journal; a filter can name no other."""

    kinds: Words = field(default_factory=dict)
    outcomes: Words = field(default_factory=dict)
    heads: Words = field(default_factory=dict)
    regimes: Words = field(default_factory=dict)
    mutations: Words = field(default_factory=dict)
    tags: Words = field(default_factory=dict)

    def fields(self) -> dict[str, Words]:
        """Values by field of the filter, tags aside."""
        return {
            "kind": self.kinds,
            "outcome": self.outcomes,
            "head": self.heads,
            "regime": self.regimes,
            "mutation": self.mutations,
        }


_TASK = """You translate a person's question about a journal of experiments into a filter. The values that exist are
given; use null where a field does not matter. Dates are inclusive and read like 2025-03-31. text is a phrase that the
entry must hold, null unless the question asks for words that no field covers. limit is at most 200, 20 unless asked."""
_EXAMPLE: dict[str, object] = {
    "tags": [],
    "date_from": "2025-03-01",
    "date_to": None,
    "mutation": None,
    "head": None,
    "outcome": None,
    "regime": None,
    "kind": None,
    "text": None,
    "limit": DEFAULT_LIMIT,
}


def filter_prompt(
    question: str, today: date, vocabulary: Vocabulary, context_tokens: int
) -> tuple[Message, Message] | None:
    """The prompt, or None where question and vocabulary do not fit."""
    values = {name: sorted(words) for name, words in vocabulary.fields().items()} | {"tags": sorted(vocabulary.tags)}
    text = f"Values:\n{json.dumps(values)}\n\nToday is {today.isoformat()}.\n\n{fenced('question', question)}"
    return compose(system(_TASK, _EXAMPLE), text, (), context_tokens)


def read_filter(text: str, vocabulary: Vocabulary) -> Checked[JournalFilter]:
    """Read a reply; one value that does not exist refuses all of it."""
    parsed = parse(text, FilterReply)
    reply = parsed.value
    if reply is None:
        return Checked(None, parsed.code, parsed.message)
    named = {name: getattr(reply, name) for name in vocabulary.fields()}
    unknown = [
        name for name, known in vocabulary.fields().items() if named[name] is not None and named[name] not in known
    ]
    if not set(reply.tags) <= set(vocabulary.tags):
        unknown.append("tags")
    if unknown:
        return Checked(None, CallCode.CONTENT, f"{', '.join(unknown)}: not among the values given")
    if reply.date_from and reply.date_to and reply.date_from > reply.date_to:
        return Checked(None, CallCode.CONTENT, "date_from: after date_to")
    phrase = plain(reply.text).strip() if reply.text else ""
    found = JournalFilter(
        tags=tuple(dict.fromkeys(reply.tags)),
        date_from=reply.date_from,
        date_to=reply.date_to,
        text=phrase or None,
        limit=reply.limit,
        **named,
    )
    return Checked(found, CallCode.OK)
