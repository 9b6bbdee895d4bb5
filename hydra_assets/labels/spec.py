"""Typed configuration, codes and schema of labels."""

from enum import StrEnum
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field


class EntryAt(StrEnum):
    """First executable price after the cutoff of session t; the settle of t itself is gone by then."""

    NEXT_SETTLE = "next_settle"
    """Settle of t+1."""
    NEXT_OPEN = "next_open"
    """Open of t+1, where bars have one."""


class LabelClass(StrEnum):
    """Direction of the realised return; NEUTRAL only where a neutral zone is configured."""

    UP = "up"
    DOWN = "down"
    NEUTRAL = "neutral"


class Barrier(StrEnum):
    """Which barrier the path met first. A fixed horizon has the vertical one alone."""

    UPPER = "upper"
    LOWER = "lower"
    VERTICAL = "vertical"


class LabelReason(StrEnum):
    """Why a session has a label, or none."""

    OK = "ok"
    NO_VOL = "no_vol"
    """Fewer than nine tenths of the volatility's window known at t, or no move in it."""
    NO_COST = "no_cost"
    """The round-trip cost known at t is missing or negative."""
    CONTRACT_GAP = "contract_gap"
    """No contract was carried from one session to the next: a hole in the curve."""
    NO_PRICE = "no_price"
    """The held contract did not settle (or open) on a session of the path."""
    NOT_POSITIVE = "not_positive"
    """A price at or below zero: no return as a fraction."""
    NOT_YET_KNOWN = "not_yet_known"
    """The path runs past the last session of the frame."""


class FixedHorizon(BaseModel):
    """Exit ``horizon_sessions`` earning sessions after the entry."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon_sessions: Annotated[int, Field(ge=1, le=60)] = 5
    vol_sessions: Annotated[int, Field(ge=5, le=260)] = 20
    """Window of the volatility known at t; 20 as in the feature ``realised_vol_20``."""
    neutral_zone: Annotated[float, Field(ge=0)] | None = None
    """A label of at most so many volatility units, net of cost, is neutral; None for two classes."""
    entry: EntryAt = EntryAt.NEXT_SETTLE

    @property
    def reach_sessions(self) -> int:
        """Sessions from the decision to the latest exit: what an embargo must cover at least."""
        return self.horizon_sessions + (self.entry is EntryAt.NEXT_SETTLE)


class TripleBarrier(FixedHorizon):
    """Exit at the first of two price barriers and the horizon (Lopez de Prado, *Advances in Financial ML*, 3.4).

    The barriers stand ``upper`` and ``lower`` times sigma_t sqrt(h) from the entry; 1 is the symmetric choice of the
    source. Whether one was met is seen at a settle, so the exit is at the settle after it (``exit_lag_sessions`` 1),
    never past the horizon; 0 assumes an exit at the very settle that triggers it.
    """

    upper: Annotated[float, Field(gt=0)] = 1.0
    lower: Annotated[float, Field(gt=0)] = 1.0
    exit_lag_sessions: Annotated[int, Field(ge=0, le=1)] = 1


LABEL_SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "session": pl.Date(),
    "entry_session": pl.Date(),
    "exit_session": pl.Date(),
    "label_return": pl.Float64(),
    "label_cost": pl.Float64(),
    "label_rolls": pl.Int64(),
    "label_sigma": pl.Float64(),
    "label_vol_units": pl.Float64(),
    "label_class": pl.String(),
    "label_barrier": pl.String(),
    "label_reason": pl.String(),
}
