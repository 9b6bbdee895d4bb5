"""The feature vector of a session: what options, crowd, their gap, curve and calendar say at its cutoff.

Every input is a partition that was itself computed as of the session's cutoff, so nothing later can enter. What is
missing stays missing; ``features_missing`` says which group and why.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from hydra_assets.features.returns import momentum, realised_vol


@dataclass(frozen=True, slots=True)
class Feature:
    """One entry of the feature dictionary; ``source`` is the asset that it is read from."""

    name: str
    group: str
    source: str


FEATURES: tuple[Feature, ...] = (
    Feature("tilt", "options", "implied_moments"),
    Feature("tilt_z", "options", "divergence"),
    Feature("atm_vol", "options", "implied_moments"),
    Feature("implied_skew", "options", "implied_moments"),
    Feature("vol_premium", "options", "implied_moments"),
    Feature("crowd_score", "crowd", "cot_scores"),
    Feature("crowd_confidence", "crowd", "cot_scores"),
    Feature("report_age_days", "crowd", "cot_scores"),
    Feature("divergence_z", "divergence", "divergence"),
    Feature("carry", "curve", "futures_curve"),
    Feature("momentum_20", "curve", "futures_curve"),
    Feature("momentum_60", "curve", "futures_curve"),
    Feature("realised_vol_20", "curve", "futures_curve"),
    Feature("season_sin", "calendar", "futures_curve"),
    Feature("season_cos", "calendar", "futures_curve"),
    Feature("days_to_last_trade", "calendar", "futures_curve"),
    Feature("slices_usable", "quality", "implied_moments"),
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
DAYS_A_YEAR = 365.25


def held_returns(curve: pl.DataFrame) -> pl.DataFrame:
    """The front row of each (market, session) of ``futures_curve``, in order."""
    front = curve.filter(pl.col("role") == "front").sort("market", "session", "contract_month", maintain_order=True)
    return front.unique(["market", "session"], keep="first", maintain_order=True)


def assemble(
    curve: pl.DataFrame,
    moments: pl.DataFrame,
    crowd: pl.DataFrame,
    divergence: pl.DataFrame,
    sessions: pl.DataFrame,
) -> pl.DataFrame:
    """Assemble ``feature_vector``: one row per (market, session) of ``sessions``.

    ``curve`` needs at least 60 sessions before the first wanted one; the other frames the wanted sessions only.
    """
    key = ["market", "session"]
    front = held_returns(curve)
    parts = [_curve_features(part) for part in front.partition_by("market", maintain_order=True)]
    from_curve = pl.concat(parts) if parts else _curve_features(front)
    rows = sessions.select(key)
    for frame in (
        moments.select(
            *key, "tilt", "atm_vol", pl.col("skew").alias("implied_skew"), "slices_usable", "moments_reason"
        ),
        crowd.select(*key, "crowd_score", "crowd_confidence", "report_age_days", "crowd_reason"),
        divergence.select(*key, "tilt_z", "divergence_z", "divergence_reason"),
        from_curve,
    ):
        rows = rows.join(frame, on=key, how="left", maintain_order="left")
    angle = pl.col("session").dt.ordinal_day() * (2.0 * np.pi / DAYS_A_YEAR)
    return rows.with_columns(
        (pl.col("atm_vol") - pl.col("realised_vol_20")).alias("vol_premium"),
        angle.sin().alias("season_sin"),
        angle.cos().alias("season_cos"),
        _missing().alias("features_missing"),
    ).select(*key, *FEATURE_NAMES, "features_missing")


def _curve_features(rows: pl.DataFrame) -> pl.DataFrame:
    r = np.log1p(rows["held_return"].cast(pl.Float64).fill_null(np.nan).to_numpy())
    return rows.select("market", "session", "carry", "days_to_last_trade").with_columns(
        pl.Series("momentum_20", momentum(r, 20), nan_to_null=True),
        pl.Series("momentum_60", momentum(r, 60), nan_to_null=True),
        pl.Series("realised_vol_20", realised_vol(r, 20), nan_to_null=True),
    )


def _missing() -> pl.Expr:
    """``group:reason`` of each absent group, joined by commas; empty where all are there."""
    groups = [
        pl.when(pl.col(value).is_null()).then(pl.concat_str(pl.lit(f"{group}:"), pl.col(reason).fill_null("no_row")))
        for group, value, reason in (
            ("options", "tilt", "moments_reason"),
            ("crowd", "crowd_score", "crowd_reason"),
            ("divergence", "divergence_z", "divergence_reason"),
        )
    ]
    curve = pl.when(pl.col("momentum_60").is_null()).then(pl.lit("curve:short_history_or_no_settle"))
    return pl.concat_str([*groups, curve], separator=",", ignore_nulls=True)
