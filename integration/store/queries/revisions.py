"""A count of the changes to what is wanted, so that whoever keeps a copy in memory sees that it is old."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, or_, select

from integration.store.queries._dialect import insert
from integration.store.tables import feed, revision, subscription

_WISHES = "wishes"
#: Rows read at a time.
AT_ONCE = 10_000


def current(connection: Connection) -> int:
    """The newest revision; 0 before the first change."""
    return int(connection.scalar(select(revision.c.value).where(revision.c.name == _WISHES)) or 0)


def bump(connection: Connection) -> int:
    """A new revision, for the rows that this transaction changes. Others that change something wait for its commit."""
    statement = insert(connection, revision).values(name=_WISHES, value=1)
    upsert = statement.on_conflict_do_update(index_elements=[revision.c.name], set_={"value": revision.c.value + 1})
    return int(connection.scalar(upsert.returning(revision.c.value)) or 0)


def asked(connection: Connection, after: int | None = None) -> Iterator[Sequence[tuple[str, str]]]:
    """Each (rule id, scope) that a subscription or feed asks about, in parts; or only those that changed after a revision.

    Feeds that sleep are among them: they may wake.
    """
    s = subscription.c
    subscribed = select(s.rule_id, s.scope).where(or_(s.status == "active", s.status == "shadow")).distinct()
    fed = select(feed.c.rule_id, feed.c.scope).distinct()
    if after is not None:
        subscribed, fed = subscribed.where(s.revision > after), fed.where(feed.c.revision > after)
    for query in (subscribed, fed):
        for part in connection.execute(query, execution_options={"yield_per": AT_ONCE}).partitions():
            yield [(row[0], row[1]) for row in part]
