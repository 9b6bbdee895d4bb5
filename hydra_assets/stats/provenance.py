"""Gates 1 and 2: sound inputs, and returns that are out of sample and net."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from hydra_assets.stats.gate_records import (
    CycleEvidence,
    GateCode,
    GateConfig,
    GateReason,
    GateStatus,
    GateVerdict,
    StrategyEvidence,
    WalkForwardFacts,
)
from hydra_assets.stats.returns import ReturnsReason, returns_reason
from hydra_assets.verdict import Severity, Verdict

_REASONS = {
    ReturnsReason.TOO_FEW_SESSIONS: GateReason.TOO_FEW_SESSIONS,
    ReturnsReason.MISSING_RETURN: GateReason.MISSING_RETURN,
    ReturnsReason.CONSTANT_RETURNS: GateReason.CONSTANT_RETURNS,
}


def data_contracts(verdicts: Sequence[Verdict]) -> GateVerdict:
    """Gate 1: every check of severity ERROR passed, and there was at least one check; warnings are counted."""
    broken = [v for v in verdicts if not v.passed and v.severity is Severity.ERROR]
    warned = sum(not v.passed for v in verdicts) - len(broken)
    numbers = {"checked": len(verdicts), "broken": len(broken), "warnings": warned}
    gate = GateCode.DATA_CONTRACTS
    if not verdicts:
        return GateVerdict(
            gate, GateStatus.FAILED, GateReason.NO_CONTRACTS_CHECKED, "no data check was handed in", numbers
        )
    if broken:
        names = ", ".join(sorted({f"{v.name} ({v.reason})" for v in broken}))
        return GateVerdict(gate, GateStatus.FAILED, GateReason.CONTRACT_BROKEN, f"broken: {names}", numbers)
    message = f"{len(verdicts)} checks green, {warned} warnings"
    return GateVerdict(gate, GateStatus.PASSED, GateReason.OK, message, numbers)


def out_of_sample(candidate: StrategyEvidence, evidence: CycleEvidence, config: GateConfig) -> GateVerdict:
    """Gate 2: purged, embargoed, net of costs, label and profit on one window, every session tested once."""
    n, facts = len(candidate.net_returns), evidence.walk_forward
    numbers = {
        "sessions": n,
        "test_windows": len(facts.test_windows),
        "horizon_sessions": facts.horizon_sessions,
        "embargo_sessions": facts.embargo_sessions,
    }
    reason = _origin(facts, n, config) or unusable(candidate, config)
    champion = evidence.champion
    if reason is None and champion is not None and unusable(champion, config, may_be_flat=True) is not None:
        reason = GateReason.CHAMPION_UNUSABLE
    if reason is not None:
        message = f"{reason.value}: {n} sessions in {len(facts.test_windows)} windows"
        return GateVerdict(GateCode.OUT_OF_SAMPLE, GateStatus.FAILED, reason, message, numbers)
    message = f"{n} sessions in {len(facts.test_windows)} windows, embargo {facts.embargo_sessions}"
    return GateVerdict(GateCode.OUT_OF_SAMPLE, GateStatus.PASSED, GateReason.OK, message, numbers)


def unusable(side: StrategyEvidence, config: GateConfig, *, may_be_flat: bool = False) -> GateReason | None:
    """Say why a side's returns and costs cannot be judged, or None.

    A champion may be flat: one that never trades is cash.
    """
    reason = returns_reason(side.net_returns, config.min_sessions)
    if reason is ReturnsReason.CONSTANT_RETURNS and may_be_flat:
        reason = ReturnsReason.OK
    if reason is not ReturnsReason.OK:
        return _REASONS[reason]
    if not np.isfinite(side.costs).all() or (side.costs < 0.0).any():
        return GateReason.COSTS_UNUSABLE
    return GateReason.NO_COSTS if not may_be_flat and not side.costs.any() else None


def _origin(facts: WalkForwardFacts, sessions: int, config: GateConfig) -> GateReason | None:
    """First rule of the walk-forward that is broken, or None."""
    spans = facts.test_windows
    rules = (
        (not facts.purged, GateReason.NOT_PURGED),
        (facts.embargo_sessions < facts.horizon_sessions, GateReason.EMBARGO_BELOW_HORIZON),
        (not facts.net_of_costs, GateReason.NOT_NET_OF_COSTS),
        (not facts.same_window, GateReason.DIFFERENT_WINDOWS),
        (len(spans) < config.min_test_windows, GateReason.TEST_WINDOWS_TOO_FEW),
        (any(end - start < config.min_test_window for start, end in spans), GateReason.TEST_WINDOW_TOO_SHORT),
        (any(before[1] > after[0] for before, after in pairwise(spans)), GateReason.TEST_WINDOWS_OVERLAP),
        (not spans or sum(b - a for a, b in spans) != sessions or spans[0][0] != 0, GateReason.SESSIONS_UNTESTED),
        (bool(spans) and spans[-1][1] != sessions, GateReason.SESSIONS_UNTESTED),
    )
    return next((reason for broken, reason in rules if broken), None)
