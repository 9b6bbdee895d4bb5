"""What the loop looks at: a group's arrays up to a session, its champion's record, and a walk of a recipe over them.

Row t of every array is what was known at the cutoff of session t; cutting a view at a row is therefore all it takes to
stand in the past. The assets make a view from the lake, the healing benchmark from a world: observing, diagnosing,
proposing and judging know nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydra_assets.labels.known import LabelKind
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.market import MarketArrays, MarketTerms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNKNOWN = -1
"""Row of an outcome that is not known (yet)."""


class FeedKind(StrEnum):
    """What a feed delivers; decides how its freshness and its unit are held to account."""

    PRICES = "prices"
    VOLUMES = "volumes"
    OPTIONS = "options"
    REPORTS = "reports"
    TEXTS = "texts"


@dataclass(frozen=True, slots=True)
class Feed:
    """One source as the agent sees it."""

    name: str
    kind: FeedKind
    due_sessions: int
    """Sessions between two deliveries in the ordinary run: 1 for a daily one, 5 for a weekly report."""
    features: tuple[str, ...]
    """Features that rest on it."""
    has_unit: bool = True
    """Whether its level is a price or a count, so that a factor between two deliveries means a change of unit."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became of decisions by one label, ``[T, M]`` by the session of the decision."""

    up: Floats
    """1 rise, 0 not, NaN where the outcome is not known."""
    exit_row: Ints
    """Row at whose cutoff the outcome was known; ``UNKNOWN`` where it is not."""

    def until(self, rows: int) -> "Outcomes":
        """Of the first ``rows`` decisions, as they were known then."""
        known = (self.exit_row[:rows] >= 0) & (self.exit_row[:rows] < rows)
        return Outcomes(np.where(known, self.up[:rows], np.nan), np.where(known, self.exit_row[:rows], UNKNOWN))


@dataclass(frozen=True, slots=True, eq=False)
class GroupView:
    """A market group up to its last row: T sessions, M markets, F features, K feeds."""

    market: MarketArrays
    """Prices, volatility, volume and terms; its ``days`` and symbols are the view's."""
    regime: Ints
    """``[T]`` filtered volatility state of the pool: 0 calm, 1 normal, 2 stressed."""
    feature_names: tuple[str, ...]
    features: Floats
    """``[T, M, F]``; NaN where missing."""
    up: Floats
    """``[T, M]`` by the session of the *decision*: 1 rise, 0 not, NaN where the outcome is not known."""
    exit_row: Ints
    """``[T, M]`` row at whose cutoff the outcome was known; ``UNKNOWN`` where it is not."""
    feeds: tuple[Feed, ...]
    feed_level: Floats
    """``[T, M, K]`` level of the newest delivery known at the cutoff; NaN before the first."""
    feed_age: Floats
    """``[T, M, K]`` sessions since the newest delivery became known: 0 on its own session; NaN before the first."""
    label: LabelKind = LabelKind.FIXED_HORIZON
    """Label that ``up`` and ``exit_row`` are of."""
    others: Mapping[LabelKind, Outcomes] = field(default_factory=dict)
    """Outcomes by the other labels that recipes may have."""

    def __post_init__(self) -> None:
        t, m = self.market.settle.shape
        wanted = {
            "regime": (t,),
            "features": (t, m, len(self.feature_names)),
            "up": (t, m),
            "exit_row": (t, m),
            "feed_level": (t, m, len(self.feeds)),
            "feed_age": (t, m, len(self.feeds)),
        }
        for name, shape in wanted.items():
            if getattr(self, name).shape != shape:
                msg = f"{name} is {getattr(self, name).shape}, not {shape}"
                raise ValueError(msg)

    @property
    def days(self) -> Ints:
        """``[T]`` days since 1970-01-01."""
        return self.market.days

    @property
    def symbols(self) -> tuple[str, ...]:
        """Markets in column order."""
        return self.market.terms.symbols

    def __len__(self) -> int:
        """Sessions."""
        return len(self.days)

    def of(self, label: LabelKind) -> "GroupView":
        """The same sessions with the outcomes of a label: what a recipe said is held to its own.

        Raises
        ------
        ValueError
            A label that the view does not have.
        """
        if label == self.label:
            return self
        if label not in self.others:
            msg = f"the view has outcomes of {self.label}, and none of {label}"
            raise ValueError(msg)
        others = {**self.others, self.label: Outcomes(self.up, self.exit_row)}
        found = others.pop(label)
        return replace(self, up=found.up, exit_row=found.exit_row, label=label, others=others)

    def until(self, rows: int) -> "GroupView":
        """The first ``rows`` sessions as they were known then: later outcomes are not."""
        own = Outcomes(self.up, self.exit_row).until(rows)
        return GroupView(
            market=cut_market(self.market, slice(0, rows)),
            regime=self.regime[:rows],
            feature_names=self.feature_names,
            features=self.features[:rows],
            up=own.up,
            exit_row=own.exit_row,
            feeds=self.feeds,
            feed_level=self.feed_level[:rows],
            feed_age=self.feed_age[:rows],
            label=self.label,
            others={label: found.until(rows) for label, found in self.others.items()},
        )


def cut_market(market: MarketArrays, rows: slice) -> MarketArrays:
    """Sessions of a replay's arrays."""
    cut = {
        field.name: value[rows]
        for field in fields(market)
        if not isinstance(value := getattr(market, field.name), MarketTerms) and value is not None
    }
    return replace(market, **cut)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """What a recipe (or a reigning fit) said, session by session, each by what was known at it: ``[T, M]``."""

    name: str
    recipe: Recipe
    probability: Floats
    """Calibrated P(up); NaN where nothing was said."""
    base: Floats
    """P(up) without a signal as known then; NaN likewise."""
    starts: tuple[int, ...]
    """Rows at which a newly fitted model begins to decide, increasing."""

    def until(self, rows: int) -> "Walk":
        """The first ``rows`` sessions."""
        starts = tuple(start for start in self.starts if start < rows)
        return replace(self, probability=self.probability[:rows], base=self.base[:rows], starts=starts)


@dataclass(frozen=True, slots=True, eq=False)
class Reign:
    """The champion as its group has had it: what it said and what saying so earned."""

    walk: Walk
    version: int
    since: int
    """First row that it decides on."""
    net: Floats
    """``[T]`` net profit over capital of what was said, replayed at full size; NaN before ``since``."""
    gross: Floats
    """``[T]`` the same before costs."""
    expected_net: float
    """Mean of a session's net profit over capital in the walk-forward that it was promoted on."""
    expected_sd: float
    """Standard deviation of the same."""
    expected_brier: float
    """Mean squared error of its probabilities there."""
