"""What the delivery engine keeps: digests, the health of destinations, what owners are told, replays, farewells and tallies; and
feeds that are kept, linked to, or read by IFTTT."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
#: (name, columns, condition) of the delivery table's new partial indexes.
INDEXES = (
    ("ix_delivery_fresh", ["next_attempt_at"], "state = 0 AND attempts = 0"),
    ("ix_delivery_retry", ["next_attempt_at"], "state = 0 AND attempts > 0"),
    ("ix_delivery_undone", ["destination_id", "id"], "state IN (2, 5, 6)"),
    ("ix_delivery_lead_id", ["lead_id"], "lead_id IS NOT NULL"),
)
TABLES = ("ifttt_identity", "feed_link", "tally", "farewell", "replay", "owner_notice")


def columns() -> dict[str, list[sa.Column[Any]]]:
    """New columns by table."""
    return {
        "poll": [sa.Column("late", sa.Integer(), server_default="0", nullable=False)],
        "event": [
            sa.Column("poll_id", sa.BigInteger(), nullable=True),
            sa.Column("account_id", sa.Text(), nullable=True),
        ],
        "feed_reader": [sa.Column("kept_at", sa.BigInteger(), nullable=True)],
        "destination": [
            sa.Column("description", sa.Text(), server_default="", nullable=False),
            sa.Column("owner_email", sa.Text(), server_default="", nullable=False),
            sa.Column("rate", sa.Float(), nullable=True),
            sa.Column("concurrency", sa.SmallInteger(), nullable=True),
            sa.Column("opened", sa.SmallInteger(), server_default="0", nullable=False),
            sa.Column("failing_since", sa.BigInteger(), nullable=True),
            sa.Column("warned_at", sa.BigInteger(), nullable=True),
            sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        ],
        "subscription": [
            sa.Column("manner", sa.Text(), server_default="each", nullable=False),
            sa.Column("key_id", sa.Text(), nullable=True),
            sa.Column("shadow", sa.SmallInteger(), server_default="0", nullable=False),
        ],
        "delivery": [
            sa.Column("lead_id", sa.BigInteger(), nullable=True),
            sa.Column("wished", sa.SmallInteger(), server_default="0", nullable=False),
        ],
    }


def partial_index(name: str, table: str, keys: list[str], where: str) -> None:
    op.create_index(name, table, keys, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    for table, fresh in columns().items():
        for column in fresh:
            op.add_column(table, column)
    # Until now the channel alone decided; from now on those of people are grouped.
    op.execute(
        "UPDATE subscription SET manner = 'grouped' WHERE destination_id IN "
        "(SELECT id FROM destination WHERE channel IN ('email', 'slack'))"
    )
    op.execute("UPDATE subscription SET shadow = 1 WHERE status = 'shadow'")
    for index in INDEXES:
        partial_index(index[0], "delivery", index[1], index[2])
    op.drop_index("ix_delivery_due", "delivery")
    partial_index("ix_event_account_id", "event", ["account_id"], "account_id IS NOT NULL")
    op.create_table(
        "owner_notice",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mail_to", sa.Text(), server_default="", nullable=False),
        sa.Column("mail_attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_mail_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_owner_notice_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key", name="pk_owner_notice"),
    )
    op.create_index("ix_owner_notice_account_id", "owner_notice", ["account_id", "at"])
    partial_index("ix_owner_notice_mail", "owner_notice", ["next_mail_at"], "next_mail_at IS NOT NULL")
    op.create_table(
        "replay",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("destination_id", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_replay_account_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_replay"),
    )
    op.create_index("ix_replay_account_id", "replay", ["account_id"])
    op.create_table(
        "farewell",
        sa.Column("id", Serial, nullable=False),
        sa.Column("subscription_id", sa.Text(), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_farewell"),
    )
    op.create_index("ix_farewell_next_attempt_at", "farewell", ["next_attempt_at"])
    op.create_table(
        "tally",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels", name="pk_tally"),
    )
    partial_index("ix_feed_reader_kept", "feed_reader", ["account_id"], "kept_at IS NOT NULL")
    op.create_table(
        "feed_link",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("key_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_feed_link_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["rule_id"], ["rule.id"], name="fk_feed_link_rule_id"),
        sa.PrimaryKeyConstraint("id", name="pk_feed_link"),
        sa.UniqueConstraint("sha256", name="uq_feed_link_sha256"),
    )
    op.create_index("ix_feed_link_account_id", "feed_link", ["account_id"])
    op.create_table(
        "ifttt_identity",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("feed_id", sa.Text(), nullable=False),
        sa.Column("told_seq", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_ifttt_identity_account_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name="fk_ifttt_identity_feed_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("account_id", "identity", name="pk_ifttt_identity"),
    )
    op.create_index("ix_ifttt_identity_feed_id", "ifttt_identity", ["feed_id"])


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    # What is grouped, expired or held was not known before: it comes due again, or has failed.
    op.execute("UPDATE delivery SET state = 0 WHERE state IN (4, 6)")
    op.execute("UPDATE delivery SET state = 2 WHERE state = 5")
    partial_index("ix_delivery_due", "delivery", ["next_attempt_at"], "state = 0")
    op.drop_index("ix_event_account_id", "event")
    op.drop_index("ix_feed_reader_kept", "feed_reader")
    for name, _columns, _where in reversed(INDEXES):
        op.drop_index(name, "delivery")
    for table, fresh in columns().items():
        for column in reversed(fresh):
            op.drop_column(table, column.name)
