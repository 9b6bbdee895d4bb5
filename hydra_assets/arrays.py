"""Between frames and arrays."""

import numpy as np
import polars as pl
from numpy.typing import NDArray


def floats(rows: pl.DataFrame, name: str) -> NDArray[np.float64]:
    """A column as floats, ``[n]``; missing is NaN."""
    return rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
