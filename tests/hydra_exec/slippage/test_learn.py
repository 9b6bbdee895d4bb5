"""Learning Y: found again from simulated fills, through outliers; caution before there are enough."""

import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_exec.slippage.learn import (
    FIRST_PESSIMISM,
    MAX_FACTOR,
    MIN_FILLS,
    LearnReason,
    learn,
    pessimism,
    robust_slope,
)

START = date(2024, 1, 1)


def orders(n: int, y: float, seed: int, *, outliers: float = 0.0, dispersion: float = 0.5) -> pl.DataFrame:
    """Rows of ``by_order`` with slippage as the replay draws it, rounded to ticks; gross errors all to one side."""
    rng = np.random.default_rng(seed)
    unit = np.exp(rng.normal(0.0, 0.6, n))
    session = np.arange(n) // 2
    variance = math.log1p(dispersion**2)
    luck = np.exp(math.sqrt(variance) * rng.normal(size=session.max() + 1) - variance / 2)[session]
    paid = 1.0 + np.rint(4 * y * unit * luck + rng.uniform(-2, 2, n)) / 4
    gross = rng.random(n) < outliers
    return pl.DataFrame(
        {
            "session": [START + timedelta(days=int(s)) for s in session],
            "order_ref": [f"o{i}" for i in range(n)],
            "fills": np.ones(n, dtype=np.int64),
            "half_spread_ticks": np.ones(n),
            "arrival_slippage_ticks": np.where(gross, paid + 20.0 * (1 + rng.random(n)), paid),
            "impact_unit_ticks": unit,
        }
    )


@pytest.mark.parametrize("true_y", [0.4, 0.8, 1.6])
def test_a_known_y_is_within_the_interval(true_y: float) -> None:
    held = []
    for seed in range(20):
        found = learn("HE", START, orders(400, true_y, seed), 0.8)
        assert found.figures["reason"] == LearnReason.FITTED
        low, high = float(found.figures["low"]), float(found.figures["high"])
        assert low < found.impact_y < high
        assert high - low < 0.4 * true_y
        held.append(low <= true_y <= high)
    # Of 20 intervals of 95 % chance leaves fewer than 16 right once in four hundred times.
    assert sum(held) >= 16


@pytest.mark.parametrize("outliers", [0.05, 0.2])
def test_outliers_all_on_one_side_do_not_carry_it_away(outliers: float) -> None:
    found = [learn("HE", START, orders(400, 0.8, seed, outliers=outliers), 0.8).impact_y for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.8, rel=0.05)
    assert np.max(np.abs(np.array(found) - 0.8)) < 0.2
    # What least squares would say: the test would fail with it.
    worst = orders(400, 0.8, 0, outliers=outliers)
    x, y = worst["impact_unit_ticks"].to_numpy(), worst["arrival_slippage_ticks"].to_numpy() - 1.0
    assert (x @ y) / (x @ x) > 1.5


def test_skewed_slippage_is_expected_as_its_mean_not_its_median() -> None:
    found = np.array([learn("HE", START, orders(400, 0.8, seed), 0.8).impact_y for seed in range(40)])
    assert abs(found.mean() - 0.8) < 3 * found.std() / math.sqrt(len(found))
    # The median of the draw is 11 % below its mean.
    assert found.mean() > 0.95 * 0.8


def test_the_same_fills_teach_the_same() -> None:
    assert learn("HE", START, orders(300, 0.8, 1), 0.8) == learn("HE", START, orders(300, 0.8, 1), 0.8)


def test_below_enough_fills_y_stays_and_caution_holds() -> None:
    few = orders(MIN_FILLS - 1, 1.6, 0)
    found = learn("HE", START, few, 0.8)
    assert (found.impact_y, found.fills, found.figures["reason"]) == (0.8, 199, LearnReason.TOO_FEW_FILLS)
    assert 1.0 < found.pessimism < 1.01
    enough = learn("HE", START, orders(MIN_FILLS, 1.6, 0), 0.8)
    assert (enough.pessimism, enough.figures["reason"]) == (1.0, LearnReason.FITTED)
    # It is fills that count, not orders.
    assert learn("HE", START, few.with_columns(fills=pl.lit(2)), 0.8).figures["reason"] == LearnReason.FITTED


def test_caution_falls_with_the_square_root_of_fills() -> None:
    assert [pessimism(n) for n in (0, 50, 200, 10_000)] == [FIRST_PESSIMISM, 1.25, 1.0, 1.0]


@pytest.mark.parametrize("far", [-3.0, 9.0])
def test_a_fit_that_is_no_impact_is_bounded(far: float) -> None:
    found = learn("HE", START, orders(300, far, 2), 0.8)
    assert found.figures["reason"] == LearnReason.BOUNDED
    assert found.impact_y == (0.8 * MAX_FACTOR if far > 0 else 0.8 / MAX_FACTOR)


def test_fills_without_an_expectation_teach_nothing() -> None:
    none = orders(300, 0.8, 0).with_columns(impact_unit_ticks=pl.lit(None, pl.Float64))
    found = learn("HE", START, none, 0.8)
    assert (found.impact_y, found.pessimism) == (0.8, FIRST_PESSIMISM)
    assert found.figures["reason"] == LearnReason.NO_EXPECTATION
    empty = learn("HE", START, none.clear(), 0.8)
    assert (empty.fills, empty.pessimism, empty.figures["reason"]) == (0, FIRST_PESSIMISM, LearnReason.TOO_FEW_FILLS)


def test_an_exact_line_is_found_exactly() -> None:
    x = np.arange(1.0, 11.0)
    found = robust_slope(x, 0.7 * x, np.arange(10))
    assert (found.slope, found.low, found.high, found.scale) == pytest.approx((0.7, 0.7, 0.7, 0.0), abs=1e-12)


def test_fewer_than_half_may_be_anything() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1.0, 2.0, 101)
    y = 0.7 * x + 0.01 * rng.normal(size=101)
    y[:45] = 1e6
    assert robust_slope(x, y, np.arange(101)).slope == pytest.approx(0.7, abs=0.02)


def test_sessions_are_drawn_whole() -> None:
    rng = np.random.default_rng(0)
    x = np.ones(400)
    y = np.repeat(rng.normal(1.0, 0.3, 40), 10)
    together = robust_slope(x, y, np.repeat(np.arange(40), 10))
    apart = robust_slope(x, y, np.arange(400))
    # Ten copies of 40 sessions know no more than 40 sessions: the interval is sqrt(10) wider.
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(math.sqrt(10), rel=0.2)
