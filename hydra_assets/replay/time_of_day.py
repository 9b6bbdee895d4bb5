"""From the time-of-day curve to the factors of a replay: what the hours in which an order works give and cost.

In a window with the shares v of the day's volume and s of its variance, the square-root law with the window's own
volatility and volume is

    Y * (sigma sqrt(s)) * sqrt(Q / (V v)) = Y * sigma * sqrt(Q / V) * sqrt(s / v),

so the impact of the whole day is multiplied by sqrt(s / v), and a cap on the share of volume leaves v of the day's cap.
Over the whole day both factors are 1. The night between two sessions is in sigma and not in the curve: the factor is
that of a volatility which is a little too high.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from hydra_assets.markets.model import WorkingHours
from hydra_assets.replay.inputs import aligned
from hydra_assets.replay.market import Floats, MarketArrays, known_factor

DAY_MINUTES = 1440
WINDOW_COLUMNS = ("market", "session", "bucket_minutes", "bucket_starts", "volume_shares", "variance_shares")


@dataclass(frozen=True, slots=True)
class HourFactors:
    """Share of the day's cap that a window gives, and its impact over that of the whole day."""

    cap: float
    impact: float


WHOLE_DAY = HourFactors(1.0, 1.0)


def hour_factors(volume_share: float, variance_share: float) -> HourFactors:
    """Factors of a window with these shares; where nothing is traded nothing can be done, at no other impact."""
    if volume_share <= 0.0:
        return HourFactors(0.0, 1.0)
    return HourFactors(min(volume_share, 1.0), float(np.sqrt(variance_share / volume_share)))


def part_of_bucket(starts: Sequence[float], bucket_minutes: int, hours: WorkingHours) -> Floats:
    """Part of each bucket that lies in the hours, ``[bucket]``; ``starts`` are minutes after local midnight."""
    begin, end = (60 * t.hour + t.minute for t in (hours.start, hours.end))
    length = (end - begin) % DAY_MINUTES
    # On a clock that starts with the hours, a bucket may reach over its end into the hours again.
    since = (np.asarray(starts, dtype=np.float64) - begin) % DAY_MINUTES
    inside = np.clip(np.minimum(since + bucket_minutes, length) - since, 0.0, None)
    again = np.clip(since + bucket_minutes - DAY_MINUTES, 0.0, length)
    return np.asarray((inside + again) / bucket_minutes)


def window_factors(
    starts: Sequence[float],
    volume_shares: Sequence[float],
    variance_shares: Sequence[float],
    bucket_minutes: int,
    hours: WorkingHours,
) -> HourFactors:
    """Factors of local hours from one session's curve; a bucket that is partly in them counts with that part."""
    part = part_of_bucket(starts, bucket_minutes, hours)
    return hour_factors(float(part @ np.asarray(volume_shares)), float(part @ np.asarray(variance_shares)))


def with_time_of_day(market: MarketArrays, curve: pl.DataFrame, hours: Mapping[str, WorkingHours]) -> MarketArrays:
    """Market with the factors of each market's working hours, row t as known at the cutoff of session t.

    Parameters
    ----------
    curve
        ``WINDOW_COLUMNS`` of ``time_of_day_curve``; sessions without a curve, and markets without hours, keep 1.
    hours
        Local hours by market.
    """
    known = curve.filter(pl.col("market").is_in(list(hours)) & pl.col("volume_shares").is_not_null())
    found = [
        window_factors(starts, volumes, variances, minutes, hours[name])
        for name, _, minutes, starts, volumes, variances in known.select(WINDOW_COLUMNS).iter_rows()
    ]
    rows = known.select("market", "session").with_columns(
        pl.Series("cap", [f.cap for f in found], dtype=pl.Float64),
        pl.Series("impact", [f.impact for f in found], dtype=pl.Float64),
    )
    cap = aligned(rows, "cap", market)
    if market.cap_factor is not None:
        cap = known_factor(cap, cap) * known_factor(market.cap_factor, cap)
    return replace(market, cap_factor=cap, impact_factor=aligned(rows, "impact", market))
