"""How much of a strategy fits into its markets: turnover, and the size at which a year stops earning."""

from dataclasses import replace

import numpy as np

from hydra_assets.evaluation.evidence import Played
from hydra_assets.evaluation.strategies import replayed, shares_of_recipe
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stats.performance import Capacity, capacity
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

MULTIPLES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Sizes tried, in multiples of the configured capital; position limits grow with it, participation caps do not."""


def turnover_of(played: Played, name: str, span: slice) -> float | None:
    """Capital traded a year over capital, rolls left out; None where no positions were kept."""
    if played.replay.fills is None or span.stop <= span.start:
        return None
    index = list(played.predictions).index(name)
    lots = np.abs(played.replay.fills[index][span].astype(np.float64))
    settle = np.nan_to_num(played.market.settle[span])
    traded = (lots * settle * played.market.terms.multiplier).sum(axis=1)
    return float(traded.mean() * SESSIONS_PER_YEAR / (played.replay.capital_cents / 100.0))


def capacity_of(played: Played, name: str, span: slice, config: ReplayConfig | None = None) -> Capacity | None:
    """Capacity over a span: each size is replayed whole, so impact, caps and limits are those of that size.

    Size factors are left out. None before the first tested session.
    """
    base = config or ReplayConfig()
    if span.stop <= span.start:
        return None
    market = played.market
    shares = shares_of_recipe(played.predictions[name], market, played.recipes[name])
    years = (span.stop - span.start) / SESSIONS_PER_YEAR
    at_one, net = 0.0, list[float]()
    for multiple in MULTIPLES:
        terms = replace(market.terms, max_position_contracts=market.terms.max_position_contracts * multiple)
        sized = base.model_copy(update={"capital": base.capital * multiple})
        result = replayed(replace(market, terms=terms), [shares], None, sized)
        if multiple == 1.0:
            at_one = float(result.gross[0][span].sum()) / base.capital / years
        net.append(float(result.net[0][span].sum()) / base.capital / years)
    # What a size earns less than its multiple of the gross result is its cost: charges, and what did not fit.
    return capacity(MULTIPLES, at_one, at_one * np.array(MULTIPLES) - np.array(net))
