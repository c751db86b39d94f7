"""The tables. All times are UTC epoch milliseconds; a reading's values are float64 in its source's metric order."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

#: SQLite numbers rows by itself only for INTEGER keys, which hold 64 bits there anyway.
Serial = BigInteger().with_variant(Integer(), "sqlite")

#: Marks a column that holds what is encrypted: all of those are encrypted anew when the key is rotated.
SEALED = {"sealed": True}

#: What this installation is bound to: which upstream its readings came from, where the market clock stands; and what it keeps to
#: itself, encrypted.
installation = Table(
    "installation", metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=SEALED),
)  # fmt: skip

# -- observing -------------------------------------------------------------------------------------------------------

#: One attempt to read a source at one slot. Claimed by lease; status is running, done, partial or failed. `fresh` counts the
#: readings that were new, `late` those older than what was evaluated already, `calls` the upstream calls it took; `newest` is
#: the newest as_of it saw.
poll = Table(
    "poll", metadata,
    Column("id", Serial, primary_key=True),
    Column("source", Text, nullable=False),
    Column("selection", Text, nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("lease", Text),
    Column("lease_until", BigInteger),
    Column("started_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("rows", Integer, nullable=False, server_default="0"),
    Column("events", Integer, nullable=False, server_default="0"),
    Column("error", Text),
    Column("fresh", Integer, nullable=False, server_default="0"),
    Column("calls", Integer, nullable=False, server_default="0"),
    Column("newest", BigInteger),
    Column("late", Integer, nullable=False, server_default="0"),
    UniqueConstraint("source", "selection", "slot"),
)  # fmt: skip

#: What a source said about one subject at one as_of; every version is kept. Origin: live, backfill, reconstructed. One that
#: counts as known before it was stored says in `stored_at` when that was: until then, nothing was evaluated with it.
reading = Table(
    "reading", metadata,
    Column("source", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("as_of", BigInteger, primary_key=True),
    Column("version", SmallInteger, primary_key=True),
    Column("known_at", BigInteger, nullable=False),
    Column("origin", Text, nullable=False),
    Column("poll_id", BigInteger),
    Column("values", LargeBinary, nullable=False),
    Column("text", Text),
    Column("stored_at", BigInteger),
    Index("ix_reading_source_as_of", "source", "as_of"),
)  # fmt: skip

#: The newest that is known of a subject: for names, dropdowns and scopes. Lists are JSON.
subject = Table(
    "subject", metadata,
    Column("subject", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("symbol", Text, nullable=False, server_default=""),
    Column("categories", Text, nullable=False, server_default="[]"),
    Column("exchanges", Text, nullable=False, server_default="[]"),
    Column("market_rank", Integer),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_subject_kind_name", "kind", "name"),
)  # fmt: skip

#: Every upstream call that was made.
call = Table(
    "call", metadata,
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("error", Text),
    Column("poll_id", BigInteger),
    Index("ix_call_at", "at"),
)  # fmt: skip

#: How far back the past of a source was asked for, by subject ("all": of every subject). What was not there then stays so.
fill = Table(
    "fill", metadata,
    Column("source", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("since", BigInteger, nullable=False),
    Column("filled_at", BigInteger, nullable=False),
)  # fmt: skip

#: The past that someone asked to have fetched, for a backtest. Status is waiting, done or failed.
past_wish = Table(
    "past_wish", metadata,
    Column("id", Text, primary_key=True),
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("subjects", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("calls", Integer, nullable=False),
    Column("made", Integer, nullable=False, server_default="0"),
    Column("status", Text, nullable=False),
    Column("error", Text),
    Column("asked_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)  # fmt: skip

#: Upstream answers that could not be read, kept aside for inspection. `body` is its start, compressed.
spoilt_answer = Table(
    "spoilt_answer", metadata,
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("poll_id", BigInteger),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_spoilt_answer_at", "at"),
)  # fmt: skip

#: What the operator is told, once for each key: the plan runs short, a source stands still, a short answer was believed.
notice = Table(
    "notice", metadata,
    Column("key", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_notice_at", "at"),
)  # fmt: skip

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

#: Counts changes to what is wanted, so that what is kept in memory of it can be seen to be old.
revision = Table("revision", metadata, Column("name", Text, primary_key=True), Column("value", BigInteger, nullable=False))

#: Calls taken from the plan in one window (month or minute); taken by a conditional UPDATE before the call is made.
budget = Table(
    "budget", metadata,
    Column("kind", Text, primary_key=True),
    Column("window_start", BigInteger, primary_key=True),
    Column("used", Integer, nullable=False),
    Column("allowed", Integer, nullable=False),
)  # fmt: skip

# -- asking ----------------------------------------------------------------------------------------------------------

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
    Index("ix_event_known_at_seq", "known_at", "seq"),
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

feed_reader = Table(
    "feed_reader", metadata,
    Column("account_id", Text, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("feed_id", Text, ForeignKey("feed.id", ondelete="CASCADE"), primary_key=True),
    Column("read_at", BigInteger, nullable=False),
    Index("ix_feed_reader_feed_id", "feed_id", "read_at"),
)  # fmt: skip

# -- telling ---------------------------------------------------------------------------------------------------------

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

# -- trying out ------------------------------------------------------------------------------------------------------

#: The built-in mail catcher's inbox.
inbox_mail = Table(
    "inbox_mail", metadata,
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("html", Text, nullable=False),
)  # fmt: skip

#: What the built-in webhook receiver got; `verified` says whether the signature held.
inbox_hook = Table(
    "inbox_hook", metadata,
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("webhook_id", Text, nullable=False),
    Column("verified", SmallInteger, nullable=False),
    Column("body", Text, nullable=False),
)  # fmt: skip

#: What has happened so often since the database was made, by what it was and how it went (`labels`, a JSON list): counts that
#: never fall, whatever is let go of.
tally = Table(
    "tally", metadata,
    Column("name", Text, primary_key=True),
    Column("labels", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)  # fmt: skip

#: When beat and the workers last moved.
heartbeat = Table("heartbeat", metadata, Column("name", Text, primary_key=True), Column("at", BigInteger, nullable=False))
