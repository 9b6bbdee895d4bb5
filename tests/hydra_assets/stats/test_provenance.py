from dataclasses import replace

import numpy as np
import pytest

from hydra_assets.stats.gate_records import (
    CycleEvidence,
    GateConfig,
    GateReason,
    GateStatus,
    StrategyEvidence,
    WalkForwardFacts,
)
from hydra_assets.stats.provenance import data_contracts, out_of_sample
from hydra_assets.stats.trials import LedgerSummary
from hydra_assets.verdict import Severity, Verdict

N = 1260
CONFIG = GateConfig()
GREEN = Verdict("prices", True, Severity.ERROR, "ok", "all there")
BROKEN = Verdict("chains", False, Severity.ERROR, "gap", "")
LATE = Verdict("headlines", False, Severity.WARN, "late", "")
FACTS = WalkForwardFacts(
    horizon_sessions=5,
    embargo_sessions=5,
    purged=True,
    net_of_costs=True,
    same_window=True,
    test_windows=tuple((i * 252, (i + 1) * 252) for i in range(5)),
)
SIDE = StrategyEvidence("a", 0.01 * np.sin(np.arange(float(N))), np.full(N, 1e-5), np.full(N, np.nan), 30)
CYCLE = CycleEvidence((SIDE,), SIDE, FACTS, (GREEN,), LedgerSummary(1, 1, None), None)


@pytest.mark.parametrize(
    ("contracts", "reason", "numbers"),
    [
        ((GREEN, GREEN), GateReason.OK, {"checked": 2, "broken": 0, "warnings": 0}),
        ((GREEN, LATE), GateReason.OK, {"checked": 2, "broken": 0, "warnings": 1}),
        ((), GateReason.NO_CONTRACTS_CHECKED, {"checked": 0, "broken": 0, "warnings": 0}),
        ((GREEN, BROKEN, LATE), GateReason.CONTRACT_BROKEN, {"checked": 3, "broken": 1, "warnings": 1}),
    ],
)
def test_gate_1(contracts, reason, numbers):
    found = data_contracts(contracts)
    assert (found.reason, found.numbers) == (reason, numbers)
    assert (found.status is GateStatus.PASSED) == (reason is GateReason.OK)


def test_gate_1_names_the_culprits():
    assert data_contracts((GREEN, BROKEN, LATE)).message == "broken: chains (gap)"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, GateReason.OK),
        ({"embargo_sessions": 6}, GateReason.OK),
        ({"test_windows": ((0, 20), (20, N))}, GateReason.OK),
        ({"purged": False}, GateReason.NOT_PURGED),
        ({"embargo_sessions": 4}, GateReason.EMBARGO_BELOW_HORIZON),
        ({"net_of_costs": False}, GateReason.NOT_NET_OF_COSTS),
        ({"same_window": False}, GateReason.DIFFERENT_WINDOWS),
        ({"test_windows": ()}, GateReason.TEST_WINDOWS_TOO_FEW),
        ({"test_windows": ((0, N),)}, GateReason.TEST_WINDOWS_TOO_FEW),
        ({"test_windows": ((0, 19), (19, N))}, GateReason.TEST_WINDOW_TOO_SHORT),
        ({"test_windows": ((0, 630), (600, N))}, GateReason.TEST_WINDOWS_OVERLAP),
        ({"test_windows": ((0, 600), (630, N))}, GateReason.SESSIONS_UNTESTED),
        ({"test_windows": ((30, 630), (630, N + 30))}, GateReason.SESSIONS_UNTESTED),
        ({"test_windows": ((0, 600), (630, N + 30))}, GateReason.SESSIONS_UNTESTED),
    ],
)
def test_gate_2(change, reason):
    found = out_of_sample(SIDE, replace(CYCLE, walk_forward=replace(FACTS, **change)), CONFIG)
    assert found.reason is reason
    assert (found.status is GateStatus.PASSED) == (reason is GateReason.OK)
    assert found.numbers["sessions"] == N


def test_gate_2_wants_a_year():
    short = replace(SIDE, **{f: getattr(SIDE, f)[:251] for f in ("net_returns", "costs", "squared_errors")})
    facts = replace(FACTS, test_windows=((0, 100), (100, 251)))
    evidence = replace(CYCLE, candidates=(short,), champion=None, walk_forward=facts)
    assert out_of_sample(short, evidence, CONFIG).reason is GateReason.TOO_FEW_SESSIONS
    assert out_of_sample(short, evidence, GateConfig(min_sessions=251)).reason is GateReason.OK


def test_gate_2_lets_a_champion_be_flat_and_not_broken():
    idle = replace(SIDE, net_returns=np.zeros(N), costs=np.zeros(N))
    assert out_of_sample(SIDE, replace(CYCLE, champion=idle), CONFIG).reason is GateReason.OK
    broken = replace(SIDE, net_returns=np.full(N, np.nan))
    assert out_of_sample(SIDE, replace(CYCLE, champion=broken), CONFIG).reason is GateReason.CHAMPION_UNUSABLE
