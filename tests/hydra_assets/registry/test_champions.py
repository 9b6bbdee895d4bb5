"""Who is champion: promotion decisions and the champion of a session, by hand."""

from datetime import date

import pytest

from hydra_assets.models.boosting import TrainedModel
from hydra_assets.models.recipe import Recipe
from hydra_assets.registry.champions import Champion, PromotionReason, champion_as_of, decide


def model(cutoff: date, text: str = "", recipe: Recipe | None = None) -> TrainedModel:
    return TrainedModel(recipe or Recipe(), cutoff, "snapshot", 500, text)


def champion(version: int, cutoff: date, text: str = "") -> Champion:
    fitted = model(cutoff, text)
    return Champion(version, fitted.sha256, fitted)


FIRST, SECOND = champion(1, date(2024, 3, 31)), champion(2, date(2024, 6, 30))


@pytest.mark.parametrize(
    ("fitted", "reigning", "reason"),
    [
        (model(date(2024, 3, 31)), [], PromotionReason.FIRST_MODEL),
        (model(date(2024, 6, 30)), [FIRST], PromotionReason.SCHEDULED_REFIT),
        (model(date(2024, 6, 30), "other data"), [FIRST, SECOND], PromotionReason.SCHEDULED_REFIT),
        (model(date(2024, 3, 31)), [FIRST, SECOND], PromotionReason.ALREADY_CHAMPION),
        (model(date(2024, 3, 31), "restated"), [FIRST, SECOND], PromotionReason.OLDER_THAN_CHAMPION),
        (model(date(2024, 9, 30), recipe=Recipe(seed=1)), [FIRST, SECOND], PromotionReason.OTHER_RECIPE),
    ],
)
def test_decisions(fitted: TrainedModel, reigning: list[Champion], reason: PromotionReason) -> None:
    assert decide(fitted, reigning) is reason
    assert reason.promotes is (reason in {PromotionReason.FIRST_MODEL, PromotionReason.SCHEDULED_REFIT})


def test_a_session_has_the_champion_that_knew_only_earlier_ones() -> None:
    both = [FIRST, SECOND]
    assert champion_as_of(both, date(2024, 3, 31)) is None
    assert champion_as_of(both, date(2024, 4, 1)) is FIRST
    assert champion_as_of(both, date(2024, 6, 30)) is FIRST
    assert champion_as_of(both, date(2024, 7, 1)) is SECOND
    again = champion(3, date(2024, 6, 30), "promoted later")
    assert champion_as_of([*both, again], date(2024, 7, 1)) is again
