"""Letting go of what is old, a few rows at a time: by the ids, which rise with time, so that no index is kept for it.

Where rows are deleted from the lower end of a table, looking for the lowest again and again would pass over all that was
deleted before. So each look begins where the one before ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, bindparam, delete, or_, select, tuple_, update

from integration.store.queries.deliveries import HELD, PENDING
from integration.store.tables import (
    attempt,
    call,
    delivery,
    event,
    farewell,
    feed,
    feed_item,
    feed_reader,
    inbox_hook,
    inbox_mail,
    notice,
    owner_notice,
    past_wish,
    replay,
    spoilt_answer,
)


class Aging(NamedTuple):
    """A table whose rows go by age: the column that says when, and which of the old ones may go."""

    table: Table
    at: ColumnElement[int]
    free: ColumnElement[bool] | None = None


#: What is numbered as it comes.
NUMBERED: Mapping[str, Aging] = {
    "attempts": Aging(attempt, attempt.c.at),
    "deliveries": Aging(delivery, delivery.c.created_at, delivery.c.state.not_in((PENDING, HELD))),
    "calls": Aging(call, call.c.at),
    "spoilt": Aging(spoilt_answer, spoilt_answer.c.at),
    "mails": Aging(inbox_mail, inbox_mail.c.at),
    "hooks": Aging(inbox_hook, inbox_hook.c.at),
    "farewells": Aging(farewell, farewell.c.created_at, farewell.c.next_attempt_at.is_(None)),
}
#: What is not, and is never much.
NAMED: Mapping[str, Aging] = {
    "notices": Aging(notice, notice.c.at),
    "owner_notices": Aging(owner_notice, owner_notice.c.at, owner_notice.c.next_mail_at.is_(None)),
    "replays": Aging(replay, replay.c.ended_at, replay.c.status.in_(("done", "cancelled", "failed"))),
    "past_wishes": Aging(past_wish, past_wish.c.ended_at, past_wish.c.status.in_(("done", "failed"))),
}


class Stretch(NamedTuple):
    """Rows from one id to another, both included, among which some are old; `end` says that there are no more."""

    first: int
    last: int
    end: bool


def stretch(connection: Connection, what: Aging, *, after: int, before: int, most: int) -> Stretch | None:
    """Of the next so many rows after an id, those that reach to the last one older than a time (ms); None if none is."""
    identity = what.table.c.id
    query = select(identity, what.at).where(identity > after).order_by(identity).limit(most)
    rows = connection.execute(query).all()
    old = [row[0] for row in rows if row[1] < before]
    return Stretch(old[0], old[-1], len(rows) < most) if old else None


def drop(connection: Connection, what: Aging, part: Stretch, before: int) -> int:
    """Delete what is older than a time (ms) within a stretch, and may go; how many rows went."""
    old = [what.table.c.id.between(part.first, part.last), what.at < before]
    return connection.execute(delete(what.table).where(*old, *([] if what.free is None else [what.free]))).rowcount


def named(connection: Connection, what: Aging, before: int, most: int) -> list[str]:
    """The keys of at most so many rows older than a time (ms) that may go."""
    (key,) = what.table.primary_key.columns
    return list(connection.scalars(select(key).where(what.at < before, *([] if what.free is None else [what.free])).limit(most)))


def drop_named(connection: Connection, what: Aging, keys: Sequence[str], before: int) -> int:
    """Delete those of some rows that are still older than a time (ms) and may go; how many went."""
    (key,) = what.table.primary_key.columns
    old = [key.in_(keys), what.at < before, *([] if what.free is None else [what.free])]
    return connection.execute(delete(what.table).where(*old)).rowcount


# -- events and feeds ------------------------------------------------------------------------------------------------


def old_events(connection: Connection, after: int, before: int, most: int) -> int | None:
    """The last of the next so many events after a seq that was found before a time (ms); None if the next one was not."""
    query = select(event.c.seq, event.c.created_at).where(event.c.seq > after).order_by(event.c.seq).limit(most)
    old = [row.seq for row in connection.execute(query) if row.created_at < before]
    return old[-1] if old else None


def whole(connection: Connection, after: int, upto: int, most: int) -> Sequence[Any]:
    """(seq, payload) of the next so many events after a seq, up to another, both those kept whole and those not."""
    query = select(event.c.seq, event.c.payload).where(event.c.seq > after, event.c.seq <= upto)
    return connection.execute(query.order_by(event.c.seq).limit(most)).all()


def unsettled(connection: Connection, seqs: Sequence[int]) -> set[int]:
    """Those of some events that are still owed to someone."""
    owed = or_(delivery.c.state == PENDING, delivery.c.state == HELD)
    return set(connection.scalars(select(delivery.c.event_seq).where(delivery.c.event_seq.in_(seqs), owed).distinct()))


def shorten(connection: Connection, payloads: Mapping[int, str]) -> int:
    """Give events, by seq, shorter payloads; how many."""
    query = update(event).where(event.c.seq == bindparam("which")).values(payload=bindparam("text"))
    if payloads:
        connection.execute(query, [{"which": seq, "text": text} for seq, text in payloads.items()])
    return len(payloads)


def feeds(connection: Connection, after: str, most: int) -> list[str]:
    """The ids of the next feeds after an id."""
    return list(connection.scalars(select(feed.c.id).where(feed.c.id > after).order_by(feed.c.id).limit(most)))


def drop_items(connection: Connection, feed_ids: Sequence[str], seq: int, most: int) -> int:
    """Take at most so many events up to a seq out of some feeds; how many went."""
    key = (feed_item.c.feed_id, feed_item.c.seq)
    old = select(*key).where(feed_item.c.feed_id.in_(feed_ids), feed_item.c.seq <= seq).limit(most)
    return connection.execute(delete(feed_item).where(tuple_(*key).in_(old))).rowcount


def sleeping(connection: Connection, read_before: int, most: int) -> list[str]:
    """Feeds that nobody has read since a time (ms), nor keeps."""
    c = feed_reader.c
    read = select(c.feed_id).where(c.feed_id == feed.c.id, or_(c.read_at >= read_before, c.kept_at.is_not(None)))
    return list(connection.scalars(select(feed.c.id).where(feed.c.created_at < read_before, ~read.exists()).limit(most)))


def drop_feed(connection: Connection, identity: str) -> None:
    """Forget a feed, which is empty by now, and who read it. Who asks for it again gets it anew."""
    connection.execute(delete(feed).where(feed.c.id == identity))
