import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.records import Alert, AlertLevel
from hydra_assets.state.tables import alerts

LATE = Alert(
    level=AlertLevel.WARNING,
    code="late_report",
    message="the report of 2026-01-06 is late",
    market="HE",
    session=date(2026, 1, 9),
    dataset="raw_cot_reports",
)


class Hook:
    """A webhook on loopback that keeps what it gets."""

    def __init__(self, status: int) -> None:
        received: list[dict[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: object) -> None: ...

        self.received = received
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook(204)
    yield hook
    hook.close()


def stored(engine: sa.Engine) -> list[sa.RowMapping]:
    with engine.connect() as connection:
        return [row._mapping for row in connection.execute(sa.select(alerts).order_by(alerts.c.id))]


def test_alert_reaches_table_log_and_webhook(state_engine: sa.Engine, hook: Hook) -> None:
    with capture_logs() as logs:
        assert AlertSink(state_engine, hook.url).raise_alert(LATE) is True
    (row,) = stored(state_engine)
    assert (row["level"], row["code"], row["market"], row["session"]) == (
        "WARNING",
        "late_report",
        "HE",
        date(2026, 1, 9),
    )
    assert [(log["log_level"], log["event"], log["code"]) for log in logs] == [("warning", LATE.message, "late_report")]
    assert hook.received == [
        {
            "level": "WARNING",
            "code": "late_report",
            "market": "HE",
            "session": "2026-01-09",
            "dataset": "raw_cot_reports",
            "message": LATE.message,
        }
    ]


def test_repetition_counts_up_until_acknowledged(state_engine: sa.Engine, hook: Hook) -> None:
    sink = AlertSink(state_engine, hook.url)
    assert [sink.raise_alert(LATE) for _ in range(3)] == [True, False, False]
    (row,) = stored(state_engine)
    assert row["repeats"] == 2
    assert len(hook.received) == 1
    assert sink.acknowledge(row["id"]) is True
    assert sink.acknowledge(row["id"]) is False
    assert sink.raise_alert(LATE) is True
    assert len(stored(state_engine)) == 2
    assert len(hook.received) == 2


def test_different_sessions_are_different_alerts(state_engine: sa.Engine) -> None:
    sink = AlertSink(state_engine)
    other = Alert(LATE.level, LATE.code, LATE.message, LATE.market, date(2026, 1, 16), LATE.dataset)
    assert [sink.raise_alert(LATE), sink.raise_alert(other)] == [True, True]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/closed", "not a url", "http://[::bad"])
def test_webhook_that_fails_is_logged_and_never_raised(state_engine: sa.Engine, url: str) -> None:
    with capture_logs() as logs:
        assert AlertSink(state_engine, url).raise_alert(LATE) is True
    assert logs[-1]["event"] == "alert webhook failed"
    assert len(stored(state_engine)) == 1


def test_webhook_that_refuses_is_logged(state_engine: sa.Engine) -> None:
    refusing = Hook(500)
    try:
        with capture_logs() as logs:
            AlertSink(state_engine, refusing.url).raise_alert(LATE)
        assert "500" in logs[-1]["error"]
    finally:
        refusing.close()


def test_critical_alert_is_logged_as_critical(state_engine: sa.Engine) -> None:
    with capture_logs() as logs:
        AlertSink(state_engine).raise_alert(Alert(AlertLevel.CRITICAL, "halted", "trading is halted"))
    assert logs[0]["log_level"] == "critical"
