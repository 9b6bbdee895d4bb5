"""The release calendar against published schedules and the dates on record."""

import csv
import re
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.sources.cftc.calendar import (
    close_of_report,
    federal_holidays,
    is_federal_workday,
    release_date,
    release_exceptions,
    release_time,
    release_times,
    restated_known_at,
    restated_known_at_expr,
)
from hydra_assets.sources.cftc.layout import Family
from tests.support.cot import real

PUBLISHED = {
    # CFTC release schedule pages: day of month per month, * delayed by a federal holiday.
    2012: "6 13 20 27|3 10 17 24|2 9 16 23 30|6 13 20 27|4 11 18 25|1 8 15 22 29|9* 13 20 27|3 10 17 24 31|7 14 21 28"
    "|5 12 19 26|2 9 16 26* 30|7 14 21 28",
    2024: "5 12 19 26|2 9 16 23|1 8 15 22 29|5 12 19 26|3 10 17 24 31|7 14 24* 28|8* 12 19 26|2 9 16 23 30|6 13 20 27"
    "|4 11 18 25|1 8 15 22|2* 6 13 20 30*",
    2026: "5* 9 16 23 30|6 13 20 27|6 13 20 27|3 10 17 24|1 8 15 22 29|5 12 22* 26|6* 10 17 24 31|7 14 21 28|4 11 18 25"
    "|2 9 16 23 30|6 16* 20 30*|4 11 18 28*",
}


def published(year: int) -> list[tuple[date, bool]]:
    return [
        (date(year, month, int(day.rstrip("*"))), day.endswith("*"))
        for month, days in enumerate(PUBLISHED[year].split("|"), start=1)
        for day in days.split()
    ]


def as_of(year: int, week: int) -> date:
    """The week's Tuesday, or its Monday where Tuesday is a federal holiday."""
    first = date(year, 1, 1)
    tuesday = first + timedelta(days=(1 - first.weekday()) % 7 + 7 * week)
    return tuesday - timedelta(days=1) if tuesday in federal_holidays(tuesday.year) else tuesday


@pytest.mark.parametrize("year", sorted(PUBLISHED))
def test_rule_reproduces_the_published_schedule(year: int) -> None:
    """Every release day of the year's page is the release of one report, delays included, and there are no others.

    January 2026 was planned so before the catch-up of the 2025 shutdown overrode it; those are checked below.
    """
    reports = [as_of(year, week) for week in range(-1, 53)]
    planned = {
        release_date(day) for day in reports if day not in release_exceptions() and release_date(day).year == year
    }
    overridden = {d for d, _ in published(year) if year == 2026 and d <= date(2026, 1, 23)}
    assert planned == {d for d, _ in published(year)} - overridden


def test_shutdown_2013() -> None:
    got = [release_date(date(2013, 9, 24) + timedelta(days=7 * k)) for k in range(7)]
    assert got == [
        date(2013, 9, 27),
        date(2013, 10, 25),
        date(2013, 11, 1),
        date(2013, 11, 1),
        date(2013, 11, 8),
        date(2013, 11, 8),
        date(2013, 11, 8),
    ]


def test_shutdown_2018_and_2019() -> None:
    """One report each Tuesday and Friday from 2019-02-01 on until 2019-03-08 is current (press release 7864-19)."""
    reports = [date(2018, 12, 18), date(2018, 12, 24), date(2018, 12, 31)]
    reports += [date(2019, 1, 8) + timedelta(days=7 * k) for k in range(9)]
    days = [(2018, 12, 21), *((2019, 2, d) for d in (1, 5, 8, 12, 15, 19, 22, 26)), *((2019, 3, d) for d in (1, 5, 8))]
    assert [release_date(r) for r in reports] == [date(*d) for d in days]


def test_cyber_incident_2023() -> None:
    reports = [date(2023, 1, 24) + timedelta(days=7 * k) for k in range(9)]
    assert [release_date(r).isoformat()[5:] for r in reports] == [
        "01-27",
        "02-24",
        "03-03",
        "03-08",
        "03-10",
        "03-14",
        "03-16",
        "03-21",
        "03-24",
    ]


def test_shutdown_2025_table() -> None:
    """All seventeen rows of the notice of 2025-11-18."""
    with real("formats/cot_release_2025_shutdown_catchup.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 17
    for row in rows:
        assert release_date(date.fromisoformat(row["report_date"])) == date.fromisoformat(row["actual_publish_date"])


def test_planned_dates_of_the_2025_table_follow_the_rule() -> None:
    """Without the shutdown the weekly rule gives the dates that the notice calls original."""
    with real("formats/cot_release_2025_shutdown_catchup.csv").open() as file:
        rows = [
            (date.fromisoformat(r["report_date"]), date.fromisoformat(r["original_publish_date"]))
            for r in csv.DictReader(file)
        ]
    for report, planned in rows:
        friday = report + timedelta(days=(4 - report.weekday()) % 7)
        holiday = any(friday - timedelta(days=k) in federal_holidays((friday - timedelta(days=k)).year) for k in (0, 1))
        assert planned == (friday + timedelta(days=3) if holiday else friday)


@pytest.mark.parametrize(
    ("report", "released"),
    [
        ("2006-11-21", "2006-11-27"),
        ("2007-07-03", "2007-07-09"),
        ("2009-12-22", "2009-12-28"),
        ("2009-12-29", "2010-01-04"),
        ("2012-12-24", "2012-12-28"),
        ("2014-12-23", "2014-12-30"),
        ("2015-06-30", "2015-07-06"),
        ("2017-07-03", "2017-07-07"),
        ("2020-12-21", "2020-12-28"),
        ("2021-06-15", "2021-06-21"),
        ("2021-12-21", "2021-12-27"),
        ("2021-12-28", "2022-01-03"),
        ("2023-11-07", "2023-11-13"),
        ("2024-12-31", "2025-01-06"),
        ("2025-01-07", "2025-01-13"),
        ("2025-01-21", "2025-01-24"),
    ],
)
def test_holiday_weeks(report: str, released: str) -> None:
    assert release_date(date.fromisoformat(report)) == date.fromisoformat(released)


def test_release_hour_follows_new_york_summer_time() -> None:
    assert release_time(date(2025, 1, 7)) == datetime(2025, 1, 13, 20, 30, tzinfo=UTC)
    assert release_time(date(2025, 7, 8)) == datetime(2025, 7, 11, 19, 30, tzinfo=UTC)
    assert close_of_report(date(2025, 7, 8)) == datetime(2025, 7, 8, 19, 30, tzinfo=UTC)


def test_disaggregated_history_was_not_known_before_it_was_published() -> None:
    assert release_date(date(2006, 6, 13), Family.DISAGGREGATED) == date(2009, 10, 20)
    assert release_date(date(2009, 8, 25), Family.DISAGGREGATED) == date(2009, 10, 20)
    assert release_date(date(2009, 9, 1), Family.DISAGGREGATED) == date(2009, 9, 4)
    assert release_date(date(2006, 6, 13)) == date(2006, 6, 16)


def test_reports_before_the_weekly_age_are_later() -> None:
    assert release_date(date(1998, 3, 3)) == date(1998, 3, 13)
    assert release_date(date(1989, 3, 15)) == date(1989, 3, 31)


def test_vintages_hold_what_the_calendar_says_was_public() -> None:
    """Each vintage's newest week is released by its time, and the following week is not."""
    folder = real("cot/legacy_fut_vintages_2025")
    vintages = sorted(folder.glob("annual.asof_*.txt"))
    assert len(vintages) == 5
    for path in vintages:
        day, hms = re.search(r"asof_(\S+)T(\S+)Z", path.name).groups()  # type: ignore[union-attr]
        public = datetime.fromisoformat(f"{day}T{hms.replace('-', ':')}+00:00")
        with path.open() as file:
            newest = max(date.fromisoformat(row[2]) for row in list(csv.reader(file))[1:])
        assert public - timedelta(days=1) < release_time(newest) <= public
        assert release_time(newest + timedelta(days=7)) > public


def test_commit_days_are_release_days() -> None:
    """The days on which a robot pushed a changed file, 2024-11-15 to 2025-03-14, are release days."""
    with real("cot/legacy_fut_vintages_2025/COMMITS.csv").open() as file:
        pushed = {datetime.fromisoformat(r["committed_at"]).date() for r in csv.DictReader(file)}
    pushed = {d for d in pushed if d >= date(2024, 11, 15)}
    released = {release_date(date(2024, 11, 12) + timedelta(days=7 * k)) for k in range(18)}
    assert len(pushed) == 17
    assert pushed <= released
    # The first Monday of the year brought the old year's last report, in another file.
    assert released - pushed == {date(2025, 1, 6)}


@given(st.dates(date(2000, 10, 3), date(2032, 12, 1)), st.sampled_from(Family))
def test_release_is_after_its_report_on_a_working_day_at_1530(report: date, family: Family) -> None:
    released = release_date(report, family)
    assert report <= released
    assert is_federal_workday(released)
    assert release_time(report, family).minute == 30


@given(st.integers(0, 1600))
def test_releases_keep_the_order_of_reports(week: int) -> None:
    report = date(2000, 10, 3) + timedelta(days=7 * week)
    assert release_time(report) <= release_time(report + timedelta(days=7))


def test_vectorised_times_are_the_scalar_ones() -> None:
    days = pl.Series([date(2025, 1, 7), None, date(2025, 9, 30), date(2025, 1, 7)], dtype=pl.Date)
    got = release_times(days)
    assert got.rows() == [(d, release_time(d), close_of_report(d)) for d in (date(2025, 1, 7), date(2025, 9, 30))]


def test_restatement_is_known_from_its_vintage_or_else_its_fetch() -> None:
    schedule = datetime(2025, 1, 13, 20, 30, tzinfo=UTC)
    vintage, fetched = datetime(2025, 1, 17, 23, 0, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    assert restated_known_at(schedule, vintage, fetched) == vintage
    assert restated_known_at(schedule, None, fetched) == fetched
    assert restated_known_at(schedule, datetime(2025, 1, 1, tzinfo=UTC), fetched) == schedule
    frame = pl.DataFrame({"known_at": [schedule, fetched]}, schema={"known_at": pl.Datetime("us", "UTC")})
    assert frame.select(restated_known_at_expr(vintage, fetched))["known_at"].to_list() == [vintage, fetched]
