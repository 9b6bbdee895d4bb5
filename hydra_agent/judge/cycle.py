"""Gates 1 to 7 of a cycle's candidates against the reigning recipe, with every earlier trial counted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hydra_agent.arena import Returns, evidence_of, facts_of, tested_span
from hydra_agent.view import Floats, GroupView, Ints, Walk
from hydra_assets.stats.fitness import fitness
from hydra_assets.stats.gate_records import CandidateReport, CycleEvidence, GateConfig
from hydra_assets.stats.gates import judge_cycle
from hydra_assets.stats.trials import ledger_summary
from hydra_assets.verdict import Verdict

HEALING_GATES = GateConfig()


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """An earlier trial of the ledger: its out-of-sample returns by day, ``[n]`` each."""

    name: str
    days: Ints
    returns: Floats


@dataclass(frozen=True, slots=True)
class CycleVerdict:
    """Every candidate's report, and those that pass, fittest first."""

    reports: tuple[CandidateReport, ...]
    passed: tuple[str, ...]
    sessions: int

    def report(self, name: str) -> CandidateReport | None:
        """One candidate's report; None where no session was tested."""
        return next((report for report in self.reports if report.candidate == name), None)


def judge(
    view: GroupView,
    candidates: Sequence[Walk],
    champion: Walk | None,
    returns: Returns,
    trials: Sequence[Trial],
    contracts: Sequence[Verdict],
    config: GateConfig = HEALING_GATES,
) -> CycleVerdict:
    """Judge a cycle.

    Parameters
    ----------
    view
        Sessions up to the seal: nothing of the hold-out is in it.
    candidates, champion
        Walk-forwards over the view; the champion's is of its recipe, None where the benchmark is cash.
    returns
        Of the candidates in their order and of the champion after them.
    trials
        Every trial of the group on record, this cycle's included.
    contracts
        Verdicts of the data checks on the inputs.
    """
    nothing = CycleVerdict((), (), 0)
    if not candidates:
        return nothing
    sides = (*candidates, *((champion,) if champion else ()))
    span = tested_span(view, sides)
    if span.stop <= span.start:
        return nothing
    records = evidence_of(view, sides, returns, span)
    # Labels may differ: statistics allow for the longest overlap of any side, and each embargo covers its own.
    longest = max((side.recipe for side in sides), key=lambda recipe: recipe.reach_sessions)
    facts = replace(
        facts_of(candidates[0], span),
        horizon_sessions=longest.reach_sessions,
        embargo_sessions=longest.plan.embargo_sessions,
    )
    known = matrix_of(trials, view.days[span])
    evidence = CycleEvidence(
        candidates=records[: len(candidates)],
        champion=records[-1] if champion else None,
        walk_forward=facts,
        contracts=tuple(contracts),
        ledger=ledger_summary(known if len(known) else np.stack([r.net_returns for r in records[: len(candidates)]])),
        regimes=view.regime[span],
    )
    reports = judge_cycle(evidence, config)
    passed = {report.candidate for report in reports if report.passed}
    ranked = sorted(
        (record for record in evidence.candidates if record.name in passed),
        key=lambda r: -fitness(r.net_returns, r.costs, r.squared_errors, r.features).total,
    )
    return CycleVerdict(reports, tuple(record.name for record in ranked), span.stop - span.start)


def matrix_of(trials: Sequence[Trial], days: Ints) -> Floats:
    """Returns of trials on given days, ``[trial, n]``; NaN where a trial was not evaluated."""
    out = np.full((len(trials), len(days)), np.nan)
    for i, trial in enumerate(trials):
        _, here, there = np.intersect1d(days, trial.days, assume_unique=True, return_indices=True)
        out[i, here] = trial.returns[there]
    return out
