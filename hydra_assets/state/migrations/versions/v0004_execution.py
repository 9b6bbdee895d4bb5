"""Execution: what was decided, sent, heard and filled.

Orders and fills of before came from the simulated broker of the first days, without tickets or revisions: they go, and
``hydra backfill`` trades those sessions anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = ("broker_events", "fills", "fill_fees", "sim_broker_log")


def upgrade() -> None:
    """Create the tables."""
    op.drop_table("fills", schema="hydra")
    op.drop_table("orders", schema="hydra")
    op.create_table(
        "broker_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical JSON, as heard"),
        sa.Column("wire_ref", sa.Text(), nullable=True, comment="whose it is, where that was known"),
        sa.Column("outcome", sa.Text(), nullable=False, comment="what became of it"),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only: every message of a broker, as heard.",
    )
    op.create_index("ix_broker_events_wire_ref", "broker_events", ["wire_ref"], unique=False, schema="hydra")
    op.create_table(
        "fill_fees",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("exec_id", sa.Text(), nullable=False),
        sa.Column("fee", sa.Double(), nullable=False, comment="for the whole fill"),
        sa.Column("currency", sa.Text(), nullable=False),
        _instant("recorded_at"),
        sa.PrimaryKeyConstraint("account", "exec_id"),
        schema="hydra",
        comment="What the broker charged; it may be told before the fill.",
    )
    op.create_table(
        "fills",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        _instant("recorded_at"),
        sa.Column("kind", sa.Text(), nullable=False, comment="fill, or adjustment to the broker's word"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("exec_id", sa.Text(), nullable=False, comment="the broker's name of this revision"),
        sa.Column("base_exec_id", sa.Text(), nullable=False, comment="what all revisions of one fill share"),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column(
            "wire_ref", sa.Text(), nullable=True, comment="ticket that it fills; none where it is nobody's of ours"
        ),
        sa.Column("perm_id", sa.BigInteger(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False, comment="0 where a revision takes the fill back"),
        sa.Column("price", sa.Double(), nullable=False),
        sa.Column("executed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical JSON; what the digest is of"),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name="ck_fills_side"),
        sa.CheckConstraint("quantity >= 0", name="ck_fills_quantity"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("account", "exec_id", name="uq_fills_exec_id"),
        schema="hydra",
        comment="Append-only and hash-chained: every execution with every revision; a base's last one counts.",
    )
    op.create_index(
        "ix_fills_base",
        "fills",
        ["account", "base_exec_id", sa.literal_column("revision DESC")],
        unique=False,
        schema="hydra",
    )
    op.create_index("ix_fills_executed_at", "fills", ["account", "executed_at"], unique=False, schema="hydra")
    op.create_table(
        "orders",
        sa.Column("order_ref", sa.Text(), nullable=False, comment="idempotency key: market/session/contract"),
        _instant("created_at"),
        _instant("updated_at"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("session", sa.Date(), nullable=False, comment="at whose cutoff it was decided"),
        sa.Column("work_session", sa.Date(), nullable=False, comment="in which it may be worked"),
        sa.Column("reference_price", sa.Double(), nullable=False, comment="settle at the decision"),
        sa.Column("limit_price", sa.Double(), nullable=False, comment="worst price at which it may fill"),
        sa.Column("algo", sa.Text(), nullable=False),
        sa.Column("motive", sa.Text(), nullable=False, comment="why it was wanted"),
        sa.Column("gate_code", sa.Text(), nullable=False, comment="the risk gate's verdict on the decision"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False, comment="how it ended"),
        _text("run_id"),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name="ck_orders_side"),
        sa.CheckConstraint("quantity > 0", name="ck_orders_quantity"),
        sa.PrimaryKeyConstraint("order_ref"),
        schema="hydra",
        comment="What was decided: an order of a session, passed or denied by the risk gate.",
    )
    op.create_index("ix_orders_work_session", "orders", ["account", "work_session"], unique=False, schema="hydra")
    op.create_table(
        "tickets",
        sa.Column("wire_ref", sa.Text(), nullable=False, comment="our own name of it at the broker (orderRef)"),
        sa.Column("order_ref", sa.Text(), nullable=False),
        sa.Column("slice", sa.Integer(), nullable=False),
        _instant("created_at"),
        _instant("updated_at"),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("market", sa.Text(), nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("limit_price", sa.Double(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("executed", sa.Integer(), server_default="0", nullable=False, comment="sum of its executions"),
        sa.Column("reported", sa.Integer(), server_default="0", nullable=False, comment="filled, as states have said"),
        sa.Column(
            "sent_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it was handed to the wire, by the broker's clock",
        ),
        sa.Column("mid_at_send", sa.Double(), nullable=True, comment="middle of the quote that it was sent on"),
        sa.Column("generation", sa.BigInteger(), nullable=True, comment="connection that it was sent on"),
        sa.Column(
            "order_id",
            sa.BigInteger(),
            nullable=True,
            comment="the broker's id of it on that connection; never an identity alone",
        ),
        _text("reason"),
        _text("run_id"),
        sa.CheckConstraint("side IN ('BUY', 'SELL')", name="ck_tickets_side"),
        sa.CheckConstraint("quantity > 0", name="ck_tickets_quantity"),
        sa.ForeignKeyConstraint(
            ["order_ref"],
            ["hydra.orders.order_ref"],
        ),
        sa.PrimaryKeyConstraint("wire_ref"),
        sa.UniqueConstraint("order_ref", "slice", name="uq_tickets_slice"),
        schema="hydra",
        comment="What may be at the broker: on record before the broker hears of it.",
    )
    op.create_index("ix_tickets_state", "tickets", ["account", "state"], unique=False, schema="hydra")
    op.create_table(
        "perm_ids",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("perm_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("wire_ref", sa.Text(), nullable=False),
        _instant("recorded_at"),
        sa.ForeignKeyConstraint(
            ["wire_ref"],
            ["hydra.tickets.wire_ref"],
        ),
        sa.PrimaryKeyConstraint("account", "perm_id"),
        schema="hydra",
        comment="The broker's permanent ids of a ticket; an amendment may give it a second one.",
    )
    op.create_index(op.f("ix_hydra_perm_ids_wire_ref"), "perm_ids", ["wire_ref"], unique=False, schema="hydra")
    op.create_table(
        "sim_broker_log",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical JSON"),
        _instant("recorded_at"),
        sa.PrimaryKeyConstraint("account", "seq"),
        schema="hydra",
        comment="Append-only: the simulated broker's own books, which outlive whoever trades with it.",
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
