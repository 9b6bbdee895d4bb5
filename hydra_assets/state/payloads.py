"""Deliveries of vendors: what came, in which state it ended, and where each of its rows went."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.records import PayloadRecord
from hydra_assets.state.tables import payload_reasons, payloads

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
    """Record deliveries in one transaction."""
    with engine.begin() as connection:
        for record in records:
            values = asdict(record)
            values["notes"] = list(record.notes)
            reasons = values.pop("reasons")
            statement = insert(payloads).values(**values, last_received_at=record.fetched_at)
            payload_id = connection.execute(
                statement.on_conflict_do_update(
                    constraint="uq_payloads_delivery",
                    set_={
                        **{name: statement.excluded[name] for name in _OUTCOME},
                        "received_count": payloads.c.received_count + 1,
                        "last_received_at": statement.excluded.last_received_at,
                    },
                ).returning(payloads.c.id)
            ).scalar_one()
            connection.execute(sa.delete(payload_reasons).where(payload_reasons.c.payload_id == payload_id))
            if reasons:
                connection.execute(
                    sa.insert(payload_reasons),
                    [
                        {"payload_id": payload_id, "disposition": disposition, "reason": reason, "rows": rows}
                        for (disposition, reason), rows in reasons.items()
                    ],
                )


def known_payloads(engine: sa.Engine, dataset: str, source: str) -> set[str]:
    """Digests of the payloads of a dataset and source that were parsed: delivered again, they are unchanged."""
    query = sa.select(payloads.c.sha256).where(
        payloads.c.dataset == dataset, payloads.c.source == source, payloads.c.state == "parsed"
    )
    with engine.connect() as connection:
        return set(connection.scalars(query))
