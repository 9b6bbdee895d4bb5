"""Paths: what a bar says is kept, and nothing but the address decides the rest."""

import math
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.broker.simulated.path import MIN_STEPS, DayBar, PathKey, happens, quote_path, quotes

KEY = PathKey(7, "HE-2025-04", date(2025, 3, 3))
BAR = DayBar(settle=85.0, open=84.5, high=86.0, low=84.0)
prices = st.integers(1, 1_000).map(lambda ticks: ticks * 0.025)


def test_the_shortest_path_is_the_bar_itself() -> None:
    path = quote_path(BAR, 4, KEY)
    assert (path[0], path[3]) == (84.5, 85.0)
    assert sorted(path[1:3]) == [84.0, 86.0]


def test_a_bar_without_a_range_is_its_settle() -> None:
    for missing in (None, math.nan):
        assert quote_path(DayBar(85.0, missing, missing, missing), 25, KEY).tolist() == [85.0] * 25


def test_a_range_that_leaves_out_open_or_settle_is_widened() -> None:
    assert DayBar(settle=87.0, open=83.0, high=86.0, low=84.0).filled == (83.0, 87.0, 83.0, 87.0)


def test_too_few_steps() -> None:
    with pytest.raises(ValueError, match="3 steps"):
        quote_path(BAR, 3, KEY)


@given(prices, prices, prices, prices, st.integers(MIN_STEPS, 60), st.integers(0, 2**64 - 1))
def test_a_path_visits_what_the_bar_says_and_stays_inside(
    settle: float, first: float, one: float, two: float, steps: int, seed: int
) -> None:
    bar = DayBar(settle, first, max(one, two), min(one, two))
    _, high, low, _ = bar.filled
    path = quote_path(bar, steps, PathKey(seed, "C", date(2025, 3, 3)))
    assert (path.shape, path[0], path[-1]) == ((steps,), first, settle)
    assert (path.min(), path.max()) == (low, high)
    assert high in path[1:-1]
    assert low in path[1:-1]
    assert np.array_equal(path, quote_path(bar, steps, PathKey(seed, "C", date(2025, 3, 3))))


def test_seed_contract_and_session_all_matter() -> None:
    keys = [
        KEY,
        PathKey(8, KEY.contract, KEY.session),
        PathKey(KEY.seed, "HE-2025-06", KEY.session),
        PathKey(KEY.seed, KEY.contract, KEY.session + timedelta(days=1)),
        PathKey(KEY.seed + 2**40, KEY.contract, KEY.session),
    ]
    assert len({quote_path(BAR, 25, key).tobytes() for key in keys}) == len(keys)


def test_extremes_come_in_either_order_and_anywhere() -> None:
    paths = [quote_path(BAR, 12, PathKey(seed, "C", date(2025, 3, 3))) for seed in range(2_000)]
    high, low = (np.array([f(path[1:-1]) for path in paths]) for f in (np.argmax, np.argmin))
    # Ten inner places, each as likely: 200 of 2,000 +- four standard deviations (13.4).
    for places in (high, low):
        assert np.abs(np.bincount(places, minlength=10) - 200).max() < 54
    assert abs((high < low).mean() - 0.5) < 4 * 0.5 / math.sqrt(2_000)


def test_between_the_bars_points_it_scatters_as_the_range_says() -> None:
    # A bar that opens and settles in the middle of its range: the steps' size is that of a walk with such a range.
    bar = DayBar(100.0, 100.0, 110.0, 90.0)
    moves = np.concatenate([np.diff(quote_path(bar, 100, PathKey(s, "C", date(2025, 3, 3)))) for s in range(300)])
    assert moves.std() == pytest.approx(20.0 / (math.sqrt(8 / math.pi) * 10.0), rel=0.15)


def test_quotes_stand_on_the_grid_half_a_spread_away_or_more() -> None:
    made = quotes(np.array([85.0, 85.01, 85.0125]), 0.5, 0.025)
    assert made.bids.tolist() == [84.975, 84.975, 85.0]
    assert made.asks.tolist() == [85.025, 85.025, 85.025]


@given(
    st.lists(st.floats(1.0, 200.0), min_size=1, max_size=20),
    st.floats(0.01, 5.0),
    st.sampled_from([0.025, 0.0005, 0.25, 1.0, 0.1]),
)
def test_a_quote_holds_the_spread_and_is_one_tick_wide_at_least(
    mids: list[float], half_spread_ticks: float, tick: float
) -> None:
    made = quotes(np.array(mids), half_spread_ticks, tick)
    slack = 2e-6 * tick
    for mid, bid, ask in zip(mids, made.bids.tolist(), made.asks.tolist(), strict=True):
        assert bid <= mid - half_spread_ticks * tick + slack
        assert ask >= mid + half_spread_ticks * tick - slack
        assert ask - bid >= tick - slack
        assert ask - bid <= (2 * half_spread_ticks + 2) * tick + slack
        assert round(bid / tick) * tick == pytest.approx(bid, abs=1e-9)


def test_what_happens_to_a_name_happens_at_its_rate() -> None:
    def drawn(rate: float, seed: int = 3, stream: int = 1) -> list[bool]:
        return [happens(rate, seed, f"order {i}", stream) for i in range(1_000)]

    for rate in (0.1, 0.5):
        assert abs(np.mean(drawn(rate)) - rate) < 4 * math.sqrt(rate * (1 - rate) / 1_000)
    assert (any(drawn(0.0)), all(drawn(1.0))) == (False, True)
    assert drawn(0.5) == drawn(0.5)
    # Whatever happens at a rate happens at a higher one; another seed or stream draws anew.
    assert not any(low and not high for low, high in zip(drawn(0.1), drawn(0.5), strict=True))
    for other in (drawn(0.5, seed=4), drawn(0.5, stream=2)):
        assert abs(np.mean(np.array(drawn(0.5)) == np.array(other)) - 0.5) < 4 * 0.5 / math.sqrt(1_000)
