"""What each published week says beside the published weeks before it, for one series of the CFTC's reports.

A week that was not published is no week: it is neither unchanged nor missing, and nothing is filled in. Each week
counts with the value it had when a session could first use it, so that a restatement moves nothing of the past.
"""

from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.signal import lfilter

from hydra_assets.arrays import floats
from hydra_assets.sentiment.cot import mid_rank_score
from hydra_assets.sentiment.cot_config import ChangeReason, CotConfig

Floats = NDArray[np.float64]

SERIES = ("market", "family", "scope", "category")
ONE_WEEK = (timedelta(days=5), timedelta(days=9))
"""Reports of holiday weeks are dated on a Monday, which makes the step 6 or 8 days; anything longer is no week."""
SMALLEST_VARIANCE = 1e-18
"""Below it past values are equal but for rounding: shares of open interest are fractions of order 0.1."""


def trailing(values: Floats, window: int) -> Floats:
    """The ``window`` values before each value, and before the one that is to come, ``[n + 1, window]``; NaN for none.

    Row t + 1 is therefore value t with the ``window - 1`` before it.
    """
    padded = np.concatenate([np.full(window, np.nan), values])
    return np.lib.stride_tricks.sliding_window_view(padded, window)


def trailing_z(values: Floats, window: int, minimum: int) -> Floats:
    """Return z of each value against the finite ones among the ``window`` before it, ``[n]``.

    z_t = (x_t - mean) / sd over x_{t-window} ... x_{t-1}, the sample standard deviation. NaN where x_t is missing,
    where fewer than ``minimum`` values precede or where they are all equal. Each result is a sum in the order of time
    over its own window and nothing else, so later values change no earlier bit.
    """
    past = trailing(values, window)[:-1]
    there = np.isfinite(past)
    count = there.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        # cumsum adds in order; a plain sum adds pairwise, in an order that depends on the layout.
        mean = np.cumsum(np.where(there, past, 0.0), axis=1)[:, -1] / count
        apart = np.where(there, past - mean[:, None], 0.0)
        variance = np.cumsum(apart * apart, axis=1)[:, -1] / (count - 1)
        z = (values - mean) / np.sqrt(variance)
    usable = np.isfinite(values) & (count >= max(minimum, 2)) & (variance > SMALLEST_VARIANCE)
    return np.where(usable, z, np.nan)


def trailing_median(values: Floats, window: int) -> Floats:
    """Median of each value and the ``window - 1`` before it, ``[n]``; values must be finite."""
    ordered = np.sort(trailing(values, window)[1:], axis=1)
    count, row = np.minimum(np.arange(1, len(values) + 1), window), np.arange(len(values))
    return np.asarray(0.5 * (ordered[row, (count - 1) // 2] + ordered[row, count // 2]))


def published_weeks(rows: pl.DataFrame, config: CotConfig) -> pl.DataFrame:
    """One row per series and published week, with what it says among the weeks before.

    Parameters
    ----------
    rows
        ``cot_positions`` of the wanted series from their first session on.

    Returns
    -------
    The series' columns, ``report_date``, ``first_session`` (the first that could use it: before it nothing of the row
    is known) and, all from the values of that session:

    ``share`` (net over open interest), ``history_weeks``, ``score`` and ``z`` of the share; ``change_1w`` (share minus
    the week before's), ``change_reason`` and ``change_z``; ``open_interest_relative`` (over its trailing median);
    ``traders`` (long plus short; null where suppressed), ``concentration``: ln of contracts per long trader over
    contracts per short trader, above 0 where the longs are in fewer, larger hands; ``gap_weeks`` (weeks missing before
    it, earlier gaps fading) and ``confidence``.
    """
    weeks = (
        rows.filter(pl.col("report_date").is_not_null() & pl.col("net_share").is_finite())
        .sort([*SERIES, "session"], maintain_order=True)
        .unique([*SERIES, "report_date"], keep="first", maintain_order=True)
        .sort([*SERIES, "report_date"], maintain_order=True)
    )
    parts = [_one_series(part, config) for part in weeks.partition_by(SERIES, maintain_order=True)]
    return pl.concat(parts) if parts else _one_series(weeks, config)


def _one_series(weeks: pl.DataFrame, config: CotConfig) -> pl.DataFrame:
    share = floats(weeks, "net_share")
    stepped = weeks.with_columns(_change_reason().alias("change_reason"))
    one_week = (stepped["change_reason"] == ChangeReason.OK).to_numpy()
    change = np.where(one_week, np.diff(share, prepend=np.nan), np.nan)
    interest = floats(weeks, "open_interest")
    relative = interest / trailing_median(interest, config.window_weeks)
    history = np.minimum(np.arange(1, weeks.height + 1), config.window_weeks)
    missing = weeks["missing_weeks"].cast(pl.Float64).fill_null(0.0).to_numpy()
    gap = lfilter([1.0], [1.0, -config.gap_memory], missing) if weeks.height else missing
    long, short = floats(weeks, "traders_long"), floats(weeks, "traders_short")
    values = {
        "share": share,
        "score": mid_rank_score(share, config.window_weeks, config.min_weeks),
        "z": trailing_z(share, config.window_weeks, config.min_weeks),
        "change_1w": change,
        "change_z": trailing_z(change, config.window_weeks, config.min_weeks),
        "open_interest_relative": relative,
        "traders": long + short,
        "concentration": _concentration(weeks, long, short),
        "gap_weeks": gap,
        "confidence": _confidence(history, gap, relative, (long, short), config),
    }
    return stepped.select(
        *SERIES,
        "report_date",
        pl.col("session").alias("first_session"),
        "change_reason",
        pl.Series("history_weeks", history, dtype=pl.Int64),
        *(pl.Series(name, column, dtype=pl.Float64, nan_to_null=True) for name, column in values.items()),
    )


def _change_reason() -> pl.Expr:
    step = pl.col("report_date").diff()
    return (
        pl.when(step.is_null())
        .then(pl.lit(str(ChangeReason.FIRST_REPORT)))
        .when(step.is_between(*ONE_WEEK))
        .then(pl.lit(str(ChangeReason.OK)))
        .when(pl.col("missing_weeks") > 0)
        .then(pl.lit(str(ChangeReason.GAP)))
        .otherwise(pl.lit(str(ChangeReason.UNSEEN)))
    )


def _concentration(weeks: pl.DataFrame, traders_long: Floats, traders_short: Floats) -> Floats:
    long, short = floats(weeks, "long_contracts"), floats(weeks, "short_contracts")
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = (long / traders_long) / (short / traders_short)
        return np.where(np.isfinite(ratio) & (ratio > 0), np.log(ratio), np.nan)


def _confidence(
    history: NDArray[np.int64], gap: Floats, relative: Floats, traders: tuple[Floats, Floats], config: CotConfig
) -> Floats:
    """What a report bears on the day of its data, in [0, 1]; its age takes its part on each session.

    sqrt(history / window) * exp(-gap / scale) * sqrt(min(1, OI / median OI)) * sqrt(min(1, traders / full)): roots,
    since the standard error of a share or mean falls with the root of what is counted.
    """
    counted = sum(np.where(np.isfinite(side), side, config.suppressed_traders) for side in traders)
    return np.asarray(
        np.sqrt(history / config.window_weeks)
        * np.exp(-gap / config.gap_scale_weeks)
        * np.sqrt(np.minimum(relative, 1.0))
        * np.sqrt(np.minimum(counted / config.full_traders, 1.0))
    )
