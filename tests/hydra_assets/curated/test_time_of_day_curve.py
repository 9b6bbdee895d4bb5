"""Shares by hand, what was known when, and why there is no curve."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.columns import TIME_OF_DAY_CURVE
from hydra_assets.curated.time_of_day_curve import TimeOfDayConfig, time_of_day_curve
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of

CALENDAR = calendar_of(load_markets()["HE"])
DAYS = CALENDAR.between(date(2025, 3, 3), date(2025, 3, 31))
TWO = TimeOfDayConfig(window_sessions=2, min_sessions=1)
SCHEMA = {
    "contract": pl.String(),
    "bar_start": pl.Datetime("us", "UTC"),
    "bar_minutes": pl.Int64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "volume": pl.Float64(),
    "known_at": pl.Datetime("us", "UTC"),
    "source": pl.String(),
    "source_rank": pl.Int64(),
}


def bar(  # noqa: PLR0917
    day: date,
    clock: str,
    volume: float,
    range_: float = 1.0,
    minutes: int = 30,
    contract: str = "HE-2025-04",
    known: datetime | None = None,
    source: str = "a",
    rank: int = 0,
) -> tuple[object, ...]:
    """A bar at a local clock whose squared log range is ``range_`` squared; known with the day's settlement."""
    start = CALENDAR.at_local(day, time.fromisoformat(clock))
    seen = known or CALENDAR.at_local(day, CALENDAR.settlement_published)
    return (contract, start, minutes, 80.0 * float(np.exp(range_)), 80.0, volume, seen, source, rank)


def curve(bars: list[tuple[object, ...]], days: list[date], config: TimeOfDayConfig = TWO) -> pl.DataFrame:
    made = time_of_day_curve(pl.DataFrame(bars, schema=SCHEMA, orient="row"), "HE", CALENDAR, days, config)
    assert dict(made.schema) == TIME_OF_DAY_CURVE.schema
    return made


def lists(row: pl.DataFrame) -> tuple[list[float], list[float], list[float]]:
    return tuple(row[name].to_list()[0] for name in ("bucket_starts", "volume_shares", "variance_shares"))


def test_shares_by_hand() -> None:
    # First day 30 of 40 lots at half past eight, second day 20 of 80: (0.75 + 0.25) / 2 = 0.5. Squared ranges 1 and 3^2
    # make 0.1 and 0.9 of the first day's variance, 2^2 and 2^2 make 0.5 each of the second's: 0.3 and 0.7.
    bars = [bar(DAYS[0], "08:30", 30, 1.0), bar(DAYS[0], "13:00", 10, 3.0)]
    bars += [bar(DAYS[1], "08:30", 20, 2.0), bar(DAYS[1], "13:00", 60, 2.0)]
    found = curve(bars, DAYS[:3])
    assert found["curve_sessions"].to_list() == [1, 2, 1]
    starts, volume, variance = lists(found[1])
    assert starts == [510.0, 780.0]
    assert volume == pytest.approx([0.5, 0.5])
    assert variance == pytest.approx([0.3, 0.7])
    # The window of two sessions has left the first day behind.
    assert lists(found[2])[1] == pytest.approx([0.25, 0.75])


def test_buckets_are_of_local_time() -> None:
    # On 9 March clocks go forward: half past eight is 14:30 UTC before and 13:30 after.
    days = [date(2025, 3, 7), date(2025, 3, 10)]
    bars = [bar(day, "08:30", 10) for day in days]
    assert {b[1].hour for b in bars} == {14, 13}  # type: ignore[attr-defined]
    assert lists(curve(bars, days)[1])[0] == [510.0]


def test_a_longer_bar_is_spread_and_shorter_ones_add_up() -> None:
    # An hour of 40 lots from 08:45: 15 minutes in the bucket of 08:30, 30 in that of 09:00, 15 in that of 09:30.
    starts, volume, variance = lists(curve([bar(DAYS[0], "08:45", 40, minutes=60)], DAYS[:1]))
    assert starts == [510.0, 540.0, 570.0]
    assert volume == pytest.approx([0.25, 0.5, 0.25])
    assert variance == pytest.approx([0.25, 0.5, 0.25])
    short = [bar(DAYS[0], f"08:{30 + 5 * i}", 10, minutes=5) for i in range(6)] + [bar(DAYS[0], "09:00", 20, minutes=5)]
    assert lists(curve(short, DAYS[:1]))[1] == pytest.approx([0.75, 0.25])


def test_a_bar_over_midnight_is_spread_over_both_days_ends() -> None:
    starts, volume, _ = lists(curve([bar(DAYS[0], "23:45", 10, known=CALENDAR.cutoff(DAYS[1]))], DAYS[1:2]))
    assert (starts, volume) == ([0.0, 1410.0], [0.5, 0.5])


def test_the_preferred_source_its_shortest_bars_and_its_busiest_contract() -> None:
    day = DAYS[0]
    bars = [
        bar(day, "08:30", 10),
        bar(day, "13:00", 30),
        bar(day, "08:30", 35, contract="HE-2025-06"),
        bar(day, "08:30", 900, source="b", rank=1),
        bar(day, "08:30", 500, minutes=60),
    ]
    assert lists(curve(bars, [day]))[1] == pytest.approx([0.25, 0.75])


def test_why_there_is_no_curve() -> None:
    config = TimeOfDayConfig(window_sessions=3, min_sessions=2)
    bars = [bar(DAYS[day], "08:30", 10) for day in (0, 1)] + [bar(DAYS[2], "08:30", 0), bar(DAYS[3], "08:30", 5, 0.0)]
    found = curve(bars, DAYS[:6], config)
    # A session without volume, or in which no price moved, has no shares.
    assert found["time_of_day_reason"].to_list() == [
        "short_history",
        "ok",
        "ok",
        "short_history",
        "no_intraday_bars",
        "no_intraday_bars",
    ]
    assert found["volume_shares"].is_null().to_list() == [True, False, False, True, True, True]
    assert curve([], DAYS[:2])["time_of_day_reason"].to_list() == ["no_intraday_bars"] * 2


def test_what_is_known_later_counts_later() -> None:
    late = CALENDAR.cutoff(DAYS[1]) + timedelta(minutes=1)
    on_time = CALENDAR.cutoff(DAYS[1])
    bars = [bar(DAYS[0], "08:30", 10), bar(DAYS[0], "13:00", 10), bar(DAYS[1], "08:30", 10, known=on_time)]
    # The first day is restated a minute after the second day's cutoff, and the third learns of it.
    bars.append(bar(DAYS[0], "13:00", 30, known=late))
    config = TimeOfDayConfig(window_sessions=3, min_sessions=1)
    found = curve(bars, DAYS[:3], config)
    assert [row[0] for row in found["volume_shares"].to_list()] == pytest.approx([0.5, 0.75, (0.25 + 1.0) / 2])
    # A file that was had after the cutoff makes its session one without bars until then.
    assert curve([bar(DAYS[0], "08:30", 10, known=late)], DAYS[:3], config)["curve_sessions"].to_list() == [0, 0, 1]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), first=st.integers(0, 18), last=st.integers(0, 18))
def test_a_part_of_the_range_and_a_longer_future_change_no_byte(seed: int, first: int, last: int) -> None:
    first, last = min(first, last), max(first, last)
    random = np.random.default_rng(seed)
    clocks = ("08:30", "08:45", "09:00", "12:30", "13:00")
    bars = [
        bar(
            day,
            clock,
            float(random.integers(0, 50)),
            float(random.uniform(0, 0.1)),
            int(random.choice([15, 30, 60])),
            str(random.choice(["HE-2025-04", "HE-2025-06"])),
            CALENDAR.at_local(day, time(16, 0)) + timedelta(days=int(random.choice([0, 0, 0, 1, 4]))),
        )
        for day in DAYS[:19]
        for clock in clocks
        if random.random() < 0.9
    ]
    config = TimeOfDayConfig(window_sessions=5, min_sessions=2)
    whole = curve(bars, DAYS[:19], config)
    assert curve(bars, DAYS[first : last + 1], config).equals(whole[first : last + 1])
    known = [b for b in bars if b[6] <= CALENDAR.cutoff(DAYS[last])]  # type: ignore[operator]
    assert curve(known, DAYS[: last + 1], config).equals(whole[: last + 1])
    good = whole.filter(time_of_day_reason="ok")
    for name in ("volume_shares", "variance_shares"):
        assert all(abs(sum(shares) - 1.0) < 1e-12 for shares in good[name].to_list())


def test_instants_are_utc() -> None:
    assert bar(DAYS[0], "08:30", 1)[1].astimezone(UTC).hour == 14  # type: ignore[attr-defined]
