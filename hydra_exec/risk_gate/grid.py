"""The prices that an exchange takes: multiples of an increment, which may depend on the price. Pure.

A market rule is a sequence of (from_price, increment): from ``from_price`` on up to the next one, prices are multiples
of ``increment``. A future with one tick has one level from 0. Counting is in decimals, so that 3,201 ticks of 0.025 are
80.025 and not the nearest sum of binary fractions.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

TOLERANCE_TICKS = Decimal("1e-6")
"""Prices within a millionth of a tick are the same price."""


@dataclass(frozen=True, slots=True)
class PriceGrid:
    """Levels in rising order, the first from 0; every level begins on the grid of both its neighbours.

    Raises
    ------
    ValueError
        The levels are none of that.
    """

    levels: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        fault = _fault(self.levels)
        if fault:
            msg = f"price levels {self.levels}: {fault}"
            raise ValueError(msg)

    @classmethod
    def of_tick(cls, tick: float) -> "PriceGrid":
        """One tick at every price."""
        return cls(((0.0, tick),))

    def increment(self, price: float) -> Decimal:
        """Increment at a price, in price units; below the first level its own."""
        return _decimal([step for start, step in self.levels if start <= price or start == 0.0][-1])

    def has(self, price: float) -> bool:
        """Whether a price is positive, finite and on the grid."""
        if not (math.isfinite(price) and price > 0.0):
            return False
        ticks = _decimal(price) / self.increment(price)
        return abs(ticks - ticks.to_integral_value()) <= TOLERANCE_TICKS


def _decimal(number: float) -> Decimal:
    # repr is the shortest decimal that means the float: 0.1 is a tenth.
    return Decimal(repr(float(number)))


def _fault(levels: tuple[tuple[float, float], ...]) -> str:
    numbers = [number for level in levels for number in level]
    if not levels or levels[0][0] != 0.0:
        return "the first is not from 0"
    if not all(map(math.isfinite, numbers)) or any(step <= 0.0 for _, step in levels):
        return "an increment is not a positive number"
    for (below, finer), (start, step) in pairwise(levels):
        if start <= below:
            return "they do not rise"
        if _decimal(start) % _decimal(finer) or _decimal(start) % _decimal(step):
            return f"{start} is not on the grid of both levels that meet there"
    return ""
