"""A replay's money by market: the same whole cents that the account was charged, told apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.costs import impact_cents
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import KINDS, CostKind, ReplayResult
from hydra_assets.replay.tables import ReplayConfig, session_tables

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MarketBooks:
    """Cents of one candidate, ``[session, market]``; costs by kind, ``[kind, session, market]`` as in ``KINDS``."""

    gross: Floats
    costs: Floats

    @property
    def net(self) -> Floats:
        """Gross less all costs."""
        return np.asarray(self.gross - self.costs.sum(axis=0))


def by_market(market: MarketArrays, config: ReplayConfig, result: ReplayResult, candidate: int) -> MarketBooks:
    """Split a candidate's books by market; ValueError where the replay kept no positions.

    Sums over the markets are the result's own cents exactly.
    """
    if result.positions is None or result.fills is None:
        msg = "the replay was made without positions and fills"
        raise ValueError(msg)
    tables = session_tables(market, config.costs, config.fills)
    held, fill = (array[candidate].astype(np.float64) for array in (result.positions, result.fills))
    before = np.vstack([np.zeros((1, held.shape[1])), held[:-1]])
    lots = np.abs(fill)
    kept = np.where(tables.roll & (before * held > 0.0), np.minimum(np.abs(before), np.abs(held)), 0.0)
    costs = np.zeros((len(KINDS), *held.shape))
    costs[KINDS.index(CostKind.SPREAD)] = lots * tables.spread
    costs[KINDS.index(CostKind.FEE)] = lots * tables.fee
    costs[KINDS.index(CostKind.IMPACT)] = impact_cents(tables.impact, lots)
    costs[KINDS.index(CostKind.ROLL)] = 2.0 * (kept * tables.roll_lot + impact_cents(tables.impact, kept))
    gross = before * tables.carry + fill * tables.fill_change + lots * tables.fill_change_side
    return MarketBooks(gross, costs)
