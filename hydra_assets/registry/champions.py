"""Champions over time: the promotion record decides, the registry's alias follows it and is repaired from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import sqlalchemy as sa

from hydra_assets.models.trained import TrainedModel
from hydra_assets.registry.port import Entry, RegisteredVersion, Registry, VersionState
from hydra_assets.registry.reigning import Champion, PromotionReason, Standing, champion_as_of, standing_of
from hydra_assets.state.promotions import current_champion, promote
from hydra_assets.state.records import ChampionStage, Promotion, StageKind
from hydra_assets.state.tables import promotions

__all__ = [
    "Cause",
    "Champion",
    "PromotionReason",
    "Record",
    "Standing",
    "begun",
    "champion_as_of",
    "champions_of",
    "crown",
    "register",
    "repair_alias",
    "standing_of",
]


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a model is promoted, by which run, and from when on."""

    reason: str
    run_id: str = ""
    effective_after: date | None = None
    """None: from its own cutoff on."""
    size_fraction: float | None = None
    """Share of the size that it begins with; None leaves it as it is, as a refit of the same recipe does."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the registry keeps of a fitted model besides its artefact."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    """Further files by name: reports, pictures."""


def champions_of(engine: sa.Engine, registry: Registry, group: str) -> list[Champion]:
    """All promotions of a group in order, with their models; RegistryError or ModelError where one is damaged."""
    query = (
        sa.select(
            promotions.c.version,
            promotions.c.sha256,
            promotions.c.model_uri,
            promotions.c.effective_after,
            promotions.c.reason,
        )
        .where(promotions.c.model_group == group)
        .order_by(promotions.c.id)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    models = {sha256: TrainedModel.from_bytes(registry.load(uri), sha256) for _, sha256, uri, _, _ in rows}
    return [Champion(version, sha256, models[sha256], after, reason) for version, sha256, _, after, reason in rows]


def register(
    registry: Registry, group: str, model: TrainedModel, record: Record, state: VersionState
) -> RegisteredVersion:
    """Store a fitted model with its configuration, snapshot and record; the same one again is the same version."""
    entry = Entry(
        artefact=model.to_bytes(),
        sha256=model.sha256,
        parameters={
            "name": model.name,
            "recipe": model.recipe.model_dump_json(),
            "recipe_sha256": model.recipe.sha256,
            "cutoff": model.cutoff.isoformat(),
            "snapshot_sha256": model.snapshot_sha256,
            **record.parameters,
        },
        metrics={"training_rows": float(model.training_rows), **record.metrics},
        attachments=record.attachments,
    )
    return registry.register(group, entry, state)


def crown(engine: sa.Engine, registry: Registry, group: str, model: TrainedModel, record: Record, cause: Cause) -> None:
    """Register a fitted model and make it the champion; the alias follows in any case.

    Safe to repeat and to be cut off anywhere: the artefact is found by its digest, the promotion row is one
    transaction, and the alias is set from the row at every call.
    """
    version = register(registry, group, model, record, VersionState.CANDIDATE)
    current = current_champion(engine, group)
    if current is None or current.sha256 != model.sha256:
        after = cause.effective_after or model.cutoff
        promotion = Promotion(
            model_group=group,
            version=version.version,
            model_uri=version.uri,
            sha256=model.sha256,
            recipe_sha256=model.recipe.sha256,
            previous_version=current.version if current else None,
            reason=cause.reason,
            effective_after=after,
            run_id=cause.run_id,
        )
        promote(engine, promotion, None if cause.size_fraction is None else begun(promotion, cause.size_fraction))
    repair_alias(engine, registry, group)


def begun(promotion: Promotion, size_fraction: float) -> ChampionStage:
    """The stage that a promotion begins with."""
    return ChampionStage(
        model_group=promotion.model_group,
        recipe_sha256=promotion.recipe_sha256,
        effective_after=promotion.effective_after,
        stage=StageKind.FULL if size_fraction >= 1.0 else StageKind.PROVISIONAL,
        size_fraction=size_fraction,
        reason=promotion.reason,
        run_id=promotion.run_id,
    )


def repair_alias(engine: sa.Engine, registry: Registry, group: str) -> bool:
    """Make the alias name the champion of the record; True where it named another version or none."""
    current = current_champion(engine, group)
    return current is not None and registry.point_champion(group, current.version)
