"""A replay's money by market: by hand, and to the cent the account's own."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from hydra_assets.replay.batched import replay
from hydra_assets.replay.by_market import by_market
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import KINDS, CostKind
from hydra_assets.replay.tables import ReplayConfig
from tests.hydra_assets.replay.test_events import cases
from tests.hydra_assets.replay.worlds import config, world

SPREAD, FEE, IMPACT, ROLL = (KINDS.index(kind) for kind in CostKind)


def test_money_by_hand() -> None:
    # Two lots of the first market and one short of the second, for two sessions; the first rolls in session 2.
    market = world([[80.0, 50.0], [81.0, 51.0], [83.0, 50.0]], roll=np.array([[False] * 2, [False] * 2, [True, False]]))
    wanted = Decisions(DecisionKind.LOTS, np.array([[[2.0, -1.0]] * 3]))
    found = by_market(market, config(), replay(market, wanted, config()), 0)
    # Entered at the settle of session 1: two lots earn 2 x 2 x 400 = 1,600, the short 400. In cents.
    assert found.gross.tolist() == [[0.0, 0.0], [0.0, 0.0], [160_000.0, 40_000.0]]
    # Half-spread 600 and fee 250 a lot; impact 512 x lots^1.5 at 80, 320 at 50.
    assert found.costs[SPREAD].tolist() == [[0.0, 0.0], [1_200.0, 600.0], [0.0, 0.0]]
    assert found.costs[FEE].tolist() == [[0.0, 0.0], [500.0, 250.0], [0.0, 0.0]]
    assert found.costs[IMPACT].tolist() == [[0.0, 0.0], [1_448.0, 320.0], [0.0, 0.0]]
    # Out of the old and into the new contract: twice 2 x 850 and the impact of two lots at 81.
    coefficient = 100.0 * 0.8 * 0.02 * 81.0 * 400.0 / 100.0
    assert found.costs[ROLL].tolist() == [[0.0, 0.0], [0.0, 0.0], [2.0 * (1_700.0 + round(coefficient * 2**1.5)), 0.0]]
    assert found.net.tolist() == (found.gross - found.costs.sum(axis=0)).tolist()


@settings(max_examples=150)
@given(cases())
def test_markets_add_up_to_the_account_to_the_cent(case: tuple[MarketArrays, Decisions, ReplayConfig]) -> None:
    market, decisions, setting = case
    result = replay(market, decisions, setting)
    for candidate in range(len(decisions.values)):
        books = by_market(market, setting, result, candidate)
        assert books.gross.sum(axis=1).tolist() == result.gross_cents[candidate].tolist()
        assert books.costs.sum(axis=2).tolist() == result.cost_cents[:, candidate].tolist()
        assert books.net.sum(axis=1).tolist() == result.net_cents[candidate].tolist()
        assert books.gross.tolist() == np.rint(books.gross).tolist()
        # Where nothing was held or traded, nothing was earned or paid.
        held = result.positions[candidate]
        still = (np.vstack([np.zeros((1, held.shape[1])), held[:-1]]) == 0) & (result.fills[candidate] == 0)
        assert not books.gross[still].any()
        assert not books.costs[:, still].any()


def test_it_needs_to_know_what_was_held() -> None:
    market = world([80.0, 81.0])
    wanted = Decisions(DecisionKind.LOTS, np.ones((1, 2, 1)))
    with pytest.raises(ValueError, match="without positions"):
        by_market(market, config(), replay(market, wanted, config(), detail=False), 0)
    bare = replace(replay(market, wanted, config()), fills=None)
    with pytest.raises(ValueError, match="without positions and fills"):
        by_market(market, config(), bare, 0)
