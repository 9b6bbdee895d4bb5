"""Rounding to the prices that an exchange takes. Pure.

>>> grid = PriceGrid.of_tick(0.025)
>>> passive(80.049, Side.BUY, grid), aggressive(80.049, Side.BUY, grid)
(80.025, 80.05)
>>> passive(80.03, Side.SELL, grid), aggressive(80.03, Side.SELL, grid)
(80.05, 80.025)
"""

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from hydra_assets.state.records import Side
from hydra_exec.risk_gate.grid import TOLERANCE_TICKS, PriceGrid


def passive(price: float, side: Side, grid: PriceGrid) -> float:
    """Round away from the other side of the market: a buy down, a sell up.

    Raises
    ------
    ValueError
        The price is not a positive finite number.
    """
    return _down(price, grid) if side is Side.BUY else _up(price, grid)


def aggressive(price: float, side: Side, grid: PriceGrid) -> float:
    """Round towards the other side of the market: a buy up, a sell down; ValueError as in ``passive``."""
    return _up(price, grid) if side is Side.BUY else _down(price, grid)


def _down(price: float, grid: PriceGrid) -> float:
    """Largest grid price at or below; a price within a millionth of a tick of one is that one."""
    step = _step(price, grid)
    return float(((Decimal(repr(price)) / step) + TOLERANCE_TICKS).to_integral_value(ROUND_FLOOR) * step)


def _up(price: float, grid: PriceGrid) -> float:
    """Smallest grid price at or above: every level begins on the grid of the one below, so none is jumped over."""
    step = _step(price, grid)
    return float(((Decimal(repr(price)) / step) - TOLERANCE_TICKS).to_integral_value(ROUND_CEILING) * step)


def _step(price: float, grid: PriceGrid) -> Decimal:
    if not (math.isfinite(price) and price > 0.0):
        msg = f"{price} is no price"
        raise ValueError(msg)
    return grid.increment(price)
