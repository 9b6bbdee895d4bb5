"""Foundation: partition contents, payloads, alerts, system state, promotions, candidates, orders and fills."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("partition_content", "system_state", "promotions")


def upgrade() -> None:
    """Create everything of the first release."""
    op.create_table(
        "alerts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("last_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("repeats", sa.Integer(), server_default="0", nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=True),
        sa.Column("session", sa.Date(), nullable=True),
        sa.Column("dataset", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=False),
        sa.CheckConstraint("level IN ('INFO', 'WARNING', 'CRITICAL')", name="ck_alerts_level"),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
    )
    op.create_index(
        "uq_alerts_open",
        "alerts",
        ["dedupe_key"],
        unique=True,
        schema="hydra",
        postgresql_where=sa.text("acknowledged_at IS NULL"),
    )
    op.create_table(
        "candidates",
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("champion_version", sa.Integer(), nullable=True),
        sa.Column("metrics", postgresql.JSONB(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("experiment_id"),
        schema="hydra",
    )
    op.create_table(
        "orders",
        sa.Column("order_ref", sa.Text(), nullable=False, comment="idempotency key"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("limit_price", sa.Double(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name="ck_orders_side"),
        sa.CheckConstraint("quantity > 0", name="ck_orders_quantity"),
        sa.PrimaryKeyConstraint("order_ref"),
        schema="hydra",
    )
    op.create_table(
        "partition_content",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column(
            "session", sa.Date(), nullable=False, comment="the partition's date; report_week where that partitions"
        ),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False, comment="digest of the partition's rows"),
        sa.Column("reason", sa.Text(), nullable=True, comment="why an empty partition is empty"),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("delta_version", sa.BigInteger(), nullable=True),
        sa.Column(
            "written_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only: what every materialisation wrote; partition_content_latest has the newest of each.",
    )
    op.create_index(
        "ix_partition_content_partition",
        "partition_content",
        ["dataset", "market", "session", sa.literal_column("id DESC")],
        unique=False,
        schema="hydra",
    )
    op.create_table(
        "payloads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_count", sa.Integer(), server_default="1", nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "context",
            sa.Text(),
            server_default="",
            nullable=False,
            comment="digest of the configuration",
        ),
        sa.Column("rows_total", sa.BigInteger(), nullable=False),
        sa.Column("rows_loaded", sa.BigInteger(), nullable=False),
        sa.Column("rows_superseded", sa.BigInteger(), nullable=False),
        sa.Column("rows_quarantined", sa.BigInteger(), nullable=False),
        sa.Column("rows_set_aside", sa.BigInteger(), nullable=False),
        sa.Column("notes", postgresql.JSONB(), server_default="[]", nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "dataset", "source", "name", "sha256", "state", "reason", "context", name="uq_payloads_delivery"
        ),
        schema="hydra",
        comment="Every delivery of a vendor with its end state; the same delivery again only counts up.",
    )
    op.create_table(
        "components",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        schema="hydra",
        comment="What the bootstrap has initialised in this database, and in which version.",
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model_uri", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("recipe_sha256", sa.Text(), nullable=False),
        sa.Column("previous_version", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only; the newest row of a group is its champion, the registry's alias follows it.",
    )
    op.create_index(
        "ix_promotions_group", "promotions", ["model_group", sa.literal_column("id DESC")], unique=False, schema="hydra"
    )
    op.create_table(
        "system_state",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('RUNNING', 'DEGRADED', 'HALTED', 'LOCKDOWN')", name="ck_system_state_state"),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only history; the newest row is the system's state.",
    )
    op.create_table(
        "fills",
        sa.Column("exec_id", sa.Text(), nullable=False, comment="the broker's name of the execution"),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("price", sa.Double(), nullable=False),
        sa.Column("fee", sa.Double(), nullable=False),
        sa.Column("filled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name="ck_fills_quantity"),
        sa.ForeignKeyConstraint(
            ["order_ref"],
            ["hydra.orders.order_ref"],
        ),
        sa.PrimaryKeyConstraint("exec_id"),
        schema="hydra",
    )
    op.create_index(op.f("ix_hydra_fills_order_ref"), "fills", ["order_ref"], unique=False, schema="hydra")
    op.create_table(
        "payload_reasons",
        sa.Column("payload_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["payload_id"], ["hydra.payloads.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("payload_id", "disposition", "reason"),
        schema="hydra",
        comment="Rejected rows of a payload by disposition and reason code.",
    )
    op.execute(
        """
        CREATE VIEW hydra.partition_content_latest AS
        SELECT DISTINCT ON (dataset, market, session) *
        FROM hydra.partition_content
        ORDER BY dataset, market, session, id DESC
        """
    )
    op.execute(
        """
        CREATE FUNCTION hydra.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'table %.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME;
        END
        $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hydra.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hydra.refuse_change()"
        )
