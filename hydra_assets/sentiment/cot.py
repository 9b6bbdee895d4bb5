"""The crowd's position as a score: where speculators' net share of open interest stands among its published weeks.

score = 2 * (mid-rank of the newest report among the last 156 published weeks, itself included) - 1, in [-1, +1]:
+1 is the most net long the crowd has been. Speculators are managed money where the market is in the disaggregated
report, non-commercials where only the legacy one has it. Weeks are those that were *published*: a week that never
appeared does not count as unchanged. Each report counts with the value it had when it first became known, so a
later restatement moves no score of the past.
"""

from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

WINDOW_WEEKS = 156
MIN_WEEKS = 26
MAX_AGE_DAYS = 14
"""A report is 3 days old when published and 10 when replaced; past 14 something is missing (as in the raw dataset)."""
AGE_SCALE_DAYS = 30.0
GAP_SCALE_WEEKS = 8.0

SERIES_PREFERENCE: tuple[tuple[str, str, str], ...] = (
    ("disaggregated", "futures_only", "managed_money"),
    ("disaggregated", "combined", "managed_money"),
    ("legacy", "futures_only", "noncommercial"),
    ("legacy", "combined", "noncommercial"),
)
"""(family, scope, category) in order of preference; the first with a score on a session is taken."""


class CotReason(StrEnum):
    """Why a session has a score, or none."""

    OK = "ok"
    NO_REPORT = "no_report"
    """Nothing was known at the cutoff, or the market has no CFTC code."""
    NOT_PUBLISHED = "not_published"
    """The market dropped out of the report."""
    STALE = "stale"
    SHORT_HISTORY = "short_history"


def mid_rank_score(values: NDArray[np.float64], window: int, minimum: int) -> NDArray[np.float64]:
    """Score of each value among itself and up to ``window - 1`` values before it, ``[n]`` in [-1, +1].

    score = (below - above) / count, which is 2 * mid-rank / count - 1. NaN before ``minimum`` values.
    """
    n = len(values)
    padded = np.concatenate([np.full(window, np.nan), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, window)[1:]
    below = (windows < values[:, None]).sum(axis=1)
    above = (windows > values[:, None]).sum(axis=1)
    count = np.minimum(np.arange(1, n + 1), window)
    return np.where(count >= minimum, (below - above) / count, np.nan)


def cot_scores(positions: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Score every session.

    Parameters
    ----------
    positions
        ``cot_positions`` of the markets, **from their first session on** to the last one asked for: the history
        that the percentile is taken in.
    sessions
        Columns market and session: the rows that are wanted.

    Returns
    -------
    One row per (market, session) of ``cot_scores``; score and confidence are null unless the reason is ``ok``.
    """
    wanted = pl.DataFrame(SERIES_PREFERENCE, schema=["family", "scope", "category"], orient="row").with_row_index(
        "rank"
    )
    series = ["market", "family", "scope", "category"]
    rows = positions.join(wanted, on=["family", "scope", "category"], how="inner").sort(
        [*series, "session"], maintain_order=True
    )
    weeks = (
        rows.filter(pl.col("report_date").is_not_null() & pl.col("net_share").is_finite())
        .unique([*series, "report_date"], keep="first", maintain_order=True)
        .sort([*series, "report_date"], maintain_order=True)
        .select(
            *series,
            "report_date",
            pl.col("net_share").alias("first_share"),
            pl.int_range(1, pl.len() + 1, dtype=pl.Int64)
            .over(series)
            .clip(upper_bound=WINDOW_WEEKS)
            .alias("history_weeks"),
        )
    )
    scored = [
        part.with_columns(
            pl.Series(
                "score", mid_rank_score(part["first_share"].to_numpy(), WINDOW_WEEKS, MIN_WEEKS), nan_to_null=True
            )
        )
        for part in weeks.partition_by(series, maintain_order=True)
    ]
    weekly = pl.concat(scored) if scored else weeks.with_columns(pl.lit(None, pl.Float64).alias("score"))
    judged = rows.join(weekly, on=[*series, "report_date"], how="left", maintain_order="left").with_columns(
        _reason().alias("crowd_reason")
    )
    ok = pl.col("crowd_reason") == CotReason.OK
    best = (
        judged.with_columns(
            pl.when(ok).then("score").alias("crowd_score"), pl.when(ok).then(_confidence()).alias("crowd_confidence")
        )
        .sort(["market", "session", ok.not_(), "rank"], maintain_order=True)
        .unique(["market", "session"], keep="first", maintain_order=True)
    )
    columns = ("family", "scope", "category", "report_date", "report_age_days", "history_weeks", "net_share")
    return (
        sessions.select("market", "session")
        .join(
            best.select("market", "session", *columns, "crowd_score", "crowd_confidence", "crowd_reason"),
            on=["market", "session"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("crowd_reason").fill_null(str(CotReason.NO_REPORT)))
    )


def _reason() -> pl.Expr:
    return (
        pl.when(pl.col("coverage") == "not_published")
        .then(pl.lit(str(CotReason.NOT_PUBLISHED)))
        .when(pl.col("report_date").is_null() | pl.col("history_weeks").is_null() | (pl.col("coverage") == "no_code"))
        .then(pl.lit(str(CotReason.NO_REPORT)))
        .when(pl.col("report_age_days") > MAX_AGE_DAYS)
        .then(pl.lit(str(CotReason.STALE)))
        .when(pl.col("score").is_null())
        .then(pl.lit(str(CotReason.SHORT_HISTORY)))
        .otherwise(pl.lit(str(CotReason.OK)))
    )


def _confidence() -> pl.Expr:
    """In [0, 1]: sqrt of the share of a full window, fading with the report's age and the weeks missing before it."""
    history = (pl.col("history_weeks") / WINDOW_WEEKS).sqrt()
    fading = (
        -pl.col("report_age_days") / AGE_SCALE_DAYS - pl.col("missing_weeks").fill_null(0) / GAP_SCALE_WEEKS
    ).exp()
    return history * fading
