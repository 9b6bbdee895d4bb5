"""Gate 8: the sealed hold-out, sessions that no candidate was trained or chosen on, opened at a price.

An opening tests the paired gain over the champion on the hold-out alone, at the level that the wealth of earlier
openings leaves. A candidate that has passed gates 1 to 7 can fail here, and then the sessions are spent.
"""

from dataclasses import dataclass
from enum import StrEnum

from hydra_agent.arena import Returns
from hydra_assets.stats.returns import ReturnsError
from hydra_assets.stats.superior import paired_differences, superiority

HOLDOUT_SESSIONS = 126
"""Half a year before the newest session."""


class HoldoutReason(StrEnum):
    """What the hold-out said."""

    PASSED = "passed"
    NOT_BETTER = "not_better"
    NO_WEALTH = "no_wealth"
    """Earlier openings have spent the budget: only a promotion that proves durable earns some back."""
    UNUSABLE = "unusable"
    """The candidate did not trade there, or has no return for a session."""


@dataclass(frozen=True, slots=True)
class HoldoutVerdict:
    """The reason and the figures behind it; no p-value where nothing was opened."""

    reason: HoldoutReason
    level: float | None
    p_value: float | None
    sessions: int

    @property
    def passed(self) -> bool:
        """Whether the candidate may be promoted."""
        return self.reason is HoldoutReason.PASSED

    @property
    def opened(self) -> bool:
        """Whether the seal was broken, and with it wealth spent."""
        return self.reason is not HoldoutReason.NO_WEALTH


def judge_holdout(returns: Returns, champion: bool, sealed: slice, level: float | None, horizon: int) -> HoldoutVerdict:
    """Open the hold-out for one candidate.

    Parameters
    ----------
    returns
        Of the candidate, and of the champion after it where there is one, over all sessions.
    champion
        Whether there is one; else the benchmark is cash.
    sealed
        The hold-out's rows.
    level
        What the wealth allows; None where it is spent.
    horizon
        Sessions over which outcomes overlap.
    """
    sessions = sealed.stop - sealed.start
    if level is None:
        return HoldoutVerdict(HoldoutReason.NO_WEALTH, None, None, sessions)
    try:
        differences = paired_differences(returns.net[:1, sealed], returns.net[1, sealed] if champion else None)
        found = superiority(differences, horizon, level)
    except ReturnsError:
        return HoldoutVerdict(HoldoutReason.UNUSABLE, level, None, sessions)
    p_value = found.p_values[0]
    passed = p_value <= level and float(differences.mean()) > 0.0
    return HoldoutVerdict(HoldoutReason.PASSED if passed else HoldoutReason.NOT_BETTER, level, p_value, sessions)
