"""Who asks, for what, and what came true."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from integration.store.tables._base import Serial, metadata

account = Table(
    "account", metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)  # fmt: skip

api_key = Table(
    "api_key", metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("prefix", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("label", Text, nullable=False, server_default=""),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
)  # fmt: skip

#: A trigger with its canonical options. Shared by all who ask the same.
rule = Table(
    "rule", metadata,
    Column("id", Text, primary_key=True),
    Column("trigger", Text, nullable=False),
    Column("semantics", Integer, nullable=False),
    Column("options", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("trigger", "semantics", "options"),
)  # fmt: skip

#: A rule came true. `payload` is the event's JSON, stored once and spliced into feeds and webhooks; `poll_id` the poll that
#: found it. One with an `account_id` is no fact of the market but that account's test: nobody else sees it.
event = Table(
    "event", metadata,
    Column("seq", Serial, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("rule_id", Text, ForeignKey("rule.id"), nullable=False),
    Column("trigger", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("as_of", BigInteger, nullable=False),
    Column("known_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("poll_id", BigInteger),
    Column("account_id", Text),
    UniqueConstraint("rule_id", "subject", "as_of"),
    Index("ix_event_trigger_seq", "trigger", "seq"),
    Index("ix_event_account_id", "account_id", sqlite_where=text("account_id IS NOT NULL"),
          postgresql_where=text("account_id IS NOT NULL")),
)  # fmt: skip

#: A rule seen through a scope, for pollers. Its members are fixed when they are written, so no old event surfaces later.
feed = Table(
    "feed", metadata,
    Column("id", Text, primary_key=True),
    Column("rule_id", Text, ForeignKey("rule.id"), nullable=False, index=True),
    Column("scope", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Index("ix_feed_revision", "revision"),
)  # fmt: skip

feed_item = Table(
    "feed_item", metadata,
    Column("feed_id", Text, ForeignKey("feed.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True),
)  # fmt: skip

#: Who reads a feed. One that is kept, since `kept_at`, never sleeps.
feed_reader = Table(
    "feed_reader", metadata,
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("feed_id", Text, ForeignKey("feed.id", ondelete="CASCADE"), primary_key=True),
    Column("read_at", BigInteger, nullable=False),
    Column("kept_at", BigInteger),
    Index("ix_feed_reader_feed_id", "feed_id", "read_at"),
    Index("ix_feed_reader_kept", "account_id", sqlite_where=text("kept_at IS NOT NULL"),
          postgresql_where=text("kept_at IS NOT NULL")),
)  # fmt: skip

#: An address under which a rule's events within a scope can be read without a key, and nothing else. Whoever has the token may
#: read; it is kept as a hash only, and ends when it is revoked.
feed_link = Table(
    "feed_link", metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("rule_id", Text, ForeignKey("rule.id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False, unique=True),
    Column("label", Text, nullable=False, server_default=""),
    Column("key_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    Column("revoked_at", BigInteger),
)  # fmt: skip

#: A feed as IFTTT reads it for one user, by the name that IFTTT gave it. It is told, at `next_attempt_at`, that there is more
#: once its feed goes beyond `told_seq`.
ifttt_identity = Table(
    "ifttt_identity", metadata,
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("feed_id", Text, ForeignKey("feed.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("told_seq", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
)  # fmt: skip
