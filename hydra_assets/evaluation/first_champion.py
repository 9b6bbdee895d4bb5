"""The first champion of a group: the best of the recipes that pass gates 1 to 7 against cash, or none."""

from dataclasses import dataclass
from enum import StrEnum

from hydra_assets.stats.fitness import fitness
from hydra_assets.stats.gate_records import CandidateReport, CycleEvidence, GateConfig
from hydra_assets.stats.gates import judge_cycle

FIRST_GATES = GateConfig(level=0.02, min_sessions=504)
"""A group without a champion is judged anew at every training date, and each look is another chance for luck. Judged
from two years out of sample on, at 2 %, no edge is promoted in about one life of twenty; from one year on and at 5 % it
was one of ten. The second year costs no power: what passes after one still passes after two (docs/studies/recipes.md).
"""


class FirstReason(StrEnum):
    """Why a group gets its first champion, or stays without."""

    PASSED = "passed"
    NO_EVIDENCE = "no_evidence"
    """No session was tested out of sample yet."""
    NONE_PASSED = "none_passed"
    """Each recipe is stopped by a gate; the reports say which."""


@dataclass(frozen=True, slots=True)
class FirstVerdict:
    """``chosen`` is the name of the recipe to be promoted, None where there is none: a legal state."""

    reason: FirstReason
    chosen: str | None
    reports: tuple[CandidateReport, ...]

    @property
    def message(self) -> str:
        """What decided, a line per recipe."""
        return "; ".join(report.message for report in self.reports) or "no session was tested out of sample yet"


def judge_first(evidence: CycleEvidence | None, config: GateConfig = FIRST_GATES) -> FirstVerdict:
    """Judge the first recipes of a group; of several that pass, the fittest over all tested sessions is chosen."""
    if evidence is None:
        return FirstVerdict(FirstReason.NO_EVIDENCE, None, ())
    reports = judge_cycle(evidence, config)
    passed = {report.candidate for report in reports if report.passed}
    ranked = {
        side.name: fitness(side.net_returns, side.costs, side.squared_errors, side.features).total
        for side in evidence.candidates
        if side.name in passed
    }
    if not ranked:
        return FirstVerdict(FirstReason.NONE_PASSED, None, reports)
    return FirstVerdict(FirstReason.PASSED, max(ranked, key=lambda name: ranked[name]), reports)
