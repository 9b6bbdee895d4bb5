"""What hours give and cost, by hand; and the money of a replay in them, both ways, to the cent."""

from datetime import date, time, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.markets.model import WorkingHours
from hydra_assets.replay.batched import replay
from hydra_assets.replay.costs import impact_cents, impact_coefficient
from hydra_assets.replay.events import replay_one
from hydra_assets.replay.fills import FillConfig
from hydra_assets.replay.tables import session_tables
from hydra_assets.replay.time_of_day import (
    WHOLE_DAY,
    HourFactors,
    hour_factors,
    part_of_bucket,
    window_factors,
    with_time_of_day,
)
from tests.hydra_assets.replay.worlds import POINT, config, lots, world

STARTS = [510.0, 540.0, 750.0, 780.0]
VOLUME, VARIANCE = [0.3, 0.2, 0.1, 0.4], [0.4, 0.2, 0.2, 0.2]
DAY = date(1970, 1, 1)


def hours(start: str, end: str) -> WorkingHours:
    return WorkingHours(start=time.fromisoformat(start), end=time.fromisoformat(end))


def test_factors_by_hand() -> None:
    # The settlement window: 40 % of the volume, 20 % of the variance, so half of it per lot of volume.
    found = window_factors(STARTS, VOLUME, VARIANCE, 30, hours("13:00", "13:30"))
    assert (found.cap, found.impact) == pytest.approx((0.4, np.sqrt(0.5)))
    # The first hour: half of the volume, 60 % of the variance.
    found = window_factors(STARTS, VOLUME, VARIANCE, 30, hours("08:30", "09:30"))
    assert (found.cap, found.impact) == pytest.approx((0.5, np.sqrt(1.2)))
    # A third of the first bucket and all of the second: 0.1 + 0.2 and 0.4 / 3 + 0.2.
    found = window_factors(STARTS, VOLUME, VARIANCE, 30, hours("08:50", "09:30"))
    assert (found.cap, found.impact) == pytest.approx((0.3, np.sqrt((0.4 / 3 + 0.2) / 0.3)))
    whole = window_factors(STARTS, VOLUME, VARIANCE, 30, hours("08:30", "13:30"))
    assert (whole.cap, whole.impact) == pytest.approx((WHOLE_DAY.cap, WHOLE_DAY.impact))


def test_where_nothing_is_traded_nothing_is_done() -> None:
    assert window_factors(STARTS, VOLUME, VARIANCE, 30, hours("10:00", "11:00")) == HourFactors(0.0, 1.0)
    assert hour_factors(1.0 + 1e-12, 1.0).cap == 1.0


def test_hours_over_midnight() -> None:
    # 23:30 to 00:15: the last bucket of the day and half of the first.
    assert part_of_bucket([1410.0, 0.0, 30.0], 30, hours("23:30", "00:15")).tolist() == [1.0, 0.5, 0.0]
    # A bucket around the hours' beginning and their end has both parts: 15 minutes after 12:45 and 30 before 12:15.
    assert part_of_bucket([720.0], 60, hours("12:45", "12:15")).tolist() == pytest.approx([30 / 60])


@given(st.integers(0, 1439), st.integers(0, 1439))
def test_hours_and_their_complement_are_the_day(first: int, last: int) -> None:
    if first == last:
        return
    begin, end = (time(minute // 60, minute % 60) for minute in (first, last))
    starts = [30.0 * i for i in range(48)]
    one = part_of_bucket(starts, 30, WorkingHours(start=begin, end=end))
    other = part_of_bucket(starts, 30, WorkingHours(start=end, end=begin))
    assert one + other == pytest.approx(np.ones(48))
    assert 30 * one.sum() == pytest.approx((last - first) % 1440)


def test_hours_of_no_length_are_refused() -> None:
    with pytest.raises(ValueError, match="none"):
        hours("09:00", "09:00")


def test_the_square_root_law_in_the_window_itself() -> None:
    # The day's law times the factor is the window's law: sigma sqrt(s), volume V v.
    volume, variance, sigma, adv, size = 0.25, 0.36, 0.02, 4_000.0, 9.0
    factor = hour_factors(volume, variance).impact
    assert factor == pytest.approx(1.2)
    day = impact_coefficient(0.8, sigma, 80.0, 400.0, adv, factor)
    window = impact_coefficient(0.8, sigma * np.sqrt(variance), 80.0, 400.0, adv * volume, 1.0)
    assert float(day) == pytest.approx(float(window))
    assert float(impact_cents(day, size)) == float(impact_cents(window, size))


def curve_rows(sessions: list[int], **columns: object) -> pl.DataFrame:
    n = len(sessions)
    return pl.DataFrame(
        {
            "market": ["SIM_0"] * n,
            "session": [DAY + timedelta(days=18_000 + k) for k in sessions],
            "bucket_minutes": [30] * n,
            "bucket_starts": [STARTS] * n,
            "volume_shares": [VOLUME] * n,
            "variance_shares": [VARIANCE] * n,
            **columns,
        },
        schema_overrides={"session": pl.Date, "volume_shares": pl.List(pl.Float64)},
    )


def test_money_in_the_settlement_window_by_hand() -> None:
    # Cap 1 % of 1,000 lots = 10; the window of 40 % leaves 4 a session. Known from session 1 on, so session 1 fills 10.
    market = world([80.0] * 4, adv=1_000.0)
    rows = curve_rows([1, 2, 3])
    made = with_time_of_day(market, rows, {"SIM_0": hours("13:00", "13:30")})
    result = replay(made, lots(30, 30, 30, 30), config())
    assert result.positions is not None
    assert result.positions[0, :, 0].tolist() == [0, 10, 14, 18]
    # Impact of 4 lots: 100 * 0.8 * 0.02 * 80 * 400 * sqrt(4 / 1000) * sqrt(0.5) = 2289.7 cents a lot, 9159 for four.
    tables = session_tables(made, POINT, FillConfig())
    assert impact_cents(tables.impact[2], 4.0).tolist() == [9159]
    # 51,200 cents times sqrt(4 / 1000) without the window: 3238.2 a lot, 12952.7 for four.
    assert impact_cents(tables.impact[1], 4.0).tolist() == [12953]
    account = replay_one(made, lots(30, 30, 30, 30), config())
    assert account.equity == result.equity_cents[0].tolist()


def test_without_a_curve_or_hours_nothing_changes() -> None:
    market = world([[80.0, 70.0], [81.0, 70.5], [80.5, 71.0]])
    for made in (
        with_time_of_day(market, curve_rows([]), {"SIM_0": hours("13:00", "13:30")}),
        with_time_of_day(market, curve_rows([0, 1, 2], volume_shares=[None] * 3), {"SIM_0": hours("13:00", "13:30")}),
        with_time_of_day(market, curve_rows([0, 1, 2]), {"SIM_1": hours("13:00", "13:30")}),
        with_time_of_day(market, curve_rows([0, 1, 2]), {}),
    ):
        assert np.isnan(made.cap_factor).all()
        plain, same = (session_tables(m, POINT, FillConfig()) for m in (market, made))
        for name in plain.__slots__:
            assert np.array_equal(getattr(plain, name), getattr(same, name), equal_nan=True), name


def test_a_session_costs_what_was_known_before_it() -> None:
    market = world([80.0] * 5, adv=1_000.0)
    window = {"SIM_0": hours("13:00", "13:30")}
    early, late = (with_time_of_day(market, curve_rows(known), window) for known in ([0, 1], [0, 1, 2, 3, 4]))
    one, other = (session_tables(m, POINT, FillConfig()) for m in (early, late))
    assert np.array_equal(one.buy_cap[:3], other.buy_cap[:3])
    assert np.array_equal(one.impact[:3], other.impact[:3])
    assert one.buy_cap[:, 0].tolist() == [0, 4, 4, 10, 10]
    assert other.buy_cap[:, 0].tolist() == [0, 4, 4, 4, 4]
    assert one.exit_cap[:, 0].tolist() == pytest.approx([4, 4, 10, 10, 10])
