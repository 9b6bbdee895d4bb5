"""Accumulation against liquidation: whether open interest grows with the price's move, and on how much volume.

A rise with growing open interest is new buying, a fall with growing open interest new selling; where open interest
shrinks, the move is made by people who leave, and it speaks against itself. For one session, over the contracts listed
on it and on the one before,

    f = sign(r) * dOI / OI_before * min(sqrt(volume / median volume), cap)

and the score is tanh(z), z = mean of the last ``recent`` f over its own scale: the rms of the ``window`` f before
those, divided by the root of the number of recent ones.

Known when. Activity is known one session late: the row of session t holds the volume and open interest of t-1, so it
is put beside the return of t-1, which stands in the row of t-1.
"""

from enum import StrEnum
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = NDArray[np.float64]


class OrderFlowReason(StrEnum):
    """Why a session has a score, or none."""

    OK = "ok"
    NO_ACTIVITY = "no_activity"
    """No volume or change of open interest is known: no curve, nothing delivered, or the market's first session."""
    UNCHANGED = "unchanged"
    """The session holds exactly the activity of the one before: nothing new was delivered."""
    NO_RETURN = "no_return"
    """The activity is new, and the return it belongs to is missing."""
    SHORT_HISTORY = "short_history"


class OrderFlowConfig(BaseModel):
    """Typed configuration of the order-flow score. The numbers are chosen, not estimated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recent: Annotated[int, Field(ge=1)] = 5
    window: Annotated[int, Field(ge=2)] = 60
    minimum: Annotated[int, Field(ge=2)] = 20
    """Finite flows that the scale needs."""
    volume_cap: Annotated[float, Field(gt=0)] = 2.0
    activity_lag_sessions: Annotated[int, Field(ge=0, le=5)] = 1
    """Sessions between activity and the row that holds it."""
    quote_weight: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the size imbalance in the score where there are quotes with sizes on both sides."""

    @model_validator(mode="after")
    def _fits(self) -> "OrderFlowConfig":
        if self.minimum > self.window:
            raise ValueError("minimum is larger than window")
        return self


def order_flow_scores(
    curve: pl.DataFrame,
    sessions: pl.DataFrame,
    config: OrderFlowConfig | None = None,
    quotes: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Score every session.

    Parameters
    ----------
    curve
        ``futures_curve`` rows of the markets (market, session, contract, volume, open_interest, held_return), **from
        their first session on** to the last one asked for. Where it has bid_size and ask_size they are used as quotes.
    sessions
        Columns market and session: the rows that are wanted.
    config
        Numbers; the defaults where None.
    quotes
        Rows of the wanted sessions with market, session, bid_size and ask_size, and for options ``right`` (C or P):
        size bid for puts is bearish. None where nobody quotes.

    Returns
    -------
    One row per session: market, session, ``order_flow_score``, ``order_flow_confidence``, ``order_flow_age_days`` (of
    the activity), ``flow_z``, ``open_interest_change`` (fraction), ``volume_ratio`` (to its median), ``size_imbalance``
    (in [-1, +1]), ``order_flow_reason``. Score, confidence and age are null unless the reason is ``ok``.
    """
    settings = config or OrderFlowConfig()
    daily = _daily(curve)
    parts = [_flows(part, settings) for part in daily.partition_by("market", maintain_order=True)]
    flows = pl.concat(parts) if parts else _flows(daily, settings)
    sized = quotes if quotes is not None else curve if {"bid_size", "ask_size"} <= set(curve.columns) else None
    asked = sessions.select("market", "session").join(
        flows, on=["market", "session"], how="left", maintain_order="left"
    )
    if sized is None:
        asked = asked.with_columns(pl.lit(None, pl.Float64).alias("size_imbalance"))
    else:
        asked = asked.join(size_imbalance(sized), on=["market", "session"], how="left", maintain_order="left")
    return _blend(asked, settings)


def size_imbalance(quotes: pl.DataFrame) -> pl.DataFrame:
    """Size imbalance of each session: sum of +-(bid - ask) / sum of (bid + ask), puts counted minus; in [-1, +1].

    Quotes without a size on both sides are left out: a one-sided book is a missing quote as often as a wish. Sizes are
    contracts, so their sums are exact in any order.
    """
    side = pl.when(pl.col("right") == "P").then(-1.0).otherwise(1.0) if "right" in quotes.columns else pl.lit(1.0)
    both = quotes.filter((pl.col("bid_size") > 0) & (pl.col("ask_size") > 0))
    return (
        both.group_by("market", "session", maintain_order=True)
        .agg(
            (side * (pl.col("bid_size") - pl.col("ask_size"))).sum().alias("above"),
            (pl.col("bid_size") + pl.col("ask_size")).sum().alias("below"),
        )
        .select("market", "session", (pl.col("above") / pl.col("below")).alias("size_imbalance"))
    )


def _daily(curve: pl.DataFrame) -> pl.DataFrame:
    """Per session: the return, total volume, and open interest now and before of contracts that stand on both rows."""
    index = curve.select("market", "session").unique().sort("market", "session")
    index = index.with_columns(pl.col("session").shift(1).over("market").alias("previous"))
    rows = curve.select("market", "session", "contract", "volume", "open_interest", "held_return")
    before = rows.select(
        "market",
        pl.col("session").alias("previous"),
        "contract",
        pl.col("volume").alias("volume_before"),
        pl.col("open_interest").alias("before"),
    )
    joined = rows.join(index, on=["market", "session"]).join(before, on=["market", "previous", "contract"], how="left")
    both = pl.col("open_interest").is_not_null() & pl.col("before").is_not_null()
    same = (pl.col("open_interest") == pl.col("before")) & pl.col("volume").eq_missing(pl.col("volume_before"))
    return (
        joined.group_by("market", "session")
        .agg(
            pl.col("previous").first(),
            pl.col("held_return").drop_nulls().first().alias("held_return"),
            pl.when(pl.col("volume").count() > 0).then(pl.col("volume").sum()).alias("volume"),
            pl.when(both.any()).then(pl.col("open_interest").filter(both).sum()).alias("now"),
            pl.when(both.any()).then(pl.col("before").filter(both).sum()).alias("before"),
            (both.any() & same.filter(both).all()).alias("unchanged"),
        )
        .sort("market", "session")
    )


def _flows(daily: pl.DataFrame, config: OrderFlowConfig) -> pl.DataFrame:
    """Flow, its z and what it is made of, for each session of one market in order."""
    lag = config.activity_lag_sessions
    now, before, volume, moved = (
        daily[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("now", "before", "volume", "held_return")
    )
    unchanged = daily["unchanged"].fill_null(value=False).to_numpy()
    moved = np.concatenate([np.full(min(lag, len(moved)), np.nan), moved[: max(len(moved) - lag, 0)]])
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.where((before > 0) & ~unchanged, (now - before) / before, np.nan)
        usual = _past_median(np.where(unchanged, np.nan, volume), config.window, config.minimum)
        ratio = np.where((usual > 0) & ~unchanged, volume / usual, np.nan)
        flow = np.sign(moved) * change * np.minimum(np.sqrt(ratio), config.volume_cap)
        past, past_count = _windows(_shift(flow, config.recent), config.window)
        scale = np.sqrt(past / past_count)
        total, count = _windows(flow, config.recent, square=False)
        size, _ = _windows(np.abs(flow), config.recent, square=False)
        mean = total / count
        z = np.where(
            np.isfinite(flow) & (past_count >= config.minimum) & (scale > 0), mean / (scale / np.sqrt(count)), np.nan
        )
        agreement = np.where(size > 0, np.abs(total) / size, 0.0)
        confidence = np.sqrt(past_count / config.window) * (count / config.recent) * agreement
    return daily.select("market", "session", _age(daily, lag), "unchanged").with_columns(
        _series("open_interest_change", change),
        _series("volume_ratio", ratio),
        _series("flow_z", z),
        _series("flow_confidence", np.where(np.isfinite(z), confidence, np.nan)),
        pl.Series("has_return", np.isfinite(moved), dtype=pl.Boolean),
        pl.Series("has_activity", np.isfinite(volume) & np.isfinite(now), dtype=pl.Boolean),
    )


def _age(daily: pl.DataFrame, lag: int) -> pl.Expr:
    days = (pl.col("session") - pl.col("session").shift(lag)).dt.total_days() if lag else pl.lit(0)
    return days.cast(pl.Float64).alias("activity_age_days")


def _series(name: str, values: Floats) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Float64, nan_to_null=True)


def _shift(values: Floats, by: int) -> Floats:
    return np.concatenate([np.full(by, np.nan), values])[: len(values)]


def _windows(values: Floats, window: int, *, square: bool = True) -> tuple[Floats, Floats]:
    """Sum (of squares) of the finite values of each window that ends at a row, and their number, ``[n]`` each."""
    seen = np.isfinite(values)
    filled = np.where(seen, values * values if square else values, 0.0)
    # A running loop over the window adds each row's values in the same order, however many rows there are.
    total, count = np.zeros(len(values)), np.zeros(len(values))
    for back in range(min(window, len(values)) - 1, -1, -1):
        total[back:] += filled[: len(values) - back]
        count[back:] += seen[: len(values) - back]
    return total, count


def _past_median(values: Floats, window: int, minimum: int) -> Floats:
    """Median of the up to ``window`` finite values strictly before each row; NaN for fewer than ``minimum``."""
    padded = np.concatenate([np.full(window, np.nan), values[:-1]]) if len(values) else np.full(window, np.nan)
    past = np.sort(np.lib.stride_tricks.sliding_window_view(padded, window), axis=1)[: len(values)]
    count = np.isfinite(past).sum(axis=1)
    rows = np.arange(len(values))
    low, high = (past[rows, np.maximum(k, 0)] for k in ((count - 1) // 2, count // 2))
    return np.where(count >= minimum, (low + high) / 2, np.nan)


def _blend(asked: pl.DataFrame, config: OrderFlowConfig) -> pl.DataFrame:
    """Put flow and quotes together; a size imbalance alone scores at its share of confidence."""
    z, trust, sizes = (
        asked[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
        for name in ("flow_z", "flow_confidence", "size_imbalance")
    )
    flow_seen, quote_seen = np.isfinite(z), np.isfinite(sizes) & (config.quote_weight > 0)
    share = np.where(quote_seen, np.where(flow_seen, config.quote_weight, 1.0), 0.0)
    score = np.where(flow_seen, (1 - share) * np.tanh(z), 0.0) + np.where(quote_seen, share * sizes, 0.0)
    confidence = np.where(flow_seen, (1 - share) * trust, 0.0) + np.where(quote_seen, config.quote_weight, 0.0)
    ok = flow_seen | quote_seen
    reason = (
        pl.when(pl.Series(ok))
        .then(pl.lit(str(OrderFlowReason.OK)))
        .when(~pl.col("has_activity").fill_null(value=False))
        .then(pl.lit(str(OrderFlowReason.NO_ACTIVITY)))
        .when(pl.col("unchanged").fill_null(value=False))
        .then(pl.lit(str(OrderFlowReason.UNCHANGED)))
        .when(~pl.col("has_return"))
        .then(pl.lit(str(OrderFlowReason.NO_RETURN)))
        .otherwise(pl.lit(str(OrderFlowReason.SHORT_HISTORY)))
    )
    age = np.where(flow_seen, asked["activity_age_days"].fill_null(np.nan).to_numpy(), 0.0)
    return asked.select(
        "market",
        "session",
        _series("order_flow_score", np.where(ok, np.clip(score, -1.0, 1.0), np.nan)),
        _series("order_flow_confidence", np.where(ok, np.clip(confidence, 0.0, 1.0), np.nan)),
        _series("order_flow_age_days", np.where(ok, age, np.nan)),
        "flow_z",
        "open_interest_change",
        "volume_ratio",
        "size_imbalance",
        reason.alias("order_flow_reason"),
    )
