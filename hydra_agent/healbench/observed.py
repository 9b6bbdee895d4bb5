"""From deliveries to what the agent sees: features, labels, a replay's arrays and the state of the feeds.

Formulas are those of the pipeline (``features.returns``, ``labels.make``, ``replay.inputs``) on arrays of a regular
calendar. Whatever was delivered wrong goes through them as it would: a price in another unit moves momentum,
volatility and the labels that span the change, and nothing else.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hydra_agent.healbench.deliveries import CHAIN, FEEDS, PAST, Column, Deliveries
from hydra_agent.view import UNKNOWN, FeedKind, GroupView, Outcomes
from hydra_assets.features.curve_group import DAYS_A_YEAR
from hydra_assets.features.returns import MIN_SHARE_OF_WINDOW, SESSIONS_A_YEAR, trailing
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.make import barriers_at, exit_lag_of
from hydra_assets.labels.spec import FixedHorizon, LabelReason
from hydra_assets.labels.walk import OK, REASONS, Steps, walk
from hydra_assets.replay.inputs import VOL_SESSIONS, average_volume
from hydra_assets.replay.market import MarketArrays, MarketTerms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEATURES: tuple[str, ...] = (
    *CHAIN,
    "vol_premium",
    "carry",
    "momentum_20",
    "momentum_60",
    "crowd_score_z",
    "producers_z",
    "divergence_z",
    "sentiment_z",
    "headline_score",
    "atm_vol",
    "slope",
    "realised_vol_20",
    "volume_ratio",
    "season_sin",
    "season_cos",
)
"""The twelve of the thesis and eight others, all of the dictionary."""
LIMIT_SESSIONS = {
    FeedKind.PRICES: 3,
    FeedKind.VOLUMES: 3,
    FeedKind.OPTIONS: 1,
    FeedKind.REPORTS: 7,
    FeedKind.TEXTS: 7,
}
"""Age up to which a delivery is still read: the staleness limits of the raw datasets (5, 1, 14 and 10 days, reports
from their Tuesday on), in sessions since it became known."""
WARM_UP = {
    "real_world_above_forward": 26,
    "tilt_z": 40,
    "options_z": 60,
    "sentiment_z": 126,
    "crowd_score_z": 240,
    "producers_z": 240,
}
"""Sessions until there is a past to compare with, by the missing shares of five years."""
SENTIMENT_OF_CROWD = 0.7
"""Correlation of sentiment with the crowd's score: -0.405 with the gap, 0.845 after one session."""
CALM_BELOW, STRESSED_ABOVE = -0.43, 0.43
"""Standard deviations that cut a normal law into thirds, as in ``regimes.changepoint``."""
HORIZON = SPECS[LabelKind.FIXED_HORIZON].horizon_sessions
NO_PRICE, NO_VOL = REASONS.index(LabelReason.NO_PRICE), REASONS.index(LabelReason.NO_VOL)


def observe(deliveries: Deliveries, terms: MarketTerms) -> GroupView:
    """Make the view of everything that was delivered."""
    market, held_return = market_seen(deliveries, terms)
    found = {kind: Outcomes(*labels_of(held_return, market.sigma_daily, spec)) for kind, spec in SPECS.items()}
    own = found.pop(LabelKind.FIXED_HORIZON)
    age = ages(deliveries)
    return GroupView(
        market=market,
        regime=pool_regime(held_return),
        feature_names=FEATURES,
        features=_features(deliveries, held_return, age),
        up=own.up,
        exit_row=own.exit_row,
        feeds=FEEDS,
        feed_level=_levels(deliveries, age),
        feed_age=age,
        others=found,
    )


def market_seen(deliveries: Deliveries, terms: MarketTerms) -> tuple[MarketArrays, Floats]:
    """A replay's arrays from delivered prices and volumes, and the held returns ``[T, M]`` (NaN in the first row)."""
    settle = deliveries.settle
    held_return, change = np.full_like(settle, np.nan), np.full_like(settle, np.nan)
    held_return[1:] = deliveries.carried[1:] / settle[:-1] - 1.0
    change[1:] = (deliveries.carried[1:] - settle[:-1]) * terms.multiplier
    volume = _as_of(deliveries.volume, ages(deliveries)[..., Column.VOLUMES], LIMIT_SESSIONS[FeedKind.VOLUMES])
    averages = [average_volume(volume[:, j]) for j in range(volume.shape[1])]
    adv, fresh = (np.stack(part, axis=1) for part in zip(*averages, strict=True))
    market = MarketArrays(
        terms=terms,
        days=deliveries.days,
        settle=settle,
        held_change=change,
        sigma_daily=_vol(np.log1p(held_return), VOL_SESSIONS) / np.sqrt(SESSIONS_A_YEAR),
        adv=adv,
        roll=deliveries.rolls,
        tradable=np.ones(settle.shape, dtype=np.bool_),
        cap_factor=fresh,
    )
    return market, held_return


def labels_of(
    held_return: Floats, sigma: Floats, label: FixedHorizon = SPECS[LabelKind.FIXED_HORIZON]
) -> tuple[Floats, Ints]:
    """Labels by their decision: ``up`` and ``exit_row`` ``[T, M]``; none without a known volatility."""
    t, m = held_return.shape
    up, exit_row = np.full((t, m), np.nan), np.full((t, m), UNKNOWN, dtype=np.int64)
    never, fault = np.zeros(t, dtype=np.bool_), np.where(np.isfinite(held_return), OK, NO_PRICE)
    horizon, first = label.horizon_sessions, label.reach_sessions - label.horizon_sessions + 1
    for j in range(m):
        growth, width = 1.0 + held_return[:, j], sigma[:, j] * np.sqrt(horizon)
        steps = Steps(growth, fault[:, j], never, growth, fault[:, j], first)
        excluded = np.where(np.isfinite(width), OK, NO_VOL)
        ended = walk(steps, excluded, *barriers_at(label, width), horizon, exit_lag_of(label))
        known = ended.reason == OK
        up[:, j] = np.where(known, ended.growth > 1.0, np.nan)
        exit_row[:, j] = np.where(known, ended.exit_row, UNKNOWN)
    return up, exit_row


def ages(deliveries: Deliveries) -> Floats:
    """Sessions since each feed's newest delivery ``[T, M, K]``; NaN before the first."""
    rows = np.arange(len(deliveries.days))[:, None, None]
    newest = np.maximum.accumulate(np.where(deliveries.delivered, rows, -1), axis=0)
    return np.where(newest >= 0, (rows - newest).astype(np.float64), np.nan)


def pool_regime(held_return: Floats) -> Ints:
    """Thirds of the pool's mean log volatility of 20 sessions within its own past, ``[T]``; 1 without a past."""
    vol = _vol(np.log1p(held_return), VOL_SESSIONS)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = np.log(vol).mean(axis=1)
    there = np.isfinite(level)
    value = np.where(there, level, 0.0)
    count = np.maximum(np.cumsum(there), 1)
    mean = np.cumsum(value) / count
    sd = np.sqrt(np.maximum(np.cumsum(value**2) / count - mean**2, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(there & (count > 2 * VOL_SESSIONS) & (sd > 0.0), (level - mean) / sd, 0.0)
    return np.asarray(1 - (z < CALM_BELOW) + (z > STRESSED_ABOVE), dtype=np.int64)


def _features(deliveries: Deliveries, held_return: Floats, age: Floats) -> Floats:
    log_return = np.log1p(held_return)
    day = deliveries.days.astype("datetime64[D]")
    of_year = (day - day.astype("datetime64[Y]")).astype(np.int64) + 1
    angle = np.broadcast_to((of_year * (2.0 * np.pi / DAYS_A_YEAR))[:, None], held_return.shape)

    def read(values: Floats, column: Column, name: str = "") -> Floats:
        out = _as_of(values, age[..., column], LIMIT_SESSIONS[FEEDS[column].kind])
        out[: WARM_UP.get(name, 0)] = np.nan
        return out

    found = {name: read(deliveries.chain[..., j], Column.OPTIONS, name) for j, name in enumerate(CHAIN)}
    found["atm_vol"] = read(deliveries.atm_vol, Column.OPTIONS)
    found["realised_vol_20"] = _vol(log_return, 20)
    found["vol_premium"] = found["atm_vol"] - found["realised_vol_20"]
    found["carry"], found["slope"] = deliveries.carry, deliveries.slope
    found["momentum_20"], found["momentum_60"] = _momentum(log_return, 20), _momentum(log_return, 60)
    for name, values in (("crowd_score_z", deliveries.crowd), ("producers_z", deliveries.producers)):
        found[name] = read(values, Column.REPORTS, name)
    found["headline_score"] = read(deliveries.headlines, Column.TEXTS)
    crowd = np.where(np.isfinite(found["crowd_score_z"]), found["crowd_score_z"], 0.0)
    others = read(deliveries.other_texts, Column.TEXTS, "sentiment_z")
    found["sentiment_z"] = SENTIMENT_OF_CROWD * crowd + np.sqrt(1.0 - SENTIMENT_OF_CROWD**2) * others
    apart = (found["options_z"] - found["sentiment_z"]) / np.sqrt(2.0)
    found["divergence_z"] = PAST * apart + np.sqrt(1.0 - PAST**2) * deliveries.past_error
    found["volume_ratio"] = _volume_ratio(read(deliveries.volume, Column.VOLUMES))
    found["season_sin"], found["season_cos"] = np.sin(angle), np.cos(angle)
    return np.stack([found[name] for name in FEATURES], axis=2)


def _levels(deliveries: Deliveries, age: Floats) -> Floats:
    """Level of each feed's newest delivery, however old."""
    by_column = {
        Column.PRICES: deliveries.settle,
        Column.VOLUMES: deliveries.volume,
        Column.OPTIONS: deliveries.straddle,
        Column.REPORTS: deliveries.open_interest,
        Column.TEXTS: deliveries.headlines,
    }
    return np.stack([_as_of(by_column[column], age[..., column], np.inf) for column in Column], axis=2)


def _as_of(values: Floats, age: Floats, limit: float) -> Floats:
    """The newest delivered value of each session, NaN where it is older than the limit."""
    rows, markets = np.indices(values.shape)
    there = age <= limit
    return np.where(there, values[rows - np.where(there, age, 0.0).astype(np.int64), markets], np.nan)


def _columns(values: Floats, of_one: Callable[[Floats], tuple[Floats, Floats, Ints]]) -> tuple[Floats, Floats, Ints]:
    parts = [of_one(values[:, j]) for j in range(values.shape[1])]
    total, squares, count = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
    return total, squares, count


def _vol(log_return: Floats, window: int) -> Floats:
    """``features.returns.realised_vol`` of columns, a year's; NaN without a move."""
    _, squares, count = _columns(log_return, lambda x: trailing(x, window))
    with np.errstate(invalid="ignore", divide="ignore"):
        vol = np.sqrt(SESSIONS_A_YEAR * squares / count)
    return np.where((count >= MIN_SHARE_OF_WINDOW * window) & (squares > 0.0), vol, np.nan)


def _momentum(log_return: Floats, window: int) -> Floats:
    """``features.returns.momentum`` of columns."""
    total, squares, count = _columns(log_return, lambda x: trailing(x, window))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = total / np.sqrt(squares)
    return np.where((count >= MIN_SHARE_OF_WINDOW * window) & (squares > 0.0), ratio, np.nan)


def _volume_ratio(volume: Floats) -> Floats:
    """``volume_ratio`` of the dictionary: log of the volume over its mean of the last 60, half of them there."""
    total, _, count = _columns(volume, lambda x: trailing(x, 60))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(volume * count / total)
    return np.where((count >= 30) & np.isfinite(ratio), ratio, np.nan)
