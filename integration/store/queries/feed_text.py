"""The newest of a feed, as often as pollers ask for it: by its index, without a transaction, and in one text."""

from __future__ import annotations

from integration.store.database import Database

_ENDS = "(SELECT min(seq) FROM feed_item WHERE feed_id = {0}), (SELECT max(seq) FROM feed_item WHERE feed_id = {0})"
#: The rows of the subquery come in its order, which its limit needs.
_NEWEST = """
    SELECT CAST(group_concat(payload, ',') AS BLOB) FROM (
        SELECT e.payload FROM feed_item AS i JOIN event AS e ON e.seq = i.seq
        WHERE i.feed_id = ? ORDER BY i.seq DESC LIMIT ?
    )"""
_ORDERED = """
    SELECT convert_to(string_agg(payload, ',' ORDER BY seq DESC), 'UTF8') FROM (
        SELECT e.payload, i.seq FROM feed_item AS i JOIN event AS e ON e.seq = i.seq
        WHERE i.feed_id = %s ORDER BY i.seq DESC LIMIT %s
    ) AS newest"""
#: For SQLite and PostgreSQL: the ends alone, and the ends with the texts.
_ENDS_ALONE, _WITH_TEXTS = (
    tuple(f"SELECT {_ENDS.format(mark)}{more}" for mark, more in (("?", sqlite), ("%s", postgresql)))
    for sqlite, postgresql in (("", ""), (f", ({_NEWEST})", f", ({_ORDERED})"))
)


def ends(database: Database, feed_id: str) -> tuple[int, int]:
    """The seq of a feed's oldest and newest event; zeros where it is empty."""
    ((oldest, newest),) = database.peek(_ENDS_ALONE[not database.is_sqlite], (feed_id, feed_id))
    return oldest or 0, newest or 0


def array(database: Database, feed_id: str, limit: int) -> tuple[tuple[int, int], bytes]:
    """(ends, JSON array) of a feed's newest events, which the database itself joins: no text is decoded on its way through."""
    given = (feed_id, feed_id, feed_id, limit)
    ((oldest, newest, texts),) = database.peek(_WITH_TEXTS[not database.is_sqlite], given)
    return (oldest or 0, newest or 0), b"[%b]" % (texts or b"")
