"""Names, configuration and schema of regimes."""

from enum import StrEnum
from typing import Annotated

import polars as pl
from pydantic import BaseModel, ConfigDict, Field


class VolRegime(StrEnum):
    """Volatility against the market's own past; two-state models have no NORMAL."""

    CALM = "calm"
    NORMAL = "normal"
    STRESSED = "stressed"


class TrendRegime(StrEnum):
    """Direction of the recent path in units of its own volatility."""

    DOWN = "down"
    NONE = "none"
    UP = "up"


class RegimeReason(StrEnum):
    """Why a session has a regime, or none."""

    OK = "ok"
    SHORT_HISTORY = "short_history"
    """Fewer past observations than the first fit needs."""
    NO_OBSERVATION = "no_observation"
    """The window of the session's own returns has holes."""
    NO_VARIATION = "no_variation"
    """The past has no spread to tell states apart."""


class SwitchingSpec(BaseModel):
    """Markov-switching regimes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vol_states: Annotated[int, Field(ge=2, le=3)] = 3
    vol_sessions: Annotated[int, Field(ge=2, le=260)] = 10
    """Window of the observed volatility: short, since persistence is the chain's to say. Its own noise is then
    1 / sqrt(20) = 0.22 in logs, against 0.7 between states of double volatility."""
    trend_sessions: Annotated[int, Field(ge=2, le=260)] = 20
    first_fit_sessions: Annotated[int, Field(ge=60)] = 252
    """Rows before the first fit: a whole seasonal cycle."""
    refit_sessions: Annotated[int, Field(ge=1)] = 126
    iterations: Annotated[int, Field(ge=1, le=500)] = 50
    """Most EM iterations of the first fit."""
    refit_iterations: Annotated[int, Field(ge=1, le=500)] = 4
    """Most of a refit that starts from the fit before."""


class ChangePointSpec(BaseModel):
    """Bayesian change-point regimes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expected_sessions: Annotated[float, Field(gt=1)] = 126.0
    """Expected length of a segment; its inverse is the hazard."""
    longest_sessions: Annotated[int, Field(ge=20, le=2000)] = 252
    """Run lengths told apart; longer ones share the last slot."""
    first_sessions: Annotated[int, Field(ge=60)] = 252
    """Observations that set the prior scale, and after which regimes begin."""


REGIME_SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "session": pl.Date(),
    "regime_vol": pl.String(),
    "regime_vol_probability": pl.Float64(),
    "regime_trend": pl.String(),
    "regime_trend_probability": pl.Float64(),
    "probability_calm": pl.Float64(),
    "probability_stressed": pl.Float64(),
    "probability_up": pl.Float64(),
    "probability_down": pl.Float64(),
    "regime_reason": pl.String(),
}
