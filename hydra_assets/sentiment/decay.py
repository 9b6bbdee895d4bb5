"""How fast what is known loses weight: half of it every half-life."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

DAY_US = 86_400_000_000
"""Microseconds of a day, the lake's unit of instants."""


def half_life_weight(age_days: ArrayLike, half_life_days: float) -> NDArray[np.float64]:
    """Weight 2^(-age / half-life), same shape; an age below zero or missing has none (NaN).

    >>> half_life_weight([0.0, 3.0, 6.0], 3.0).tolist()
    [1.0, 0.5, 0.25]

    Raises
    ------
    ValueError
        The half-life is not a positive number.
    """
    if not half_life_days > 0:
        raise ValueError(f"a half-life is longer than zero days, not {half_life_days}")
    age = np.asarray(age_days, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.where(age >= 0, np.exp2(-age / half_life_days), np.nan)
