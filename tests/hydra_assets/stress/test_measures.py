"""Figures of a path by hand."""

from dataclasses import replace

import numpy as np
import pytest

from hydra_assets.replay.breakers import BreakerReason, BreakerState, Transition
from hydra_assets.stress.measures import (
    longest_spell,
    max_drawdown,
    recovery_sessions,
    stuck,
    tripped,
    verdict,
    worst,
)
from hydra_assets.stress.plan import StressLimits
from hydra_assets.stress.records import PathOutcome, StressReason

EQUITY = np.array([100.0, 110.0, 99.0, 104.5, 88.0, 121.0, 120.0])
A, T, C = BreakerState.ACTIVE, BreakerState.TRIGGERED, BreakerState.COOLDOWN
WELL = PathOutcome(
    start=3,
    market=None,
    sharpe=1.0,
    net=0.0,
    max_drawdown=0.1,
    worst_session=-0.01,
    worst_month=-0.05,
    lowest_equity=1.0,
    breaker_trips=0,
    breaker_trips_unstressed=0,
    breakers_recovered=0,
    breakers_stuck=0,
    transitions=(),
    participation=0.01,
    participation_of_cap=1.0,
    sessions_to_recover=0,
    held_lots=(1,),
    held_share=0.1,
)


def move(session: int, market: int | None, before: BreakerState, after: BreakerState) -> Transition:
    return Transition(session, market, before, after, BreakerReason.DRAWDOWN)


def test_drawdown_is_a_share_of_the_peak() -> None:
    """From 110 down to 88: 22 / 110 = 0.2. Capital is the first peak: 100 of 125 is 0.2 already, 88 of 125 is 0.296."""
    assert max_drawdown(EQUITY, 100.0) == pytest.approx(0.2)
    assert max_drawdown(EQUITY, 125.0) == pytest.approx(37.0 / 125.0)


def test_worst_session_and_worst_pair_of_sessions() -> None:
    """104.5 -> 88 is -15.8 %; over two sessions 99 -> 88 is -11.1 % and 110 -> 104.5 is -5 %."""
    assert worst(EQUITY, 100.0, 1) == pytest.approx(88.0 / 104.5 - 1.0)
    assert worst(EQUITY, 100.0, 2) == pytest.approx(88.0 / 99.0 - 1.0)
    assert worst(np.array([101.0, 102.0]), 100.0, 1) == 0.0
    assert worst(np.array([-5.0, -50.0]), 100.0, 1) == pytest.approx(-1.05)


def test_longest_spell_below_a_peak() -> None:
    """Sessions 2, 3 and 4 are below 110; session 6 below 121."""
    assert longest_spell(EQUITY, 100.0) == 3
    assert longest_spell(EQUITY, 1_000.0) == 7
    assert longest_spell(np.array([100.0, 101.0]), 100.0) == 0


def test_sessions_until_the_peak_is_seen_again() -> None:
    """The peak before session 2 is 110. The low of sessions 2 to 4 is 88 in session 4; 121 comes in session 5."""
    assert recovery_sessions(EQUITY, 100.0, 2, 4) == 3
    assert recovery_sessions(EQUITY, 100.0, 5, 5) == 0
    assert recovery_sessions(EQUITY[:5], 100.0, 2, 4) is None


def test_trips_are_counted_from_the_stress_on() -> None:
    """The first trip, at 1, is before session 5 and its recovery with it; of the two after it one came back."""
    moves = [move(1, 0, A, T), move(2, 0, T, C), move(6, None, A, T), move(7, None, T, C), move(7, 0, C, A)]
    moves += [move(9, None, C, A), move(9, 0, A, T)]
    assert tripped(moves, 5) == (2, 1)
    assert tripped(moves, 6) == (2, 1)
    assert tripped(moves, 0) == (3, 2)


def test_a_machine_is_stuck_only_where_inputs_were_good() -> None:
    """Tripped at 2 and never flat, stress over at 4: sessions 5 to 19 are 15. With five of them faulty, 10 are good."""
    good = np.ones((20, 2), dtype=np.bool_)
    moves = [move(2, 1, A, T)]
    assert stuck(moves, good, end=4, longest=14) == 1
    assert stuck(moves, good, end=4, longest=15) == 0
    good[10:15, 1] = False
    assert stuck(moves, good, end=4, longest=10) == 0
    assert stuck(moves, good, end=4, longest=9) == 1
    assert stuck([*moves, move(5, 1, T, C), move(6, 1, C, A)], good, end=4, longest=1) == 0
    assert stuck([move(2, None, A, T)], good, end=4, longest=14) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, StressReason.OK),
        ({"lowest_equity": 0.0}, StressReason.RUIN),
        ({"participation_of_cap": 1.001}, StressReason.PARTICIPATION_EXCEEDED),
        ({"breakers_stuck": 1}, StressReason.BREAKER_STUCK),
        ({"max_drawdown": 0.31}, StressReason.DRAWDOWN_BEYOND_LIMIT),
        ({"max_drawdown": 1.2, "lowest_equity": -1.0, "breakers_stuck": 1}, StressReason.RUIN),
    ],
)
def test_the_gravest_reason_is_given(change: dict[str, float], reason: StressReason) -> None:
    assert verdict([WELL, replace(WELL, **change)], StressLimits())[0] is reason  # type: ignore[arg-type]


def test_drawdown_is_judged_at_its_95_percent_quantile() -> None:
    """One deep path of twenty is within the last twentieth; two of twenty are not."""
    deep = replace(WELL, max_drawdown=0.5)
    assert verdict([WELL] * 19 + [deep], StressLimits())[0] is StressReason.OK
    assert verdict([WELL] * 18 + [deep] * 2, StressLimits())[0] is StressReason.DRAWDOWN_BEYOND_LIMIT


def test_ruin_is_allowed_up_to_a_share() -> None:
    ruined = replace(WELL, lowest_equity=-1.0)
    assert verdict([WELL] * 9 + [ruined], StressLimits(ruin_share=0.1))[0] is StressReason.OK
    assert verdict([WELL] * 8 + [ruined] * 2, StressLimits(ruin_share=0.1))[0] is StressReason.RUIN
