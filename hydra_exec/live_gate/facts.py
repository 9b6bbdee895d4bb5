"""Facts of the live gate, gathered from the database; the lake's come from the caller."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from hydra_assets.registry.reigning import PromotionReason
from hydra_assets.state.db import HOME_KIND
from hydra_assets.state.execution_tables import trading_sessions
from hydra_assets.state.tables import components, promotions
from hydra_exec.broker.port import BrokerKind
from hydra_exec.live_gate.conditions import HealingCycle, LiveFacts, SessionEnd, WorkedSession
from hydra_exec.live_gate.record_log import RecordLog

REAL_HOME = "real"


@dataclass(frozen=True, slots=True)
class LakeFacts:
    """What the lake says: ``LiveFacts`` of the same names."""

    bias_half_spreads: float | None
    correlation: float | None
    density_green: bool | None
    thesis_green: bool | None


def gather(
    engine: sa.Engine,
    log: RecordLog,
    account: str,
    paper_prefixes: Sequence[str],
    now: datetime,
    lake: LakeFacts,
) -> LiveFacts:
    """Everything that the gate looks at for an account."""
    return LiveFacts(
        account=account,
        now=now,
        sessions=worked_sessions(engine, paper_prefixes),
        bias_half_spreads=lake.bias_half_spreads,
        correlation=lake.correlation,
        cycles=healing_cycles(engine),
        density_green=lake.density_green,
        thesis_green=lake.thesis_green,
        records=log.read(),
    )


def worked_sessions(engine: sa.Engine, paper_prefixes: Sequence[str]) -> list[WorkedSession]:
    """Every session that was worked at the real broker, on whatever account, oldest first."""
    query = (
        sa.select(trading_sessions)
        .where(trading_sessions.c.broker == str(BrokerKind.IB))
        .order_by(trading_sessions.c.id)
    )
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    return [
        WorkedSession(
            account=row.account,
            paper=row.account.startswith(tuple(paper_prefixes)),
            real_sources=row.real_sources,
            wall_date=row.wall_date,
            started_at=row.started_at,
            ended=_ended(row.outcome),
        )
        for row in rows
    ]


def healing_cycles(engine: sa.Engine) -> list[HealingCycle]:
    """Every experiment that was promoted, with the instant at which another recipe took its place."""
    query = sa.select(promotions).order_by(promotions.c.model_group, promotions.c.id)
    kind = sa.select(components.c.version).where(components.c.name == HOME_KIND)
    with engine.connect() as connection:
        real = connection.scalar(kind) == REAL_HOME
        rows = connection.execute(query).all()
    out = []
    for place, row in enumerate(rows):
        if row.reason != PromotionReason.EXPERIMENT:
            continue
        later = (r for r in rows[place + 1 :] if r.model_group == row.model_group)
        ended_at = next((r.recorded_at for r in later if r.recipe_sha256 != row.recipe_sha256), None)
        out.append(HealingCycle(row.model_group, row.version, row.recorded_at, ended_at, real))
    return out


def _ended(outcome: str | None) -> SessionEnd:
    """An outcome that is none of ours is no good one."""
    return SessionEnd(outcome or "") if (outcome or "") in set(SessionEnd) else SessionEnd.UNRECOVERABLE
