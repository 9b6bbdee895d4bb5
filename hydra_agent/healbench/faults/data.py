"""Faults of the data: the world is what it was, what is seen of it is not."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.deliveries import FEEDS, Column, Deliveries
from hydra_agent.healbench.faults.protocol import FaultName
from hydra_agent.healbench.worlds import BenchWorld, KnownWorld, Planted
from hydra_agent.respond import ResponseCode
from hydra_assets.models.recipe import THESIS_FEATURES

Floats = NDArray[np.float64]
W = TypeVar("W", bound=KnownWorld)

UNIT_FACTOR = 100.0
WITH_UNIT = tuple(column for column in Column if FEEDS[column].has_unit)
CAN_STOP = tuple(column for column in Column if column is not Column.PRICES)
"""A session without a settle is none of its market, and the replay itself answers. Other feeds can stop unnoticed."""


@dataclass(frozen=True, slots=True)
class UnitChange:
    """F2: a feed of one market delivers 100 times what it did until it is mended; ``feed``, ``market`` None are drawn.

    What rests on it is hit as it would be. Prices: momentum, volatility and labels over the windows that span the
    change. Volumes: their ratio and average. Premiums in another unit than strikes and futures bear no
    density: no moments. Reports: shares of the open interest, and so the scores, are what they were; the level is not.
    """

    session: int
    feed: Column | None = None
    market: int | None = None
    sessions: int = 60
    name: ClassVar[FaultName] = FaultName.UNIT_CHANGE
    right_cause: ClassVar[CauseCode] = CauseCode.UNIT_CHANGE
    right_response: ClassVar[ResponseCode] = ResponseCode.BLOCK

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Scale the feed from its first delivery at or after the session, which the record names."""
        feed = WITH_UNIT[int(rng.integers(len(WITH_UNIT)))] if self.feed is None else self.feed
        market = int(rng.integers(len(world.view.symbols))) if self.market is None else self.market
        told = world.deliveries
        coming = np.flatnonzero(told.delivered[self.session :, market, feed])
        first = self.session + int(coming[0]) if len(coming) else len(told.days)
        span = slice(first, first + self.sessions)
        planted = Planted(self.name, first, span.stop, FEEDS[feed].name, world.view.symbols[market])
        return world.told(_scaled(told, feed, span, market)).marked(planted)


def _scaled(told: Deliveries, feed: Column, span: slice, market: int) -> Deliveries:
    def changed(values: Floats, factor: float) -> Floats:
        out = values.copy()
        out[span, market] *= factor
        return out

    match feed:
        case Column.PRICES:
            return replace(told, settle=changed(told.settle, UNIT_FACTOR), carried=changed(told.carried, UNIT_FACTOR))
        case Column.VOLUMES:
            return replace(told, volume=changed(told.volume, UNIT_FACTOR))
        case Column.OPTIONS:
            return replace(
                told,
                straddle=changed(told.straddle, UNIT_FACTOR),
                chain=changed(told.chain, np.nan),
                atm_vol=changed(told.atm_vol, np.nan),
            )
        case Column.REPORTS:
            return replace(told, open_interest=changed(told.open_interest, UNIT_FACTOR))
        case Column.TEXTS:
            msg = "texts have no unit"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class StaleSource:
    """F4: a source delivers nothing for any market for ``sessions``; ``feed`` None is drawn.

    Ages grow; features stay at their last value up to the feed's staleness limit and are missing after it.
    """

    session: int
    feed: Column | None = None
    sessions: int = 60
    name: ClassVar[FaultName] = FaultName.STALE_SOURCE
    right_cause: ClassVar[CauseCode] = CauseCode.STALE_SOURCE
    right_response: ClassVar[ResponseCode] = ResponseCode.BLOCK

    def apply(self, world: BenchWorld, rng: np.random.Generator) -> BenchWorld:
        """Leave out the deliveries."""
        feed = CAN_STOP[int(rng.integers(len(CAN_STOP)))] if self.feed is None else self.feed
        if feed not in CAN_STOP:
            msg = f"{FEEDS[feed].name} cannot stop: the market would have no session"
            raise ValueError(msg)
        delivered = world.deliveries.delivered.copy()
        span = slice(self.session, self.session + self.sessions)
        delivered[span, :, feed] = False
        planted = Planted(self.name, span.start, span.stop, FEEDS[feed].name)
        return world.told(replace(world.deliveries, delivered=delivered)).marked(planted)


class Corruption(StrEnum):
    """How a feature can be wrong."""

    FROZEN = "frozen"
    """Each market's last value before the session, ever after."""
    NOISE = "noise"
    """Draws of its past mean and spread that know nothing."""
    SIGN_FLIP = "sign_flip"
    """Mirrored at its past mean: no moment of its own gives it away."""
    SCALE = "scale"
    """Ten times too large."""
    GAPS = "gaps"
    """Seven tenths of it are missing."""


GAP_SHARE, SCALE_FACTOR = 0.7, 10.0


@dataclass(frozen=True, slots=True)
class CorruptedFeature:
    """F3: one feature is wrong in all markets, for good; ``feature`` and ``kind`` None are drawn."""

    session: int
    feature: str | None = None
    kind: Corruption | None = None
    name: ClassVar[FaultName] = FaultName.CORRUPTED_FEATURE
    right_cause: ClassVar[CauseCode] = CauseCode.FEATURE_CORRUPTED
    right_response: ClassVar[ResponseCode] = ResponseCode.MASK_FEATURE

    def apply(self, world: W, rng: np.random.Generator) -> W:
        """Change the feature's column, one of the thesis's where it is drawn."""
        feature = self.feature or THESIS_FEATURES[int(rng.integers(len(THESIS_FEATURES)))]
        kind = self.kind or tuple(Corruption)[int(rng.integers(len(Corruption)))]
        column = world.view.feature_names.index(feature)
        features = world.view.features.copy()
        before, after = features[: self.session, :, column], features[self.session :, :, column]
        features[self.session :, :, column] = _corrupted(kind, before, after, rng)
        planted = Planted(self.name, self.session, about=f"{feature}:{kind}")
        return world.shown(replace(world.view, features=features)).marked(planted)


def _corrupted(kind: Corruption, before: Floats, after: Floats, rng: np.random.Generator) -> Floats:
    """Values ``[t, M]`` in place of ``after``."""
    mean = np.nanmean(before, axis=0)
    match kind:
        case Corruption.FROZEN:
            there = np.isfinite(before)
            newest = np.where(there, np.arange(len(before))[:, None], 0).max(axis=0)
            return np.broadcast_to(before[newest, np.arange(before.shape[1])], after.shape)
        case Corruption.NOISE:
            drawn = mean + np.nanstd(before, axis=0) * rng.standard_normal(after.shape)
            return np.where(np.isfinite(after), drawn, np.nan)
        case Corruption.SIGN_FLIP:
            return np.asarray(2.0 * mean - after)
        case Corruption.SCALE:
            return np.asarray(SCALE_FACTOR * after)
        case Corruption.GAPS:
            return np.where(rng.random(after.shape) < GAP_SHARE, np.nan, after)
