"""The outcome of a data-quality check: what was found, how much it matters, and a reason code that does not change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How much a failed check matters: an ERROR poisons what is computed from the rows."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of one check over a range."""

    name: str
    passed: bool
    severity: Severity
    reason: str
    message: str
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
