"""Judgements and stress reports: what each training date of a group came to, and what its recipe stands."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "judgements",
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("training_date", sa.Date(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("model_group", "training_date"),
        schema="hydra",
        comment="What each training date of a group came to; judging it again replaces it.",
    )
    op.create_table(
        "stress_reports",
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("training_date", sa.Date(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("scenario", sa.Text(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("stress_reason", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), server_default="", nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("run_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("model_group", "training_date", "strategy", "scenario"),
        schema="hydra",
        comment="What a strategy stands by scenario, on what was known at a training date.",
    )
