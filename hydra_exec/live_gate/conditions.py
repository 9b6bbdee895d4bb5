"""Whether an account may trade live: every condition by itself, and each that is not met by name. Pure.

What is not known is not met. The simulated broker and replays count for nothing here, whatever they have shown.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from hydra_assets.state.chain import ChainReason
from hydra_exec.live_gate.records import DrillKind, GateRecords

MIN_SESSIONS = 28
MAX_BIAS_HALF_SPREADS = 0.5
MIN_CORRELATION = 0.3
MIN_HELD = timedelta(days=30)
RUNNING_FOR = timedelta(hours=24)
"""A session without an outcome that began longer ago was killed."""


class LiveCondition(StrEnum):
    """What has to hold."""

    PAPER_SESSIONS = "paper_sessions"
    """So many sessions at the real broker, on paper and on real sources, since anything last went wrong."""
    SLIPPAGE_BIAS = "slippage_bias"
    SLIPPAGE_CORRELATION = "slippage_correlation"
    HEALING_CYCLE = "healing_cycle"
    """An experiment was promoted on real data and stayed."""
    DENSITY_GATE = "density_gate"
    THESIS_GATE = "thesis_gate"
    CHAIN_BROKEN = "chain_broken"
    """The records of drills and operators were touched: none of them counts."""
    BREAKER_DRILL = "breaker_drill"
    RECONNECT_DRILL = "reconnect_drill"
    OPERATOR_RECORD = "operator_record"
    """Nobody has said that this account may trade live."""
    OPERATOR_EXPIRED = "operator_expired"


class SessionEnd(StrEnum):
    """How a worked session ended; names are those of ``trading_sessions``."""

    CLEAN = "clean"
    RECOVERED = "recovered"
    UNRECOVERABLE = "unrecoverable"
    NOTHING_TO_DO = "nothing_to_do"
    UNDER_WAY = ""
    """It has no outcome: it runs, or its process was killed."""


COUNTED = frozenset({SessionEnd.CLEAN, SessionEnd.RECOVERED})


@dataclass(frozen=True, slots=True)
class WorkedSession:
    """A session at the real broker, in the order in which they were begun."""

    account: str
    paper: bool
    real_sources: bool
    wall_date: date
    started_at: datetime
    ended: SessionEnd


@dataclass(frozen=True, slots=True)
class HealingCycle:
    """An experiment that was promoted, and when its recipe ceased to be champion; by the wall clock."""

    model_group: str
    version: int
    promoted_at: datetime
    ended_at: datetime | None
    real_data: bool


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """Everything that the gate looks at. Figures that are not known are None.

    ``bias_half_spreads`` and ``correlation`` are ``slippage.measure.summary``'s over the fills of the counted sessions;
    the two gates are whether they are green now, for everything that the account trades.
    """

    account: str
    now: datetime
    sessions: Sequence[WorkedSession]
    bias_half_spreads: float | None
    correlation: float | None
    cycles: Sequence[HealingCycle]
    density_green: bool | None
    thesis_green: bool | None
    records: GateRecords


@dataclass(frozen=True, slots=True)
class Missing:
    """A condition that is not met: what there is, what is needed, and both in a sentence."""

    code: LiveCondition
    have: str
    need: str
    sentence: str


@dataclass(frozen=True, slots=True)
class LiveVerdict:
    """Whether the gate is open for an account."""

    account: str
    missing: tuple[Missing, ...]

    @property
    def open(self) -> bool:
        """Nothing is missing."""
        return not self.missing

    @property
    def reason(self) -> str | None:
        """Why not, None where it is open."""
        return " ".join(each.sentence for each in self.missing) or None


def evaluate(facts: LiveFacts) -> LiveVerdict:
    """Judge every condition; all that are not met are named, in the order of ``LiveCondition``."""
    found = [missing for judge in _JUDGES if (missing := judge(facts)) is not None]
    return LiveVerdict(facts.account, tuple(found))


def counted_sessions(sessions: Sequence[WorkedSession], now: datetime) -> list[WorkedSession]:
    """Sessions that speak for live trading: after the last one that went wrong, one for each date of the wall clock.

    One without an outcome went wrong, unless it is the newest and began within a day: it runs. What was worked on
    other sources, or on a live account, counts for nothing, and starts the count anew all the same where it went wrong.
    """
    first = 0
    for place, session in enumerate(sessions):
        running = place == len(sessions) - 1 and now - session.started_at < RUNNING_FOR
        killed = session.ended is SessionEnd.UNDER_WAY and not running
        if killed or session.ended is SessionEnd.UNRECOVERABLE:
            first = place + 1
    good = [s for s in sessions[first:] if s.paper and s.real_sources and s.ended in COUNTED]
    return list({session.wall_date: session for session in good}.values())


def _sessions(facts: LiveFacts) -> Missing | None:
    have = len(counted_sessions(facts.sessions, facts.now))
    if have >= MIN_SESSIONS:
        return None
    sentence = (
        f"{have} of {MIN_SESSIONS} sessions at the real broker on paper, with real sources, "
        "since the last one that crashed or could not be recovered."
    )
    return Missing(LiveCondition.PAPER_SESSIONS, str(have), str(MIN_SESSIONS), sentence)


def _bias(facts: LiveFacts) -> Missing | None:
    have = _figure(facts.bias_half_spreads)
    if have is not None and abs(have) < MAX_BIAS_HALF_SPREADS:
        return None
    need = f"within {MAX_BIAS_HALF_SPREADS} half-spreads"
    return _missing(LiveCondition.SLIPPAGE_BIAS, have, need, "Slippage beyond what was expected")


def _correlation(facts: LiveFacts) -> Missing | None:
    have = _figure(facts.correlation)
    if have is not None and have > MIN_CORRELATION:
        return None
    need = f"above {MIN_CORRELATION}"
    return _missing(LiveCondition.SLIPPAGE_CORRELATION, have, need, "Correlation of expected and actual slippage")


def _healing(facts: LiveFacts) -> Missing | None:
    held = [(c.ended_at or facts.now) - c.promoted_at for c in facts.cycles if c.real_data]
    if any(each >= MIN_HELD for each in held):
        return None
    have, need = f"{max(held).days} days" if held else "none", f"{MIN_HELD.days} days"
    sentence = f"No promotion by the healing loop on real data has held {need}; the longest: {have}."
    return Missing(LiveCondition.HEALING_CYCLE, have, need, sentence)


def _green(code: LiveCondition, state: Callable[[LiveFacts], bool | None]) -> "_Judge":
    def judge(facts: LiveFacts) -> Missing | None:
        found = state(facts)
        if found is True:
            return None
        have = "not known" if found is None else "red"
        return Missing(code, have, "green", f"The {str(code).replace('_', ' ')} is {have}, not green.")

    return judge


def _chain(facts: LiveFacts) -> Missing | None:
    chain = facts.records.chain
    if chain.intact:
        return None
    sentence = f"The records of drills and operators were touched: {chain.message}."
    return Missing(LiveCondition.CHAIN_BROKEN, str(chain.reason), str(ChainReason.INTACT), sentence)


def _drill(code: LiveCondition, kind: DrillKind) -> "_Judge":
    def judge(facts: LiveFacts) -> Missing | None:
        drills = [drill for drill in facts.records.drills if drill.kind is kind] if facts.records.chain.intact else []
        if drills and drills[-1].passed:
            return None
        have = "failed" if drills else "none"
        return Missing(code, have, "passed", f"The {kind} drill was not passed: {have} on record.")

    return judge


def _operator(facts: LiveFacts) -> Missing | None:
    own = [w for w in facts.records.words if w.account == facts.account] if facts.records.chain.intact else []
    if not own:
        sentence = f"No operator has put on record that account {facts.account} may trade live."
        return Missing(LiveCondition.OPERATOR_RECORD, "none", facts.account, sentence)
    newest = own[-1]
    if newest.at <= facts.now < newest.expires_at:
        return None
    until = newest.expires_at.isoformat()
    sentence = (
        f"The word of {newest.operator} for account {facts.account} held from {newest.at.isoformat()} to {until}."
    )
    return Missing(LiveCondition.OPERATOR_EXPIRED, until, facts.now.isoformat(), sentence)


def _figure(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value


def _missing(code: LiveCondition, have: float | None, need: str, what: str) -> Missing:
    spelt = "not known" if have is None else f"{have:.3g}"
    return Missing(code, spelt, need, f"{what} is {spelt}, to be {need}.")


_Judge = Callable[[LiveFacts], Missing | None]
_JUDGES: tuple[_Judge, ...] = (
    _sessions,
    _bias,
    _correlation,
    _healing,
    _green(LiveCondition.DENSITY_GATE, lambda facts: facts.density_green),
    _green(LiveCondition.THESIS_GATE, lambda facts: facts.thesis_green),
    _chain,
    _drill(LiveCondition.BREAKER_DRILL, DrillKind.BREAKER),
    _drill(LiveCondition.RECONNECT_DRILL, DrillKind.RECONNECT),
    _operator,
)
