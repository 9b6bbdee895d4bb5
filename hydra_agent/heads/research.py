"""The research head: information that the recipe does not use yet, from pluggable providers.

A provider names features of the dictionary; one has to prove itself in an experiment like any other change. Providers
for seasons, cycles, price regimes and the report calendar rest on data that every home has.
"""

from dataclasses import dataclass
from typing import Protocol

from hydra_agent.heads.base import Situation, possible
from hydra_agent.heads.technical import Idea
from hydra_agent.playbook.mutations import AddFeature
from hydra_agent.playbook.proposal import Proposal


class FeatureProvider(Protocol):
    """A source of information beyond the recipe."""

    @property
    def name(self) -> str:
        """What it knows of."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Features of the dictionary, most telling first."""
        ...


@dataclass(frozen=True, slots=True)
class DictionaryProvider:
    """A provider whose features the pipeline computes already."""

    name: str
    features: tuple[str, ...]


PROVIDERS: tuple[FeatureProvider, ...] = (
    DictionaryProvider("seasonality", ("season_sin", "season_cos", "half_season_sin", "half_season_cos")),
    DictionaryProvider("volatility cycle", ("realised_vol_ratio", "vol_term_slope", "atm_vol", "variance_premium")),
    DictionaryProvider("curve cycle", ("slope", "days_to_last_trade", "open_interest_change_20")),
    DictionaryProvider("price regime", ("momentum_5", "pool_momentum", "pool_vol_change", "realised_vol_20")),
    DictionaryProvider("report calendar", ("report_age_days", "crowd_change_z", "crowd_confidence")),
)


@dataclass(frozen=True, slots=True)
class ResearchHead:
    """Proposes once a week: one feature of each provider, then their second ones."""

    name: str = "research"
    every_sessions: int = 5
    providers: tuple[FeatureProvider, ...] = PROVIDERS

    def propose(self, situation: Situation) -> list[Proposal]:
        """Providers take turns, so that no one of them has all experiments."""
        ideas: list[Idea] = []
        for place in range(max((len(provider.features) for provider in self.providers), default=0)):
            for provider in self.providers:
                known = [name for name in provider.features if name in situation.features]
                if place < len(known):
                    ideas.append(((AddFeature(feature=known[place]),), f"{provider.name}: {known[place]}"))
        return possible(self.name, situation, ideas)
