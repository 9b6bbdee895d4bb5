from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from hydra_assets.state.payloads import parsed_payloads, record_payload, record_payloads
from hydra_assets.state.records import PayloadRecord
from hydra_assets.state.tables import payload_reasons, payloads

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)
PARSED = PayloadRecord(
    dataset="raw_cot_reports",
    source="cftc",
    name="deacot2025.zip",
    sha256="aa" * 32,
    size_bytes=10,
    fetched_at=NOW,
    state="parsed",
    available_at=NOW - timedelta(days=1),
    rows_total=10,
    rows_loaded=7,
    rows_quarantined=2,
    rows_set_aside=1,
    notes=("new_column:foo",),
    reasons={("quarantined", "bad_number"): 2, ("set_aside", "other_market"): 1},
    context="c1",
)


def all_payloads(engine: sa.Engine) -> list[sa.RowMapping]:
    with engine.connect() as connection:
        return [row._mapping for row in connection.execute(sa.select(payloads).order_by(payloads.c.id))]


def test_delivery_is_recorded_with_its_reasons(state_engine: sa.Engine) -> None:
    record_payload(state_engine, PARSED)
    (row,) = all_payloads(state_engine)
    assert (row["rows_total"], row["rows_loaded"], row["rows_quarantined"], row["rows_set_aside"]) == (10, 7, 2, 1)
    assert row["available_at"] == PARSED.available_at
    assert row["notes"] == ["new_column:foo"]
    with state_engine.connect() as connection:
        found = connection.execute(
            sa.select(payload_reasons.c.disposition, payload_reasons.c.reason, payload_reasons.c.rows)
        )
        assert {(d, r): n for d, r, n in found} == dict(PARSED.reasons)


def test_same_delivery_again_counts_up_and_takes_the_newer_outcome(state_engine: sa.Engine) -> None:
    record_payload(state_engine, PARSED)
    later = replace(
        PARSED, fetched_at=NOW + timedelta(hours=1), rows_loaded=10, rows_quarantined=0, rows_set_aside=0, reasons={}
    )
    record_payloads(state_engine, [later, later])
    (row,) = all_payloads(state_engine)
    assert row["received_count"] == 3
    assert row["fetched_at"] == NOW
    assert row["last_received_at"] == NOW + timedelta(hours=1)
    assert row["rows_loaded"] == 10
    with state_engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(payload_reasons)) == 0


def test_another_state_of_the_same_bytes_is_a_row_of_its_own(state_engine: sa.Engine) -> None:
    record_payloads(state_engine, [PARSED, replace(PARSED, state="unchanged", reason="delivered_before", reasons={})])
    assert [row["state"] for row in all_payloads(state_engine)] == ["parsed", "unchanged"]


def test_only_parsed_payloads_of_the_context_are_known(state_engine: sa.Engine) -> None:
    record_payloads(
        state_engine,
        [
            PARSED,
            replace(PARSED, sha256="bb" * 32, state="unreadable"),
            replace(PARSED, sha256="cc" * 32, dataset="raw_headlines"),
            replace(PARSED, sha256="dd" * 32, available_at=None),
            replace(PARSED, sha256="ee" * 32, context="c2"),
        ],
    )
    known = parsed_payloads(state_engine, "raw_cot_reports", "c1")
    assert known == {"aa" * 32: PARSED.available_at, "dd" * 32: None}


def test_many_deliveries_are_few_statements(state_engine: sa.Engine) -> None:
    many = [replace(PARSED, name=f"file {i}", sha256=f"{i:064x}") for i in range(3000)]
    statements = []
    sa.event.listen(state_engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    record_payloads(state_engine, many)
    assert len(statements) < 50
    assert len(all_payloads(state_engine)) == 3000
