"""Between frames of held returns and arrays of regime probabilities."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.regimes.spec import REGIME_SCHEMA, RegimeReason, TrendRegime, VolRegime

Floats = NDArray[np.float64]
Strings = NDArray[np.str_]

VOLS: tuple[VolRegime, ...] = (VolRegime.CALM, VolRegime.NORMAL, VolRegime.STRESSED)
TRENDS: tuple[TrendRegime, ...] = (TrendRegime.DOWN, TrendRegime.NONE, TrendRegime.UP)


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Of one market: volatility and trend ``[3, n]`` in the order of VOLS and TRENDS, reason ``[n]``."""

    vol: Floats
    trend: Floats
    reason: Strings


def returns_of(held: pl.DataFrame) -> tuple[pl.DataFrame, list[Floats]]:
    """Rows in order and the log held returns of each market, NaN where missing; ValueError on a repeated key."""
    ordered = held.select("market", "session", "held_return").sort("market", "session")
    if ordered.select("market", "session").is_duplicated().any():
        msg = "regimes need one row per market and session"
        raise ValueError(msg)
    out = []
    for part in ordered.partition_by("market", maintain_order=True):
        r = part["held_return"].cast(pl.Float64).fill_null(np.nan).to_numpy()
        out.append(np.log1p(np.where(np.isfinite(r) & (r > -1.0), r, np.nan)))
    return ordered.select("market", "session"), out


def regime_rows(ordered: pl.DataFrame, parts: list[Probabilities]) -> pl.DataFrame:
    """REGIME_SCHEMA; the likeliest state of each chain, null where the reason is not ok."""
    if not parts:
        return pl.DataFrame(schema=REGIME_SCHEMA)
    vol = np.concatenate([part.vol for part in parts], axis=1)
    trend = np.concatenate([part.trend for part in parts], axis=1)
    reason = np.concatenate([part.reason for part in parts])
    ok = (reason == str(RegimeReason.OK)) & np.isfinite(vol).all(axis=0) & np.isfinite(trend).all(axis=0)
    named = {
        "regime_vol": np.array([str(name) for name in VOLS])[_likeliest(vol, ok)],
        "regime_vol_probability": vol.max(axis=0),
        "regime_trend": np.array([str(name) for name in TRENDS])[_likeliest(trend, ok)],
        "regime_trend_probability": trend.max(axis=0),
        "probability_calm": vol[0],
        "probability_stressed": vol[2],
        "probability_up": trend[2],
        "probability_down": trend[0],
    }
    keep = pl.Series(ok)
    return (
        ordered.with_columns(pl.Series(name, values) for name, values in named.items())
        .with_columns(pl.when(keep).then(pl.col(name)).alias(name) for name in named)
        .with_columns(pl.Series("regime_reason", reason))
        .select(pl.col(name).cast(dtype) for name, dtype in REGIME_SCHEMA.items())
    )


def _likeliest(probability: Floats, ok: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.asarray(np.where(ok, probability, 0.0).argmax(axis=0), dtype=np.int64)
