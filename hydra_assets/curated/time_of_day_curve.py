"""``time_of_day_curve``: how volume and variance are spread over the hours of a market's day, from intraday bars.

A session's profile is taken from one contract, its most traded one, of the preferred source and the shortest bars. The
share of volume of a bucket is its volume over the day's; that of variance is made from Parkinson's estimate of a bar,
ln(high / low)^2 / (4 ln 2) ("The extreme value method for estimating the variance of the rate of return", Journal of
Business 53, 1980), over their sum. The night between two days is not in it. The curve of a session is the mean of the
profiles of the trailing window as they were known at its cutoff.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.columns import TIME_OF_DAY_CURVE
from hydra_assets.markets.sessions import SessionCalendar

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DAY_MINUTES = 1440
PARKINSON = 1.0 / (4.0 * np.log(2.0))
KEY = ("source", "contract", "bar_start", "bar_minutes")


class TimeOfDayReason(StrEnum):
    """Why there is a curve, or none."""

    OK = "ok"
    NO_INTRADAY_BARS = "no_intraday_bars"
    SHORT_HISTORY = "short_history"


@dataclass(frozen=True, slots=True)
class TimeOfDayConfig:
    """Bucket length, a divisor of a day; trailing sessions; and how many of them must have bars.

    Sixty sessions are a quarter of a year: long enough for the noise of single days to fall to an eighth, short enough
    to follow a change of trading hours. Twenty are a month.
    """

    bucket_minutes: int = 30
    window_sessions: int = 60
    min_sessions: int = 20


def time_of_day_curve(
    bars: pl.DataFrame,
    market: str,
    calendar: SessionCalendar,
    sessions: list[date],
    config: TimeOfDayConfig | None = None,
) -> pl.DataFrame:
    """Curve of one market at the cutoff of each session, one row a session.

    Parameters
    ----------
    bars
        Rows of ``raw_intraday_bars`` of the market with ``source_rank`` (0 is the market's preferred source), about
        sessions from ``window_sessions - 1`` before the first one on.
    sessions
        Wanted sessions of the calendar, in order.

    Returns
    -------
    Rows of ``time_of_day_curve``. ``bucket_starts``, ``volume_shares`` and ``variance_shares`` are lists of one length,
    the last two add up to one; null with a reason where there is no curve.
    """
    config = config or TimeOfDayConfig()
    found = _profiles(bars, calendar, config)
    wanted = np.searchsorted(calendar.sessions, np.array(sessions, dtype="datetime64[D]"))
    places = zip(sessions, wanted.tolist(), strict=True)
    rows = [_curve(day, *_window(found, index, config), config) for day, index in places]
    return pl.DataFrame([(market, *row) for row in rows], schema=dict(TIME_OF_DAY_CURVE.schema), orient="row")


@dataclass(frozen=True, slots=True)
class _Profiles:
    """Shares of sessions, ``[p, bucket]``, as they became known: session's and knowledge's place in the calendar."""

    about: Integers
    known: Integers
    volume: Floats
    variance: Floats


def _profiles(bars: pl.DataFrame, calendar: SessionCalendar, config: TimeOfDayConfig) -> _Profiles:
    """Every version of every session's profile, in the order of what they are about, then of when they were known."""
    ends = bars["bar_start"] + pl.Series(bars["bar_minutes"] * 60_000_000).cast(pl.Duration("us"))
    placed = bars.with_columns(
        pl.Series("about", _place(calendar, ends)), pl.Series("known", _place(calendar, bars["known_at"]))
    )
    versions = placed.select("about", "known").unique().sort("about", "known").rename({"known": "version"})
    versions = versions.with_row_index("profile")
    held = (
        versions.join(placed, on="about", how="inner")
        .filter(pl.col("known") <= pl.col("version"))
        .sort("profile", *KEY, "known_at", maintain_order=True)
        .unique(["profile", *KEY], keep="last", maintain_order=True)
        .filter((pl.col("volume") > 0) & (pl.col("low") > 0))
    )
    # Of each session the preferred source, its shortest bars, and then the contract with the most volume in them.
    held = _first_of_each(held, "source_rank", "source", "bar_minutes")
    held = held.with_columns((-pl.col("volume").sum()).over("profile", "contract").alias("order"))
    held = _first_of_each(held, "order", "contract").sort("profile", "bar_start", maintain_order=True)
    count = DAY_MINUTES // config.bucket_minutes
    volume, variance = np.zeros((versions.height, count)), np.zeros((versions.height, count))
    _fill(held, calendar.timezone, config.bucket_minutes, volume, variance)
    traded, moved = volume.sum(axis=1, keepdims=True), variance.sum(axis=1, keepdims=True)
    good = ((traded > 0) & (moved > 0)).ravel()
    kept = versions.filter(good)
    return _Profiles(
        about=kept["about"].to_numpy().astype(np.int64),
        known=kept["version"].to_numpy().astype(np.int64),
        volume=volume[good] / traded[good],
        variance=variance[good] / moved[good],
    )


def _first_of_each(bars: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Bars of each profile with its first combination of the columns, in their order."""
    named = bars.select("profile", *columns).unique().sort("profile", *columns)
    return bars.join(named.unique("profile", keep="first", maintain_order=True), on=named.columns, how="semi")


def _place(calendar: SessionCalendar, instants: pl.Series) -> Integers:
    """Place in the calendar of the first session whose cutoff is not before each instant."""
    naive = instants.dt.replace_time_zone(None).to_numpy().astype("datetime64[us]")
    return np.asarray(np.searchsorted(calendar.cutoffs, naive, side="left"), dtype=np.int64)


def _fill(held: pl.DataFrame, timezone: str, bucket_minutes: int, volume: Floats, variance: Floats) -> None:
    """Add the bars to their buckets of local time; a bar over several buckets is spread evenly over its minutes."""
    local = held["bar_start"].dt.convert_time_zone(timezone)
    start = local.dt.hour().cast(pl.Int64).to_numpy() * 60 + local.dt.minute().cast(pl.Int64).to_numpy()
    length = held["bar_minutes"].to_numpy()
    row = held["profile"].to_numpy().astype(np.int64)
    spread = np.log(held["high"].to_numpy() / held["low"].to_numpy()) ** 2 * PARKINSON
    traded = held["volume"].to_numpy()
    end, bucket = start + length, start // bucket_minutes
    while len(row) and (bucket * bucket_minutes < end).any():
        inside = np.minimum(end, (bucket + 1) * bucket_minutes) - np.maximum(start, bucket * bucket_minutes)
        part = np.maximum(inside, 0) / length
        place = (row, bucket % volume.shape[1])
        np.add.at(volume, place, traded * part)
        np.add.at(variance, place, spread * part)
        bucket = bucket + 1


def _window(found: _Profiles, index: int, config: TimeOfDayConfig) -> tuple[Floats, Floats]:
    """Profiles of the window that ends at a place in the calendar, each as it was known there, ``[k, bucket]``."""
    low = np.searchsorted(found.about, index - config.window_sessions + 1, side="left")
    high = np.searchsorted(found.about, index, side="right")
    rows = np.arange(low, high)[found.known[low:high] <= index]
    # Versions stand in order of knowledge: the last of each session counts.
    about = found.about[rows]
    newest = rows[np.append(about[1:] != about[:-1], True)] if len(rows) else rows
    return found.volume[newest], found.variance[newest]


def _curve(day: date, volume: Floats, variance: Floats, config: TimeOfDayConfig) -> tuple[object, ...]:
    known = len(volume)
    if known < max(config.min_sessions, 1):
        reason = TimeOfDayReason.SHORT_HISTORY if known else TimeOfDayReason.NO_INTRADAY_BARS
        return (day, config.bucket_minutes, None, None, None, known, str(reason))
    shares, variances = volume.mean(axis=0), variance.mean(axis=0)
    used = np.flatnonzero(shares > 0)
    starts = (used * config.bucket_minutes).astype(np.float64)
    return (
        day,
        config.bucket_minutes,
        starts.tolist(),
        shares[used].tolist(),
        variances[used].tolist(),
        known,
        str(TimeOfDayReason.OK),
    )
