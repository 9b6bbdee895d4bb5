"""Champions: one row per promotion, written by one writer at a time; the registry's alias follows the newest row."""

from dataclasses import asdict

import sqlalchemy as sa

from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.records import Promotion
from hydra_assets.state.tables import promotions


class PromotionConflictError(Exception):
    """The champion changed between the decision and its promotion: decide again against the new one."""


def current_champion(engine: sa.Engine, model_group: str) -> Promotion | None:
    """The champion of a group, None before its first promotion."""
    with engine.connect() as connection:
        return _newest(connection, model_group)


def promote(engine: sa.Engine, promotion: Promotion) -> None:
    """Make a version the champion of its group, provided that ``previous_version`` is the champion still."""
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


def _newest(connection: sa.Connection, model_group: str) -> Promotion | None:
    columns = [promotions.c[name] for name in Promotion.__dataclass_fields__]
    query = sa.select(*columns).where(promotions.c.model_group == model_group).order_by(promotions.c.id.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return Promotion(**row._mapping) if row else None
