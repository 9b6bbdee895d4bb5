"""What the gates are given and what they answer: evidence of one cycle, verdicts in order, thresholds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydra_assets.stats.returns import Floats
from hydra_assets.stats.superior import REPLICATIONS, SEED
from hydra_assets.stats.trials import DUPLICATE_CORRELATION, LedgerSummary
from hydra_assets.verdict import Verdict


class GateCode(StrEnum):
    """The gates that need out-of-sample evidence only, in the order in which they decide."""

    DATA_CONTRACTS = "gate_1_data_contracts"
    OUT_OF_SAMPLE = "gate_2_out_of_sample"
    PAIRED_ADVANTAGE = "gate_3_paired_advantage"
    STEPWISE = "gate_4_stepwise"
    DEFLATED_SHARPE = "gate_5_deflated_sharpe"
    OVERFITTING = "gate_6_overfitting"
    ROBUST_FITNESS = "gate_7_robust_fitness"


class GateStatus(StrEnum):
    """What a gate says."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not_applicable"
    """The question does not arise; the candidate is not stopped by it."""


class GateReason(StrEnum):
    """Why."""

    OK = "ok"
    NO_CONTRACTS_CHECKED = "no_contracts_checked"
    CONTRACT_BROKEN = "contract_broken"
    NOT_PURGED = "not_purged"
    EMBARGO_BELOW_HORIZON = "embargo_below_horizon"
    NOT_NET_OF_COSTS = "not_net_of_costs"
    DIFFERENT_WINDOWS = "different_windows"
    """Labels and profits are not about the same sessions."""
    TEST_WINDOWS_OVERLAP = "test_windows_overlap"
    TEST_WINDOWS_TOO_FEW = "test_windows_too_few"
    TEST_WINDOW_TOO_SHORT = "test_window_too_short"
    SESSIONS_UNTESTED = "sessions_untested"
    """Returns are not covered by the test windows, or windows reach beyond the returns."""
    TOO_FEW_SESSIONS = "too_few_sessions"
    MISSING_RETURN = "missing_return"
    CONSTANT_RETURNS = "constant_returns"
    COSTS_UNUSABLE = "costs_unusable"
    """A cost is missing or negative."""
    NO_COSTS = "no_costs"
    """Something was traded and nothing was paid for it."""
    CHAMPION_UNUSABLE = "champion_unusable"
    RETURNS_UNUSABLE = "returns_unusable"
    """Not computed: gate 2 says why."""
    NOT_BETTER = "not_better"
    NOT_BETTER_AMONG_MANY = "not_better_among_many"
    LEDGER_INCOMPLETE = "ledger_incomplete"
    """The ledger holds fewer trials than the cycle, or no variance of several."""
    LUCK_OF_MANY_TRIALS = "luck_of_many_trials"
    FEW_CANDIDATES = "few_candidates"
    BEST_DOES_NOT_LAST = "best_does_not_last"
    NOT_ROBUST_TO_COSTS = "not_robust_to_costs"
    REGIMES_MISSING = "regimes_missing"
    TOO_FEW_WINDOWS_WON = "too_few_windows_won"
    ONE_REGIME = "one_regime"
    """The windows won lie in a single regime."""


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """One gate's answer about one candidate."""

    gate: GateCode
    status: GateStatus
    reason: GateReason
    message: str
    numbers: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PowerStatement:
    """Chance that the paired test sees a true gain of ``gain`` in annual Sharpe ratio in this many sessions."""

    gain: float
    sessions: int
    correlation: float | None
    """With the champion; None against cash."""
    power: float

    @property
    def message(self) -> str:
        """One line for a verdict."""
        against = "cash" if self.correlation is None else f"a champion correlated {self.correlation:.2f}"
        return (
            f"a true Sharpe gain of {self.gain:g} over {against} would be seen in {self.power:.0%} of cases "
            f"with {self.sessions} sessions"
        )


@dataclass(frozen=True, slots=True)
class CandidateReport:
    """All gates of one candidate, in order, whether or not an earlier one failed."""

    candidate: str
    verdicts: tuple[GateVerdict, ...]
    power: PowerStatement | None
    """None where the returns cannot be judged."""

    @property
    def first_failure(self) -> GateVerdict | None:
        """The verdict that decides, or None."""
        return next((v for v in self.verdicts if v.status is GateStatus.FAILED), None)

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return self.first_failure is None

    @property
    def message(self) -> str:
        """The decision and what it could have seen, in one line."""
        failed = self.first_failure
        outcome = "passes gates 1-7" if failed is None else f"stopped by {failed.gate.value}: {failed.message}"
        return f"{self.candidate} {outcome}" + (f"; {self.power.message}" if self.power else "")


@dataclass(frozen=True, slots=True, eq=False)
class StrategyEvidence:
    """One recipe's out-of-sample record over the sessions of the cycle, ``[n]`` each in the same order."""

    name: str
    net_returns: Floats
    """Profit after costs over capital."""
    costs: Floats
    """Costs already taken off, over capital."""
    squared_errors: Floats
    """Mean (p - y)^2 over the decisions whose outcome falls to the session; NaN where there is none. Beside sides with
    other labels: less that of the label's own base rate, plus a coin's quarter."""
    features: int

    def __post_init__(self) -> None:
        shapes = {np.shape(a) for a in (self.net_returns, self.costs, self.squared_errors)}
        if len(shapes) != 1 or len(shapes.copy().pop()) != 1:
            msg = f"{self.name}: returns, costs and errors of shapes {sorted(shapes)}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class WalkForwardFacts:
    """How the out-of-sample returns came about; the walk-forward states it, gate 2 holds it to the rule."""

    horizon_sessions: int
    embargo_sessions: int
    purged: bool
    net_of_costs: bool
    same_window: bool
    """Label and profit of a decision are about the same sessions."""
    test_windows: tuple[tuple[int, int], ...]
    """Half-open ranges of session indices, in time order."""


@dataclass(frozen=True, slots=True, eq=False)
class CycleEvidence:
    """One cycle: all candidates, whoever reigns, and what their returns rest on."""

    candidates: tuple[StrategyEvidence, ...]
    champion: StrategyEvidence | None
    """None: the benchmark is cash."""
    walk_forward: WalkForwardFacts
    contracts: tuple[Verdict, ...]
    """Verdicts of the data checks on every input of the evaluation."""
    ledger: LedgerSummary
    """Of every trial ever made, this cycle's included."""
    regimes: NDArray[np.int64] | None
    """``[n]`` filtered regime of each session; None where no labels exist."""

    def __post_init__(self) -> None:
        sides = (*self.candidates, *((self.champion,) if self.champion else ()))
        lengths = {len(s.net_returns) for s in sides} | ({len(self.regimes)} if self.regimes is not None else set())
        if not self.candidates or len(lengths) != 1:
            msg = f"{len(self.candidates)} candidates; lengths {sorted(lengths)} where one is meant"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class GateConfig:
    """Thresholds as specified for promotions; ``min_sessions`` is a year, below which nothing has power."""

    level: float = 0.05
    min_sessions: int = 252
    min_test_window: int = 20
    min_test_windows: int = 2
    deflated_sharpe: float = 0.95
    no_advantage: float = 0.2
    min_effective_candidates: int = 4
    duplicate_correlation: float = DUPLICATE_CORRELATION
    cost_multiple: float = 2.0
    fitness_windows: int = 5
    windows_to_win: int = 3
    min_regimes: int = 2
    min_regime_sessions: int = 20
    """Sessions of a regime within the windows won before it counts."""
    power_gain: float = 0.5
    replications: int = REPLICATIONS
    seed: int = SEED
