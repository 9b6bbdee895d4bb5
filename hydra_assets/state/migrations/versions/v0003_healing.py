"""The healing loop: a promotion's day and size, the trial ledger, the journal, autonomy, LLM calls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = ("champion_stages", "trial_ledger", "journal", "autonomy", "llm_calls")


def upgrade() -> None:
    """Create the tables; promotions of before count from today on."""
    op.add_column(
        "promotions",
        sa.Column("effective_after", sa.Date(), server_default=sa.text("CURRENT_DATE"), nullable=False),
        schema="hydra",
    )
    op.alter_column("promotions", "effective_after", server_default=None, schema="hydra")
    op.create_table(
        "champion_stages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("recipe_sha256", sa.Text(), nullable=False),
        sa.Column("effective_after", sa.Date(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("size_fraction", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _json("figures"),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "model_group", "recipe_sha256", "effective_after", "stage", name="uq_champion_stages_decision"
        ),
        sa.CheckConstraint("stage IN ('provisional', 'full', 'retired')", name="ck_champion_stages_stage"),
        schema="hydra",
        comment="Append-only: the share of its size that a group's champion trades, and since which session.",
    )
    op.create_table(
        "trial_ledger",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False, comment="canonical JSON; what the digest is of"),
        sa.Column("series", sa.LargeBinary(), nullable=True, comment="days and returns, little-endian"),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("kind", "model_group", "subject", name="uq_trial_ledger_subject"),
        schema="hydra",
        comment="Append-only and hash-chained: every trial ever made, every verdict, opening and promotion.",
    )
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("session", sa.Date(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        _text("head"),
        _text("mutation"),
        _text("outcome"),
        _text("regime"),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        _text("message"),
        _json("facts"),
        sa.Column("note", sa.Text(), server_default="", nullable=False, comment="words of an LLM; never a figure"),
        _text("run_id"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "model_group", "subject", name="uq_journal_subject"),
        schema="hydra",
        comment="Append-only: what the loop saw, thought and did.",
    )
    op.create_index("ix_journal_session", "journal", ["model_group", "session"], schema="hydra")
    op.create_table(
        "autonomy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint(
            "level IN ('OBSERVE_ONLY', 'SUPERVISED', 'SEMI_AUTO', 'AUTONOMOUS')", name="ck_autonomy_level"
        ),
        schema="hydra",
        comment="Append-only history; the newest row is the level that holds.",
    )
    op.create_table(
        "approvals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("requested_at"),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        _text("message"),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        _text("decided_by"),
        _text("reason"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("action", "model_group", "subject", name="uq_approvals_subject"),
        sa.CheckConstraint("state IN ('waiting', 'approved', 'rejected')", name="ck_approvals_state"),
        schema="hydra",
        comment="What waits for a person, and what the person said.",
    )
    op.create_table(
        "llm_calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _instant("recorded_at"),
        sa.Column("called_at", sa.DateTime(timezone=True), nullable=False, comment="when the call began"),
        sa.Column("touchpoint", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_sha256", sa.Text(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, comment="what became of the call"),
        _text("message"),
        sa.Column("tokens_in", sa.BigInteger(), nullable=False),
        sa.Column("tokens_out", sa.BigInteger(), nullable=False),
        sa.Column("tokens_reported", sa.Boolean(), nullable=False, comment="false where both counts are estimates"),
        sa.Column("cost", sa.Double(), nullable=False, comment="in the currency of the provider's prices"),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        schema="hydra",
        comment="Append-only: every call of a language model, with what became of its reply.",
    )
    op.create_index("ix_llm_calls_called_at", "llm_calls", ["called_at"], schema="hydra")
    op.drop_table("candidates", schema="hydra")
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hydra.{table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION hydra.refuse_change()"
        )


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default="", nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)
