"""SQLAlchemy Core tables of execution, in the schema of ``tables``: orders, what was sent, heard and filled."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from hydra_assets.state.tables import instant_now, metadata, serial, text

_INSTANT = sa.DateTime(timezone=True)
_SIDES = "side IN ('BUY', 'SELL')"

orders = sa.Table(
    "orders",
    metadata,
    sa.Column("order_ref", sa.Text, primary_key=True, comment="idempotency key: market/session/contract"),
    instant_now("created_at"),
    instant_now("updated_at"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("market", sa.Text, nullable=False),
    sa.Column("contract", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("session", sa.Date, nullable=False, comment="at whose cutoff it was decided"),
    sa.Column("work_session", sa.Date, nullable=False, comment="in which it may be worked"),
    sa.Column("reference_price", sa.Double, nullable=False, comment="settle at the decision"),
    sa.Column("limit_price", sa.Double, nullable=False, comment="worst price at which it may fill"),
    sa.Column("algo", sa.Text, nullable=False),
    sa.Column("motive", sa.Text, nullable=False, comment="why it was wanted"),
    sa.Column("gate_code", sa.Text, nullable=False, comment="the risk gate's verdict on the decision"),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default="", comment="how it ended"),
    text("run_id"),
    sa.CheckConstraint(_SIDES, name="ck_orders_side"),
    sa.CheckConstraint("quantity > 0", name="ck_orders_quantity"),
    comment="What was decided: an order of a session, passed or denied by the risk gate.",
)
sa.Index("ix_orders_work_session", orders.c.account, orders.c.work_session)

tickets = sa.Table(
    "tickets",
    metadata,
    sa.Column("wire_ref", sa.Text, primary_key=True, comment="our own name of it at the broker (orderRef)"),
    sa.Column("order_ref", sa.Text, sa.ForeignKey(orders.c.order_ref), nullable=False),
    sa.Column("slice", sa.Integer, nullable=False),
    instant_now("created_at"),
    instant_now("updated_at"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("market", sa.Text, nullable=False),
    sa.Column("contract", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False),
    sa.Column("limit_price", sa.Double, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("executed", sa.Integer, nullable=False, server_default="0", comment="sum of its executions"),
    sa.Column("reported", sa.Integer, nullable=False, server_default="0", comment="filled, as states have said"),
    sa.Column("sent_at", _INSTANT, comment="when it was handed to the wire, by the broker's clock"),
    sa.Column("mid_at_send", sa.Double, comment="middle of the quote that it was sent on"),
    sa.Column("generation", sa.BigInteger, comment="connection that it was sent on"),
    sa.Column("order_id", sa.BigInteger, comment="the broker's id of it on that connection; never an identity alone"),
    text("reason"),
    text("run_id"),
    sa.UniqueConstraint("order_ref", "slice", name="uq_tickets_slice"),
    sa.CheckConstraint(_SIDES, name="ck_tickets_side"),
    sa.CheckConstraint("quantity > 0", name="ck_tickets_quantity"),
    comment="What may be at the broker: on record before the broker hears of it.",
)
sa.Index("ix_tickets_state", tickets.c.account, tickets.c.state)

perm_ids = sa.Table(
    "perm_ids",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("perm_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("wire_ref", sa.Text, sa.ForeignKey(tickets.c.wire_ref), nullable=False, index=True),
    instant_now("recorded_at"),
    comment="The broker's permanent ids of a ticket; an amendment may give it a second one.",
)

broker_events = sa.Table(
    "broker_events",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="canonical JSON, as heard"),
    sa.Column("wire_ref", sa.Text, comment="whose it is, where that was known"),
    sa.Column("outcome", sa.Text, nullable=False, comment="what became of it"),
    comment="Append-only: every message of a broker, as heard.",
)
sa.Index("ix_broker_events_wire_ref", broker_events.c.wire_ref)

fills = sa.Table(
    "fills",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    instant_now("recorded_at"),
    sa.Column("kind", sa.Text, nullable=False, comment="fill, or adjustment to the broker's word"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("exec_id", sa.Text, nullable=False, comment="the broker's name of this revision"),
    sa.Column("base_exec_id", sa.Text, nullable=False, comment="what all revisions of one fill share"),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("wire_ref", sa.Text, comment="ticket that it fills; none where it is nobody's of ours"),
    sa.Column("perm_id", sa.BigInteger, nullable=False),
    sa.Column("contract", sa.Text, nullable=False),
    sa.Column("side", sa.Text, nullable=False),
    sa.Column("quantity", sa.Integer, nullable=False, comment="0 where a revision takes the fill back"),
    sa.Column("price", sa.Double, nullable=False),
    sa.Column("executed_at", _INSTANT, nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="canonical JSON; what the digest is of"),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.UniqueConstraint("account", "exec_id", name="uq_fills_exec_id"),
    sa.CheckConstraint(_SIDES, name="ck_fills_side"),
    sa.CheckConstraint("quantity >= 0", name="ck_fills_quantity"),
    comment="Append-only and hash-chained: every execution with every revision; a base's last one counts.",
)
sa.Index("ix_fills_base", fills.c.account, fills.c.base_exec_id, fills.c.revision.desc())
sa.Index("ix_fills_executed_at", fills.c.account, fills.c.executed_at)

fill_fees = sa.Table(
    "fill_fees",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("exec_id", sa.Text, primary_key=True),
    sa.Column("fee", sa.Double, nullable=False, comment="for the whole fill"),
    sa.Column("currency", sa.Text, nullable=False),
    instant_now("recorded_at"),
    comment="What the broker charged; it may be told before the fill.",
)

reconciliations = sa.Table(
    "reconciliations",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("taken_at", _INSTANT, nullable=False, comment="by the broker's clock"),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("positions", JSONB, nullable=False, comment="the broker's own word"),
    sa.Column("differences", JSONB, nullable=False),
    text("run_id"),
    comment="Append-only: every comparison of the journal with the broker's full answer.",
)

connection_log = sa.Table(
    "connection_log",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("generation", sa.BigInteger, nullable=False),
    sa.Column("event", sa.Text, nullable=False),
    text("detail"),
    text("run_id"),
    comment="Append-only: connections made, lost and restored.",
)

heartbeats = sa.Table(
    "heartbeats",
    metadata,
    sa.Column("role", sa.Text, primary_key=True),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("last_at", _INSTANT, nullable=False),
    sa.Column("expected", sa.Boolean, nullable=False, comment="whether silence is an alarm"),
    sa.Column("state", sa.Text, nullable=False),
    text("run_id"),
    comment="When a connection was last known to answer.",
)

breaker_log = sa.Table(
    "breaker_log",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("market", sa.Text, nullable=False, comment="empty for the account's own"),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("before", sa.Text, nullable=False),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("figures", JSONB, nullable=False),
    text("run_id"),
    sa.UniqueConstraint("account", "market", "session", "after", name="uq_breaker_log_move"),
    comment="Append-only: every move of a circuit breaker; the newest of each is its state.",
)

slippage_versions = sa.Table(
    "slippage_versions",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("market", sa.Text, nullable=False),
    sa.Column("effective_after", sa.Date, nullable=False),
    sa.Column("impact_y", sa.Double, nullable=False),
    sa.Column("pessimism", sa.Double, nullable=False),
    sa.Column("fills", sa.Integer, nullable=False),
    sa.Column("figures", JSONB, nullable=False),
    text("run_id"),
    sa.UniqueConstraint("market", "effective_after", name="uq_slippage_versions_session"),
    comment="Append-only: what fills have taught of impact; a replay reads the version that held at the time.",
)

trading_sessions = sa.Table(
    "trading_sessions",
    metadata,
    serial(),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("broker", sa.Text, nullable=False),
    sa.Column("real_sources", sa.Boolean, nullable=False),
    sa.Column("wall_date", sa.Date, nullable=False, comment="date of the wall clock, in UTC"),
    sa.Column("session", sa.Date, nullable=False),
    instant_now("started_at"),
    sa.Column("ended_at", _INSTANT),
    sa.Column("outcome", sa.Text, comment="none while it runs, and for ever where it was killed"),
    sa.Column("equity_cents", sa.BigInteger, comment="the account's worth at the session's settles"),
    sa.Column("positions", JSONB(none_as_null=True), comment="the broker's own word at the cutoff, by contract"),
    text("detail"),
    text("run_id"),
    comment="Every session that was worked through a broker, and how it ended.",
)

trading_switch = sa.Table(
    "trading_switch",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("on", sa.Boolean, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    comment="Append-only: whether new orders are worked at all; the newest row holds.",
)

gate_records = sa.Table(
    "gate_records",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    instant_now("recorded_at"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("account", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="canonical JSON; what the digest is of"),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "account", "subject", name="uq_gate_records_subject"),
    comment="Append-only and hash-chained: drills that were passed, and an operator's word on live trading.",
)

demands = sa.Table(
    "demands",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    instant_now("updated_at"),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint("state IN ('RUNNING', 'DEGRADED', 'HALTED', 'LOCKDOWN')", name="ck_demands_state"),
    comment="What each part of the system demands of its state now; the strictest wins.",
)

sim_broker_log = sa.Table(
    "sim_broker_log",
    metadata,
    sa.Column("account", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False, comment="canonical JSON"),
    instant_now("recorded_at"),
    comment="Append-only: the simulated broker's own books, which outlive whoever trades with it.",
)
