"""Who reigns when: champions in the order of their promotions, and the one that decides on a session. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from hydra_assets.models.trained import TrainedModel


class PromotionReason(StrEnum):
    """Why a fitted model became its group's champion."""

    FIRST_CHAMPION = "first_champion"
    """The group had none, and the recipe passed gates 1 to 7 against cash."""
    SCHEDULED_REFIT = "scheduled_refit"
    """The champion's own recipe on newer data."""
    EXPERIMENT = "experiment"
    """Another recipe that passed all gates against the champion."""
    ROLLED_BACK = "rolled_back"
    """The predecessor again: its successor did worse in use."""
    MASKED = "masked"
    """The same fit that takes a corrupted feature for missing, or no longer does."""
    RECALIBRATED = "recalibrated"
    """The same fit with its base rate moved."""
    BY_A_PERSON = "by_a_person"


class Standing(StrEnum):
    """How a training date stands to the group's champions."""

    NO_CHAMPION = "no_champion"
    REFIT_DUE = "refit_due"
    ALREADY_FITTED = "already_fitted"
    """A champion was fitted at this very cutoff."""
    OLDER_THAN_CHAMPION = "older_than_champion"
    """The champion was trained on later data; the past keeps the champion that it had."""


@dataclass(frozen=True, slots=True)
class Champion:
    """One promoted version with its model, read and checked against its digest."""

    version: int
    sha256: str
    model: TrainedModel
    after: date
    """It decides on the sessions after this one."""
    reason: str = ""


def standing_of(champions: Sequence[Champion], cutoff: date) -> Standing:
    """How a cutoff stands to a group's promotions in order."""
    if not champions:
        return Standing.NO_CHAMPION
    if any(champion.model.cutoff == cutoff for champion in champions):
        return Standing.ALREADY_FITTED
    newest = max(champion.after for champion in champions)
    return Standing.REFIT_DUE if cutoff > newest else Standing.OLDER_THAN_CHAMPION


def champion_as_of(champions: Sequence[Champion], session: date) -> Champion | None:
    """The champion that decides on a session: promoted on what was known strictly before it, the latest such.

    Of two of the same day the later promotion counts. None is a legal answer.
    """
    usable = [(champion.after, order) for order, champion in enumerate(champions) if champion.after < session]
    return champions[max(usable)[1]] if usable else None
