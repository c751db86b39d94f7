"""What the signal engine keeps: the past that was filled, answers set aside, notices, and how subscriptions want to be told."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TABLES = ("revision", "notice", "spoilt_answer", "past_wish", "fill")


def upgrade() -> None:
    op.create_table(
        "fill",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("filled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "subject", name="pk_fill"),
    )
    op.create_table(
        "past_wish",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), server_default="0", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_past_wish_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_past_wish"),
    )
    op.create_index("ix_past_wish_account_id", "past_wish", ["account_id"])
    op.create_table(
        "spoilt_answer",
        sa.Column("id", Serial, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("poll_id", sa.BigInteger(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spoilt_answer"),
    )
    op.create_index("ix_spoilt_answer_at", "spoilt_answer", ["at"])
    op.create_table(
        "notice",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_notice"),
    )
    op.create_index("ix_notice_at", "notice", ["at"])
    op.create_table(
        "revision",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_revision"),
    )
    op.add_column("poll", sa.Column("fresh", sa.Integer(), server_default="0", nullable=False))
    op.add_column("poll", sa.Column("calls", sa.Integer(), server_default="0", nullable=False))
    op.add_column("poll", sa.Column("newest", sa.BigInteger(), nullable=True))
    op.add_column("feed", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_feed_revision", "feed", ["revision"])
    op.add_column("subscription", sa.Column("corrections", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column("subscription", sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_subscription_revision", "subscription", ["revision"])
    op.create_index("ix_subscription_rule_id_scope", "subscription", ["rule_id", "scope"])
    op.drop_index("ix_subscription_rule_id", "subscription")


def downgrade() -> None:
    op.create_index("ix_subscription_rule_id", "subscription", ["rule_id"])
    op.drop_index("ix_subscription_rule_id_scope", "subscription")
    op.drop_index("ix_subscription_revision", "subscription")
    op.drop_column("subscription", "revision")
    op.drop_column("subscription", "corrections")
    op.drop_index("ix_feed_revision", "feed")
    op.drop_column("feed", "revision")
    for name in ("newest", "calls", "fresh"):
        op.drop_column("poll", name)
    for table in TABLES:
        op.drop_table(table)
