"""Deliveries of vendors: what came, in which state it ended, and where each of its rows went."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.quality_deliveries import DeliveryOutcome
from hydra_assets.state.records import PayloadRecord
from hydra_assets.state.tables import payload_reasons, payloads

_Key = tuple[str, str, str, str, str, str, str]
_KEY = ("dataset", "source", "name", "sha256", "state", "reason", "context")
_OUTCOME = (
    "size_bytes",
    "available_at",
    "detail",
    "rows_total",
    "rows_loaded",
    "rows_superseded",
    "rows_quarantined",
    "rows_set_aside",
    "notes",
    "run_id",
)


def record_payload(engine: sa.Engine, record: PayloadRecord) -> None:
    """Record one delivery; the same delivery in the same state again counts up and takes the newer outcome."""
    record_payloads(engine, [record])


def record_payloads(engine: sa.Engine, records: Sequence[PayloadRecord]) -> None:
    """Record deliveries in one transaction, in a few statements however many they are."""
    newest: dict[_Key, PayloadRecord] = {_key(record): record for record in records}
    if not newest:
        return
    counts = Counter(_key(record) for record in records)
    rows = [_row(record, counts[key]) for key, record in newest.items()]
    statement = insert(payloads)
    upsert = statement.on_conflict_do_update(
        constraint="uq_payloads_delivery",
        set_={
            **{name: statement.excluded[name] for name in _OUTCOME},
            "received_count": payloads.c.received_count + statement.excluded.received_count,
            "last_received_at": statement.excluded.last_received_at,
        },
    ).returning(payloads.c.id, *(payloads.c[name] for name in _KEY))
    with engine.begin() as connection:
        ids = {tuple(key): payload_id for payload_id, *key in connection.execute(upsert, rows)}
        connection.execute(sa.delete(payload_reasons).where(payload_reasons.c.payload_id.in_(ids.values())))
        reasons = [
            {"payload_id": ids[key], "disposition": disposition, "reason": reason, "rows": n}
            for key, record in newest.items()
            for (disposition, reason), n in record.reasons.items()
        ]
        if reasons:
            connection.execute(sa.insert(payload_reasons), reasons)


def _key(record: PayloadRecord) -> _Key:
    return (record.dataset, record.source, record.name, record.sha256, record.state, record.reason, record.context)


def _row(record: PayloadRecord, received_count: int) -> dict[str, object]:
    values = {name: getattr(record, name) for name in PayloadRecord.__dataclass_fields__ if name != "reasons"}
    return {
        **values,
        "notes": list(record.notes),
        "received_count": received_count,
        "last_received_at": record.fetched_at,
    }


def parsed_payloads(engine: sa.Engine, dataset: str, context: str) -> dict[str, datetime | None]:
    """Digests of a dataset's payloads parsed in a context, with the instant at which each was public (or None)."""
    query = sa.select(payloads.c.sha256, payloads.c.available_at).where(
        payloads.c.dataset == dataset, payloads.c.context == context, payloads.c.state == "parsed"
    )
    with engine.connect() as connection:
        return {row.sha256: row.available_at for row in connection.execute(query)}


def published_payloads(engine: sa.Engine, dataset: str) -> dict[str, datetime]:
    """Since when each parsed payload of a dataset was public: its own evidence, or its first fetch. Any context."""
    public = sa.func.min(sa.func.coalesce(payloads.c.available_at, payloads.c.fetched_at)).label("public")
    query = (
        sa.select(payloads.c.sha256, public)
        .where(payloads.c.dataset == dataset, payloads.c.state == "parsed")
        .group_by(payloads.c.sha256)
    )
    with engine.connect() as connection:
        return {row.sha256: row.public for row in connection.execute(query)}


def run_row_counts(engine: sa.Engine, dataset: str, run_id: str) -> tuple[int, int]:
    """Rows of ours that a run's deliveries of a dataset brought, and how many of them are in quarantine.

    A row counts as quarantined where any part of it is, though another part of it was loaded.
    """
    ours = payloads.c.rows_loaded + payloads.c.rows_superseded + payloads.c.rows_quarantined
    mine = sa.and_(payloads.c.dataset == dataset, payloads.c.run_id == run_id)
    refused = (
        sa.select(payload_reasons.c.payload_id, sa.func.sum(payload_reasons.c.rows).label("rows"))
        .where(payload_reasons.c.disposition == "quarantined")
        .group_by(payload_reasons.c.payload_id)
        .subquery()
    )
    # Two parts of one row may be refused for two reasons.
    query = (
        sa.select(
            sa.func.coalesce(sa.func.sum(ours), 0),
            sa.func.coalesce(sa.func.sum(sa.func.least(sa.func.coalesce(refused.c.rows, 0), ours)), 0),
        )
        .select_from(payloads.outerjoin(refused, refused.c.payload_id == payloads.c.id))
        .where(mine)
    )
    with engine.connect() as connection:
        delivered, quarantined = connection.execute(query).one()
    return int(delivered), int(quarantined)


def run_deliveries(engine: sa.Engine, dataset: str, run_id: str) -> list[DeliveryOutcome]:
    """How the deliveries of a run ended, by source and name."""
    names = ("source", "name", "state", "reason", "notes")
    query = (
        sa.select(*(payloads.c[name] for name in names))
        .where(payloads.c.dataset == dataset, payloads.c.run_id == run_id)
        .order_by(payloads.c.source, payloads.c.name, payloads.c.id)
    )
    with engine.connect() as connection:
        return [
            DeliveryOutcome(row.source, row.name, row.state, row.reason, tuple(row.notes))
            for row in connection.execute(query)
        ]
