"""Scores and changes of every group of traders per session, or the reason why there are none."""

import numpy as np
import polars as pl

from hydra_assets.sentiment.cot import CotReason
from hydra_assets.sentiment.cot_config import PREFERENCE, CotConfig, Group
from hydra_assets.sentiment.cot_weeks import SERIES, published_weeks

KEY = ("market", "session", "group")
FROM_WEEK = (
    "score",
    "z",
    "change_1w",
    "change_z",
    "open_interest_relative",
    "traders",
    "concentration",
    "gap_weeks",
    "confidence",
)
NEEDED = (
    "session",
    *SERIES,
    "coverage",
    "report_date",
    "report_age_days",
    "missing_weeks",
    "open_interest",
    "long_contracts",
    "short_contracts",
    "net_share",
    "traders_long",
    "traders_short",
)
"""Columns of ``cot_positions`` that are read."""
_DEFAULT = CotConfig()


def cot_groups(positions: pl.DataFrame, sessions: pl.DataFrame, config: CotConfig = _DEFAULT) -> pl.DataFrame:
    """Score every group on every session.

    Parameters
    ----------
    positions
        ``cot_positions`` of the markets **from their first session on**, up to the last session asked for.
    sessions
        Columns market and session: the rows that are wanted.

    Returns
    -------
    One row per (market, session, group): family, scope and category of the series taken, ``coverage``, ``report_date``,
    ``report_age_days``, ``history_weeks``, ``share``, the columns of ``published_weeks`` (``FROM_WEEK``; confidence
    with the report's age in it), ``change_reason`` and ``reason``. Score, z and confidence are null unless the reason
    is ``ok``; changes unless there is a fresh report and ``change_reason`` is ``ok``.
    """
    rows = positions.select(NEEDED).join(_wanted(), on=["family", "scope", "category"], how="inner")
    weeks = published_weeks(rows, config)
    judged = rows.select("session", *SERIES, "coverage", "report_date", "report_age_days", "group", "rank").join(
        weeks, on=[*SERIES, "report_date"], how="left"
    )
    # A report whose first usable value came later (no open interest at first) is not yet known to say anything.
    known = pl.col("first_session") <= pl.col("session")
    judged = judged.with_columns(
        pl.when(known).then(pl.col(name)).alias(name)
        for name in ("share", "history_weeks", "change_reason", *FROM_WEEK)
    ).with_columns(_reason(config).alias("reason"))
    return _complete(_best(judged, config), sessions)


def _wanted() -> pl.DataFrame:
    rows = [
        (str(group), rank, *series) for group, preferred in PREFERENCE.items() for rank, series in enumerate(preferred)
    ]
    return pl.DataFrame(
        rows,
        schema={
            "group": pl.String,
            "rank": pl.Int64,
            "family": pl.String,
            "scope": pl.String,
            "category": pl.String,
        },
        orient="row",
    )


def _reason(config: CotConfig) -> pl.Expr:
    return (
        pl.when(pl.col("coverage") == "not_published")
        .then(pl.lit(str(CotReason.NOT_PUBLISHED)))
        .when(pl.col("report_date").is_null() | (pl.col("coverage") == "no_code"))
        .then(pl.lit(str(CotReason.NO_REPORT)))
        .when(pl.col("report_age_days") > config.max_age_days)
        .then(pl.lit(str(CotReason.STALE)))
        .when(pl.col("history_weeks").is_null())
        .then(pl.lit(str(CotReason.NO_REPORT)))
        .when(pl.col("score").is_null())
        .then(pl.lit(str(CotReason.SHORT_HISTORY)))
        .otherwise(pl.lit(str(CotReason.OK)))
    )


def _best(judged: pl.DataFrame, config: CotConfig) -> pl.DataFrame:
    """The preferred series of each (market, session, group), with only those numbers that its reason permits."""
    ok = pl.col("reason") == CotReason.OK
    fresh = pl.col("reason").is_in([CotReason.OK, CotReason.SHORT_HISTORY])
    best = judged.sort([*KEY, ok.not_(), "rank"], maintain_order=True).unique(
        list(KEY), keep="first", maintain_order=True
    )
    age = best["report_age_days"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    fading = pl.Series("fading", np.exp(-age / config.age_scale_days), nan_to_null=True)
    return best.with_columns(
        *(pl.when(ok).then(pl.col(name)).alias(name) for name in ("score", "z")),
        pl.when(ok).then(pl.col("confidence") * fading).alias("confidence"),
        *(
            pl.when(fresh).then(pl.col(name)).alias(name)
            for name in (
                "share",
                "change_1w",
                "change_z",
                "open_interest_relative",
                "traders",
                "concentration",
                "gap_weeks",
            )
        ),
        pl.when(fresh).then("change_reason").otherwise("reason").alias("change_reason"),
    )


def _complete(best: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """A row for every wanted session and group, in the order of ``sessions``."""
    groups = pl.DataFrame({"group": [str(group) for group in Group]})
    none = pl.lit(str(CotReason.NO_REPORT))
    return (
        sessions.select("market", "session")
        .join(groups, how="cross", maintain_order="left_right")
        .join(
            best.select(
                *KEY,
                "family",
                "scope",
                "category",
                "coverage",
                "report_date",
                "report_age_days",
                "history_weeks",
                "share",
                *FROM_WEEK,
                "change_reason",
                "reason",
            ),
            on=list(KEY),
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("reason").fill_null(none), pl.col("change_reason").fill_null(none))
    )
