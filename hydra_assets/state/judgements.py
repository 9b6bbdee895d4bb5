"""What training dates came to, and what the strategies of them stand."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.records import Judgement, StressRow
from hydra_assets.state.tables import judgements, stress_reports

KEY = ("model_group", "training_date")


def record_judgement(engine: sa.Engine, judgement: Judgement, *, keep_earlier: bool = False) -> None:
    """Record a training date; judging it again replaces what it came to, unless the earlier word is to be kept."""
    values = {**asdict(judgement), "metrics": dict(judgement.metrics), "gates": [dict(g) for g in judgement.gates]}
    statement = insert(judgements).values(**values)
    replaced = {name: statement.excluded[name] for name in values if name not in KEY}
    same = [judgements.c[name] for name in KEY]
    with engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_nothing(index_elements=same)
            if keep_earlier
            else statement.on_conflict_do_update(
                index_elements=same, set_={**replaced, "recorded_at": sa.func.clock_timestamp()}
            )
        )


def newest_judgements(engine: sa.Engine) -> list[Judgement]:
    """The newest training date of each group that was judged."""
    columns = [judgements.c[name] for name in Judgement.__dataclass_fields__]
    query = (
        sa.select(*columns)
        .distinct(judgements.c.model_group)
        .order_by(judgements.c.model_group, judgements.c.training_date.desc())
    )
    with engine.connect() as connection:
        return [Judgement(**row._mapping) for row in connection.execute(query)]


def record_stress(engine: sa.Engine, rows: Sequence[StressRow]) -> None:
    """Replace the stress report of the rows' training date and strategy."""
    if not rows:
        return
    first = rows[0]
    same = [getattr(stress_reports.c, name) == getattr(first, name) for name in (*KEY, "strategy")]
    with engine.begin() as connection:
        connection.execute(sa.delete(stress_reports).where(*same))
        connection.execute(sa.insert(stress_reports), [{**asdict(row), "figures": dict(row.figures)} for row in rows])
