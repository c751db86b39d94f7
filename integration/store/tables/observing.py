"""What is read from upstream, and what it costs."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Table, Text, UniqueConstraint

from integration.store.tables._base import Serial, metadata

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
