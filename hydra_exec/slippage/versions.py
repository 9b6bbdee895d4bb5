"""What was learned of impact, in the database: a version for each market and session after which it holds."""

from dataclasses import asdict
from datetime import date

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.execution_tables import slippage_versions
from hydra_exec.slippage.learn import SlippageVersion

_COLUMNS = [slippage_versions.c[name] for name in SlippageVersion.__dataclass_fields__]


def record(engine: sa.Engine, version: SlippageVersion, run_id: str = "") -> bool:
    """Append a version; False where the market has one of that session, which stays as it is."""
    values = asdict(version) | {"figures": dict(version.figures), "run_id": run_id}
    with engine.begin() as connection:
        return connection.execute(insert(slippage_versions).values(**values).on_conflict_do_nothing()).rowcount == 1


def as_of(engine: sa.Engine, market: str, session: date) -> SlippageVersion | None:
    """The version that holds in a session: the newest that took effect before it, None before the first."""
    query = (
        sa.select(*_COLUMNS)
        .where(slippage_versions.c.market == market, slippage_versions.c.effective_after < session)
        .order_by(slippage_versions.c.effective_after.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        row = connection.execute(query).one_or_none()
    return SlippageVersion(**row._mapping) if row else None


def versions(engine: sa.Engine, market: str) -> list[SlippageVersion]:
    """All versions of a market, in the order in which they take effect."""
    query = (
        sa.select(*_COLUMNS).where(slippage_versions.c.market == market).order_by(slippage_versions.c.effective_after)
    )
    with engine.connect() as connection:
        return [SlippageVersion(**row._mapping) for row in connection.execute(query)]
