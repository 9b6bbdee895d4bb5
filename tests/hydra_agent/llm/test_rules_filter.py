from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_agent.llm.journal_filter import FIRST_DATE, LAST_DATE, MAX_LIMIT, JournalFilter, Vocabulary
from hydra_agent.llm.rules_filter import DEFAULT_VOCABULARY, rules_filter

TODAY = date(2026, 11, 21)
"""A Saturday."""


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "rejected experiments of the technical head in March 2025",
            JournalFilter(
                date_from=date(2025, 3, 1),
                date_to=date(2025, 3, 31),
                head="technical",
                outcome="rejected",
                kind="experiment",
            ),
        ),
        ("last 5 promotions", JournalFilter(kind="promotion", limit=5)),
        (
            "what failed in stressed regime since 2024-06-01",
            JournalFilter(date_from=date(2024, 6, 1), outcome="rejected", regime="stressed"),
        ),
        ('Entries about "Limit Down"', JournalFilter(text="Limit Down")),
        ("", JournalFilter()),
    ],
)
def test_plain_questions(question: str, expected: JournalFilter) -> None:
    reading = rules_filter(question, TODAY)
    assert (reading.filter, reading.unread) == (expected, ())


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        ("on 2025-03-05", "2025-03-05", "2025-03-05"),
        ("2025-03-05", "2025-03-05", "2025-03-05"),
        ("in 2025-02", "2025-02-01", "2025-02-28"),
        ("in 2024", "2024-01-01", "2024-12-31"),
        ("in February 2024", "2024-02-01", "2024-02-29"),
        ("in Feb. 2024", "2024-02-01", "2024-02-29"),
        ("March 5, 2025", "2025-03-05", "2025-03-05"),
        ("on 5 March 2025", "2025-03-05", "2025-03-05"),
        ("in december", "2025-12-01", "2025-12-31"),
        ("in November", "2026-11-01", "2026-11-30"),
        ("today", "2026-11-21", "2026-11-21"),
        ("yesterday's", "2026-11-20", "2026-11-20"),
        ("this week", "2026-11-16", "2026-11-22"),
        ("last week", "2026-11-09", "2026-11-15"),
        ("last month", "2026-10-01", "2026-10-31"),
        ("this year", "2026-01-01", "2026-12-31"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("in the last 10 days", "2026-11-11", "2026-11-21"),
        ("over the past 2 weeks", "2026-11-07", "2026-11-21"),
        ("last 9 months", "2026-02-21", "2026-11-21"),
        ("last 2 years", "2024-11-21", "2026-11-21"),
        ("since March 2025", "2025-03-01", None),
        ("from 2025", "2025-01-01", None),
        ("after March 2025", "2025-04-01", None),
        ("before March 2025", None, "2025-02-28"),
        ("until 2025", None, "2025-12-31"),
        ("up to 2025-06-30", None, "2025-06-30"),
        ("since May until June 2026", "2026-05-01", "2026-06-30"),
        ("between 2024-01-05 and March 2024", "2024-01-05", "2024-03-31"),
        ("from 2025-01-01 to 2025-01-31", "2025-01-01", "2025-01-31"),
        ("between 2025-02-01 and 2025-01-01", "2025-01-01", "2025-02-01"),
    ],
)
def test_dates(words: str, first: str | None, last: str | None) -> None:
    reading = rules_filter(f"experiments {words}", TODAY)
    ends = [day and day.isoformat() for day in (reading.filter.date_from, reading.filter.date_to)]
    assert (ends, reading.unread) == ([first, last], ())


@pytest.mark.parametrize("words", ["on 2025-02-30", "in 2025-13", "since 2024-00-10", "last 2000 promotions", "may"])
def test_what_is_no_date_sets_none(words: str) -> None:
    found = rules_filter(words, TODAY).filter
    assert (found.date_from, found.date_to) == (None, None)


def test_a_month_back_from_the_31st_is_the_months_last_day() -> None:
    assert rules_filter("last 1 month", date(2026, 3, 31)).filter.date_from == date(2026, 2, 28)


@pytest.mark.parametrize(
    ("words", "limit"), [("last 5", 5), ("10 most recent", 10), ("top 99999", 200), ("latest 0", 1), ("", 20)]
)
def test_limits(words: str, limit: int) -> None:
    assert rules_filter(f"{words} experiments", TODAY).filter.limit == limit


def test_words_that_mean_nothing_here_are_handed_back() -> None:
    reading = rules_filter("promotions of purple hogs; DROP TABLE journal", TODAY)
    assert reading.filter == JournalFilter(kind="promotion")
    assert reading.unread == ("purple", "hogs", "drop", "table")


def test_the_callers_own_vocabulary() -> None:
    own = Vocabulary(mutations={"shrink_trees": ("smaller trees",)}, tags={"COT": (), "f4": ("stale",)})
    spoken = rules_filter("Shrink trees tagged cot #stale", TODAY, own)
    assert spoken.filter == JournalFilter(mutation="shrink_trees", tags=("COT", "f4"))
    assert spoken.unread == ()
    assert rules_filter("smaller trees", TODAY, own).filter.mutation == "shrink_trees"
    assert rules_filter("tagged unknown", TODAY, own).unread == ("unknown",)


def test_a_word_counts_only_whole() -> None:
    assert rules_filter("abnormal non-technical", TODAY).filter == JournalFilter()


WORDS = """last 5 99999 since before after 2025-02-30 2024 9999-12-31 0001-01-01 march 31 1900 2099 years days from to
between and " # '; -- rejected experiments technical \u202e"""
QUESTIONS = st.text(max_size=80) | st.lists(st.sampled_from(WORDS.split()), max_size=12).map(" ".join)


@given(QUESTIONS, st.dates(date(1971, 1, 1), date(2199, 12, 31)))
def test_any_text_gives_a_valid_filter(question: str, today: date) -> None:
    found = rules_filter(question, today).filter
    days = [day for day in (found.date_from, found.date_to) if day is not None]
    assert days == sorted(days)
    assert all(FIRST_DATE <= day <= LAST_DATE for day in days)
    assert 1 <= found.limit <= MAX_LIMIT
    for name, known in DEFAULT_VOCABULARY.fields().items():
        assert getattr(found, name) is None or getattr(found, name) in known
