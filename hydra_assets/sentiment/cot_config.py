"""What the reading of the CFTC's reports is set to, the groups of traders, and the codes of what is missing."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0)]


class Group(StrEnum):
    """A group of traders whose position is scored."""

    CROWD = "crowd"
    """Speculators: managed money; non-commercials where only the legacy report has the market."""
    PRODUCERS = "producers"
    """Producers and merchants; all commercials, swap dealers among them, in the legacy report."""
    SWAP_DEALERS = "swap_dealers"
    """Disaggregated report only."""
    OTHERS = "others"
    """Other reportable traders. Disaggregated report only."""


PREFERENCE: dict[Group, tuple[tuple[str, str, str], ...]] = {
    group: tuple(
        (family, scope, category)
        for family, category in (("disaggregated", detailed), ("legacy", legacy))
        if category is not None
        for scope in ("futures_only", "combined")
    )
    for group, detailed, legacy in (
        (Group.CROWD, "managed_money", "noncommercial"),
        (Group.PRODUCERS, "producer_merchant", "commercial"),
        (Group.SWAP_DEALERS, "swap_dealer", None),
        (Group.OTHERS, "other_reportable", None),
    )
}
"""(family, scope, category) per group in order of preference; the first with a score on a session is taken."""


class ChangeReason(StrEnum):
    """Why a report has a one-week change, or none. A row without a report of use carries its ``CotReason`` instead."""

    OK = "ok"
    FIRST_REPORT = "first_report"
    GAP = "gap"
    """The market was left out of the report in between: what happened meanwhile is not one week's change."""
    UNSEEN = "unseen"
    """The week before was published, but never the newest that a session could use: released together, or too late."""


class CotConfig(BaseModel):
    """Windows, limits and scales of the scores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window_weeks: Annotated[int, Field(ge=2)] = 156
    """Published weeks that a report is compared with: the three years of the customary COT index."""
    min_weeks: Annotated[int, Field(ge=2)] = 26
    """Published weeks before anything is scored."""
    max_age_days: Annotated[int, Field(gt=0)] = 14
    """A report is 3 days old when published and 10 when replaced; past 14 something is missing."""
    age_scale_days: Positive = 30.0
    """Confidence falls by 1/e in that many days of the report's age."""
    gap_scale_weeks: Positive = 8.0
    """Confidence falls by 1/e for that many weeks missing just before the report."""
    gap_memory: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of a gap's length that still counts one published week later."""
    full_traders: Positive = 20.0
    """Traders long plus short from which their number takes no confidence away: the CFTC leaves a market out of its
    reports below 20 reportable traders."""
    suppressed_traders: Annotated[float, Field(ge=0)] = 3.0
    """What a suppressed count (fewer than four) is at most; used for the confidence only."""
