"""A strategy's out-of-sample decisions under synthetic stress, on what was known at a cutoff."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np

from hydra_assets.evaluation.evidence import Played
from hydra_assets.evaluation.strategies import shares_of_recipe
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stats.returns import Floats
from hydra_assets.stress.plan import StressPlan
from hydra_assets.stress.records import StressReport
from hydra_assets.stress.report import stress_report

DEFAULT_PLAN = StressPlan()


def up_to(market: MarketArrays, cutoff: date) -> MarketArrays:
    """The arrays' sessions up to a cutoff."""
    stop = int(np.searchsorted(market.days, (cutoff - date(1970, 1, 1)).days, side="right"))
    arrays = {field.name: getattr(market, field.name) for field in fields(market)}
    cut: dict[str, Any] = {name: value[:stop] for name, value in arrays.items() if isinstance(value, np.ndarray)}
    return replace(market, **cut)


def stressed(played: Played, name: str, factors: Floats, cutoff: date, plan: StressPlan = DEFAULT_PLAN) -> StressReport:
    """Stress one strategy; ``factors`` are the size factors that it was replayed with, ``[session, market]``."""
    market = up_to(played.market, cutoff)
    stop = len(market.days)
    shares = shares_of_recipe(played.predictions[name], played.market, played.recipes[name])[:stop]
    decisions = Decisions(DecisionKind.KELLY, shares[None], size_factor=factors[:stop])
    return stress_report(market, decisions, ReplayConfig(), plan)
