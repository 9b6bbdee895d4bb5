"""The journal: what the loop saw, thought and did. Figures and an LLM's words stand in columns of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.healing_tables import journal

MOST_ROWS = 10_000


class JournalKind(StrEnum):
    """What an entry is about."""

    OBSERVATION = "observation"
    DIAGNOSIS = "diagnosis"
    RESPONSE = "response"
    PROPOSAL = "proposal"
    EXPERIMENT = "experiment"
    VERDICT = "verdict"
    PROMOTION = "promotion"
    ROLLBACK = "rollback"
    OPERATOR = "operator"
    META = "meta"
    """The loop on itself: its experiments of late, budgets that ran out."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One entry; the same kind, group and subject is the same entry."""

    kind: JournalKind
    model_group: str
    session: date
    subject: str
    head: str = ""
    mutation: str = ""
    outcome: str = ""
    regime: str = ""
    tags: tuple[str, ...] = ()
    message: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class JournalQuery:
    """What to look for; every part that is given has to hold."""

    kinds: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    date_from: date | None = None
    date_to: date | None = None
    mutations: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    text: str = ""
    """Part of subject, message or note, in any case."""
    model_group: str = ""
    limit: int = 50


def write(engine: sa.Engine, entry: JournalEntry) -> bool:
    """Add an entry; False where it was written before."""
    values = asdict(entry) | {"kind": str(entry.kind), "tags": list(entry.tags), "facts": dict(entry.facts)}
    with engine.begin() as connection:
        found = connection.execute(insert(journal).values(**values).on_conflict_do_nothing())
        return found.rowcount == 1


def search(engine: sa.Engine, query: JournalQuery) -> list[tuple[datetime, JournalEntry]]:
    """Entries that a query asks for, newest first, with the instant each was written at."""
    columns = [journal.c[name] for name in JournalEntry.__dataclass_fields__]
    statement = (
        sa.select(journal.c.recorded_at, *columns)
        .where(*_conditions(query))
        .order_by(journal.c.id.desc())
        .limit(max(1, min(query.limit, MOST_ROWS)))
    )
    with engine.connect() as connection:
        return [_read(row) for row in connection.execute(statement)]


def _read(row: sa.Row[Any]) -> tuple[datetime, JournalEntry]:
    fields = dict(row._mapping)
    recorded: datetime = fields.pop("recorded_at")
    return recorded, JournalEntry(**fields | {"kind": JournalKind(fields["kind"]), "tags": tuple(fields["tags"])})


def _conditions(query: JournalQuery) -> list[sa.ColumnElement[bool]]:
    named: Sequence[tuple[sa.Column[Any], tuple[str, ...]]] = (
        (journal.c.kind, query.kinds),
        (journal.c.mutation, query.mutations),
        (journal.c.head, query.heads),
        (journal.c.outcome, query.outcomes),
        (journal.c.regime, query.regimes),
    )
    found: list[sa.ColumnElement[bool]] = [column.in_(wanted) for column, wanted in named if wanted]
    if query.model_group:
        found.append(journal.c.model_group == query.model_group)
    if query.tags:
        found.append(journal.c.tags.contains(list(query.tags)))
    if query.date_from is not None:
        found.append(journal.c.session >= query.date_from)
    if query.date_to is not None:
        found.append(journal.c.session <= query.date_to)
    if "\0" in query.text:
        # No text of the database holds it, and the driver refuses to ask.
        found.append(sa.false())
    elif query.text:
        part = query.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found.append(
            sa.or_(
                *(
                    column.ilike(f"%{part}%", escape="\\")
                    for column in (journal.c.subject, journal.c.message, journal.c.note)
                )
            )
        )
    return found
