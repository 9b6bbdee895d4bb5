"""A simulated home as a world of the benchmark: the full-chain tier's, from quotes through the option engine.

What is seen comes from the home's lake by the pipeline's own functions. What is hidden is read by whoever may read it
(``studies.heal_full_chain``) and handed over as arrays. Both tiers meet in ``worlds.KnownWorld``.
"""

from dataclasses import dataclass, replace

import numpy as np

from hydra_agent.healbench.latent import Course
from hydra_agent.healbench.worlds import Planted, Truth, label_mean, probability_up
from hydra_agent.view import FeedKind, Floats, GroupView
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What the embedded market hides, by the rows and markets of a view: ``[T, M]``, NaN on a market's holidays."""

    view: Floats
    """The options' view without error."""
    position: Floats
    """The traders' positions as the newest report lets them be expected."""
    gap: Floats
    """Of the states themselves."""
    beta: Floats
    """Annual Sharpe ratio of a unit of gap that moves the market's next session."""
    next_mean: Floats
    """Mean of the next session's return, a fraction."""


@dataclass(frozen=True, slots=True, eq=False)
class HomeWorld:
    """``KnownWorld`` of a home: the path is what it is, only what is seen of it can still be edited."""

    seed: int
    view: GroupView
    truth: Truth
    volume: Floats

    def shown(self, view: GroupView) -> "HomeWorld":
        """The same world with its view edited."""
        return replace(self, view=view)

    def marked(self, planted: Planted) -> "HomeWorld":
        """The same world with one more fault on record."""
        return replace(self, truth=replace(self.truth, planted=(*self.truth.planted, planted)))


def home_world(seed: int, view: GroupView, hidden: Hidden) -> HomeWorld:
    """Make a world of what is seen and what is hidden.

    The oracle's probability is that of the statistical tier for the same known gap and edge, whose law of labels it
    takes over; jumps make the embedded market's slightly other. States stand over a market's holidays.
    """
    states = (hidden.view, hidden.position, hidden.gap, hidden.beta)
    options, position, gap, betas = (_held(values) for values in states)
    # One edge for all markets; their calendars may put its break a session apart.
    beta = np.asarray(betas.mean(axis=1))
    there = np.isfinite(view.market.settle)
    next_mean = np.where(there & np.isfinite(hidden.next_mean), hidden.next_mean, 0.0)
    next_mean[-1] = np.nan
    truth = Truth(
        course=Course(beta, np.zeros(len(view)), np.ones(len(view))),
        gap=gap,
        known_gap=(options - position) / np.sqrt(2.0),
        probability=probability_up(label_mean(options, position, beta)),
        base=probability_up(np.zeros(view.up.shape)),
        next_mean=next_mean,
        market=view.market,
    )
    volumes = next(k for k, feed in enumerate(view.feeds) if feed.kind is FeedKind.VOLUMES)
    return HomeWorld(seed, view, truth, view.feed_level[:, :, volumes])


def is_single_model(recipe: Recipe) -> bool:
    """All that the full-chain tier can pay for: linear models and boosted trees, no ensembles and networks."""
    return isinstance(recipe.model, Logistic | LightGbm)


def _held(values: Floats) -> Floats:
    """Newest value of each column, and before the first of them that one, ``[T, M]``."""
    there = np.isfinite(values)
    row = np.maximum.accumulate(np.where(there, np.arange(len(values))[:, None], -1), axis=0)
    return np.take_along_axis(values, np.where(row >= 0, row, there.argmax(axis=0)), axis=0)
