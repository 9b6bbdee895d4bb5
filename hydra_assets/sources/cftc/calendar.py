"""When each CFTC report became public: the weekly rule, federal holidays, and the exceptions on record.

The rule, in force since October 2000 and checked against the CFTC's own release pages of 2012, 2024 and 2026:
positions of Tuesday (of Monday, where Tuesday is a federal holiday) are published on Friday of that week at 15:30 New
York time; where a federal holiday or closure falls on the Wednesday, Thursday or Friday, on the next day on which
federal offices work, which is Monday as a rule. A holiday on Monday or Tuesday delays nothing.

``release_exceptions.csv`` overrides the rule: the lapses in appropriations of 2013, 2018-19 and 2025, the cyber
incident of 2023. Its ``evidence`` says how sure a date is: ``actual`` (the CFTC said so on the day), ``announced``
(scheduled by it), ``upper_bound`` (the latest date its announcements allow; a row is then seen late, never early).
``federal_closures.csv`` holds closed days that no holiday law knows (mourning, executive orders).

Before October 2000 the reports came out every two weeks, before October 1992 twice a month and later still: there the
calendar adds one or two weeks, again an upper bound. The disaggregated report exists since 2009-09-04 (positions of
2009-09-01); its history back to 2006 was published on 2009-10-20, so none of that was known before.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

import polars as pl

from hydra_assets.sources.cftc.layout import Family

NEW_YORK = ZoneInfo("America/New_York")
UTC = ZoneInfo("UTC")
RELEASE_LOCAL = time(15, 30)
WEEKLY_SINCE = date(2000, 10, 1)
FORTNIGHTLY_SINCE = date(1992, 10, 1)
DISAGGREGATED_SINCE = date(2009, 9, 1)
DISAGGREGATED_HISTORY_RELEASED = date(2009, 10, 20)
"""Day on which the CFTC published the disaggregated history of 2006-06-13 to August 2009."""

ODD_REPORT_DATES: Mapping[date, date] = {
    date(2009, 11, 9): date(2009, 11, 9),
    date(2014, 11, 10): date(2014, 11, 11),
    date(2020, 12, 21): date(2020, 12, 21),
}
"""By Monday, the as-of dates in the CFTC's own history since 2009 that the weekly rule does not give."""


@dataclass(frozen=True, slots=True)
class ReleaseException:
    """One report that did not follow the weekly rule."""

    report_date: date
    release_date: date
    evidence: str
    source: str


def _rows(name: str) -> list[dict[str, str]]:
    text = (files("hydra_assets.sources.cftc") / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=1)
def release_exceptions() -> Mapping[date, ReleaseException]:
    """Exceptions on record, by report date."""
    return {
        date.fromisoformat(row["report_date"]): ReleaseException(
            date.fromisoformat(row["report_date"]),
            date.fromisoformat(row["release_date"]),
            row["evidence"],
            row["source"],
        )
        for row in _rows("release_exceptions.csv")
    }


@lru_cache(maxsize=1)
def _closures() -> frozenset[date]:
    return frozenset(date.fromisoformat(row["date"]) for row in _rows("federal_closures.csv"))


def _nth_weekday(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th given weekday (Monday 0) of a month; n = -1 is the last one."""
    if n > 0:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


@lru_cache(maxsize=128)
def federal_holidays(year: int) -> frozenset[date]:
    """Weekdays of a year on which federal offices rest by law (5 U.S.C. 6103).

    A Saturday's holiday is kept on Friday, a Sunday's on Monday; the Friday before a Saturday New Year's Day is the
    old year's.
    """
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25), date(year + 1, 1, 1)]
    if year >= 2021:
        fixed.append(date(year, 6, 19))
    observed = {d + timedelta(days={5: -1, 6: 1}.get(d.weekday(), 0)) for d in fixed}
    observed |= {
        _nth_weekday(year, 2, 0, 3),
        _nth_weekday(year, 5, 0, -1),
        _nth_weekday(year, 9, 0, 1),
        _nth_weekday(year, 10, 0, 2),
        _nth_weekday(year, 11, 3, 4),
    }
    if year >= 1986:
        observed.add(_nth_weekday(year, 1, 0, 3))
    return frozenset(d for d in observed if d.year == year)


def is_federal_workday(day: date) -> bool:
    """Whether federal offices work on a day."""
    return day.weekday() < 5 and day not in federal_holidays(day.year) and day not in _closures()


def _next_workday(day: date) -> date:
    while not is_federal_workday(day):
        day += timedelta(days=1)
    return day


def release_date(report_date: date, family: Family = Family.LEGACY) -> date:
    """New York date on which the report of a date was (is to be) published."""
    exception = release_exceptions().get(report_date)
    if exception is not None:
        return exception.release_date
    friday = report_date + timedelta(days=(4 - report_date.weekday()) % 7)
    if report_date < FORTNIGHTLY_SINCE:
        friday += timedelta(days=14)
    elif report_date < WEEKLY_SINCE:
        friday += timedelta(days=7)
    # A lost Wednesday or Thursday costs the Friday as much as a lost Friday does.
    on_time = all(is_federal_workday(friday - timedelta(days=back)) for back in range(3))
    released = friday if on_time else _next_workday(friday + timedelta(days=3))
    if family is Family.DISAGGREGATED and report_date < DISAGGREGATED_SINCE:
        return max(released, DISAGGREGATED_HISTORY_RELEASED)
    return released


def report_date_of_week(monday: date) -> date:
    """As-of date of the report of a week: its Tuesday, or the Monday where Tuesday is a federal holiday by law.

    A day closed by executive order moves no as-of date (2019-12-24 and 2024-12-24 were reported as Tuesdays).
    """
    if monday in ODD_REPORT_DATES:
        return ODD_REPORT_DATES[monday]
    tuesday = monday + timedelta(days=1)
    return monday if tuesday in federal_holidays(tuesday.year) else tuesday


def _at_release_hour(day: date) -> datetime:
    return datetime.combine(day, RELEASE_LOCAL, tzinfo=NEW_YORK).astimezone(UTC)


def release_time(report_date: date, family: Family = Family.LEGACY) -> datetime:
    """UTC instant at which the report of a date became public: ``release_date`` at 15:30 New York."""
    return _at_release_hour(release_date(report_date, family))


def close_of_report(report_date: date) -> datetime:
    """UTC instant that a report is about: its as-of date at 15:30 New York, after the day's settlement."""
    return _at_release_hour(report_date)


def release_times(report_dates: pl.Series, family: Family = Family.LEGACY) -> pl.DataFrame:
    """``release_time`` and ``close_of_report`` of many dates at once.

    ``[n]`` dates in; ``[m]`` distinct dates out with columns ``report_date``, ``known_at``, ``event_time`` (UTC), to
    be joined.
    """
    days = report_dates.drop_nulls().unique().sort().to_list()
    return pl.DataFrame(
        {
            "report_date": days,
            "known_at": [release_time(day, family) for day in days],
            "event_time": [close_of_report(day) for day in days],
        },
        schema={"report_date": pl.Date, "known_at": pl.Datetime("us", "UTC"), "event_time": pl.Datetime("us", "UTC")},
    )


def restated_known_at(schedule_known_at: datetime, available_at: datetime | None, fetched_at: datetime) -> datetime:
    """When a row that differs from the first print of its key could have been known.

    Its schedule tells when the *first* print came out, not when it was corrected. The vintage that carries the
    correction was public at ``available_at`` where the transport says so (a vintage's file name, Last-Modified);
    without such evidence the correction is known from the fetch on. Never before the schedule.
    """
    return max(schedule_known_at, available_at or fetched_at)


def restated_known_at_expr(available_at: datetime | None, fetched_at: datetime) -> pl.Expr:
    """``restated_known_at`` over a frame's ``known_at`` column, all rows from one payload."""
    transport = pl.lit(available_at or fetched_at).cast(pl.Datetime("us", "UTC"))
    return pl.max_horizontal(pl.col("known_at"), transport).alias("known_at")
