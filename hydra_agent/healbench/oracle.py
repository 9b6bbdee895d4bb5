"""Who knows the truth and who never changes: the ends between which a policy's regret is measured."""

from collections.abc import Sequence

import numpy as np

from hydra_agent.arena import replay_of
from hydra_agent.healbench.worlds import KnownWorld
from hydra_agent.view import Floats, Walk
from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.costs import CENTS
from hydra_assets.replay.result import ReplayResult

ORACLE = "oracle"


def oracle_walk(world: KnownWorld) -> Walk:
    """What is said by whoever knows the edge in force and the published part of the gap; its recipe is a stand-in."""
    return Walk(ORACLE, Recipe(model=BaseRate()), world.truth.probability, world.truth.base, (0,))


def expected_net(world: KnownWorld, walks: Sequence[Walk]) -> Floats:
    """Net profit over capital that the positions of walks were worth before the luck of their sessions, ``[n, T]``.

    The mean of a strategy's is its true net edge on the path, with a small part of the error of the realised one.
    """
    return expected_of(world, replay_of(world.truth.market, walks, detail=True))


def expected_of(world: KnownWorld, result: ReplayResult) -> Floats:
    """``expected_net`` of a replay on the true market that kept its positions.

    The mean of the next session's return, which nobody in the world knows, in place of the return; costs as paid.
    """
    if result.positions is None:
        msg = "the replay kept no positions"
        raise ValueError(msg)
    candidates, rows, _ = result.positions.shape
    market = world.truth.market
    # A market has no price on its holidays, and what is held over one has been earned by the session before it.
    price = np.where(np.isfinite(market.settle), market.settle, 0.0)
    cents = (CENTS * price * market.terms.multiplier * world.truth.next_mean)[: rows - 1]
    earned = np.zeros((candidates, rows))
    earned[:, 1:] = (result.positions[:, :-1] * cents).sum(axis=2)
    return np.asarray((earned - result.cost_cents.sum(axis=0)) / result.capital_cents)
