"""Thresholds that follow from a budget of false alarms, out of the table that ``studies.detector_nulls`` simulated.

The budget is one alarm per market and year over everything that is watched in a market, split by purpose. A tabulated
threshold keeps to its rate on the worst of the simulated nulls, for all columns of a panel together and with their
dependence; docs/studies/detectors.md has what was measured at each.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any, Protocol


class Purpose(StrEnum):
    """What a share of the budget is for."""

    FEATURES = "features"
    CALIBRATION = "calibration"
    PERFORMANCE = "performance"
    OTHER = "other"


BUDGET = {Purpose.FEATURES: 0.4, Purpose.CALIBRATION: 0.2, Purpose.PERFORMANCE: 0.2, Purpose.OTHER: 0.2}
"""Alarms per market-year on data without any change; several detectors of one purpose divide its share."""
_ROUNDING = 1e-9


class ThresholdReason(StrEnum):
    """Why there is no threshold."""

    UNKNOWN_DETECTOR = "unknown_detector"
    RATE_TOO_LOW = "rate_too_low"
    """Fewer alarms are asked for than were simulated."""


class ThresholdError(ValueError):
    """No threshold can be given, with its reason code."""

    def __init__(self, reason: ThresholdReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Named(Protocol):
    """Whatever has a name in the table."""

    @property
    def name(self) -> str:
        """Name with every parameter that the statistic depends on."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """An alarm is a statistic above ``value``."""

    value: float
    alarms_per_year: float
    """Of the whole panel, at most, on the worst null."""


def threshold_for(detector: Named, alarms_per_year: float, columns: int | None = None) -> Threshold:
    """Threshold at which ``columns`` columns of one market together alarm at most so often in a year of 252 sessions.

    ``columns`` None means as many as in the simulation (53 features; one series of calibration or performance). The
    rate is shared out evenly over columns, which dependence can only make safer, and goes down to the next tabulated
    one. The table holds for whitened references of at least 504 observations. ThresholdError with its reason.
    """
    entries = table()["detectors"]
    if detector.name not in entries:
        msg = f"no null of {detector.name} was simulated; there are {', '.join(sorted(entries))}"
        raise ThresholdError(ThresholdReason.UNKNOWN_DETECTOR, msg)
    entry = entries[detector.name]
    ratio = 1.0 if columns is None else columns / entry["columns"]
    kept = [row for row in entry["thresholds"] if row["rate"] * ratio <= alarms_per_year * (1.0 + _ROUNDING)]
    if not kept:
        least = min(row["rate"] for row in entry["thresholds"]) * ratio
        msg = f"{alarms_per_year:g} alarms a year of {detector.name}: the table ends at {least:g}"
        raise ThresholdError(ThresholdReason.RATE_TOO_LOW, msg)
    row = max(kept, key=lambda each: each["rate"])
    return Threshold(float(row["threshold"]), float(row["rate"] * ratio))


@lru_cache(maxsize=1)
def table() -> dict[str, Any]:
    """Give what the study wrote: its command, seeds and counts, and each detector's thresholds and measured rates."""
    text = files("hydra_assets.stats.detectors").joinpath("thresholds.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
