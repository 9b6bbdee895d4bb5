"""How volume runs over a session's trading hours, from the time-of-day curve known at a cutoff. Pure."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from itertools import pairwise

import numpy as np
import polars as pl

from hydra_assets.markets.model import WorkingHours
from hydra_assets.replay.time_of_day import part_of_bucket

PARTS = 12
"""Equal parts of the trading hours that volume is told for."""
COLUMNS = ("session", "bucket_minutes", "bucket_starts", "volume_shares")
_DAY = date(2000, 1, 3)


def profiles(curve: pl.DataFrame, hours: WorkingHours) -> dict[date, tuple[float, ...]]:
    """Share of the hours' volume in each of ``PARTS``, by session; none where nothing is known or nothing traded.

    Parameters
    ----------
    curve
        ``COLUMNS``, one market's rows of ``time_of_day_curve``.
    hours
        The market's trading hours, local.
    """
    parts = split(hours, PARTS)
    out = {}
    for session, minutes, starts, shares in curve.select(COLUMNS).drop_nulls().iter_rows():
        volume = [float(part_of_bucket(starts, minutes, part) @ np.asarray(shares)) for part in parts]
        total = sum(volume)
        if total > 0.0:
            out[session] = tuple(part / total for part in volume)
    return out


def split(hours: WorkingHours, parts: int) -> Sequence[WorkingHours]:
    """Cut hours into equal ones."""
    start, end = datetime.combine(_DAY, hours.start), datetime.combine(_DAY, hours.end)
    length = (end - start) % timedelta(days=1) / parts
    edges: list[time] = [(start + n * length).time() for n in range(parts + 1)]
    return [WorkingHours(start=a, end=b) for a, b in pairwise(edges)]
