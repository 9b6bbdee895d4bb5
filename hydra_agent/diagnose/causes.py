"""What can be wrong, in the order in which it is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CauseCode(StrEnum):
    """Causes in the order of triage: data, then features, regime, labels, the fit, the edge, and what is outside."""

    UNIT_CHANGE = "unit_change"
    STALE_SOURCE = "stale_source"
    LATE_SOURCE = "late_source"
    DORMANT_MARKET = "dormant_market"
    LIQUIDITY_DROUGHT = "liquidity_drought"
    FEATURE_CORRUPTED = "feature_corrupted"
    REGIME_CHANGE = "regime_change"
    """Many features of several groups have moved together: another market, not another feed."""
    LABEL_SHIFT = "label_shift"
    """Things happen more or less often than said, while what is said still tells them apart."""
    OVERFITTING_DECAY = "overfitting_decay"
    """The champion has never done in use what it did in its walk-forward."""
    EDGE_REVERSED = "edge_reversed"
    EDGE_DECAY = "edge_decay"
    TRANSIENT = "transient"
    """Worse than expected for a while, not beyond what luck does."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One explanation with what speaks for it."""

    code: CauseCode
    confidence: float
    """From 0 to 1: how well the evidence fits this cause and no other; not a probability."""
    message: str
    scopes: tuple[str, ...] = ()
    """Markets concerned; empty for the whole group."""
    features: tuple[str, ...] = ()
    since_row: int | None = None
    """Row at which it is thought to have begun."""
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Ranked causes of a session, best first; empty where nothing is wrong."""

    causes: tuple[Cause, ...]

    @property
    def top(self) -> Cause | None:
        """The cause that is acted on."""
        return self.causes[0] if self.causes else None
