"""What is asked of the feeds: units, ages, activity, each on a level drawn by hand."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hydra_agent.healbench.deliveries import FEEDS, Column
from hydra_agent.healbench.worlds import WorldConfig, make_world
from hydra_agent.observe.data import (
    DORMANT,
    DROUGHT,
    activity_signals,
    contract_signals,
    freshness_signals,
    unit_changes,
    volume_ratio,
)
from hydra_agent.observe.signals import Floats, Level, SignalReason, SignalTrack
from hydra_agent.view import GroupView

ROW = 400


@cache
def quiet() -> GroupView:
    return make_world(77, WorldConfig(years=2)).view


def with_feed(column: Column, market: int, rows: slice, level: Floats | float | None, age: float = 0.0) -> GroupView:
    """The quiet view with one feed's level and age set by hand."""
    seen = quiet()
    levels, ages = seen.feed_level.copy(), seen.feed_age.copy()
    if level is not None:
        levels[rows, market, column] = level
    ages[rows, market, column] = age
    return replace(seen, feed_level=levels, feed_age=ages)


def found(tracks: list[SignalTrack], name: str, market: int) -> SignalTrack:
    return next(t for t in tracks if t.name == name and t.scope == quiet().symbols[market])


def test_a_unit_stays_wrong_until_the_old_one_is_back() -> None:
    levels = np.full((20, 1), 10.0)
    levels[8:12] = 1000.0
    apart = unit_changes(levels, 5.0)[:, 0]
    assert np.isnan(apart[:5]).all()
    assert apart[5:8] == pytest.approx(0.0)
    assert apart[8:12] == pytest.approx(np.log(100.0))
    assert apart[12:] == pytest.approx(0.0)


def test_a_level_that_moves_step_by_step_is_believed() -> None:
    levels = 1.1 ** np.arange(60.0)[:, None]
    assert np.nanmax(unit_changes(levels, 5.0)) < np.log(5.0)


def test_what_was_not_delivered_is_not_compared() -> None:
    levels = np.full((12, 1), 10.0)
    levels[7] = np.nan
    assert np.isnan(unit_changes(levels, 5.0)[7, 0])
    assert np.isfinite(unit_changes(levels, 5.0)[8, 0])


def test_with_a_floor_only_rises_beyond_what_is_usual_count() -> None:
    levels = np.array([100.0] * 8 + [1.0] * 8 + [100.0] * 4 + [10_000.0])[:, None]
    apart = unit_changes(levels, 30.0, np.full(levels.shape, 100.0))[:, 0]
    assert apart[8:20] == pytest.approx(0.0)
    assert apart[20] == pytest.approx(np.log(100.0))


def test_a_price_a_hundred_times_too_high_is_critical_at_once_and_alone() -> None:
    tracks = contract_signals(
        with_feed(Column.PRICES, 1, slice(ROW, None), 100.0 * quiet().feed_level[ROW:, 1, Column.PRICES])
    )
    wrong = found(tracks, "prices", 1)
    assert wrong.level[ROW - 1] == Level.OK
    assert (wrong.level[ROW:] == Level.CRITICAL).all()
    assert wrong.at(ROW).reason is SignalReason.UNIT_CHANGE
    assert not any((t.level > Level.OK).any() for t in tracks if t is not wrong)


def test_a_volume_may_fall_to_nothing_and_come_back_without_another_unit() -> None:
    level = 0.02 * quiet().feed_level[ROW : ROW + 60, 1, Column.VOLUMES]
    tracks = contract_signals(with_feed(Column.VOLUMES, 1, slice(ROW, ROW + 60), level))
    assert not found(tracks, "volumes", 1).level.any()


def test_a_feed_is_late_one_session_after_it_was_due_and_stale_after_two_releases() -> None:
    due = FEEDS[Column.REPORTS].due_sessions
    seen = with_feed(Column.REPORTS, 2, slice(ROW, ROW + 20), None, 0.0)
    seen.feed_age[ROW : ROW + 20, 2, Column.REPORTS] = np.arange(1.0, 21.0)
    track = found(freshness_signals(seen), "reports", 2)
    of_age = {age: track.level[ROW + age - 1] for age in (due, due + 1, 2 * due, 2 * due + 1)}
    assert of_age == {due: Level.OK, due + 1: Level.WARNING, 2 * due: Level.WARNING, 2 * due + 1: Level.CRITICAL}
    assert track.at(ROW + due).reason is SignalReason.LATE
    assert track.at(ROW + 2 * due).reason is SignalReason.STALE


def test_activity_is_the_recent_median_over_the_usual_one() -> None:
    level = np.full((len(quiet()) - 200, 1), 100.0)[:, 0]
    seen = with_feed(Column.VOLUMES, 0, slice(200, None), level)
    dry = replace(seen, feed_level=seen.feed_level.copy())
    dry.feed_level[ROW:, 0, Column.VOLUMES] = 20.0
    ratio = volume_ratio(dry)[:, 0]
    assert ratio[ROW - 1] == pytest.approx(1.0)
    # Six of the last ten sessions make the median.
    assert ratio[ROW + 4] == pytest.approx(0.6)
    assert ratio[ROW + 5] == pytest.approx(0.2)
    track = found(activity_signals(dry), "volume", 0)
    assert DORMANT < 0.2 < DROUGHT
    assert track.level[ROW + 4] == Level.OK
    assert track.at(ROW + 5).reason is SignalReason.DROUGHT


def test_sessions_without_a_delivery_count_as_without_volume() -> None:
    seen = with_feed(Column.VOLUMES, 0, slice(ROW, ROW + 20), None)
    seen.feed_age[ROW : ROW + 20, 0, Column.VOLUMES] = np.arange(1.0, 21.0)
    assert found(activity_signals(seen), "volume", 0).at(ROW + 10).reason is SignalReason.DORMANT
