"""A case: one world with what all policies share of it, and the record that a policy leaves.

Policies are handed the same case, so their paths, their laboratory and their first champion are the same; what one of
them has fitted is there for the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

import numpy as np
from scipy.special import expit

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.heads.research import PROVIDERS, FeatureProvider
from hydra_agent.healbench.lab import ArrayLab
from hydra_agent.healbench.worlds import KnownWorld
from hydra_agent.observe.health import HealthConfig, health_config, observe_data
from hydra_agent.observe.signals import SignalTrack
from hydra_agent.respond import ResponseCode
from hydra_agent.view import Floats, GroupView, Walk
from hydra_assets.models.calibration import log_odds
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC, Recipe
from hydra_assets.replay.market import MarketArrays


@dataclass(frozen=True, slots=True)
class Setting:
    """What a case costs and how long its champion has reigned when something goes wrong."""

    first: int = 756
    """Row of the first champion: three years of history."""
    refit: int = 63
    """Sessions between two scheduled refits."""
    turn: int = 126
    """Sessions between two healing turns. The pipeline may take one every session and is held back by its budgets; the
    benchmark takes as many as can be paid for, and heals the later for it."""
    per_cycle: int = 8
    """Experiments of a turn, 12 in the pipeline."""
    amend: int = 10
    """Sessions between two moves of the base rate."""
    every: int = 5
    """Of ``ArrayLab``."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks: a recipe, the row of its newest fit, its amendments: what ``amend.amended`` asks of a model."""

    recipe: Recipe
    fit_row: int
    masked: tuple[str, ...] = ()
    offset: float = 0.0
    """In log-odds."""


class EventKind(StrEnum):
    """What a policy does besides trading on."""

    REFIT = "refit"
    MASKED = "masked"
    RECALIBRATED = "recalibrated"
    TURN = "turn"
    """Experiments were made."""
    PROMOTED = "promoted"
    CONFIRMED = "confirmed"
    TAKEN_BACK = "taken_back"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Event:
    """One of them, at whose cutoff it was decided."""

    row: int
    kind: EventKind
    about: str = ""
    experiments: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Promotion:
    """Recipes before and after, for the judgement that no agent can pass: which one has the better true edge."""

    row: int
    recipe: Recipe
    before: Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What a policy did on a case; rows before ``Setting.first`` are nobody's."""

    policy: str
    probability: Floats
    """``[T, M]`` as said."""
    base: Floats
    exposure: Floats
    """``[T, M]`` share of its size that was traded."""
    events: tuple[Event, ...] = ()
    promotions: tuple[Promotion, ...] = ()
    causes: tuple[CauseCode | None, ...] = ()
    """``[T]`` top cause that was acted on or watched; empty for a policy that does not diagnose."""
    alarmed: tuple[int, ...] = ()
    """Rows on which an alarm began that changed what was traded."""
    responses: tuple[ResponseCode, ...] = ()
    """``[T]``."""
    seconds: float = 0.0

    def walk(self, recipe: Recipe) -> Walk:
        """What was said as a walk; the recipe gives it its horizon."""
        return Walk(self.policy, recipe, self.probability, self.base, ())


def is_logistic(recipe: Recipe) -> bool:
    """All that the statistical tier can pay for."""
    return isinstance(recipe.model, Logistic)


@dataclass(eq=False)
class Case:
    """A world and what its policies share."""

    world: KnownWorld
    fault_row: int
    setting: Setting = field(default_factory=Setting)
    recipe: Recipe = FIRST_RECIPES[LOGISTIC]
    forced_turns: tuple[int, ...] = ()
    """Rows at which experiments are made whatever the diagnosis, as a person may ask for."""
    providers: tuple[FeatureProvider, ...] = PROVIDERS
    """Of the research head."""
    affordable: Callable[[Recipe], bool] = is_logistic
    """Candidates that the case's tier can pay for; heads propose no others."""

    @property
    def view(self) -> GroupView:
        """What is seen."""
        return self.world.view

    @property
    def market(self) -> MarketArrays:
        """What is traded: accounts know what was really earned."""
        return self.world.truth.market

    @property
    def shape(self) -> tuple[int, int]:
        """Sessions and markets."""
        t, m = self.view.up.shape
        return t, m

    @cached_property
    def lab(self) -> ArrayLab:
        """The laboratory of the view."""
        return ArrayLab(self.view, self.setting.every)

    @cached_property
    def data(self) -> tuple[SignalTrack, ...]:
        """Signals that depend on no champion."""
        return observe_data(self.view)

    @cached_property
    def config(self) -> HealthConfig:
        """Thresholds."""
        return health_config(len(self.view.feature_names))

    def spoken(self, voice: Voice, start: int, stop: int) -> tuple[Floats, Floats]:
        """Probabilities and base rates that a voice gives to sessions, ``[stop - start, M]`` each."""
        found = self.lab.fit_at(voice.recipe, voice.fit_row)
        m = self.shape[1]
        if found.fitted is None:
            nothing = np.full((stop - start, m), np.nan)
            return nothing, nothing
        features = self.view.features[start:stop][:, :, self._columns(voice.recipe.features)]
        hidden = [voice.recipe.features.index(name) for name in voice.masked]
        features[:, :, hidden] = np.nan
        said = found.fitted.probability(features.reshape(-1, features.shape[2])).reshape(-1, m)
        base = np.full(said.shape, found.base)
        if voice.offset:
            said, base = expit(log_odds(said) + voice.offset), expit(log_odds(base) + voice.offset)
        return said, base

    def silence(self) -> tuple[Floats, Floats, Floats]:
        """Nothing said yet, everything allowed: probability, base and exposure ``[T, M]``."""
        return np.full(self.shape, np.nan), np.full(self.shape, np.nan), np.ones(self.shape)

    def _columns(self, names: Sequence[str]) -> list[int]:
        return [self.view.feature_names.index(name) for name in names]
