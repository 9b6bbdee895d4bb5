"""A target beside its measurement, and tables for a terminal: what the studies and benchmarks print."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Line:
    """One target beside its measurement; ``low`` and ``high`` are its range."""

    target: str
    what: str
    measured: float
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Whether the measurement lies in the target's range; one that is no number does not."""
        return self.low <= self.measured <= self.high

    def __str__(self) -> str:
        bounded = (self.low > 0.0, self.high < float("inf"))
        match bounded:
            case (True, True):
                wanted = f"{self.low:g} to {self.high:g}"
            case (True, False):
                wanted = f">= {self.low:g}"
            case _:
                wanted = f"<= {self.high:g}"
        return f"{self.target:4}{self.what:60}{self.measured:>11.4g}{wanted:>16}  {'met' if self.met else 'MISSED'}"


def print_targets(lines: Iterable[Line]) -> bool:
    """Print the lines under a header; whether all are met."""
    print(f"{'':4}{'':60}{'measured':>11}{'target':>16}")
    met = True
    for line in lines:
        print(line)
        met &= line.met
    return met


def show(frame: pl.DataFrame) -> None:
    """Print a whole frame with three digits."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=140,
        float_precision=3,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="ASCII_BORDERS_ONLY_CONDENSED",
    ):
        print(frame)
