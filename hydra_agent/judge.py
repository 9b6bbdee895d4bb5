"""The comparison of a candidate with the champion's recipe on the same sessions.

It is a comparison and not a promotion: a candidate of equal skill is better on both counts about once in four times, so
nothing is promoted on this verdict. The gates that may promote come with the trial ledger.
"""

from dataclasses import dataclass
from enum import StrEnum

from hydra_assets.models.evaluate import Score

MIN_DECISIONS = 60


class VerdictCode(StrEnum):
    """Outcome of a comparison."""

    BETTER_ON_BOTH = "better_on_both"
    WORSE_LOG_LOSS = "worse_log_loss"
    """Higher or equal log loss than the champion's recipe, whatever it earned."""
    WORSE_NET_RETURN = "worse_net_return"
    """Better probabilities, lower or equal net return."""
    TOO_FEW_DECISIONS = "too_few_decisions"
    NO_CHAMPION = "no_champion"
    """There is nothing to compare with; the candidate's own figures are recorded."""
    NOT_TRAINABLE = "not_trainable"
    """The snapshot could not carry the recipe."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The code and the figures behind it."""

    code: VerdictCode
    metrics: dict[str, float]


def compare(candidate: Score, champion: Score | None) -> Verdict:
    """Compare two scores of the same decisions; ValueError where they are not of the same number."""
    metrics = candidate.metrics("candidate")
    if champion is None:
        return Verdict(VerdictCode.NO_CHAMPION, metrics)
    if candidate.decisions != champion.decisions:
        msg = f"candidate judged on {candidate.decisions} decisions, champion on {champion.decisions}"
        raise ValueError(msg)
    metrics |= champion.metrics("champion")
    metrics |= {
        "log_loss_gain": champion.log_loss - candidate.log_loss,
        "net_return_gain": candidate.net_return - champion.net_return,
    }
    if candidate.decisions < MIN_DECISIONS:
        return Verdict(VerdictCode.TOO_FEW_DECISIONS, metrics)
    if candidate.log_loss >= champion.log_loss:
        return Verdict(VerdictCode.WORSE_LOG_LOSS, metrics)
    if candidate.net_return <= champion.net_return:
        return Verdict(VerdictCode.WORSE_NET_RETURN, metrics)
    return Verdict(VerdictCode.BETTER_ON_BOTH, metrics)
