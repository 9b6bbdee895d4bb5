"""The window around the nightly restart, through both changes of the clocks."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.connection.blackout import Blackout

NEW_YORK = Blackout(time(23, 45), "America/New_York", timedelta(minutes=5))
MINUTE = timedelta(minutes=1)


def in_blackout(blackout: Blackout, now: datetime) -> bool:
    """Whether an instant lies in a window, by both of its readings."""
    inside = any(start <= now <= end for start, end in blackout.windows(now))
    assert inside is (blackout.end(now) is not None)
    return inside


def next_start(blackout: Blackout, now: datetime) -> datetime:
    """The first instant after this one at which a window begins."""
    return min(start for start, _ in blackout.windows(now) if start > now)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # Winter: 23:45 in New York is 04:45 UTC; summer: 03:45.
        (utc(2026, 1, 15, 4, 39, 59), None),
        (utc(2026, 1, 15, 4, 40), utc(2026, 1, 15, 4, 50)),
        (utc(2026, 1, 15, 4, 45), utc(2026, 1, 15, 4, 50)),
        (utc(2026, 1, 15, 4, 50), utc(2026, 1, 15, 4, 50)),
        (utc(2026, 1, 15, 4, 50, 1), None),
        (utc(2026, 7, 15, 4, 45), None),
        (utc(2026, 7, 15, 3, 45), utc(2026, 7, 15, 3, 50)),
        # Clocks go forward on 2026-03-08 and back on 2026-11-01.
        (utc(2026, 3, 8, 4, 45), utc(2026, 3, 8, 4, 50)),
        (utc(2026, 3, 9, 3, 45), utc(2026, 3, 9, 3, 50)),
        (utc(2026, 11, 1, 3, 45), utc(2026, 11, 1, 3, 50)),
        (utc(2026, 11, 2, 4, 45), utc(2026, 11, 2, 4, 50)),
    ],
)
def test_windows(now: datetime, end: datetime | None) -> None:
    assert NEW_YORK.end(now) == end
    assert in_blackout(NEW_YORK, now) == (end is not None)


def test_a_local_time_that_comes_twice_has_two_windows() -> None:
    twice = Blackout(time(1, 30), "America/New_York", timedelta(minutes=5))
    assert in_blackout(twice, utc(2026, 11, 1, 5, 30))
    assert not in_blackout(twice, utc(2026, 11, 1, 6, 0))
    assert in_blackout(twice, utc(2026, 11, 1, 6, 30))
    long = Blackout(time(1, 30), "America/New_York", timedelta(minutes=40))
    assert long.end(utc(2026, 11, 1, 5, 55)) == utc(2026, 11, 1, 7, 10)


def test_a_local_time_that_does_not_come_has_one_window() -> None:
    never = Blackout(time(2, 30), "America/New_York", timedelta(minutes=5))
    around = [utc(2026, 3, 8, 5) + n * MINUTE for n in range(240)]
    inside = [now for now in around if in_blackout(never, now)]
    assert inside == [utc(2026, 3, 8, 7, 25) + n * MINUTE for n in range(11)]


def test_over_midnight() -> None:
    late = Blackout(time(23, 58), "UTC", timedelta(minutes=5))
    assert late.end(utc(2026, 5, 2, 0, 1)) == utc(2026, 5, 2, 0, 3)
    assert late.end(utc(2026, 5, 1, 23, 53)) == utc(2026, 5, 2, 0, 3)


def test_the_next_window() -> None:
    assert next_start(NEW_YORK, utc(2026, 1, 15, 4, 39)) == utc(2026, 1, 15, 4, 40)
    assert next_start(NEW_YORK, utc(2026, 1, 15, 4, 40)) == utc(2026, 1, 16, 4, 40)
    assert next_start(NEW_YORK, utc(2026, 11, 1, 12)) == utc(2026, 11, 2, 4, 40)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["UTC", "America/New_York"]))  # noqa: DTZ001 - made aware below
def test_every_instant_is_in_a_window_or_before_the_next(naive: datetime, zone: str) -> None:
    window = Blackout(time(23, 45), zone, timedelta(minutes=5))
    now = naive.replace(tzinfo=UTC)
    start, end = next_start(window, now), window.end(now)
    assert now < start <= now + timedelta(hours=25)
    assert in_blackout(window, start)
    assert not in_blackout(window, start - timedelta(microseconds=1))
    if end is not None:
        assert now <= end <= now + timedelta(minutes=10)
        assert not in_blackout(window, end + timedelta(microseconds=1))
