"""The first champion: none without evidence or a pass, else the fittest of those that pass."""

import numpy as np

from hydra_assets.evaluation.first_champion import FirstReason, judge_first
from hydra_assets.stats.fitness import fitness
from hydra_assets.stats.gate_records import CycleEvidence, GateCode, GateReason, StrategyEvidence, WalkForwardFacts
from hydra_assets.stats.trials import ledger_summary
from hydra_assets.verdict import Severity, Verdict

N = 600
GREEN = Verdict("schema", True, Severity.ERROR, "ok", "")
RED = Verdict("no_look_ahead", False, Severity.ERROR, "leak", "")


def side(name: str, sharpe: float, seed: int, features: int = 10) -> StrategyEvidence:
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(N)
    noise = (noise - noise.mean()) / noise.std()
    returns = 0.005 * (noise + sharpe / np.sqrt(252.0))
    errors = np.where(np.arange(N) < 6, np.nan, 0.24)
    return StrategyEvidence(name, returns, np.full(N, 0.00001), errors, features)


def evidence(*sides: StrategyEvidence, contracts: tuple[Verdict, ...] = (GREEN,)) -> CycleEvidence:
    windows = tuple((start, start + 60) for start in range(0, N, 60))
    return CycleEvidence(
        candidates=sides,
        champion=None,
        walk_forward=WalkForwardFacts(6, 6, True, True, True, windows),
        contracts=contracts,
        ledger=ledger_summary(np.stack([s.net_returns for s in sides])),
        regimes=np.arange(N) // 30 % 2,
    )


def test_no_evidence_is_no_champion() -> None:
    found = judge_first(None)
    assert (found.reason, found.chosen, found.reports) == (FirstReason.NO_EVIDENCE, None, ())
    assert found.message == "no session was tested out of sample yet"


def test_none_that_passes_is_no_champion_and_says_who_stopped_at_what() -> None:
    found = judge_first(evidence(side("flat", 0.0, 1), side("losing", -1.0, 2)))
    assert (found.reason, found.chosen) == (FirstReason.NONE_PASSED, None)
    assert [report.candidate for report in found.reports] == ["flat", "losing"]
    failed = [report.first_failure for report in found.reports]
    assert [verdict.gate for verdict in failed if verdict] == [GateCode.PAIRED_ADVANTAGE] * 2
    assert "flat stopped by gate_3" in found.message
    assert "losing stopped by gate_3" in found.message


def test_the_one_that_passes_is_chosen() -> None:
    found = judge_first(evidence(side("flat", 0.0, 1), side("strong", 4.0, 2)))
    assert (found.reason, found.chosen) == (FirstReason.PASSED, "strong")
    assert [report.passed for report in found.reports] == [False, True]


def test_of_several_the_fittest_is_chosen_whatever_their_order() -> None:
    # Stronger returns, or the same with fewer features.
    pairs = [
        (side("better", 5.0, 2), side("good", 4.0, 3)),
        (side("simple", 4.0, 2, features=2), side("wide", 4.0, 3, features=50)),
    ]
    for fitter, other in pairs:
        totals = [fitness(s.net_returns, s.costs, s.squared_errors, s.features).total for s in (fitter, other)]
        assert totals[0] > totals[1]
        for order in ((fitter, other), (other, fitter)):
            found = judge_first(evidence(*order))
            assert all(report.passed for report in found.reports)
            assert (found.reason, found.chosen) == (FirstReason.PASSED, fitter.name)


def test_the_fittest_of_all_is_not_chosen_where_it_fails() -> None:
    # Free lunch: its costs are zero although it traded.
    strong = side("free", 6.0, 2)
    free = StrategyEvidence("free", strong.net_returns, np.zeros(N), strong.squared_errors, 1)
    found = judge_first(evidence(free, side("honest", 4.0, 3)))
    assert found.chosen == "honest"
    failure = found.reports[0].first_failure
    assert failure is not None
    assert failure.reason is GateReason.NO_COSTS


def test_broken_inputs_stop_everyone_at_the_first_gate() -> None:
    found = judge_first(evidence(side("strong", 4.0, 2), contracts=(GREEN, RED)))
    assert found.chosen is None
    failure = found.reports[0].first_failure
    assert failure is not None
    assert (failure.gate, failure.reason) == (GateCode.DATA_CONTRACTS, GateReason.CONTRACT_BROKEN)
    assert "no_look_ahead (leak)" in found.message
    nobody_looked = judge_first(evidence(side("strong", 4.0, 2), contracts=()))
    assert nobody_looked.chosen is None
