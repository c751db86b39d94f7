"""The installation itself: signs of life, and the inboxes for trying out."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, SmallInteger, Table, Text

from integration.store.tables._base import SEALED, Serial, metadata

#: What this installation is bound to: which upstream its readings came from, where the market clock stands; and what it keeps to
#: itself, encrypted.
installation = Table(
    "installation", metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False, info=SEALED),
)  # fmt: skip

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
