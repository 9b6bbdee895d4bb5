import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.manager.ticks import aggressive, passive
from hydra_exec.risk_gate import PriceGrid

B, S = Side.BUY, Side.SELL
LEVELS = PriceGrid(((0.0, 0.0005), (1.0, 0.005), (50.0, 0.025)))


@pytest.mark.parametrize(
    ("tick", "price", "down", "up"),
    [
        (0.025, 80.03, 80.025, 80.05),
        (0.025, 80.025, 80.025, 80.025),
        (0.025, 3201 * 0.025, 80.025, 80.025),
        (0.0005, 0.12345, 0.123, 0.1235),
        (0.0005, 0.1234999999999, 0.1235, 0.1235),
        (0.0005, 0.1235000000001, 0.1235, 0.1235),
        (0.1, 0.30000000000000004, 0.3, 0.3),
        (0.25, 412.6, 412.5, 412.75),
        (0.01, 17.999, 17.99, 18.0),
        (0.025, 0.01, 0.0, 0.025),
    ],
)
def test_rounding_is_exact(tick: float, price: float, down: float, up: float) -> None:
    grid = PriceGrid.of_tick(tick)
    assert (passive(price, B, grid), aggressive(price, B, grid)) == (down, up)
    assert (passive(price, S, grid), aggressive(price, S, grid)) == (up, down)


@pytest.mark.parametrize(
    ("price", "down", "up"),
    [
        (0.99975, 0.9995, 1.0),
        (1.0, 1.0, 1.0),
        (1.0026, 1.0, 1.005),
        (49.9976, 49.995, 50.0),
        (50.01, 50.0, 50.025),
    ],
)
def test_levels_meet_without_a_gap(price: float, down: float, up: float) -> None:
    assert (passive(price, B, LEVELS), passive(price, S, LEVELS)) == (down, up)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("rounding", [passive, aggressive])
@pytest.mark.parametrize("side", Side)
def test_what_is_no_price_is_not_rounded(price: float, rounding: object, side: Side) -> None:
    assert callable(rounding)
    with pytest.raises(ValueError, match="is no price"):
        rounding(price, side, LEVELS)


@given(st.floats(0.01, 5_000.0), st.sampled_from([0.0005, 0.005, 0.025, 0.1, 0.25]))
def test_a_rounded_price_is_on_the_grid_within_a_tick_and_on_its_side(price: float, tick: float) -> None:
    grid = PriceGrid.of_tick(tick)
    down, up = passive(price, B, grid), passive(price, S, grid)
    slack = 2e-6 * tick + 1e-12 * price
    assert price - tick - slack < down <= price + slack
    assert price - slack <= up < price + tick + slack
    assert all(grid.has(each) for each in (down, up) if each > 0.0)
    assert passive(up, B, grid) == up
    assert (aggressive(price, S, grid), aggressive(price, B, grid)) == (down, up)
