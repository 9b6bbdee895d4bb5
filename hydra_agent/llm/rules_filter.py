"""Plain questions about the journal, translated without a model.

Dates, a count, a quoted phrase, tags, and the words that the vocabulary knows are taken out of the question one after
the other. What is left besides filler was not understood, and is handed back for the caller to show.
"""

import re
from dataclasses import dataclass
from datetime import date

from hydra_agent.llm.journal_filter import (
    DEFAULT_LIMIT,
    FIRST_DATE,
    LAST_DATE,
    MAX_LIMIT,
    JournalFilter,
    Vocabulary,
    Words,
)
from hydra_agent.llm.rules_dates import read_dates
from hydra_agent.llm.text import plain

MAX_QUESTION_CHARS = 500

_QUOTED = re.compile(r"[\"\u201c]([^\"\u201c\u201d]{1,200})[\"\u201d]")
_LIMIT = re.compile(
    r"\b(?:last|latest|newest|recent|top)\s+([0-9]{1,6})\b|\b([0-9]{1,6})\s+(?:latest|newest|most recent)\b"
)
_TAG = re.compile(r"(?:\btag(?:ged)?(?:\s+(?:as|with))?\s+|#)([a-z0-9_.-]+)")
_FILLER = frozenset(
    """
    a about all and any are as by did do does entries entry find for from give had has have head heads how i in is
    it journal last latest list many me mutation mutations newest of on or our outcome please recent recently
    regime regimes see show tagged that the their there these those to us was we were what when where which who
    with
    """.split()  # noqa: SIM905  a list of eighty quoted words is harder to read
)


@dataclass(frozen=True, slots=True)
class Reading:
    """A filter, and the words that it leaves out of account."""

    filter: JournalFilter
    unread: tuple[str, ...]


DEFAULT_VOCABULARY = Vocabulary(
    kinds={
        "experiment": ("experiments", "trial", "trials"),
        "promotion": ("promotions",),
        "rollback": ("rollbacks",),
        "diagnosis": ("diagnoses",),
        "hypothesis": ("hypotheses",),
    },
    outcomes={
        "rejected": ("failed", "refused", "fail", "rejects"),
        "promoted": ("passed", "succeeded", "worked"),
    },
    heads={"technical": (), "statistical": (), "sentiment": (), "macro": ()},
    regimes={"calm": ("quiet",), "normal": (), "stressed": ("stress",)},
)
"""Words for a journal with the usual values; the journal's own values belong in their place."""


def rules_filter(question: str, today: date, vocabulary: Vocabulary = DEFAULT_VOCABULARY) -> Reading:
    """Translate a question; any text gives a valid filter."""
    text = plain(question)[:MAX_QUESTION_CHARS]
    quoted = _QUOTED.search(text)
    phrase = plain(quoted[1]).strip() if quoted else ""
    rest = text.replace(quoted[0], " ", 1) if quoted else text
    dates = read_dates(rest.lower(), today)
    rest, limit = _limit(dates.rest)
    rest, tags = _tags(rest, vocabulary.tags)
    fields: dict[str, str] = {}
    for name, words in vocabulary.fields().items():
        rest, value = _value(rest, words)
        if value is not None:
            fields[name] = value
    first, last = _within(dates.first), _within(dates.last)
    if first and last and first > last:
        first, last = last, first
    unread = tuple(word for word in re.findall(r"[^\s,;:.?!()]+", rest) if word not in _FILLER)
    found = JournalFilter(tags=tags, date_from=first, date_to=last, text=phrase or None, limit=limit, **fields)
    return Reading(found, unread)


def _limit(text: str) -> tuple[str, int]:
    match = _LIMIT.search(text)
    if match is None:
        return text, DEFAULT_LIMIT
    return text.replace(match[0], " ", 1), min(MAX_LIMIT, max(1, int(match[1] or match[2])))


def _tags(text: str, known: Words) -> tuple[str, tuple[str, ...]]:
    """Tags that exist; others stay in the text and so among the words that were not understood."""
    meanings = _meanings(known)
    found = [(match[0], meanings[match[1]]) for match in _TAG.finditer(text) if match[1] in meanings]
    for words, _ in found:
        text = text.replace(words, " ", 1)
    return text, tuple(dict.fromkeys(tag for _, tag in found))


def _value(text: str, known: Words) -> tuple[str, str | None]:
    """The value whose words stand first in the text, longer words before shorter ones at one place."""
    meanings = _meanings(known)
    if not meanings:
        return text, None
    longest_first = sorted(meanings, key=len, reverse=True)
    match = re.search(r"(?<![\w-])(?:" + "|".join(map(re.escape, longest_first)) + r")(?![\w-])", text)
    if match is None:
        return text, None
    return f"{text[: match.start()]} {text[match.end() :]}", meanings[match[0]]


def _meanings(known: Words) -> dict[str, str]:
    """Every word of a field with its value, in lower case; underscores may be spoken as spaces."""
    spoken = {value.lower().replace("_", " "): value for value in known}
    listed = {word.lower(): value for value, words in known.items() for word in words}
    return listed | spoken | {value.lower(): value for value in known}


def _within(day: date | None) -> date | None:
    return None if day is None else min(max(day, FIRST_DATE), LAST_DATE)
