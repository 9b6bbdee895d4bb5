"""Champions: one row per promotion, written by one writer at a time; the registry's alias follows the newest row."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.records import ChampionStage, Promotion, StageKind, stage_as_of
from hydra_assets.state.tables import champion_stages, promotions

__all__ = ["PromotionConflictError", "current_champion", "promote", "record_stage", "stage_as_of", "stages_of"]


class PromotionConflictError(Exception):
    """The champion changed between the decision and its promotion: decide again against the new one."""


def current_champion(engine: sa.Engine, model_group: str) -> Promotion | None:
    """The champion of a group, None before its first promotion."""
    with engine.connect() as connection:
        return _newest(connection, model_group)


def promote(engine: sa.Engine, promotion: Promotion, stage: ChampionStage | None = None) -> None:
    """Make a version the champion of its group, provided that ``previous_version`` is the champion still.

    ``stage`` is the size that it begins with; None keeps that of the recipe, as a refit does. Both or neither.
    """
    with engine.begin() as connection, advisory_lock(connection, Lock.PROMOTION):
        champion = _newest(connection, promotion.model_group)
        version = champion.version if champion else None
        if version != promotion.previous_version:
            msg = (
                f"{promotion.model_group}: version {promotion.version} was judged against champion "
                f"{promotion.previous_version}, but the champion is {version}"
            )
            raise PromotionConflictError(msg)
        connection.execute(sa.insert(promotions).values(**asdict(promotion)))
        if stage is not None:
            _insert(connection, stage)


def record_stage(engine: sa.Engine, stage: ChampionStage) -> bool:
    """Record the size of a champion; False where it was on record."""
    with engine.begin() as connection:
        return _insert(connection, stage)


def stages_of(engine: sa.Engine, model_group: str) -> list[ChampionStage]:
    """Stages of a group in the order in which they take effect; of the same session the later recorded counts."""
    columns = [champion_stages.c[name] for name in ChampionStage.__dataclass_fields__]
    query = (
        sa.select(*columns)
        .where(champion_stages.c.model_group == model_group)
        .order_by(champion_stages.c.effective_after, champion_stages.c.id)
    )
    with engine.connect() as connection:
        return [
            ChampionStage(**dict(row._mapping) | {"stage": StageKind(row.stage)}) for row in connection.execute(query)
        ]


def _insert(connection: sa.Connection, stage: ChampionStage) -> bool:
    values = asdict(stage) | {"stage": str(stage.stage), "figures": dict(stage.figures)}
    return connection.execute(insert(champion_stages).values(**values).on_conflict_do_nothing()).rowcount == 1


def _newest(connection: sa.Connection, model_group: str) -> Promotion | None:
    columns = [promotions.c[name] for name in Promotion.__dataclass_fields__]
    query = sa.select(*columns).where(promotions.c.model_group == model_group).order_by(promotions.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Promotion(**row._mapping) if row else None
