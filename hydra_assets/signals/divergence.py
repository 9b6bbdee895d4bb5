"""Where the options market and the crowd disagree.

Both views are standardised against their own past: the tilt of the implied density (in excess of the lognormal; the
implied mean is the futures price and says nothing) and the crowd's positioning score. Their gap,

    gap_t = z(tilt)_t - z(crowd)_t,    divergence_t = z(gap)_t,

is standardised once more, each time against strictly past values. A gap past the threshold is a divergence in the
direction of the options; two views past it with the same sign are a trend to follow; the rest is neutral.
"""

from enum import StrEnum

import numpy as np
import polars as pl

from hydra_assets.signals.history import expanding_z

MIN_VIEW_SESSIONS = 40
"""Sessions with a view before it is standardised."""
MIN_GAP_SESSIONS = 20
"""Sessions with a gap before it is; fewer, since a gap of two z-scores has about a known scale already."""
THRESHOLD_SD = 1.0


class DivergenceType(StrEnum):
    """What the pair of views is."""

    BULLISH_DIVERGENCE = "bullish_divergence"
    """Options lean up against the crowd."""
    BEARISH_DIVERGENCE = "bearish_divergence"
    """Options lean down against the crowd."""
    TREND_FOLLOW = "trend_follow"
    """Both lean the same way."""
    NEUTRAL = "neutral"
    ABSENT = "absent"
    """One of the views is missing; the reason says which."""


class DivergenceReason(StrEnum):
    """Why a session has a divergence, or none."""

    OK = "ok"
    NO_OPTIONS_VIEW = "no_options_view"
    NO_CROWD_VIEW = "no_crowd_view"
    SHORT_HISTORY = "short_history"


def divergence(moments: pl.DataFrame, crowd: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Classify sessions.

    Parameters
    ----------
    moments, crowd
        ``implied_moments`` and ``cot_scores`` of the markets from their first session on, up to the last wanted.
    sessions
        Columns market and session: the rows that are wanted.

    Returns
    -------
    One row per (market, session) of ``divergence``.
    """
    key = ["market", "session"]
    both = (
        moments.select(*key, "tilt")
        .join(crowd.select(*key, "crowd_score"), on=key, how="full", coalesce=True)
        .sort(key, maintain_order=True)
    )
    parts = [_one_market(part) for part in both.partition_by("market", maintain_order=True)]
    if not parts:
        parts = [_one_market(both)]
    rows = sessions.select(key).join(pl.concat(parts), on=key, how="left", maintain_order="left")
    return (
        rows.with_columns(_reason().alias("divergence_reason"))
        .with_columns(_classified())
        .with_columns(_direction().alias("divergence_direction"))
    )


def _one_market(rows: pl.DataFrame) -> pl.DataFrame:
    tilt_z, _ = expanding_z(rows["tilt"].cast(pl.Float64).fill_null(np.nan).to_numpy(), MIN_VIEW_SESSIONS)
    crowd_z, _ = expanding_z(rows["crowd_score"].cast(pl.Float64).fill_null(np.nan).to_numpy(), MIN_VIEW_SESSIONS)
    gap = tilt_z - crowd_z
    gap_z, count = expanding_z(gap, MIN_GAP_SESSIONS)
    return rows.with_columns(
        pl.Series("tilt_z", tilt_z, nan_to_null=True),
        pl.Series("crowd_z", crowd_z, nan_to_null=True),
        pl.Series("divergence_gap", gap, nan_to_null=True),
        pl.Series("divergence_z", gap_z, nan_to_null=True),
        pl.Series("history_sessions", count),
    )


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("tilt").is_null())
        .then(pl.lit(str(DivergenceReason.NO_OPTIONS_VIEW)))
        .when(pl.col("crowd_score").is_null())
        .then(pl.lit(str(DivergenceReason.NO_CROWD_VIEW)))
        .when(pl.col("divergence_z").is_null())
        .then(pl.lit(str(DivergenceReason.SHORT_HISTORY)))
        .otherwise(pl.lit(str(DivergenceReason.OK)))
    )


def _classified() -> pl.Expr:
    same_way = (pl.col("tilt_z") * pl.col("crowd_z") > 0.0) & (
        pl.min_horizontal(pl.col("tilt_z").abs(), pl.col("crowd_z").abs()) >= THRESHOLD_SD
    )
    return (
        pl.when(pl.col("divergence_reason") != DivergenceReason.OK)
        .then(pl.lit(str(DivergenceType.ABSENT)))
        .when(same_way)
        .then(pl.lit(str(DivergenceType.TREND_FOLLOW)))
        .when(pl.col("divergence_z") >= THRESHOLD_SD)
        .then(pl.lit(str(DivergenceType.BULLISH_DIVERGENCE)))
        .when(pl.col("divergence_z") <= -THRESHOLD_SD)
        .then(pl.lit(str(DivergenceType.BEARISH_DIVERGENCE)))
        .otherwise(pl.lit(str(DivergenceType.NEUTRAL)))
        .alias("divergence_type")
    )


def _direction() -> pl.Expr:
    kind = pl.col("divergence_type")
    return (
        pl.when(kind == DivergenceType.ABSENT)
        .then(pl.lit(None, pl.Int64))
        .when(kind == DivergenceType.TREND_FOLLOW)
        .then(pl.col("tilt_z").sign().cast(pl.Int64))
        .when(kind == DivergenceType.BULLISH_DIVERGENCE)
        .then(pl.lit(1, pl.Int64))
        .when(kind == DivergenceType.BEARISH_DIVERGENCE)
        .then(pl.lit(-1, pl.Int64))
        .otherwise(pl.lit(0, pl.Int64))
    )
