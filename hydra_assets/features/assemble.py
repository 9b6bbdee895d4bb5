"""The feature vector of a session: what options, crowd, their gap, curve, pool and calendar say at its cutoff.

Every input is a partition that was itself computed as of the session's cutoff, so nothing later can enter. What is
missing stays missing; ``features_missing`` says which group and why.
"""

from dataclasses import dataclass

import polars as pl

from hydra_assets.features.curve_group import KEY, curve_features, season_features
from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES, Group, names_of
from hydra_assets.features.options_group import flow_features, moment_features, real_world_features


@dataclass(frozen=True, slots=True)
class Sources:
    """Rows of the datasets that a vector is made of, each with the sessions before the first wanted one that it needs.

    ``curve`` reaches 60 sessions back and ``moments`` five; the others hold the wanted sessions.
    """

    curve: pl.DataFrame
    moments: pl.DataFrame
    flows: pl.DataFrame
    real_world: pl.DataFrame
    crowd: pl.DataFrame
    headlines: pl.DataFrame
    order_flow: pl.DataFrame
    sentiment: pl.DataFrame
    divergence: pl.DataFrame
    pool: pl.DataFrame


def assemble(sources: Sources, sessions: pl.DataFrame) -> pl.DataFrame:
    """Assemble ``feature_vector``: one row per (market, session) of ``sessions``."""
    rows = sessions.select(KEY)
    for frame in (
        moment_features(sources.moments),
        real_world_features(sources.real_world),
        flow_features(sources.flows),
        sources.crowd.select(*KEY, *names_of(Group.CROWD), "report_age_days", "crowd_reason"),
        sources.headlines.select(*KEY, "headline_score"),
        sources.order_flow.select(*KEY, "order_flow_score"),
        sources.sentiment.select(*KEY, "sentiment_score", "sentiment_confidence", "sentiment_reason"),
        sources.divergence.select(*KEY, "tilt_z", "options_z", *names_of(Group.DIVERGENCE), "divergence_reason"),
        curve_features(sources.curve),
        season_features(sessions),
        sources.pool.select(*KEY, "pool_momentum", "pool_vol_change"),
    ):
        rows = rows.join(frame, on=KEY, how="left", maintain_order="left")
    vol, realised = pl.col("atm_vol"), pl.col("realised_vol_20")
    rows = rows.with_columns(
        (vol - realised).alias("vol_premium"), (vol * vol - realised * realised).alias("variance_premium")
    )
    return rows.with_columns(_missing().alias("features_missing")).select(*KEY, *FEATURE_NAMES, "features_missing")


_WITNESSES = (
    (Group.OPTIONS, "tilt", "moments_reason"),
    (Group.CROWD, "crowd_score", "crowd_reason"),
    (Group.SENTIMENT, "sentiment_score", "sentiment_reason"),
    (Group.DIVERGENCE, "divergence_z", "divergence_reason"),
    (Group.FLOWS, "gamma_balance", None),
    (Group.CURVE, "momentum_60", None),
    (Group.CROSS_MARKET, "pool_momentum", None),
)
"""The feature that stands for its group, and the column that says why it is not there."""
_WITHOUT_REASON = {
    Group.FLOWS: "no_smile_or_open_interest",
    Group.CURVE: "short_history_or_no_settle",
    Group.CROSS_MARKET: "no_other_market",
}


def _missing() -> pl.Expr:
    """``group:reason`` of each absent group, joined by commas; empty where all are there."""
    parts = []
    for group, value, reason in _WITNESSES:
        why = pl.lit(_WITHOUT_REASON[group]) if reason is None else pl.col(reason).fill_null("no_row")
        parts.append(pl.when(pl.col(value).is_null()).then(pl.concat_str(pl.lit(f"{group}:"), why)))
    return pl.concat_str(parts, separator=",", ignore_nulls=True)


def dictionary_frame() -> pl.DataFrame:
    """The feature dictionary as rows: name, group, unit, known_when, source, description."""
    columns = ("name", "group", "unit", "known_when", "source", "description")
    return pl.DataFrame([[str(getattr(f, c)) for c in columns] for f in FEATURES], schema=list(columns), orient="row")
