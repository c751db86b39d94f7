"""Whom events are owed to, and what became of that."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
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

from integration.store.tables._base import SEALED, Serial, metadata

#: What the owner of an account is told beside the events: a destination that fails, a rule that flaps. Told once for each key, by
#: e-mail too where `next_mail_at` says when; a mail that is out, or is not wanted, has none.
owner_notice = Table(
    "owner_notice", metadata,
    Column("key", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("destination_id", Text),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("mail_to", Text, nullable=False, server_default=""),
    Column("mail_attempts", SmallInteger, nullable=False, server_default="0"),
    Column("next_mail_at", BigInteger),
    Index("ix_owner_notice_account_id", "account_id", "at"),
    Index("ix_owner_notice_mail", "next_mail_at", sqlite_where=text("next_mail_at IS NOT NULL"),
          postgresql_where=text("next_mail_at IS NOT NULL")),
)  # fmt: skip

#: A way out. `config` is encrypted JSON; `hint` is what may be shown of it. Status: active, paused, disabled, ended. `rate`
#: (requests a second) and `concurrency` are the owner's own limits, NULL for the default. `next_send_at` is until when it is left
#: alone; `opened` counts how often in a row its breaker opened. It has failed since `failing_since`, NULL after a success;
#: `warned_at` is when its owner was told of that.
destination = Table(
    "destination", metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("channel", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("hint", Text, nullable=False),
    Column("config", LargeBinary, nullable=False, info=SEALED),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("next_send_at", BigInteger, nullable=False, server_default="0"),
    Column("prepared", SmallInteger, nullable=False, server_default="0"),
    Column("description", Text, nullable=False, server_default=""),
    Column("owner_email", Text, nullable=False, server_default=""),
    Column("rate", Float),
    Column("concurrency", SmallInteger),
    Column("opened", SmallInteger, nullable=False, server_default="0"),
    Column("failing_since", BigInteger),
    Column("warned_at", BigInteger),
    Column("disabled_at", BigInteger),
)  # fmt: skip

#: An account wants a rule's events, within a scope, at a destination. Status: active, paused, shadow (what it would have
#: sent is only recorded), ended. `corrections`: also tell when data are corrected under an event that was told. `manner`: each
#: event by itself, or grouped into digests. `key_id` is the API key that asked for it last. `shadow`: it is one
#: again after a pause.
subscription = Table(
    "subscription", metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("rule_id", Text, ForeignKey("rule.id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("destination_id", Text, ForeignKey("destination.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("origin", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("corrections", SmallInteger, nullable=False, server_default="0"),
    Column("revision", BigInteger, nullable=False, server_default="0"),
    Column("manner", Text, nullable=False, server_default="each"),
    Column("key_id", Text),
    Column("shadow", SmallInteger, nullable=False, server_default="0"),
    Index("ix_subscription_revision", "revision"),
    Index("ix_subscription_rule_id_scope", "rule_id", "scope"),
)  # fmt: skip

#: What is owed to one subscription. State: 0 pending, 1 delivered, 2 dead, 3 recorded only (shadow), 4 grouped (told with the
#: delivery `lead_id`, whose fate it shares), 5 expired, 6 held (its destination is disabled). Claimed by pushing next_attempt_at
#: ahead. The delivery that leads a digest names itself. `wished`: its owner asked for it to be sent again.
delivery = Table(
    "delivery", metadata,
    Column("id", Serial, primary_key=True),
    Column("event_seq", BigInteger, ForeignKey("event.seq", ondelete="CASCADE"), nullable=False),
    Column("subscription_id", Text, ForeignKey("subscription.id", ondelete="CASCADE"), nullable=False),
    Column("destination_id", Text, nullable=False),
    Column("state", SmallInteger, nullable=False, server_default="0"),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("ambiguous", SmallInteger, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("lease", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("reason", Text),
    Column("lead_id", BigInteger),
    Column("wished", SmallInteger, nullable=False, server_default="0"),
    UniqueConstraint("subscription_id", "event_seq"),
    *(
        Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
        for name, columns, where in (
            ("ix_delivery_fresh", ["next_attempt_at"], "state = 0 AND attempts = 0"),
            ("ix_delivery_retry", ["next_attempt_at"], "state = 0 AND attempts > 0"),
            ("ix_delivery_undone", ["destination_id", "id"], "state IN (2, 5, 6)"),
            ("ix_delivery_lead_id", ["lead_id"], "lead_id IS NOT NULL"),
        )
    ),
    Index("ix_delivery_event_seq", "event_seq"),
)  # fmt: skip

#: One try to pay it. `outcome` is delivered, retry or dead; `head` the first 4 KiB of the answer.
attempt = Table(
    "attempt", metadata,
    Column("id", Serial, primary_key=True),
    Column("delivery_id", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("head", LargeBinary),
    Index("ix_attempt_delivery_id", "delivery_id"),
)  # fmt: skip

#: A wish to send again: what failed, what is held, or what is missing, since a time. Status: waiting, running, done, cancelled,
#: failed. `counted` is how many there were to send when it was made, `done` how many are due again, `position` the last delivery
#: or event looked at.
replay = Table(
    "replay", metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("destination_id", Text, nullable=False),
    Column("subscription_id", Text),
    Column("kind", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("counted", Integer, nullable=False),
    Column("done", Integer, nullable=False, server_default="0"),
    Column("position", BigInteger, nullable=False, server_default="0"),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)  # fmt: skip

#: A receiver of REST hooks that is to be told, by a DELETE of its address, that its subscription has ended. `target` is the
#: encrypted address; one that is over has no `next_attempt_at`.
farewell = Table(
    "farewell", metadata,
    Column("id", Serial, primary_key=True),
    Column("subscription_id", Text, nullable=False),
    Column("target", LargeBinary, nullable=False, info=SEALED),
    Column("created_at", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger),
    Column("status", SmallInteger),
    Column("error", Text),
    Index("ix_farewell_next_attempt_at", "next_attempt_at"),
)  # fmt: skip
