import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.risk_gate import PriceGrid

LEVELS = PriceGrid(((0.0, 0.0005), (1.0, 0.005), (50.0, 0.025)))


@pytest.mark.parametrize("tick", [0.0001, 0.0005, 0.005, 0.01, 0.025, 0.25, 0.5, 1.0])
def test_every_multiple_of_a_tick_is_on_the_grid_and_half_of_one_is_not(tick: float) -> None:
    grid = PriceGrid.of_tick(tick)
    for count in (1, 3, 7, 3201, 99_999):
        assert grid.has(count * tick)
        assert not grid.has((count + 0.5) * tick)


@pytest.mark.parametrize("price", [0.0, -0.025, -1.0, math.nan, math.inf, -math.inf])
def test_what_is_no_price_is_on_no_grid(price: float) -> None:
    assert not PriceGrid.of_tick(0.025).has(price)


def test_a_millionth_of_a_tick_is_forgiven_on_both_sides_and_two_are_not() -> None:
    grid = PriceGrid.of_tick(1.0)
    assert grid.has(80.000001)
    assert grid.has(79.999999)
    assert not grid.has(80.000002)
    assert not grid.has(79.999998)


@pytest.mark.parametrize(
    ("price", "on"),
    [
        (0.9995, True),
        (0.99975, False),
        (1.0, True),
        (1.0005, False),
        (1.005, True),
        (49.995, True),
        (50.0, True),
        (50.005, False),
        (50.025, True),
    ],
)
def test_levels(price: float, on: bool) -> None:
    assert LEVELS.has(price) is on


def test_increments_are_exact_decimals_and_begin_at_their_price() -> None:
    seen = {price: str(LEVELS.increment(price)) for price in (-1.0, 0.0, 0.99, 1.0, 49.99, 50.0, 1e6)}
    assert list(seen.values()) == ["0.0005", "0.0005", "0.0005", "0.005", "0.005", "0.025", "0.025"]


@pytest.mark.parametrize(
    ("levels", "fault"),
    [
        ((), "the first is not from 0"),
        (((1.0, 0.01),), "the first is not from 0"),
        (((0.0, 0.0),), "an increment is not a positive number"),
        (((0.0, -0.01),), "an increment is not a positive number"),
        (((0.0, math.nan),), "an increment is not a positive number"),
        (((0.0, 0.01), (math.inf, 0.1)), "an increment is not a positive number"),
        (((0.0, 0.01), (2.0, 0.1), (1.0, 0.2)), "they do not rise"),
        (((0.0, 0.01), (1.0, 0.1), (1.0, 0.2)), "they do not rise"),
        (((0.0, 0.3), (1.0, 0.1)), "1.0 is not on the grid of both levels that meet there"),
        (((0.0, 0.1), (1.0, 0.3)), "1.0 is not on the grid of both levels that meet there"),
    ],
)
def test_levels_that_are_none(levels: tuple[tuple[float, float], ...], fault: str) -> None:
    with pytest.raises(ValueError, match="price levels") as caught:
        PriceGrid(levels)
    assert str(caught.value) == f"price levels {levels}: {fault}"


@given(st.integers(1, 10_000_000), st.sampled_from([0.0005, 0.025, 0.125, 0.005, 0.1]))
def test_sums_of_ticks_are_on_the_grid_however_they_were_added(count: int, tick: float) -> None:
    assert PriceGrid.of_tick(tick).has(count * tick)
    assert PriceGrid.of_tick(tick).has(tick * (count - 1) + tick)
