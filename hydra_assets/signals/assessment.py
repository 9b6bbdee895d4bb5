"""Divergence of options and sentiment per session: type, direction, magnitude, confidence, suggested bias.

The views are standardised each against its own past; their gap once more:

    gap_t = options_z_t - sentiment_z_t,    divergence_z_t = (gap_t - mean(gap_<t)) / sd(gap_<t),

the magnitude. Types are those of ``classification``. Confidence, in [0, 1], is a product of what the type rests on:

    grade * sqrt(min(1, views so far / 252)) * reliability * sentiment's confidence

reliability z^2 / (z^2 + se^2) of the options view where the direction is the options', of kurtosis for a volatility
play (which takes nothing from sentiment), else 1.
"""

from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.arrays import floats
from hydra_assets.columns import DIVERGENCE
from hydra_assets.signals.classification import DIRECTIONAL, Bias, Classified, SignalType, classify
from hydra_assets.signals.history import expanding_z, lagged_change
from hydra_assets.signals.options_view import KEY, option_readings, options_view
from hydra_assets.signals.thresholds import DivergenceConfig

Floats = NDArray[np.float64]


class SignalReason(StrEnum):
    """Why a session has a divergence, or none."""

    OK = "ok"
    NO_OPTIONS_VIEW = "no_options_view"
    NO_SENTIMENT_VIEW = "no_sentiment_view"
    SHORT_HISTORY = "short_history"


COLUMNS = tuple(name for name in DIVERGENCE.columns if name not in KEY)
"""Columns of the result after market and session."""
_SENTIMENT = {"crowd_score": "sentiment_score", "crowd_confidence": "sentiment_confidence"}
_DEFAULT = DivergenceConfig()


def divergence_signals(
    moments: pl.DataFrame,
    real_world: pl.DataFrame,
    sentiment: pl.DataFrame,
    sessions: pl.DataFrame,
    config: DivergenceConfig = _DEFAULT,
) -> pl.DataFrame:
    """Classify sessions.

    Parameters
    ----------
    moments, real_world, sentiment
        ``implied_moments``, ``real_world_density`` and scores of the markets **from their first session on**, up to
        the last wanted. ``sentiment`` has ``sentiment_score`` and ``sentiment_confidence``, or else ``crowd_score``
        and ``crowd_confidence``.
    sessions
        Columns market and session: the rows that are wanted.

    Returns
    -------
    One row per (market, session) of ``sessions`` with ``COLUMNS``. What is missing is null; all of the verdict is null
    but type (``absent``) and reason where the reason is not ``ok``.
    """
    if "sentiment_score" not in sentiment.columns:
        sentiment = sentiment.rename(_SENTIMENT)
    both = (
        option_readings(moments, real_world, config)
        .join(
            sentiment.select(
                *KEY,
                pl.col("sentiment_score").cast(pl.Float64),
                pl.col("sentiment_confidence").cast(pl.Float64),
            ),
            on=KEY,
            how="full",
            coalesce=True,
        )
        .sort(KEY, maintain_order=True)
    )
    parts = [_one_market(part, config) for part in both.partition_by("market", maintain_order=True)]
    found = pl.concat(parts) if parts else _one_market(both, config)
    none = pl.lit(str(SignalReason.NO_OPTIONS_VIEW))
    return (
        sessions.select(KEY)
        .join(found.select(*KEY, *COLUMNS), on=KEY, how="left", maintain_order="left")
        .with_columns(
            pl.col("divergence_type").fill_null(pl.lit(str(SignalType.ABSENT))),
            pl.col("divergence_reason").fill_null(none),
        )
    )


def _one_market(rows: pl.DataFrame, config: DivergenceConfig) -> pl.DataFrame:
    rows = options_view(rows, config)
    score = floats(rows, "sentiment_score")
    sentiment_z, _ = expanding_z(score, config.min_sentiment_sessions)
    # A week without a report is a gap, and nothing that happened meanwhile is one week's change.
    moved, _ = expanding_z(lagged_change(score, config.change_sessions, unbroken=True), config.min_sentiment_sessions)
    gap = floats(rows, "options_z") - sentiment_z
    gap_z, history = expanding_z(gap, config.min_scale_sessions)
    # Nothing is said of a session before its gap can be put beside past gaps.
    options_z = np.where(np.isfinite(gap_z), floats(rows, "options_z"), np.nan)
    classified = classify(
        options_z,
        rows["options_noise"].fill_null(value=True).to_numpy(),
        sentiment_z,
        _outside_noise(rows, "options_change"),
        moved,
        _outside_noise(rows, "kurt"),
        rows["grade"].cast(pl.String).to_numpy().astype(object),
        config.types,
    )
    return rows.with_columns(
        pl.Series("sentiment_z", sentiment_z, nan_to_null=True),
        pl.Series("sentiment_change_z", moved, nan_to_null=True),
        pl.Series("divergence_gap", gap, nan_to_null=True),
        pl.Series("divergence_z", gap_z, nan_to_null=True),
        pl.Series("history_sessions", history),
        pl.Series("divergence_type", classified.kind.tolist(), dtype=pl.String),
        pl.Series("divergence_direction", classified.direction),
        pl.Series("divergence_confidence", _confidence(rows, classified, config), nan_to_null=True),
        pl.Series("size_factor", classified.size_factor, nan_to_null=True),
    ).with_columns(_reason(), *_verdict())


def _outside_noise(rows: pl.DataFrame, name: str) -> Floats:
    """Z of a series, 0 where it lies inside its noise."""
    return np.where(rows[f"{name}_noise"].fill_null(value=False).to_numpy(), 0.0, floats(rows, f"{name}_z"))


def _confidence(rows: pl.DataFrame, classified: Classified, config: DivergenceConfig) -> Floats:
    trust = np.array([config.grade_confidence.get(grade or "", 0.0) for grade in rows["grade"].to_list()])
    history = np.sqrt(np.minimum(rows["options_history"].to_numpy() / config.full_history_sessions, 1.0))
    directional = np.isin(classified.kind, DIRECTIONAL)
    play = classified.kind == SignalType.VOLATILITY_PLAY
    reliable = np.where(directional, _reliability(rows, "options_z"), 1.0)
    reliable = np.where(play, _reliability(rows, "kurt_z"), reliable)
    crowd = np.where(play, 1.0, floats(rows, "sentiment_confidence"))
    return np.asarray(trust * history * reliable * crowd)


def _reliability(rows: pl.DataFrame, name: str) -> Floats:
    """Share of signal in a squared z."""
    z, se = floats(rows, name), floats(rows, f"{name}_se")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(z * z / (z * z + se * se))


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("tilt").is_null())
        .then(pl.lit(str(SignalReason.NO_OPTIONS_VIEW)))
        .when(pl.col("sentiment_score").is_null())
        .then(pl.lit(str(SignalReason.NO_SENTIMENT_VIEW)))
        .when(pl.col("divergence_type") == SignalType.ABSENT)
        .then(pl.lit(str(SignalReason.SHORT_HISTORY)))
        .otherwise(pl.lit(str(SignalReason.OK)))
        .alias("divergence_reason")
    )


def _verdict() -> list[pl.Expr]:
    """Direction, bias and confidence; null where absent."""
    there = pl.col("divergence_type") != SignalType.ABSENT
    direction = pl.col("divergence_direction")
    bias = (
        pl.when(direction > 0)
        .then(pl.lit(str(Bias.LONG)))
        .when(direction < 0)
        .then(pl.lit(str(Bias.SHORT)))
        .otherwise(pl.lit(str(Bias.FLAT)))
    )
    return [
        pl.when(there).then(direction).alias("divergence_direction"),
        pl.when(there).then(bias).alias("suggested_bias"),
        pl.when(there).then(pl.col("divergence_confidence")).alias("divergence_confidence"),
    ]
