"""The study's own arithmetic, and a small run of it: gates that let too much through must be found out."""

from dataclasses import replace

import numpy as np
import pytest

from hydra_assets.stats.gate_records import GateCode, GateConfig
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from studies.gate_nulls import CASH, CHAMPION, JOINT, NOMINAL, counts, cycle, lower_bound, null_table, upper_bound

DRAWS = 12
SMALL = {"sessions": 320, "candidates": 4, "earlier_trials": 6}
FAST = GateConfig(replications=100)


def test_exact_bounds():
    # none of n: upper 1 - 0.01^(1/n); all of n: lower 0.01^(1/n)
    assert upper_bound(0, 50) == pytest.approx(1.0 - 0.01 ** (1 / 50))
    assert lower_bound(50, 50) == pytest.approx(0.01 ** (1 / 50))
    assert (lower_bound(0, 50), upper_bound(50, 50)) == (0.0, 1.0)


def test_worlds_are_what_they_say():
    drawn = cycle(replace(CHAMPION, sessions=50 * SESSIONS_PER_YEAR, gain=1.0, earlier_trials=0), seed=1)
    rows = np.stack([drawn.champion.net_returns, *(c.net_returns for c in drawn.candidates)])
    ratio = rows.mean(axis=1) / rows.std(axis=1) * np.sqrt(252.0)
    # 50 years: standard error 0.14 each; paired at correlation 0.9 it is 0.063, of which 4.5 are allowed
    assert ratio[0] == pytest.approx(1.0, abs=0.45)
    assert ratio[1] - ratio[0] == pytest.approx(1.0, abs=0.285)
    assert ratio[2:] - ratio[0] == pytest.approx(np.zeros(9), abs=0.285)
    assert np.corrcoef(rows)[0, 1:] == pytest.approx(np.full(10, 0.9), abs=0.03)
    assert drawn.ledger.trials == 10
    assert cycle(CASH, 3).champion is None
    again = cycle(CASH, 3).candidates[0].net_returns
    assert (again == cycle(CASH, 3).candidates[0].net_returns).all()
    assert (again != cycle(CASH, 4).candidates[0].net_returns).any()


@pytest.mark.parametrize("world", [replace(CASH, **SMALL), replace(CHAMPION, **SMALL)], ids=lambda w: w.name)
def test_null_rates_are_in_order(world):
    hits = counts(world, DRAWS, FAST, processes=1)
    table, order = null_table([(world, hits)], DRAWS)
    assert order, hits
    assert table.row_count == len(NOMINAL)


def test_open_gates_are_found_out():
    # Thresholds at which the tests are no tests: nearly every cycle has somebody to promote.
    lax = replace(FAST, level=0.9, deflated_sharpe=0.0, no_advantage=1.0, windows_to_win=0, min_regimes=0)
    world = replace(CASH, **SMALL)
    hits = counts(world, DRAWS, lax, processes=1)
    assert lower_bound(hits[GateCode.STEPWISE.value], DRAWS) > NOMINAL[GateCode.STEPWISE.value]
    assert lower_bound(hits[JOINT], DRAWS) > NOMINAL[JOINT]
    assert not null_table([(world, hits)], DRAWS)[1]


def test_a_large_gain_is_seen():
    hits = counts(replace(CHAMPION, **SMALL, gain=3.0), 8, FAST, processes=1)
    # t = 3 sqrt(1.27)/sqrt(0.2) = 7.6: a miss would be an error in the chain
    assert hits[GateCode.PAIRED_ADVANTAGE.value] == 8
    assert hits[GateCode.STEPWISE.value] == 8
    assert hits[JOINT] >= 6
