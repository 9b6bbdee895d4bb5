"""Gates 1 to 7 of a change of recipe: one cycle's evidence in, every gate's verdict on every candidate out.

The first failure decides; all are reported, since a candidate that fails one tells more by how it does at the rest.
Gate 3 asks whether this candidate alone beats the champion, gate 4 whether it still does among all of its cycle, gate 5
whether its own Sharpe ratio survives every trial ever made, gate 6 whether picking the best of this cycle has paid out
of sample, gate 7 whether it lasts at twice the costs, in most windows and in more than one regime. A candidate whose
returns cannot be judged fails by itself and leaves the others' cycle.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hydra_assets.stats.deflated import deflated_sharpe
from hydra_assets.stats.fitness import CASH, at_costs, fitness, windows
from hydra_assets.stats.gate_records import (
    CandidateReport,
    CycleEvidence,
    GateCode,
    GateConfig,
    GateReason,
    GateStatus,
    GateVerdict,
    PowerStatement,
    StrategyEvidence,
)
from hydra_assets.stats.overfitting import no_advantage
from hydra_assets.stats.provenance import data_contracts, out_of_sample, unusable
from hydra_assets.stats.returns import Floats, is_flat
from hydra_assets.stats.sharpe import power, sharpe_gain
from hydra_assets.stats.superior import Superiority, paired_differences, superiority
from hydra_assets.stats.trials import clusters, leaders_of

DEFAULT = GateConfig()


@dataclass(frozen=True, slots=True)
class _Cycle:
    """What all candidates of a cycle share."""

    differences: Floats
    """``[live, n]``, at the champion's volatility."""
    superiority: Superiority
    overfitting: GateVerdict


def judge_cycle(evidence: CycleEvidence, config: GateConfig = DEFAULT) -> tuple[CandidateReport, ...]:
    """Judge every candidate of a cycle, in their order. Deterministic: the bootstrap's seed is a threshold too."""
    live = [c for c in evidence.candidates if unusable(c, config) is None]
    sound = evidence.champion is None or unusable(evidence.champion, config, may_be_flat=True) is None
    cycle = _cycle(live, evidence, config) if live and sound else None
    contracts = data_contracts(evidence.contracts)
    reports = []
    for candidate in evidence.candidates:
        origin = out_of_sample(candidate, evidence, config)
        place = live.index(candidate) if cycle is not None and candidate in live else None
        if cycle is None or place is None:
            rest = tuple(_failed(gate, GateReason.RETURNS_UNUSABLE, "not computed, see gate 2") for gate in _REST)
            reports.append(CandidateReport(candidate.name, (contracts, origin, *rest), None))
            continue
        verdicts = (
            contracts,
            origin,
            _paired(candidate, cycle, place, evidence),
            _stepwise(cycle, place),
            _deflated(candidate, evidence, config),
            cycle.overfitting,
            _robust_fitness(candidate, evidence, config),
        )
        reports.append(CandidateReport(candidate.name, verdicts, _power(candidate, evidence.champion, config)))
    return tuple(reports)


_REST = tuple(GateCode)[2:]


def _cycle(live: list[StrategyEvidence], evidence: CycleEvidence, config: GateConfig) -> _Cycle:
    returns = np.stack([c.net_returns for c in live])
    differences = paired_differences(returns, evidence.champion.net_returns if evidence.champion else None)
    horizon = evidence.walk_forward.horizon_sessions
    tested = superiority(differences, horizon, config.level, config.replications, config.seed)
    distinct = leaders_of(clusters(returns, config.duplicate_correlation))
    return _Cycle(differences, tested, _overfitting(differences[distinct], config))


def _paired(candidate: StrategyEvidence, cycle: _Cycle, place: int, evidence: CycleEvidence) -> GateVerdict:
    tested = cycle.superiority
    p = tested.p_values[place]
    reigning = _moving(evidence.champion)
    gain, error = sharpe_gain(
        candidate.net_returns,
        None if reigning is None else reigning.net_returns,
        evidence.walk_forward.horizon_sessions,
    )
    numbers = {
        "p_value": p,
        "level": tested.level,
        "sharpe_gain": gain,
        "sharpe_gain_se": error,
        "block_sessions": tested.block_length,
    }
    against = "cash" if evidence.champion is None else evidence.champion.name
    message = f"Sharpe gain {gain:+.2f} (se {error:.2f}) over {against}, p = {p:.3f}"
    if p > tested.level:
        return _failed(GateCode.PAIRED_ADVANTAGE, GateReason.NOT_BETTER, message, numbers)
    return _passed(GateCode.PAIRED_ADVANTAGE, message, numbers)


def _stepwise(cycle: _Cycle, place: int) -> GateVerdict:
    tested = cycle.superiority
    numbers = {"candidates": len(tested.superior), "superior": sum(tested.superior), "best_p_value": tested.p_value}
    message = f"{sum(tested.superior)} of {len(tested.superior)} superior at family-wise {tested.level:g}"
    if not tested.superior[place]:
        return _failed(GateCode.STEPWISE, GateReason.NOT_BETTER_AMONG_MANY, message, numbers)
    return _passed(GateCode.STEPWISE, message, numbers)


def _deflated(candidate: StrategyEvidence, evidence: CycleEvidence, config: GateConfig) -> GateVerdict:
    ledger = evidence.ledger
    short = ledger.trials < len(evidence.candidates) or ledger.effective_trials < 1
    if short or (ledger.effective_trials > 1 and ledger.sharpe_variance is None):
        counts = {"trials": ledger.trials, "effective_trials": ledger.effective_trials}
        message = f"{ledger.trials} trials on record, {len(evidence.candidates)} in this cycle alone"
        return _failed(GateCode.DEFLATED_SHARPE, GateReason.LEDGER_INCOMPLETE, message, counts)
    found = deflated_sharpe(candidate.net_returns, ledger, evidence.walk_forward.horizon_sessions)
    numbers = {
        "deflated_sharpe": found.probability,
        "effective_trials": found.effective_trials,
        "sharpe_per_session": found.sharpe,
        "expected_maximum_per_session": found.expected_maximum,
    }
    message = f"deflated Sharpe {found.probability:.3f} of {config.deflated_sharpe:g}, N = {found.effective_trials}"
    if found.probability < config.deflated_sharpe:
        return _failed(GateCode.DEFLATED_SHARPE, GateReason.LUCK_OF_MANY_TRIALS, message, numbers)
    return _passed(GateCode.DEFLATED_SHARPE, message, numbers)


def _overfitting(distinct: Floats, config: GateConfig) -> GateVerdict:
    gate, k = GateCode.OVERFITTING, len(distinct)
    if k < config.min_effective_candidates:
        message = f"{k} effective candidates, {config.min_effective_candidates} needed"
        return GateVerdict(gate, GateStatus.NOT_APPLICABLE, GateReason.FEW_CANDIDATES, message, {"effective": k})
    found = no_advantage(distinct)
    numbers = {"no_advantage": found.probability, "effective": k, "blocks": found.blocks, "choices": found.choices}
    message = f"in-sample best without advantage in {found.probability:.1%} of {found.choices} halvings"
    if found.probability > config.no_advantage:
        return _failed(gate, GateReason.BEST_DOES_NOT_LAST, message, numbers)
    return _passed(gate, message, numbers)


def _robust_fitness(candidate: StrategyEvidence, evidence: CycleEvidence, config: GateConfig) -> GateVerdict:
    gate, champion = GateCode.ROBUST_FITNESS, evidence.champion
    dear = at_costs(candidate.net_returns, candidate.costs, config.cost_multiple)
    reigning = _moving(champion)
    rival = None if reigning is None else at_costs(reigning.net_returns, reigning.costs, config.cost_multiple)
    gain = -np.inf if is_flat(dear) else sharpe_gain(dear, rival)[0]
    won = [
        span
        for span in windows(len(dear), config.fitness_windows)
        if _fitness(candidate, span) > (CASH.total if champion is None else _fitness(champion, span))
    ]
    numbers: dict[str, float] = {
        "mean_at_twice_the_costs": float(dear.mean()),
        "sharpe_gain_at_twice_the_costs": float(gain),
        "windows_won": len(won),
        "windows": config.fitness_windows,
    }
    if dear.mean() <= 0.0 or gain <= 0.0:
        message = f"at {config.cost_multiple:g}x costs the Sharpe gain is {gain:+.2f}, the mean {dear.mean():+.2e}"
        return _failed(gate, GateReason.NOT_ROBUST_TO_COSTS, message, numbers)
    message = f"fitter in {len(won)} of {config.fitness_windows} windows"
    if len(won) < config.windows_to_win:
        return _failed(gate, GateReason.TOO_FEW_WINDOWS_WON, message, numbers)
    if evidence.regimes is None:
        return _failed(gate, GateReason.REGIMES_MISSING, message + ", regimes unknown", numbers)
    seen = np.unique(np.concatenate([evidence.regimes[span] for span in won]), return_counts=True)[1]
    regimes = int((seen >= config.min_regime_sessions).sum())
    numbers["regimes"] = regimes
    message += f", in {regimes} regimes"
    if regimes < config.min_regimes:
        return _failed(gate, GateReason.ONE_REGIME, message, numbers)
    return _passed(gate, message, numbers)


def _fitness(side: StrategyEvidence, span: slice) -> float:
    return fitness(side.net_returns[span], side.costs[span], side.squared_errors[span], side.features).total


def _power(candidate: StrategyEvidence, champion: StrategyEvidence | None, config: GateConfig) -> PowerStatement:
    n, reigning = len(candidate.net_returns), _moving(champion)
    alike = None if reigning is None else float(np.corrcoef(candidate.net_returns, reigning.net_returns)[0, 1])
    alike = None if alike is None else max(-1.0, min(1.0, alike))
    return PowerStatement(config.power_gain, n, alike, power(config.power_gain, n, alike, config.level))


def _moving(champion: StrategyEvidence | None) -> StrategyEvidence | None:
    """Return the champion unless it never traded: then it is cash by another name and has no Sharpe ratio."""
    return None if champion is None or is_flat(champion.net_returns) else champion


def _passed(gate: GateCode, message: str, numbers: Mapping[str, float]) -> GateVerdict:
    return GateVerdict(gate, GateStatus.PASSED, GateReason.OK, message, numbers)


def _failed(
    gate: GateCode, reason: GateReason, message: str, numbers: Mapping[str, float] | None = None
) -> GateVerdict:
    return GateVerdict(gate, GateStatus.FAILED, reason, message, numbers or {})
