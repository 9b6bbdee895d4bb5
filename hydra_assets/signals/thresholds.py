"""What the reading of divergences is set to; thresholds are in standard deviations of a series' own history."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class TypeThresholds(BaseModel):
    """Borders of the type table; a value on a border is beyond it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    view_sd: Positive = 1.0
    """A view that far from its own mean leans."""
    extreme_sd: Positive = 1.5
    """Sentiment that far out is extreme. The positioning score is a rank, so nearly uniform on [-1, 1]: 1.5 is its
    outermost 13 %, and no z of it can pass 1.73 by far."""
    change_sd: Positive = 1.0
    """A change that far from its own mean is a move."""
    kurt_sd: Positive = 1.5
    """Kurtosis that far above its own mean makes a session volatile."""
    volatility_size_factor: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Size in a volatile session. Chosen: the half of half-Kelly."""

    @model_validator(mode="after")
    def _extreme_lies_beyond_the_view(self) -> Self:
        if self.extreme_sd <= self.view_sd:
            msg = f"extreme_sd ({self.extreme_sd}) must be above view_sd ({self.view_sd})"
            raise ValueError(msg)
        return self


class ViewWeights(BaseModel):
    """Weight of each reading in the options view; its sign says which way the reading points.

    Upwards is where the market pays for the long tail. With the mean held at the forward, a longer upper tail puts the
    median *below* that of the lognormal: the tilt falls when risk reversal and skew rise, hence its minus. Equal sizes:
    with few independent observations no estimated weights beat them (Clemen 1989).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tilt: float = -1.0
    risk_reversal_25: float = 1.0
    skew: float = 1.0
    expected_return: float = 1.0

    @model_validator(mode="after")
    def _the_tilt_counts(self) -> Self:
        if self.tilt == 0.0:
            msg = "the tilt must have a weight: a session without one has no options view"
            raise ValueError(msg)
        return self


class DivergenceConfig(BaseModel):
    """All that a divergence depends on besides the data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    types: TypeThresholds = TypeThresholds()
    weights: ViewWeights = ViewWeights()
    tenor_days: Annotated[int, Field(gt=0)] = 60
    """Horizon of the options view: a tenor of ``implied_moments``."""
    horizon_tolerance_days: Annotated[int, Field(ge=0)] = 45
    """Expiries farther from the tenor say nothing of it. Chosen: serial months stand 30 to 60 days apart."""
    interval_se: Positive = 1.645
    """Half-width of a noise interval in standard errors: 90 %, as everywhere in the options engine."""
    min_view_sessions: Annotated[int, Field(ge=2)] = 40
    """Values before a reading of the options is standardised."""
    min_sentiment_sessions: Annotated[int, Field(ge=2)] = 126
    """The same for sentiment: 26 weekly reports. Forty sessions would be eight reports of a slow series."""
    min_scale_sessions: Annotated[int, Field(ge=2)] = 20
    """The same for sums and differences of z-scores, whose scale is about known."""
    full_history_sessions: Annotated[int, Field(gt=0)] = 252
    """Sessions of options view from which history takes no confidence away: a year."""
    change_sessions: Annotated[int, Field(gt=0)] = 5
    """Sessions over which views change: the week of a CFTC report."""
    grade_confidence: dict[str, Share] = {"A": 1.0, "B": 0.8, "C": 0.6}
    """Trust in a grade's density; other grades have none. Chosen: the grades are an order, these make it a scale."""
