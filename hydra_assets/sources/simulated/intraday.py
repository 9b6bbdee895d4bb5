"""Bars within the day of one simulated market's front contract, consistent with its daily bar.

Prices are a Brownian bridge from the session's open to its settle, on points whose variance follows the hours, bent so
that its highest and lowest points are the day's high and low. The day's volume is dealt out over the bars by a
U-shaped profile, as of pit hours, with noise. Both are drawn from a stream of their own.
"""

from datetime import time

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from hydra_assets.markets.expiry import front_contracts
from hydra_assets.sources.simulated.curve import activity, bars, to_tick
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.rng import Stream, uniforms

Array = NDArray[np.float64]

OPENING = time(8, 30)
"""Local beginning of the first bar; the last one ends at 13:30, before any market's settlement is published."""
BAR_MINUTES = 30
VOLUME_PROFILE = (0.17, 0.11, 0.09, 0.07, 0.06, 0.06, 0.07, 0.09, 0.12, 0.16)
"""Mean share of the day's volume in each bar: busy at the open and into the settlement."""
VARIANCE_PROFILE = (0.20, 0.12, 0.09, 0.07, 0.06, 0.06, 0.07, 0.09, 0.11, 0.13)
"""Share of the variance in each bar before the bridge is bent: news of the night is worked off at the open."""
VOLUME_NOISE = 0.35
"""Standard deviation of the log of a bar's volume around its share."""
_BARS = len(VOLUME_PROFILE)
_STEPS = 4
"""Steps of the bridge in each bar."""


def intraday_rows(market: SimulatedMarket, rows: slice) -> pl.DataFrame:
    """Bars of sessions ``rows`` in order; a session or bar without volume has none.

    Columns: session, contract_month (dates), bar_start (UTC), bar_minutes, open, high, low, close, volume (whole
    numbers that add up to the session's cleared volume).
    """
    path = market.path
    day = pl.Series("session", path.sessions[rows]).cast(pl.Date)
    months = front_contracts(path.spec, day).alias("contract_month")
    volume, _ = activity(path, market.futures, market.curve, rows)
    place = {month: i for i, month in enumerate(market.futures.months)}
    traded = volume[np.arange(len(day)), [place[month] for month in months.to_list()]]
    daily = bars(path, market.futures, market.curve, rows).select(
        "session", "contract_month", "open", "high", "low", "settle"
    )
    fronts = pl.DataFrame([day, months, pl.Series("total", traded)])
    front = fronts.join(daily, on=["session", "contract_month"], how="left", maintain_order="left")
    drawn = _draws(market, rows)
    keep = (front["open"].is_not_null() & (front["total"] > 0)).to_numpy()
    front, drawn = front.filter(keep), drawn[keep]
    points = _bridge(front, drawn[:, _BARS:], path.spec.tick)
    dealt = _dealt(front["total"].to_numpy(), drawn[:, :_BARS])
    spans = np.stack([points[:, b * _STEPS : (b + 1) * _STEPS + 1] for b in range(_BARS)], axis=1)
    repeated = front.select("session", "contract_month").select(pl.all().repeat_by(_BARS).explode())
    opening = pl.col("session").dt.combine(OPENING).dt.replace_time_zone(path.spec.timezone).dt.convert_time_zone("UTC")
    numbered = repeated.with_columns(pl.Series("number", np.tile(np.arange(_BARS), front.height)))
    table = numbered.with_columns(
        (opening + pl.duration(minutes=BAR_MINUTES * pl.col("number"))).alias("bar_start"),
        pl.lit(BAR_MINUTES).alias("bar_minutes"),
        pl.Series("open", spans[:, :, 0].ravel()),
        pl.Series("high", spans.max(axis=2).ravel()),
        pl.Series("low", spans.min(axis=2).ravel()),
        pl.Series("close", spans[:, :, -1].ravel()),
        pl.Series("volume", dealt.ravel()),
    )
    return table.filter(pl.col("volume") > 0)


def _draws(market: SimulatedMarket, rows: slice) -> Array:
    """Normal numbers of sessions ``rows``, ``[k, bars + steps]``."""
    path, count = market.path, _BARS * (1 + _STEPS)
    drawn = [uniforms(path.seed, path.key, int(day), Stream.INTRADAY, count) for day in path.days[rows]]
    return np.asarray(ndtri(np.array(drawn).reshape(-1, count)))


def _bridge(front: pl.DataFrame, normal: Array, tick: float) -> Array:
    """Prices at the ends of all steps, ``[k, bars * steps + 1]``, on the tick: open to settle by high and low.

    The bridge has the day's range for a scale. Its part above (below) both ends is stretched to reach the high (low);
    where it has none, its highest (lowest) inner point is put there.
    """
    first, last, high, low = (np.log(front[name].to_numpy()) for name in ("open", "settle", "high", "low"))
    share = np.repeat(np.array(VARIANCE_PROFILE) / _STEPS, _STEPS)
    walk = np.cumsum(normal * np.sqrt(share), axis=1) * (high - low)[:, None]
    passed = np.cumsum(share) / share.sum()
    path = first[:, None] + walk + passed * (last - first - walk[:, -1])[:, None]
    path = np.concatenate([first[:, None], path[:, :-1], last[:, None]], axis=1)
    top, bottom = np.maximum(first, last)[:, None], np.minimum(first, last)[:, None]
    above, below = (np.maximum(part, 0.0) for part in (path - top, bottom - path))
    path = np.clip(path, bottom, top) + _stretched(above, high[:, None] - top)
    path -= _stretched(below, bottom - low[:, None])
    row = np.arange(len(path))
    inner = path[:, 1:-1]
    path[row, 1 + inner.argmax(axis=1)] = high
    path[row, 1 + inner.argmin(axis=1)] = low
    prices = to_tick(np.exp(path), tick)
    prices = np.clip(prices, front["low"].to_numpy()[:, None], front["high"].to_numpy()[:, None])
    prices[:, 0], prices[:, -1] = front["open"].to_numpy(), front["settle"].to_numpy()
    return np.asarray(prices)


def _stretched(excess: Array, reach: Array) -> Array:
    """Excesses of each row, scaled so that the largest is ``reach``; none stay none."""
    largest = excess.max(axis=1, keepdims=True)
    return np.asarray(excess * np.divide(reach, largest, out=np.zeros_like(reach), where=largest > 0))


def _dealt(total: Array, normal: Array) -> Array:
    """Whole volumes of the bars, ``[k, bars]``, that add up to each day's: largest remainders first."""
    weight = np.array(VOLUME_PROFILE) * np.exp(VOLUME_NOISE * normal)
    exact = total[:, None] * weight / weight.sum(axis=1, keepdims=True)
    whole = np.floor(exact)
    left = np.round(total - whole.sum(axis=1)).astype(np.int64)
    rank = np.argsort(np.argsort(whole - exact, axis=1, kind="stable"), axis=1, kind="stable")
    return np.asarray(whole + (rank < left[:, None]))
