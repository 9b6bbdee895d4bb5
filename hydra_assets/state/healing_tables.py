"""SQLAlchemy Core tables of the healing loop, in the schema of ``tables``."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from hydra_assets.state.tables import instant_now, metadata, serial, text

trial_ledger = sa.Table(
    "trial_ledger",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("model_group", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="canonical JSON; what the digest is of"),
    sa.Column("series", sa.LargeBinary, comment="days and returns, little-endian"),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "model_group", "subject", name="uq_trial_ledger_subject"),
    comment="Append-only and hash-chained: every trial ever made, every verdict, opening and promotion.",
)

journal = sa.Table(
    "journal",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("model_group", sa.Text, nullable=False),
    sa.Column("session", sa.Date, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    text("head"),
    text("mutation"),
    text("outcome"),
    text("regime"),
    sa.Column("tags", ARRAY(sa.Text), nullable=False, server_default="{}"),
    text("message"),
    sa.Column("facts", JSONB, nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default="", comment="words of an LLM; never a figure"),
    text("run_id"),
    sa.UniqueConstraint("kind", "model_group", "subject", name="uq_journal_subject"),
    comment="Append-only: what the loop saw, thought and did.",
)
sa.Index("ix_journal_session", journal.c.model_group, journal.c.session)

autonomy = sa.Table(
    "autonomy",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.CheckConstraint("level IN ('OBSERVE_ONLY', 'SUPERVISED', 'SEMI_AUTO', 'AUTONOMOUS')", name="ck_autonomy_level"),
    comment="Append-only history; the newest row is the level that holds.",
)

approvals = sa.Table(
    "approvals",
    metadata,
    serial(),
    instant_now("requested_at"),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("model_group", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    text("message"),
    sa.Column("state", sa.Text, nullable=False, server_default="waiting"),
    sa.Column("decided_at", sa.DateTime(timezone=True)),
    text("decided_by"),
    text("reason"),
    sa.UniqueConstraint("action", "model_group", "subject", name="uq_approvals_subject"),
    sa.CheckConstraint("state IN ('waiting', 'approved', 'rejected')", name="ck_approvals_state"),
    comment="What waits for a person, and what the person said.",
)

llm_calls = sa.Table(
    "llm_calls",
    metadata,
    serial(),
    instant_now("recorded_at"),
    sa.Column("called_at", sa.DateTime(timezone=True), nullable=False, comment="when the call began"),
    sa.Column("touchpoint", sa.Text, nullable=False),
    sa.Column("provider", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("prompt_sha256", sa.Text, nullable=False),
    sa.Column("prompt", sa.Text, nullable=False),
    sa.Column("reply", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False, comment="what became of the call"),
    text("message"),
    sa.Column("tokens_in", sa.BigInteger, nullable=False),
    sa.Column("tokens_out", sa.BigInteger, nullable=False),
    sa.Column("tokens_reported", sa.Boolean, nullable=False, comment="false where both counts are estimates"),
    sa.Column("cost", sa.Double, nullable=False, comment="in the currency of the provider's prices"),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    comment="Append-only: every call of a language model, with what became of its reply.",
)
sa.Index("ix_llm_calls_called_at", llm_calls.c.called_at)
