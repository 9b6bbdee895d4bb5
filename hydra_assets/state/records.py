"""The rows of the state database as typed records; no database here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class AlertLevel(StrEnum):
    """How much an alert matters."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know. ``code`` is stable; ``message`` is one sentence for a reader.

    Alerts with the same ``dedupe_key`` are one alert until it is acknowledged: later ones only count up. Without
    a key the code, market, session and dataset make one.
    """

    level: AlertLevel
    code: str
    message: str
    market: str | None = None
    session: date | None = None
    dataset: str | None = None
    run_id: str | None = None
    dedupe_key: str | None = None

    @property
    def key(self) -> str:
        """The key under which repetitions are one alert."""
        if self.dedupe_key is not None:
            return self.dedupe_key
        session = self.session.isoformat() if self.session else ""
        return "|".join((self.code, self.dataset or "", self.market or "", session))


@dataclass(frozen=True, slots=True)
class PayloadRecord:
    """What became of one delivery of a vendor: its named end state and where each of its rows went.

    ``sha256`` is empty where nothing was delivered (unreachable, nothing new). Counts are payload rows:
    ``rows_total`` = loaded + superseded + quarantined + set aside. ``reasons`` counts rejected rows by
    (disposition, reason code). ``context`` is the digest of the configuration that the payload was parsed in: in
    another one (a new market) the same bytes are worth reading again.
    """

    dataset: str
    source: str
    name: str
    sha256: str
    size_bytes: int
    fetched_at: datetime
    state: str
    available_at: datetime | None = None
    reason: str = ""
    detail: str = ""
    context: str = ""
    rows_total: int = 0
    rows_loaded: int = 0
    rows_superseded: int = 0
    rows_quarantined: int = 0
    rows_set_aside: int = 0
    notes: tuple[str, ...] = ()
    reasons: Mapping[tuple[str, str], int] = field(default_factory=dict)
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One change of a group's champion. ``previous_version`` is None for the first champion of a group."""

    model_group: str
    version: int
    model_uri: str
    sha256: str
    recipe_sha256: str
    previous_version: int | None
    reason: str
    effective_after: date
    """It decides on the sessions after this one: what led to it was known at that one's cutoff."""
    run_id: str = ""


class StageKind(StrEnum):
    """How far a champion is trusted."""

    PROVISIONAL = "provisional"
    """A part of its size, until what it earns has proved it."""
    FULL = "full"
    RETIRED = "retired"
    """It has no successor and trades nothing."""


@dataclass(frozen=True, slots=True)
class ChampionStage:
    """The share of its size that a recipe trades as champion of a group, on the sessions after ``effective_after``."""

    model_group: str
    recipe_sha256: str
    effective_after: date
    stage: StageKind
    size_fraction: float
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)
    run_id: str = ""


def stage_as_of(stages: Sequence[ChampionStage], session: date) -> ChampionStage | None:
    """The stage that holds on a session, of stages in the order in which they take effect; None before the first."""
    before = [stage for stage in stages if stage.effective_after < session]
    return before[-1] if before else None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a training date of a group came to: a code with its sentence, figures, and every gate of every recipe."""

    model_group: str
    training_date: date
    code: str
    message: str
    metrics: Mapping[str, float]
    gates: Sequence[Mapping[str, object]]
    """One record a recipe and gate: candidate, gate, status, reason, message, numbers."""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class StressRow:
    """What a strategy stood in one scenario, on what was known at a training date."""

    model_group: str
    training_date: date
    strategy: str
    scenario: str
    stress_reason: str
    message: str
    figures: Mapping[str, float | int | None]
    run_id: str = ""


class Side(StrEnum):
    """Direction of an order."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Side.BUY else -1

    @classmethod
    def of(cls, change: int) -> "Side":
        """The side that changes a position by so much."""
        return cls.BUY if change > 0 else cls.SELL


class OrderStatus(StrEnum):
    """Where an order stands; what may be at the broker for it are its tickets."""

    CREATED = "created"
    """Decided and passed by the gate; nothing of it is at the broker yet."""
    DENIED = "denied"
    """The risk gate refused it."""
    WORKING = "working"
    DONE = "done"
    """Filled in whole or in part as far as it could be in its session; the fills say how much."""
    EXPIRED = "expired"
    """Its session ended before any of it was sent."""
