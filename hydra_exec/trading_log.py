"""Sessions that were worked, the operator's switch, and what was decided: rows that outlive a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on, insert

from hydra_assets.state.execution_tables import fill_fees, fills, orders, trading_sessions, trading_switch
from hydra_assets.state.tables import components
from hydra_exec.desk.desk import WorkOutcome
from hydra_exec.journal import store
from hydra_exec.journal.frames import newest_fee
from hydra_exec.journal.records import FillKind
from hydra_exec.valuation import Trade

HOME_ID = "home_id"
"""Entry of the components table that names the home."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that was begun. Without an outcome it is under way, or its process was killed."""

    account: str
    broker: str
    real_sources: bool
    wall_date: date
    session: date
    started_at: datetime
    outcome: str | None
    detail: str
    run_id: str


def begin_session(
    engine: sa.Engine, account: str, broker: str, real_sources: bool, wall_date: date, session: date, run_id: str
) -> int:
    """Note that a session is begun; its number."""
    values = {
        "account": account,
        "broker": broker,
        "real_sources": real_sources,
        "wall_date": wall_date,
        "session": session,
        "run_id": run_id,
    }
    with engine.begin() as connection:
        number = connection.scalar(sa.insert(trading_sessions).values(values).returning(trading_sessions.c.id))
    return int(number or 0)


def end_session(
    engine: sa.Engine,
    number: int,
    outcome: WorkOutcome,
    equity_cents: int | None = None,
    positions: Mapping[str, int] | None = None,
) -> None:
    """Note how a session ended, what the account was worth at its settles, and what the broker said was held."""
    values = {
        "outcome": str(outcome),
        "equity_cents": equity_cents,
        "positions": None if positions is None else dict(positions),
    }
    with engine.begin() as connection:
        connection.execute(
            sa.update(trading_sessions)
            .where(trading_sessions.c.id == number)
            .values(ended_at=sa.func.clock_timestamp(), **values)
        )


def broker_word(engine: sa.Engine, account: str) -> dict[date, dict[str, int]]:
    """What the broker said was held at the cutoff of each session in which it was asked."""
    rows = trading_sessions
    query = sa.select(rows.c.session, rows.c.positions).where(rows.c.account == account, rows.c.positions.is_not(None))
    with engine.connect() as connection:
        return {session: dict(held) for session, held in connection.execute(query.order_by(rows.c.id))}


def last_traded(engine: sa.Engine, account: str) -> date | None:
    """The newest session of an account whose orders were decided; only those have what the account was worth."""
    ended = (trading_sessions.c.account == account) & trading_sessions.c.equity_cents.is_not(None)
    with engine.connect() as connection:
        last: date | None = connection.scalar(sa.select(sa.func.max(trading_sessions.c.session)).where(ended))
    return last


def equities(engine: sa.Engine, account: str) -> list[tuple[date, int]]:
    """What an account was worth at the settles of each session that it was traded through, in cents, in order."""
    rows = trading_sessions
    query = (
        sa.select(rows.c.session, rows.c.equity_cents)
        .where(rows.c.account == account, rows.c.equity_cents.is_not(None))
        .ext(distinct_on(rows.c.session))
        .order_by(rows.c.session, rows.c.id.desc())
    )
    with engine.connect() as connection:
        return [(session, int(cents)) for session, cents in connection.execute(query)]


def sessions_of(engine: sa.Engine, account: str) -> list[SessionRow]:
    """Sessions of an account, oldest first."""
    columns = [trading_sessions.c[name] for name in SessionRow.__dataclass_fields__]
    query = sa.select(*columns).where(trading_sessions.c.account == account).order_by(trading_sessions.c.id)
    with engine.connect() as connection:
        return [SessionRow(**row._mapping) for row in connection.execute(query)]


def switched_on(engine: sa.Engine) -> bool:
    """Whether orders may be worked: the operator's newest word, yes where there is none."""
    query = sa.select(trading_switch.c.on).order_by(trading_switch.c.id.desc()).limit(1)
    with engine.connect() as connection:
        found = connection.scalar(query)
    return True if found is None else bool(found)


def switch(engine: sa.Engine, on: bool, actor: str, reason: str) -> None:
    """Switch working on or off; the history stays."""
    with engine.begin() as connection:
        connection.execute(sa.insert(trading_switch).values(on=on, actor=actor, reason=reason))


def home_id(engine: sa.Engine) -> str:
    """What tells this home from every other: a random name, made once."""
    statement = insert(components).values(name=HOME_ID, version=str(uuid4())).on_conflict_do_nothing()
    with engine.begin() as connection:
        connection.execute(statement)
        return str(connection.scalar(sa.select(components.c.version).where(components.c.name == HOME_ID)))


def order_names(engine: sa.Engine, account: str, session: date) -> frozenset[str]:
    """Orders that a session has on record."""
    query = sa.select(orders.c.order_ref).where(orders.c.account == account, orders.c.session == session)
    with engine.connect() as connection:
        return frozenset(connection.scalars(query))


@dataclass(frozen=True, slots=True)
class Booked:
    """How far fills were booked: up to which link of the chain, and as what each was counted, by its base id."""

    seq: int = 0
    counted: Mapping[str, Trade] = field(default_factory=dict)
    awaiting: Mapping[str, int] = field(default_factory=dict)
    """Links of the revisions whose own fee may still be heard."""


def trades(engine: sa.Engine, account: str, booked: Booked) -> tuple[list[Trade], Booked]:
    """Fills of an account behind what was booked, as money counts them, and how far that is.

    A revision takes back what it supersedes, lots, price and fee, so that the sum is right whenever it is taken. A fill
    costs what ``newest_fee`` says, once, and nothing where it was taken back: as in ``fills``. A fee that is heard
    after its fill was booked comes as a trade of no lots.
    """
    own = (fill_fees.c.account == fills.c.account) & (fill_fees.c.exec_id == fills.c.exec_id)
    query = (
        sa.select(fills, newest_fee(fills).label("fee"), fill_fees.c.exec_id.is_not(None).label("has_own"))
        .outerjoin(fill_fees, own)
        .where(fills.c.account == account)
        .where((fills.c.seq > booked.seq) | fills.c.seq.in_(booked.awaiting.values()))
        .order_by(fills.c.seq)
    )
    out: list[Trade] = []
    newest, counted, awaiting = booked.seq, dict(booked.counted), dict(booked.awaiting)
    with engine.connect() as connection:
        rows = connection.execute(query).all()
    for row in rows:
        line, base = store.fill_line(row), row.base_exec_id
        fee = float(row.fee or 0.0) if line.quantity else 0.0
        now = Trade(line.contract, line.signed, line.price, fee, line.executed_at)
        out += _moved(counted.get(base), now)
        newest, counted[base] = max(newest, row.seq), now
        awaiting.pop(base, None)
        if line.kind is FillKind.FILL and line.quantity and not row.has_own:
            awaiting[base] = row.seq
    return out, Booked(newest, counted, awaiting)


def _moved(before: Trade | None, now: Trade) -> list[Trade]:
    """What leads from a fill as it was counted to how it counts now."""
    if before is None:
        return [now]
    if replace(before, fee=now.fee) == now:
        change = now.fee - before.fee
        return [replace(now, lots=0, fee=change)] if change else []
    return [replace(before, lots=-before.lots, fee=-before.fee), now]
