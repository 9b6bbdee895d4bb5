"""Candidates of experiments with their verdicts."""

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.records import Candidate
from hydra_assets.state.tables import candidates


def record_candidate(engine: sa.Engine, candidate: Candidate) -> None:
    """Record a candidate; judging the same experiment again replaces its metrics and verdict."""
    values = {**asdict(candidate), "metrics": dict(candidate.metrics)}
    statement = insert(candidates).values(**values)
    replaced = {name: statement.excluded[name] for name in values if name != "experiment_id"}
    with engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[candidates.c.experiment_id], set_={**replaced, "recorded_at": sa.func.clock_timestamp()}
            )
        )


def candidates_of(engine: sa.Engine, model_group: str) -> list[Candidate]:
    """Candidates of a group, oldest first."""
    columns = [candidates.c[name] for name in Candidate.__dataclass_fields__]
    query = sa.select(*columns).where(candidates.c.model_group == model_group).order_by(candidates.c.recorded_at)
    with engine.connect() as connection:
        return [Candidate(**row._mapping) for row in connection.execute(query)]
