"""Execution: how sessions went, what was agreed with the broker, and what stands between it and a live account."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

APPEND_ONLY = (
    "reconciliations",
    "connection_log",
    "breaker_log",
    "slippage_versions",
    "trading_switch",
    "gate_records",
)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "breaker_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False, comment="empty for the account's own"),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("account", "market", "session", "after", name="uq_breaker_log_move"),
        schema="hydra",
        comment="Append-only: every move of a circuit breaker; the newest of each is its state.",
    )
    op.create_table(
        "connection_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        _text("detail"),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only: connections made, lost and restored.",
    )
    op.create_table(
        "demands",
        sa.Column("origin", sa.Text(), nullable=False),
        _instant("updated_at"),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('RUNNING', 'DEGRADED', 'HALTED', 'LOCKDOWN')", name="ck_demands_state"),
        sa.PrimaryKeyConstraint("origin"),
        schema="hydra",
        comment="What each part of the system demands of its state now; the strictest wins.",
    )
    op.create_table(
        "gate_records",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        _instant("recorded_at"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical JSON; what the digest is of"),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("kind", "account", "subject", name="uq_gate_records_subject"),
        schema="hydra",
        comment="Append-only and hash-chained: drills that were passed, and an operator's word on live trading.",
    )
    op.create_table(
        "heartbeats",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expected", sa.Boolean(), nullable=False, comment="whether silence is an alarm"),
        sa.Column("state", sa.Text(), nullable=False),
        _text("run_id"),
        sa.PrimaryKeyConstraint("role"),
        schema="hydra",
        comment="When a connection was last known to answer.",
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False, comment="by the broker's clock"),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "positions", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="the broker's own word"
        ),
        sa.Column("differences", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only: every comparison of the journal with the broker's full answer.",
    )
    op.create_table(
        "slippage_versions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("effective_after", sa.Date(), nullable=False),
        sa.Column("impact_y", sa.Double(), nullable=False),
        sa.Column("pessimism", sa.Double(), nullable=False),
        sa.Column("fills", sa.Integer(), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("market", "effective_after", name="uq_slippage_versions_session"),
        schema="hydra",
        comment="Append-only: what fills have taught of impact; a replay reads the version that held at the time.",
    )
    op.create_table(
        "trading_sessions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("real_sources", sa.Boolean(), nullable=False),
        sa.Column("wall_date", sa.Date(), nullable=False, comment="date of the wall clock, in UTC"),
        sa.Column("session", sa.Date(), nullable=False),
        _instant("started_at"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True, comment="none while it runs, and for ever where it was killed"),
        sa.Column(
            "equity_cents", sa.BigInteger(), nullable=True, comment="the account's worth at the session's settles"
        ),
        sa.Column(
            "positions",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="the broker's own word at the cutoff, by contract",
        ),
        _text("detail"),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Every session that was worked through a broker, and how it ended.",
    )
    op.create_table(
        "trading_switch",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only: whether new orders are worked at all; the newest row holds.",
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hydra.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hydra.refuse_change()"
        )


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)
