"""A world of the benchmark: what the agent sees of it, and the truth behind that.

    make_world(seed, config) -> hidden states -> deliveries -> view

A fault changes the course (hidden states change with it), the deliveries, or the view, and everything after it is made
anew: nothing before its session moves.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hydra_agent.healbench.deliveries import Deliveries, deliver, known_position
from hydra_agent.healbench.edge_sizes import DRAG, EDGES, PEAKED
from hydra_agent.healbench.latent import PHI_POSITION, PHI_VIEW, Course, latent, specs_of
from hydra_agent.healbench.observed import HORIZON, observe
from hydra_agent.view import GroupView
from hydra_assets.home import DEFAULT_SIM_MARKETS
from hydra_assets.replay.market import MarketArrays, MarketTerms
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """Length, markets and edge of a world."""

    years: int = 12
    markets: tuple[str, ...] = DEFAULT_SIM_MARKETS
    edge: float = EDGES[1.0]
    """Annual Sharpe ratio before costs of a unit of gap in one market; ``EDGES`` has those by what they leave net."""

    @property
    def sessions(self) -> int:
        """Sessions of a world."""
        return self.years * SESSIONS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Planted:
    """One fault in a world: what was planted, and from which session to which (excluded; None: to the end)."""

    name: str
    session: int
    until: int | None = None
    about: str = ""
    """What it is about: a feed, a feature with how it is wrong, a kind; empty where the name says it all."""
    market: str = ""
    """The one market that is concerned; empty for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What no agent sees; arrays ``[T, M]`` unless said otherwise."""

    course: Course
    """beta, drift and volume factor ``[T]``."""
    gap: Floats
    known_gap: Floats
    """The gap as expected from the options' view without error and the newest report."""
    probability: Floats
    """P(up) of the label of a decision by whoever knows the known gap and the edge in force at its session."""
    base: Floats
    """The same without the gap: what drift alone makes of it."""
    next_mean: Floats
    """Mean of the next session's return, a fraction, as the hidden states have it; NaN in the last row."""
    market: MarketArrays
    """True prices and volumes: what decisions are replayed on, whatever the agent was told."""
    planted: tuple[Planted, ...] = ()


class KnownWorld(Protocol):
    """What policies and measures need of a world, whoever made it: the tiers differ in nothing else."""

    @property
    def seed(self) -> int:
        """What tells worlds apart."""
        ...

    @property
    def view(self) -> GroupView:
        """What is seen."""
        ...

    @property
    def truth(self) -> Truth:
        """What is not."""
        ...

    @property
    def volume(self) -> Floats:
        """Volume as published by the session's cutoff, ``[T, M]`` contracts."""
        ...

    def shown(self, view: GroupView) -> Self:
        """The same world with its view edited."""
        ...

    def marked(self, planted: Planted) -> Self:
        """The same world with one more fault on record."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class BenchWorld:
    """A world: how it was made, what is seen of it, what is true of it."""

    seed: int
    config: WorldConfig
    deliveries: Deliveries
    view: GroupView
    truth: Truth

    @property
    def terms(self) -> MarketTerms:
        """The markets' terms."""
        return self.truth.market.terms

    @property
    def volume(self) -> Floats:
        """Volume as the exchange published it, ``[T, M]`` contracts."""
        return self.deliveries.volume

    def on(self, course: Course) -> "BenchWorld":
        """The same world on another course; what was planted in deliveries or view before is gone."""
        return _world(self.seed, self.config, course, self.truth.planted)

    def told(self, deliveries: Deliveries) -> "BenchWorld":
        """The same world seen through other deliveries."""
        return replace(self, deliveries=deliveries, view=observe(deliveries, self.terms))

    def shown(self, view: GroupView) -> "BenchWorld":
        """The same world with its view edited, deliveries as they were."""
        return replace(self, view=view)

    def marked(self, planted: Planted) -> "BenchWorld":
        """The same world with one more fault on record."""
        return replace(self, truth=replace(self.truth, planted=(*self.truth.planted, planted)))


def make_world(seed: int, config: WorldConfig | None = None) -> BenchWorld:
    """Make a world without a fault: one edge, constant throughout.

    The same seed and configuration give the same bytes; a longer world begins with the same rows.
    """
    config = config or WorldConfig()
    return _world(seed, config, Course.constant(config.sessions, config.edge), ())


def _world(seed: int, config: WorldConfig, course: Course, planted: tuple[Planted, ...]) -> BenchWorld:
    specs = specs_of(config.markets)
    hidden = latent(seed, specs, course)
    deliveries = deliver(seed, specs, hidden, course.volume)
    view = observe(deliveries, MarketTerms.of(specs))
    known = known_position(hidden, deliveries)
    next_mean = np.full_like(known, np.nan)
    mean = course.beta[1:, None] / np.sqrt(SESSIONS_PER_YEAR) * hidden.gap[:-1] + course.drift[1:, None]
    next_mean[:-1] = hidden.sigma[:-1] * mean
    truth = Truth(
        course=course,
        gap=hidden.gap,
        known_gap=(hidden.view - known) / np.sqrt(2.0),
        probability=probability_up(label_mean(hidden.view, known, course.beta) + HORIZON * course.drift[:, None]),
        base=probability_up(np.broadcast_to(HORIZON * course.drift[:, None], known.shape)),
        next_mean=next_mean,
        market=view.market,
        planted=planted,
    )
    return BenchWorld(seed, config, deliveries, view, truth)


def probability_up(mean: Floats) -> Floats:
    """P(sum of a label's sessions > 0) where the sum has this mean in standard deviations of one session."""
    return np.asarray(ndtr(PEAKED * mean / np.sqrt(HORIZON) - DRAG))


def label_mean(view: Floats, position: Floats, beta: Floats) -> Floats:
    """Expected sum of the standardised returns that a label earns, t+2 to t+6, from the gaps of t+1 to t+5.

    ``view`` and ``position`` ``[T, M]`` as known at the decision, ``beta`` ``[T]``.
    """
    steps = np.arange(1, HORIZON + 1)
    view_part, position_part = float((PHI_VIEW**steps).sum()), float((PHI_POSITION**steps).sum())
    gaps = (view_part * view - position_part * position) / np.sqrt(2.0)
    return np.asarray(beta[:, None] / np.sqrt(SESSIONS_PER_YEAR) * gaps)
