from dataclasses import replace

import numpy as np
import pytest

from hydra_assets.stats.gate_records import (
    CandidateReport,
    CycleEvidence,
    GateCode,
    GateConfig,
    GateReason,
    GateStatus,
    StrategyEvidence,
    WalkForwardFacts,
)
from hydra_assets.stats.gates import judge_cycle
from hydra_assets.stats.trials import LedgerSummary
from hydra_assets.verdict import Severity, Verdict

N = 1260
FAST = GateConfig(replications=100)
FACTS = WalkForwardFacts(
    horizon_sessions=5,
    embargo_sessions=5,
    purged=True,
    net_of_costs=True,
    same_window=True,
    test_windows=tuple((i * 252, (i + 1) * 252) for i in range(5)),
)
GREEN = Verdict("prices", True, Severity.ERROR, "ok", "all there")


def noise(seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal(N)
    return (rows - rows.mean()) / rows.std()


COMMON = noise(1)


def strategy(name: str, seed: int, ratio: float, cost: float = 0.01) -> StrategyEvidence:
    """Annual Sharpe ratio ``ratio`` exactly, 10 % volatility, correlated about 0.9 with COMMON, costs of 1 % a year."""
    mixed = 0.9 * COMMON + np.sqrt(0.19) * noise(seed)
    mixed = (mixed - mixed.mean()) / mixed.std()
    returns = 0.0063 * (mixed + ratio / np.sqrt(252.0))
    return StrategyEvidence(name, returns, np.full(N, cost / 252.0), np.full(N, 0.25), 30)


CHAMPION = StrategyEvidence("champion", 0.0063 * (COMMON + 0.063), np.full(N, 0.01 / 252), np.full(N, 0.25), 30)
BETTER = strategy("better", 10, 2.5)
EQUALS = tuple(strategy(f"equal {i}", 11 + i, 1.0) for i in range(4))
CYCLE = CycleEvidence(
    candidates=(BETTER, *EQUALS),
    champion=CHAMPION,
    walk_forward=FACTS,
    contracts=(GREEN,),
    ledger=LedgerSummary(20, 12, 0.0002),
    regimes=(np.arange(N) // 100) % 2,
)


def verdict(report: CandidateReport, gate: GateCode):
    return report.verdicts[list(GateCode).index(gate)]


def test_better_candidate_passes_and_equals_do_not():
    better, *equals = judge_cycle(CYCLE, FAST)
    assert better.passed
    assert [v.gate for v in better.verdicts] == list(GateCode)
    assert {v.status for v in better.verdicts} == {GateStatus.PASSED}
    assert {v.reason for v in better.verdicts} == {GateReason.OK}
    for report in equals:
        assert not report.passed
        assert report.first_failure.gate is GateCode.PAIRED_ADVANTAGE
        assert report.first_failure.reason is GateReason.NOT_BETTER
        assert verdict(report, GateCode.STEPWISE).reason is GateReason.NOT_BETTER_AMONG_MANY
        assert len(report.verdicts) == 7


def test_every_report_states_its_power():
    better = judge_cycle(CYCLE, FAST)[0]
    # Phi(0.5 sqrt(5)/sqrt(2 (1 - 0.9)) - 1.645) = 0.80, at the correlation that these returns have
    assert better.power.correlation == pytest.approx(0.9, abs=0.02)
    assert better.power.power == pytest.approx(0.80, abs=0.06)
    assert (better.power.gain, better.power.sessions) == (0.5, N)
    assert "a true Sharpe gain of 0.5 over a champion correlated 0." in better.message
    assert "better passes gates 1-7" in better.message


def test_numbers_say_what_was_tested():
    better = judge_cycle(CYCLE, FAST)[0]
    gain = verdict(better, GateCode.PAIRED_ADVANTAGE).numbers
    # 2.5 less 0.063 sqrt(252) = 1.0001
    assert gain["sharpe_gain"] == pytest.approx(1.5, abs=1e-3)
    assert gain["p_value"] < 0.05
    assert verdict(better, GateCode.STEPWISE).numbers["superior"] == 1
    assert verdict(better, GateCode.DEFLATED_SHARPE).numbers["effective_trials"] == 12
    assert verdict(better, GateCode.OVERFITTING).numbers["effective"] == 5
    assert verdict(better, GateCode.ROBUST_FITNESS).numbers["regimes"] == 2


def test_same_evidence_same_verdicts():
    first, second = judge_cycle(CYCLE, FAST), judge_cycle(CYCLE, FAST)
    assert first == second


def only(reason: GateReason, gate: GateCode, evidence: CycleEvidence, config: GateConfig = FAST) -> CandidateReport:
    """The first candidate's one failure, all else passed or not asked."""
    report = judge_cycle(evidence, config)[0]
    failures = [v for v in report.verdicts if v.status is GateStatus.FAILED]
    assert [(v.gate, v.reason) for v in failures] == [(gate, reason)]
    assert report.first_failure is failures[0]
    assert failures[0].message
    return report


def test_the_first_failure_decides_and_the_rest_is_reported():
    broken = Verdict("chains", False, Severity.ERROR, "gap", "")
    late = replace(FACTS, embargo_sessions=4)
    report = judge_cycle(replace(CYCLE, contracts=(broken, GREEN), walk_forward=late), FAST)[0]
    assert report.message.startswith("better stopped by gate_1_data_contracts: broken: chains (gap)")
    assert [v.reason for v in report.verdicts[:2]] == [GateReason.CONTRACT_BROKEN, GateReason.EMBARGO_BELOW_HORIZON]
    assert {v.status for v in report.verdicts[2:]} == {GateStatus.PASSED}


def spoilt(side: StrategyEvidence, field: str, value: float) -> StrategyEvidence:
    series = getattr(side, field).copy()
    series[77] = value
    return replace(side, **{field: series})


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (spoilt(BETTER, "net_returns", np.nan), GateReason.MISSING_RETURN),
        (replace(BETTER, net_returns=np.zeros(N)), GateReason.CONSTANT_RETURNS),
        (spoilt(BETTER, "costs", np.nan), GateReason.COSTS_UNUSABLE),
        (spoilt(BETTER, "costs", -0.1), GateReason.COSTS_UNUSABLE),
        (replace(BETTER, costs=np.zeros(N)), GateReason.NO_COSTS),
    ],
)
def test_an_unusable_candidate_fails_alone(candidate, reason):
    reports = judge_cycle(replace(CYCLE, candidates=(*EQUALS[:2], candidate, *EQUALS[2:])), FAST)
    failed = reports[2]
    assert failed.first_failure.gate is GateCode.OUT_OF_SAMPLE
    assert failed.first_failure.reason is reason
    assert {v.reason for v in failed.verdicts[2:]} == {GateReason.RETURNS_UNUSABLE}
    assert failed.power is None
    others = tuple(r for i, r in enumerate(reports) if i != 2)
    assert others == judge_cycle(replace(CYCLE, candidates=EQUALS), FAST)


def test_too_few_sessions():
    def cut(side: StrategyEvidence) -> StrategyEvidence:
        return replace(
            side, net_returns=side.net_returns[:251], costs=side.costs[:251], squared_errors=side.squared_errors[:251]
        )

    short = replace(
        CYCLE,
        candidates=(cut(BETTER),),
        champion=cut(CHAMPION),
        regimes=CYCLE.regimes[:251],
        walk_forward=replace(FACTS, test_windows=((0, 100), (100, 251))),
    )
    report = judge_cycle(short, FAST)[0]
    assert report.first_failure.reason is GateReason.TOO_FEW_SESSIONS


def test_unusable_champion_stops_all():
    reports = judge_cycle(replace(CYCLE, champion=spoilt(CHAMPION, "net_returns", np.nan)), FAST)
    assert {r.first_failure.reason for r in reports} == {GateReason.CHAMPION_UNUSABLE}


def test_without_a_champion_the_benchmark_is_cash():
    better, *equals = judge_cycle(replace(CYCLE, champion=None), FAST)
    assert better.passed
    assert better.power.correlation is None
    assert verdict(better, GateCode.PAIRED_ADVANTAGE).numbers["sharpe_gain"] == pytest.approx(2.5)
    assert "over cash" in verdict(better, GateCode.PAIRED_ADVANTAGE).message
    # Sharpe ratios of one exactly over five years: t = 2.24, better than cash one by one
    assert {verdict(r, GateCode.PAIRED_ADVANTAGE).status for r in equals} == {GateStatus.PASSED}


def test_a_champion_that_never_trades_is_cash():
    idle = replace(CHAMPION, name="idle", net_returns=np.zeros(N), costs=np.zeros(N))
    better = judge_cycle(replace(CYCLE, champion=idle), FAST)[0]
    assert better.passed
    assert better.power.correlation is None
    assert verdict(better, GateCode.PAIRED_ADVANTAGE).numbers["sharpe_gain"] == pytest.approx(2.5)


def test_the_champion_itself_is_not_promoted():
    twin = replace(CHAMPION, name="twin", net_returns=2.0 * CHAMPION.net_returns, costs=2.0 * CHAMPION.costs)
    report = judge_cycle(replace(CYCLE, candidates=(twin, *EQUALS)), FAST)[0]
    assert report.first_failure.reason is GateReason.NOT_BETTER
    assert report.first_failure.numbers["p_value"] == 1.0


def test_gate_4_needs_more_than_gate_3():
    # Nine equals; the tenth's gain of 0.85 has t = 0.85 sqrt(5)/sqrt(0.2) = 4.2 alone: named. Of 0.42, t = 2.1: not.
    others = tuple(strategy(f"equal {i}", 40 + i, 1.0) for i in range(9))
    report = judge_cycle(replace(CYCLE, candidates=(strategy("a", 10, 1.42), *others)), FAST)[0]
    assert verdict(report, GateCode.PAIRED_ADVANTAGE).status is GateStatus.PASSED
    assert report.first_failure.reason is GateReason.NOT_BETTER_AMONG_MANY
    report = judge_cycle(replace(CYCLE, candidates=(strategy("a", 10, 1.85), *others)), FAST)[0]
    assert verdict(report, GateCode.STEPWISE).status is GateStatus.PASSED


def test_gate_5():
    # Variance 0.02 per session, of 500 trials: the best useless one has about 0.43 per session, 6.8 a year.
    many = replace(CYCLE, ledger=LedgerSummary(600, 500, 0.02))
    found = only(GateReason.LUCK_OF_MANY_TRIALS, GateCode.DEFLATED_SHARPE, many)
    assert verdict(found, GateCode.DEFLATED_SHARPE).numbers["deflated_sharpe"] < 0.01


@pytest.mark.parametrize("ledger", [LedgerSummary(4, 4, 0.0002), LedgerSummary(9, 0, None), LedgerSummary(9, 2, None)])
def test_gate_5_wants_the_whole_ledger(ledger):
    only(GateReason.LEDGER_INCOMPLETE, GateCode.DEFLATED_SHARPE, replace(CYCLE, ledger=ledger))


def test_gate_6_is_not_asked_below_four_effective_candidates():
    copies = tuple(replace(BETTER, name=f"copy {i}", net_returns=(1.0 + i) * BETTER.net_returns) for i in range(5))
    report = judge_cycle(replace(CYCLE, candidates=(*copies, *EQUALS[:2])), FAST)[0]
    asked = verdict(report, GateCode.OVERFITTING)
    assert (asked.status, asked.reason) == (GateStatus.NOT_APPLICABLE, GateReason.FEW_CANDIDATES)
    assert asked.numbers == {"effective": 3}
    assert report.passed


def test_gate_6_rejects_a_best_that_does_not_last():
    # Candidate i earns in its own fifth of the sessions and gives back in the next: best in sample is worst after.
    def seasonal(i: int) -> StrategyEvidence:
        lift = np.zeros(N)
        lift[i * 252 : (i + 1) * 252] = 0.004
        lift[((i + 1) % 5) * 252 : ((i + 1) % 5) * 252 + 252] = -0.004
        return StrategyEvidence(f"s{i}", EQUALS[i % 4].net_returns * 0 + 0.0063 * noise(60 + i) + lift, *_rest())

    report = judge_cycle(replace(CYCLE, candidates=tuple(seasonal(i) for i in range(5)), champion=None), FAST)[0]
    assert verdict(report, GateCode.OVERFITTING).reason is GateReason.BEST_DOES_NOT_LAST


def _rest():
    return np.full(N, 0.01 / 252), np.full(N, 0.25), 30


def test_gate_7_twice_the_costs():
    # Costs of 25 % a year already paid, more than the 1.5 x 10 % by which it is better: gone at twice the costs.
    dear = replace(BETTER, costs=np.full(N, 0.25 / 252))
    only(GateReason.NOT_ROBUST_TO_COSTS, GateCode.ROBUST_FITNESS, replace(CYCLE, candidates=(dear, *EQUALS)))


def test_gate_7_windows():
    # Bad probabilities and 3,000 features cost up to 0.15 / 2 + 0.1 / 2 everywhere; all else is a little better.
    clumsy = replace(strategy("clumsy", 10, 1.9), squared_errors=np.full(N, 0.5), features=3000)
    report = judge_cycle(replace(CYCLE, candidates=(clumsy, *EQUALS)), FAST)[0]
    assert verdict(report, GateCode.ROBUST_FITNESS).reason is GateReason.TOO_FEW_WINDOWS_WON
    assert verdict(report, GateCode.ROBUST_FITNESS).numbers["windows_won"] < 3


def test_gate_7_regimes():
    one = replace(CYCLE, regimes=np.zeros(N, dtype=np.int64))
    only(GateReason.ONE_REGIME, GateCode.ROBUST_FITNESS, one)
    only(GateReason.REGIMES_MISSING, GateCode.ROBUST_FITNESS, replace(CYCLE, regimes=None))
    # nineteen sessions of a second regime are an episode, twenty count
    few = np.zeros(N, dtype=np.int64)
    few[5:24] = 1
    only(GateReason.ONE_REGIME, GateCode.ROBUST_FITNESS, replace(CYCLE, regimes=few))
    few[24] = 1
    assert judge_cycle(replace(CYCLE, regimes=few), FAST)[0].passed


def test_evidence_of_different_lengths_is_refused():
    with pytest.raises(ValueError, match="lengths"):
        replace(CYCLE, regimes=np.zeros(N - 1, dtype=np.int64))
    with pytest.raises(ValueError, match="0 candidates"):
        replace(CYCLE, candidates=())
    with pytest.raises(ValueError, match="shapes"):
        replace(BETTER, costs=np.zeros(N - 1))
