"""Champions over time: the promotion record decides, the registry's alias follows it and is repaired from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import sqlalchemy as sa

from hydra_assets.models.boosting import TrainedModel
from hydra_assets.registry.port import Registry
from hydra_assets.state.promotions import current_champion, promote
from hydra_assets.state.records import Promotion
from hydra_assets.state.tables import promotions


class PromotionReason(StrEnum):
    """Why a fitted model became its group's champion, or did not."""

    FIRST_MODEL = "first_model"
    """The group had none. It is not judged against cash yet: the gates are not built."""
    SCHEDULED_REFIT = "scheduled_refit"
    """The champion's own recipe on newer data."""
    ALREADY_CHAMPION = "already_champion"
    """This very artefact was promoted before."""
    OLDER_THAN_CHAMPION = "older_than_champion"
    """The champion was trained on later data; the past keeps the champion that it had."""
    OTHER_RECIPE = "other_recipe"
    """A change of recipe is judged by experiment, never by a refit."""

    @property
    def promotes(self) -> bool:
        """Whether a promotion row is written."""
        return self in {PromotionReason.FIRST_MODEL, PromotionReason.SCHEDULED_REFIT}


@dataclass(frozen=True, slots=True)
class Champion:
    """One promoted version with its model, read and checked against its digest."""

    version: int
    sha256: str
    model: TrainedModel


def decide(model: TrainedModel, champions: Sequence[Champion]) -> PromotionReason:
    """Decide whether a fitted model is promoted, given the group's promotions in order."""
    if not champions:
        return PromotionReason.FIRST_MODEL
    if any(champion.sha256 == model.sha256 for champion in champions):
        return PromotionReason.ALREADY_CHAMPION
    newest = champions[-1].model
    if newest.recipe != model.recipe:
        return PromotionReason.OTHER_RECIPE
    return PromotionReason.SCHEDULED_REFIT if model.cutoff >= newest.cutoff else PromotionReason.OLDER_THAN_CHAMPION


def champion_as_of(champions: Sequence[Champion], session: date) -> Champion | None:
    """The champion that could decide on a session: trained on a cutoff strictly before it, the latest such.

    Of two with the same cutoff the later promotion counts. None is a legal answer.
    """
    usable = [
        (champion.model.cutoff, order) for order, champion in enumerate(champions) if champion.model.cutoff < session
    ]
    return champions[max(usable)[1]] if usable else None


def champions_of(engine: sa.Engine, registry: Registry, group: str) -> list[Champion]:
    """All promotions of a group in order, with their models; RegistryError or ModelError where one is damaged."""
    query = (
        sa.select(promotions.c.version, promotions.c.sha256, promotions.c.model_uri)
        .where(promotions.c.model_group == group)
        .order_by(promotions.c.id)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [
        Champion(version, sha256, TrainedModel.from_bytes(registry.load(uri), sha256)) for version, sha256, uri in rows
    ]


def promote_refit(
    engine: sa.Engine, registry: Registry, group: str, model: TrainedModel, run_id: str
) -> PromotionReason:
    """Register a fitted model and promote it where ``decide`` says so; the alias follows in any case.

    Safe to repeat and to be cut off anywhere: the artefact is found by its digest, the promotion row is one
    transaction, and the alias is set from the row at every call.
    """
    reason = decide(model, champions_of(engine, registry, group))
    if reason.promotes:
        version = registry.register(
            group,
            model.to_bytes(),
            model.sha256,
            {
                "recipe_sha256": model.recipe.sha256,
                "cutoff": model.cutoff.isoformat(),
                "snapshot_sha256": model.snapshot_sha256,
            },
            {"training_rows": float(model.training_rows)},
        )
        current = current_champion(engine, group)
        promote(
            engine,
            Promotion(
                model_group=group,
                version=version.version,
                model_uri=version.uri,
                sha256=model.sha256,
                recipe_sha256=model.recipe.sha256,
                previous_version=current.version if current else None,
                reason=str(reason),
                run_id=run_id,
            ),
        )
    repair_alias(engine, registry, group)
    return reason


def repair_alias(engine: sa.Engine, registry: Registry, group: str) -> bool:
    """Make the alias name the champion of the record; True where it named another version or none."""
    current = current_champion(engine, group)
    return current is not None and registry.point_champion(group, current.version)
