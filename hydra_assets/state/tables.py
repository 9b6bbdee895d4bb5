"""SQLAlchemy Core tables of the schema ``hydra``; the migrations create them, a test keeps the two equal."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "hydra"
metadata = sa.MetaData(schema=SCHEMA)

_INSTANT = sa.DateTime(timezone=True)


def instant_now(name: str) -> sa.Column[datetime]:
    """Column that the database sets to the instant of the insert."""
    return sa.Column(name, _INSTANT, nullable=False, server_default=sa.func.clock_timestamp())


def serial() -> sa.Column[int]:
    """Primary key that counts up."""
    return sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True)


def text(name: str) -> sa.Column[str]:
    """Text column, empty where nothing is said."""
    return sa.Column(name, sa.Text, nullable=False, server_default="")


partition_content = sa.Table(
    "partition_content",
    metadata,
    serial(),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("market", sa.Text, nullable=False),
    sa.Column("session", sa.Date, nullable=False, comment="the partition's date; report_week where that partitions"),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False, comment="digest of the partition's rows"),
    sa.Column("reason", sa.Text, comment="why an empty partition is empty"),
    sa.Column("code_version", sa.Text, nullable=False),
    sa.Column("delta_version", sa.BigInteger),
    instant_now("written_at"),
    comment="Append-only: what every materialisation wrote; partition_content_latest has the newest of each.",
)
sa.Index(
    "ix_partition_content_partition",
    partition_content.c.dataset,
    partition_content.c.market,
    partition_content.c.session,
    partition_content.c.id.desc(),
)

partition_content_latest = sa.table(
    "partition_content_latest",
    *(sa.column(column.name, column.type) for column in partition_content.columns),
    schema=SCHEMA,
)
"""The view on the newest row of each (dataset, market, session)."""

payloads = sa.Table(
    "payloads",
    metadata,
    serial(),
    sa.Column("dataset", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    text("sha256"),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("fetched_at", _INSTANT, nullable=False),
    sa.Column("last_received_at", _INSTANT, nullable=False),
    sa.Column("received_count", sa.Integer, nullable=False, server_default="1"),
    sa.Column("available_at", _INSTANT),
    sa.Column("state", sa.Text, nullable=False),
    text("reason"),
    text("detail"),
    sa.Column("context", sa.Text, nullable=False, server_default="", comment="digest of the configuration"),
    sa.Column("rows_total", sa.BigInteger, nullable=False),
    sa.Column("rows_loaded", sa.BigInteger, nullable=False),
    sa.Column("rows_superseded", sa.BigInteger, nullable=False),
    sa.Column("rows_quarantined", sa.BigInteger, nullable=False),
    sa.Column("rows_set_aside", sa.BigInteger, nullable=False),
    sa.Column("notes", JSONB, nullable=False, server_default="[]"),
    text("run_id"),
    sa.UniqueConstraint(
        "dataset", "source", "name", "sha256", "state", "reason", "context", name="uq_payloads_delivery"
    ),
    comment="Every delivery of a vendor with its end state; the same delivery again only counts up.",
)

payload_reasons = sa.Table(
    "payload_reasons",
    metadata,
    sa.Column(
        "payload_id",
        sa.BigInteger,
        sa.ForeignKey(payloads.c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("disposition", sa.Text, primary_key=True),
    sa.Column("reason", sa.Text, primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    comment="Rejected rows of a payload by disposition and reason code.",
)

alerts = sa.Table(
    "alerts",
    metadata,
    serial(),
    instant_now("recorded_at"),
    instant_now("last_at"),
    sa.Column("repeats", sa.Integer, nullable=False, server_default="0"),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("market", sa.Text),
    sa.Column("session", sa.Date),
    sa.Column("dataset", sa.Text),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("run_id", sa.Text),
    sa.Column("acknowledged_at", _INSTANT),
    sa.Column("dedupe_key", sa.Text, nullable=False),
    sa.CheckConstraint("level IN ('INFO', 'WARNING', 'CRITICAL')", name="ck_alerts_level"),
)
sa.Index(
    "uq_alerts_open",
    alerts.c.dedupe_key,
    unique=True,
    postgresql_where=alerts.c.acknowledged_at.is_(None),
)

system_state = sa.Table(
    "system_state",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('RUNNING', 'DEGRADED', 'HALTED', 'LOCKDOWN')", name="ck_system_state_state"),
    comment="Append-only history; the newest row is the system's state.",
)

components = sa.Table(
    "components",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.Text, nullable=False),
    instant_now("ready_at"),
    comment="What the bootstrap has initialised in this database, and in which version.",
)

promotions = sa.Table(
    "promotions",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("model_group", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("model_uri", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("recipe_sha256", sa.Text, nullable=False),
    sa.Column("previous_version", sa.Integer),
    sa.Column("reason", sa.Text, nullable=False),
    text("run_id"),
    sa.Column("effective_after", sa.Date, nullable=False),
    comment="Append-only; the newest row of a group is its champion, the registry's alias follows it.",
)
sa.Index("ix_promotions_group", promotions.c.model_group, promotions.c.id.desc())

champion_stages = sa.Table(
    "champion_stages",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("model_group", sa.Text, nullable=False),
    sa.Column("recipe_sha256", sa.Text, nullable=False),
    sa.Column("effective_after", sa.Date, nullable=False),
    sa.Column("stage", sa.Text, nullable=False),
    sa.Column("size_fraction", sa.Double, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("figures", JSONB, nullable=False),
    text("run_id"),
    sa.UniqueConstraint("model_group", "recipe_sha256", "effective_after", "stage", name="uq_champion_stages_decision"),
    sa.CheckConstraint("stage IN ('provisional', 'full', 'retired')", name="ck_champion_stages_stage"),
    comment="Append-only: the share of its size that a group's champion trades, and since which session.",
)

judgements = sa.Table(
    "judgements",
    metadata,
    sa.Column("model_group", sa.Text, primary_key=True),
    sa.Column("training_date", sa.Date, primary_key=True),
    instant_now("recorded_at"),
    sa.Column("code", sa.Text, nullable=False),
    text("message"),
    sa.Column("metrics", JSONB, nullable=False),
    sa.Column("gates", JSONB, nullable=False),
    text("run_id"),
    comment="What each training date of a group came to; judging it again replaces it.",
)

stress_reports = sa.Table(
    "stress_reports",
    metadata,
    sa.Column("model_group", sa.Text, primary_key=True),
    sa.Column("training_date", sa.Date, primary_key=True),
    sa.Column("strategy", sa.Text, primary_key=True),
    sa.Column("scenario", sa.Text, primary_key=True),
    instant_now("recorded_at"),
    sa.Column("stress_reason", sa.Text, nullable=False),
    text("message"),
    sa.Column("figures", JSONB, nullable=False),
    text("run_id"),
    comment="What a strategy stands by scenario, on what was known at a training date.",
)
