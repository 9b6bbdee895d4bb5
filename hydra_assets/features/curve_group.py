"""Features of the futures curve, of its activity and of the calendar.

Returns are those of the held contract (each day earned in one real contract), so a roll is no move. Windows count the
market's own sessions and are summed afresh from their own values.
"""

import numpy as np
import polars as pl

from hydra_assets.arrays import floats
from hydra_assets.features.returns import Floats, momentum, realised_vol, trailing

KEY = ("market", "session")
CURVE_COLUMNS = (
    *KEY,
    "contract",
    "contract_month",
    "last_trade",
    "first_notice",
    "role",
    "volume",
    "open_interest",
    "carry",
    "slope",
    "days_to_last_trade",
    "held_return",
)
DAYS_A_YEAR = 365.25
SHORT, MONTH, QUARTER = 5, 20, 60
MIN_SHARE_OF_VOLUME = 0.5
"""Of the sessions of a volume window that must be there: thin contracts do not trade every day."""


def held_returns(curve: pl.DataFrame) -> pl.DataFrame:
    """The front row of each (market, session) of ``futures_curve``, in order."""
    front = curve.filter(pl.col("role") == "front").sort("market", "session", "contract_month", maintain_order=True)
    return front.unique(["market", "session"], keep="first", maintain_order=True)


def curve_features(curve: pl.DataFrame) -> pl.DataFrame:
    """One row per (market, session) with a front contract; needs 60 sessions before the first wanted one."""
    activity = (
        curve.group_by(KEY)
        .agg(*(pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()).alias(c) for c in ("volume", "open_interest")))
        .sort(KEY)
    )
    front = held_returns(curve).drop("volume", "open_interest")
    front = front.join(activity, on=KEY, how="left", maintain_order="left")
    parts = [_one_market(part) for part in front.partition_by("market", maintain_order=True)]
    return pl.concat(parts) if parts else _one_market(front)


def _one_market(rows: pl.DataFrame) -> pl.DataFrame:
    r = np.log1p(floats(rows, "held_return"))
    vol_month, vol_quarter = realised_vol(r, MONTH), realised_vol(r, QUARTER)
    with np.errstate(invalid="ignore", divide="ignore"):
        made = {
            "momentum_5": momentum(r, SHORT),
            "momentum_20": momentum(r, MONTH),
            "momentum_60": momentum(r, QUARTER),
            "realised_vol_20": vol_month,
            "realised_vol_ratio": vol_month / vol_quarter,
            "volume_ratio": _volume_ratio(floats(rows, "volume")),
            "open_interest_change_20": _log_change(floats(rows, "open_interest"), MONTH),
        }
    delivery = pl.min_horizontal("first_notice", "last_trade")
    return rows.select(
        *KEY,
        "carry",
        "slope",
        "days_to_last_trade",
        (delivery - pl.col("session")).dt.total_days().alias("days_to_delivery"),
        *(pl.Series(name, np.where(np.isfinite(x), x, np.nan), nan_to_null=True) for name, x in made.items()),
    )


def season_features(sessions: pl.DataFrame) -> pl.DataFrame:
    """Two harmonics of the day of the year."""
    angle = sessions["session"].dt.ordinal_day().to_numpy() * (2.0 * np.pi / DAYS_A_YEAR)
    return sessions.select(KEY).with_columns(
        pl.Series("season_sin", np.sin(angle)),
        pl.Series("season_cos", np.cos(angle)),
        pl.Series("half_season_sin", np.sin(2.0 * angle)),
        pl.Series("half_season_cos", np.cos(2.0 * angle)),
    )


def _volume_ratio(volume: Floats) -> Floats:
    total, _, count = trailing(volume, QUARTER)
    ratio = np.log(volume * count / total)
    return np.where(count >= MIN_SHARE_OF_VOLUME * QUARTER, ratio, np.nan)


def _log_change(values: Floats, lag: int) -> Floats:
    out = np.full(len(values), np.nan)
    if len(values) > lag:
        out[lag:] = np.log(values[lag:] / values[:-lag])
    return out
