"""What every kind of feed comes down to: items with a text, a writer and two times; and how times are read."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

EARLIEST = date(1990, 1, 1)
"""No electronic headline is older; an earlier date is a broken one."""
TIMED_DELAY = timedelta(hours=1)
"""A stamped publication instant is the publisher's own; an hour later anyone could have read it."""
DAY_END = timedelta(days=1, hours=12)
"""A day without a zone ends last at UTC-12, which is noon UTC of the next date."""


class Reason(StrEnum):
    """Why an item is no canonical row."""

    NO_MARKET_MATCHED = "no_market_matched"
    DUPLICATE_HEADLINE = "duplicate_headline"
    DUPLICATE_POST = "duplicate_post"
    RAGGED_ROW = "ragged_row"
    NOT_JSON = "not_json"
    MISSING_TITLE = "missing_title"
    MULTILINE_TITLE = "multiline_title"
    MISSING_TEXT = "missing_text"
    MULTILINE_TEXT = "multiline_text"
    BAD_DATE = "bad_date"
    IMPLAUSIBLE_DATE = "implausible_date"
    AMBIGUOUS_DATE = "ambiguous_date"
    PUBLISHED_IN_FUTURE = "published_in_future"
    BAD_FIRST_SEEN = "bad_first_seen"
    FIRST_SEEN_IN_FUTURE = "first_seen_in_future"


SET_ASIDE = {Reason.NO_MARKET_MATCHED, Reason.DUPLICATE_HEADLINE, Reason.DUPLICATE_POST}


@dataclass(frozen=True, slots=True)
class Form:
    """One kind of items: its columns, what vendors call them, and its own reasons.

    ``names`` has, for each of our fields, the column names under which a dropped file may hold it, in order, without
    regard to case.
    """

    kind: str
    text: str
    writer: str
    names: Mapping[str, tuple[str, ...]]
    no_text: Reason
    several_lines: Reason
    repeated: Reason


HEADLINE = Form(
    "headline",
    "title",
    "publisher",
    {
        "title": ("title", "headline", "news"),
        "publisher": ("publisher", "source", "publication"),
        "url": ("url", "link"),
        "published": ("published", "publication_date", "date", "dates", "pubdate"),
        "first_seen": ("first_seen",),
    },
    Reason.MISSING_TITLE,
    Reason.MULTILINE_TITLE,
    Reason.DUPLICATE_HEADLINE,
)
POST = Form(
    "post",
    "text",
    "author",
    {
        "text": ("text", "post", "body", "content", "message"),
        "author": ("author", "user", "username", "screen_name", "handle", "account"),
        "url": ("url", "link", "permalink"),
        "published": ("published", "created_at", "date", "pubdate"),
        "first_seen": ("first_seen",),
    },
    Reason.MISSING_TEXT,
    Reason.MULTILINE_TEXT,
    Reason.DUPLICATE_POST,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a feed or file; ``reason`` says why it cannot be used, and the instants are UTC."""

    source_row: int
    text: str
    url: str
    writer: str
    event_time: datetime
    known_at: datetime
    raw: str
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Items:
    """Items of a payload in its order, and remarks for a person."""

    items: Sequence[Item]
    notes: tuple[str, ...] = ()


class DateError(ValueError):
    """A date that cannot be used, with its reason."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class DateOrder(StrEnum):
    """Which number stands first in 6/9/2017."""

    DAY_FIRST = "dmy"
    MONTH_FIRST = "mdy"


_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_NUMERIC = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})\2(\d{4})\s*")


def plain_text(text: str) -> str:
    """Text without tags and entities, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", html.unescape(text))).split())


def date_order(texts: Sequence[str]) -> DateOrder | None:
    """Order of numeric dates as a whole file shows it: a number above 12 settles it; None where nothing or both do."""
    found = {
        DateOrder.DAY_FIRST if int(m[1]) > 12 else DateOrder.MONTH_FIRST
        for text in texts
        if (m := _NUMERIC.fullmatch(text)) and max(int(m[1]), int(m[3])) > 12 >= min(int(m[1]), int(m[3]))
    }
    return found.pop() if len(found) == 1 else None


def read_instant(text: str) -> datetime | None:
    """UTC instant of an ISO 8601 or RFC 822 time with an offset; None where it is none."""
    text = text.strip()
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        try:
            stamp = parsedate_to_datetime(text)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        # RFC 2822: the zone -0000 says UTC without saying where.
        stamp = stamp if stamp.tzinfo is not None else stamp.replace(tzinfo=UTC)
    if stamp.tzinfo is None:
        return None
    try:
        return stamp.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def read_date(text: str, order: DateOrder | None) -> date:
    """Calendar date of ISO text, or of numbers in the given order; DateError where that is impossible."""
    numeric = _NUMERIC.fullmatch(text)
    try:
        if numeric is None:
            return datetime.fromisoformat(text.strip()).date()
        first, second, year = int(numeric[1]), int(numeric[3]), int(numeric[4])
        if order is None and first != second:
            raise DateError(Reason.AMBIGUOUS_DATE, f"{text!r}: nothing in the file says which number is the day")
        day, month = (second, first) if order is DateOrder.MONTH_FIRST else (first, second)
        return date(year, month, day)
    except DateError:
        raise
    except ValueError as error:
        raise DateError(Reason.BAD_DATE, f"{text!r} is no date: {error}") from error


def archive_times(
    published: str, first_seen: str, fetched_at: datetime, order: DateOrder | None
) -> tuple[datetime, datetime]:
    """Event time and known_at of an item in a dropped file; DateError where they cannot be told.

    ``known_at`` is the file's own ``first_seen`` where it has one. Otherwise it is the publication plus a delay on the
    safe side: an hour after a stamped instant, the end of the day in the last time zone after a bare date. Without
    either it is the instant at which we got the file, which also bounds it.
    """
    fetched_at = fetched_at.astimezone(UTC)
    seen: datetime | None = None
    if first_seen.strip():
        seen = read_instant(first_seen)
        if seen is None or seen.date() < EARLIEST:
            raise DateError(Reason.BAD_FIRST_SEEN, f"first_seen {first_seen!r} is no instant with an offset")
        if seen > fetched_at:
            raise DateError(Reason.FIRST_SEEN_IN_FUTURE, f"first_seen {first_seen!r} lies after the file itself")
    if not published.strip():
        event = seen or fetched_at
        return event, event
    stamp = None if _NUMERIC.fullmatch(published) else read_instant(published)
    event = stamp or datetime.combine(read_date(published, order), time(), UTC)
    delay = TIMED_DELAY if stamp else DAY_END
    if event.date() < EARLIEST:
        raise DateError(Reason.IMPLAUSIBLE_DATE, f"{published!r} is before {EARLIEST.year}")
    if event > fetched_at:
        raise DateError(Reason.PUBLISHED_IN_FUTURE, f"{published!r} lies after the file itself")
    known = seen if seen is not None else min(event + delay, fetched_at)
    return min(event, known), known
