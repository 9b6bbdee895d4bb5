"""The alert sink: a table, one structured log line and, where configured, a webhook.

Raising an alert never fails its caller for the webhook's sake: a post that does not get through in five seconds is
logged and forgotten; the table has the alert.
"""

from dataclasses import dataclass

import httpx
import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert

from hydra_assets.state.records import Alert, AlertLevel
from hydra_assets.state.tables import alerts

WEBHOOK_TIMEOUT_SECONDS = 5.0

_log = structlog.get_logger("hydra.alerts")
_LOG_LEVELS = {AlertLevel.INFO: "info", AlertLevel.WARNING: "warning", AlertLevel.CRITICAL: "critical"}


@dataclass(frozen=True, slots=True)
class AlertSink:
    """Where alerts go. ``webhook_url`` receives one JSON POST per new alert, none for repetitions."""

    engine: sa.Engine
    webhook_url: str | None = None

    def raise_alert(self, alert: Alert) -> bool:
        """Record an alert; False where an open alert of the same key only counted up."""
        statement = insert(alerts).values(
            level=str(alert.level),
            code=alert.code,
            market=alert.market,
            session=alert.session,
            dataset=alert.dataset,
            message=alert.message,
            run_id=alert.run_id,
            dedupe_key=alert.key,
        )
        upsert = statement.on_conflict_do_update(
            index_elements=[alerts.c.dedupe_key],
            index_where=alerts.c.acknowledged_at.is_(None),
            set_={"repeats": alerts.c.repeats + 1, "last_at": sa.func.clock_timestamp()},
        ).returning(alerts.c.repeats)
        with self.engine.begin() as connection:
            repeats: int = connection.execute(upsert).scalar_one()
        new = repeats == 0
        if new:
            fields = _fields(alert)
            getattr(_log, _LOG_LEVELS[alert.level])(
                alert.message, **{k: v for k, v in fields.items() if k != "message"}
            )
            self._post(fields)
        return new

    def acknowledge(self, alert_id: int) -> bool:
        """Close an open alert; False where there is none of that number."""
        statement = (
            sa.update(alerts)
            .where(alerts.c.id == alert_id, alerts.c.acknowledged_at.is_(None))
            .values(acknowledged_at=sa.func.clock_timestamp())
        )
        with self.engine.begin() as connection:
            return connection.execute(statement).rowcount == 1

    def _post(self, fields: dict[str, str]) -> None:
        if self.webhook_url is None:
            return
        try:
            httpx.post(self.webhook_url, json=fields, timeout=WEBHOOK_TIMEOUT_SECONDS).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            _log.warning("alert webhook failed", code=fields["code"], error=f"{type(error).__name__}: {error}")


def _fields(alert: Alert) -> dict[str, str]:
    named = {
        "level": alert.level,
        "code": alert.code,
        "market": alert.market,
        "session": alert.session,
        "dataset": alert.dataset,
        "message": alert.message,
        "run_id": alert.run_id,
    }
    return {name: str(value) for name, value in named.items() if value is not None}
