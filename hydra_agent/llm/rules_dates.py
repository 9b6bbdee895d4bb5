"""Dates in plain English questions, read off without a model.

Each rule is a pattern and what it means, given today; the words that it takes are taken out of the question. A period
("March 2025", "last year", a single day) has a first and a last date; since, until, before and after take one end.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = {name.lower(): i for i, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.lower(): i for i, name in enumerate(calendar.month_abbr) if name} | {"sept": 9}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_YEAR = "(?:19|20)[0-9]{2}"
_CERTAIN = (
    rf"(?:{_YEAR}-[0-9]{{2}}(?:-[0-9]{{2}})?|(?:{_MONTH})\.?(?:\s+[0-9]{{1,2}},?)?\s+{_YEAR}|"
    rf"[0-9]{{1,2}}\s+(?:{_MONTH})\s+{_YEAR}|today|yesterday|(?:this|last)\s+(?:week|month|year))"
)
"""Words that are a date wherever they stand."""
_PERIOD = rf"(?:{_CERTAIN}|{_YEAR}|(?:{_MONTH}))"
"""Behind a preposition, a number is a year and "may" a month."""
_RANGE = re.compile(rf"\b(?:between|from)\s+({_PERIOD})\s+(?:and|to|until|till)\s+({_PERIOD})(?!\w)")
_AGO = re.compile(r"\b(?:in|over|within|during)?\s*(?:the\s+)?(?:last|past)\s+([0-9]{1,4})\s+(day|week|month|year)s?\b")
_SIDE = re.compile(rf"\b(since|from|after|until|till|to|up to|before)\s+({_PERIOD})(?!\w)")
_PLAIN = re.compile(rf"(?:\b(?:in|on|of|during)\s+({_PERIOD})|(?<![\w-])({_CERTAIN}))(?:'s)?(?![\w-])")


@dataclass(frozen=True, slots=True)
class Dates:
    """First and last date that a question means, None where open, and the question without those words."""

    first: date | None
    last: date | None
    rest: str


def read_dates(question: str, today: date) -> Dates:
    """Read the dates of a question in lower case; ValueError never, nonsense dates stay in the rest."""
    if (match := _RANGE.search(question)) and (a := _period(match[1], today)) and (b := _period(match[2], today)):
        return Dates(a[0], b[1], _without(question, match))
    if (match := _AGO.search(question)) and (start := _ago(int(match[1]), match[2], today)):
        return Dates(start, today, _without(question, match))
    first, last, rest = None, None, question
    for match in _SIDE.finditer(question):
        period = _period(match[2], today)
        if period is None:
            continue
        rest = rest.replace(match[0], " ", 1)
        if match[1] in {"since", "from"}:
            first = period[0]
        elif match[1] == "after":
            first = period[1] + timedelta(days=1)
        elif match[1] == "before":
            last = period[0] - timedelta(days=1)
        else:
            last = period[1]
    if (
        first is None
        and last is None
        and (match := _PLAIN.search(rest))
        and (period := _period(match[1] or match[2], today))
    ):
        return Dates(*period, _without(rest, match))
    return Dates(first, last, rest)


def _without(question: str, match: re.Match[str]) -> str:
    return f"{question[: match.start()]} {question[match.end() :]}"


def _period(words: str, today: date) -> tuple[date, date] | None:
    """First and last day of a period, or None where there is no such day."""
    try:
        return _read_period(words.replace(".", "").replace(",", "").split(), today)
    except ValueError:
        return None


def _read_period(words: list[str], today: date) -> tuple[date, date]:
    if words[0] in {"today", "yesterday"}:
        day = today - timedelta(days=words[0] == "yesterday")
        return day, day
    if words[0] in {"this", "last"}:
        return _calendar_period(words[1], words[0] == "last", today)
    names = [w for w in words if w in _MONTHS]
    numbers = [int(n) for w in words for n in w.split("-") if n.isdigit()]
    if names:
        years, days = [n for n in numbers if n > 31], [n for n in numbers if n <= 31]
        month = _MONTHS[names[0]]
        # A month without a year is the latest one that has begun.
        year = years[0] if years else today.year - (month > today.month)
        numbers = [year, month, *days]
    if len(numbers) == 3:
        day = date(*numbers)
        return day, day
    if len(numbers) == 2:
        return _month(*numbers)
    return date(numbers[0], 1, 1), date(numbers[0], 12, 31)


def _calendar_period(unit: str, previous: bool, today: date) -> tuple[date, date]:
    if unit == "week":
        monday = today - timedelta(days=today.weekday() + 7 * previous)
        return monday, monday + timedelta(days=6)
    if unit == "month":
        within = today.replace(day=1) - timedelta(days=previous)
        return _month(within.year, within.month)
    return date(today.year - previous, 1, 1), date(today.year - previous, 12, 31)


def _month(year: int, month: int) -> tuple[date, date]:
    first = date(year, month, 1)
    return first, date(year, month, calendar.monthrange(year, month)[1])


def _ago(count: int, unit: str, today: date) -> date | None:
    """The day this many units before today; a day that its month lacks becomes the month's last."""
    try:
        if unit in {"day", "week"}:
            return today - timedelta(days=count * (7 if unit == "week" else 1))
        months = today.year * 12 + today.month - 1 - count * (12 if unit == "year" else 1)
        last = _month(months // 12, months % 12 + 1)[1]
        return last.replace(day=min(today.day, last.day))
    except (ValueError, OverflowError):
        return None
