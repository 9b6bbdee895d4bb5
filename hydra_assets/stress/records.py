"""What a stress report says: one outcome for each path, a result for each scenario, a verdict over all."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hydra_assets.replay.breakers import Transition
from hydra_assets.stress.plan import Scenario, StressPlan


class StressReason(StrEnum):
    """Why a scenario or the report is as it is, gravest first; the first that applies is *the* reason."""

    TOO_FEW_SESSIONS = "too_few_sessions"
    """Of the whole input: nothing was replayed. Of the copula: too few complete sessions to fit it."""
    NO_DECISION = "no_decision"
    """Every decision is missing where one could be taken: nothing was replayed."""
    NEVER_TRADED = "never_traded"
    """The decisions never made a position: there is nothing to stress."""
    RUIN = "ruin"
    """Equity reached zero on more paths than the limit."""
    PARTICIPATION_EXCEEDED = "participation_exceeded"
    """More of the lagged volume was traded than the cap: a defect of the stack, never of luck."""
    BREAKER_STUCK = "breaker_stuck"
    """A breaker had not come back long after the stress, though inputs were good."""
    DRAWDOWN_BEYOND_LIMIT = "drawdown_beyond_limit"
    MARKET_MISSING = "market_missing"
    """A market has no usable session at all: what was stressed is not what was asked for."""
    DECISIONS_MOSTLY_MISSING = "decisions_mostly_missing"
    NOTHING_AT_STAKE = "nothing_at_stake"
    """The scenario found no date at which the book could be hurt by it; it was not run."""
    OK = "ok"


GRAVITY = tuple(StressReason)
HARMLESS = (StressReason.OK, StressReason.NOTHING_AT_STAKE)
"""Reasons that fail no report: a book that was never short has nothing to fear from a spike."""


@dataclass(frozen=True, slots=True)
class PathOutcome:
    """What became of one path; money in units of the currency."""

    start: int | None
    """First stressed session; None where the whole path is drawn."""
    market: str | None
    """The market that alone is stressed."""
    sharpe: float | None
    """Annual, of net profit over starting capital; None where that does not vary."""
    net: float
    max_drawdown: float
    """Share of the peak equity, as the breaker sees it: sizes follow equity, and so does what can be lost."""
    worst_session: float
    """Share of the equity before the session."""
    worst_month: float
    """Worst change over 21 sessions, share of the equity before them."""
    lowest_equity: float
    """Money."""
    breaker_trips: int
    """Trips from ``start`` on."""
    breaker_trips_unstressed: int
    """Trips of the unstressed run from the same session on."""
    breakers_recovered: int
    """Those of them that were active again before the end."""
    breakers_stuck: int
    transitions: tuple[Transition, ...]
    """All moves of the breakers from ``start`` on, where the stress has a date."""
    participation: float
    """Largest share of lagged average volume traded in a session."""
    participation_of_cap: float
    sessions_to_recover: int | None
    """Dated: sessions from ``start`` until equity is back at its peak before, 0 where it never left it, None where it
    does not come back. Otherwise the longest spell below an earlier peak, cut off at the end."""
    held_lots: tuple[int, ...] | None
    """Signed lots at the cutoff before ``start``."""
    held_share: float | None
    """Their gross value over the equity then; None where that is gone."""


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """All paths of a scenario and the verdict on them."""

    scenario: Scenario
    reason: StressReason
    message: str
    paths: tuple[PathOutcome, ...]

    def quantile(self, name: str, level: float) -> float | None:
        """Value of a path at which at least this share of the paths is at or below; None where no path has one."""
        values = [getattr(path, name) for path in self.paths]
        known = [value for value in values if value is not None]
        return float(np.quantile(known, level, method="inverted_cdf")) if known else None


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason with its scenario (None for the input) and a sentence."""

    reason: StressReason
    scenario: Scenario | None
    message: str


@dataclass(frozen=True, slots=True)
class StressReport:
    """Results in the order of the scenarios, the unstressed run first; no results where the input forbids them."""

    symbols: tuple[str, ...]
    first_session: int
    """The input's session with the first decision: what lies before is left out, and places count from here."""
    sessions: int
    """From that one on."""
    capital: float
    plan: StressPlan
    block_sessions: int | None
    """Mean block of the drawn paths."""
    copula_degrees: float | None
    findings: tuple[Finding, ...]
    """What is wrong, gravest first; empty where nothing is."""
    results: tuple[ScenarioResult, ...]

    @property
    def reason(self) -> StressReason:
        """The gravest finding."""
        return self.findings[0].reason if self.findings else StressReason.OK

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def result(self, scenario: Scenario) -> ScenarioResult | None:
        """One scenario's result, None where it was not run."""
        return next((result for result in self.results if result.scenario is scenario), None)
