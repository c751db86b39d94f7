"""The newest of a feed, as often as pollers ask for it: by its index, without a transaction, and no text decoded on its way."""

from __future__ import annotations

from integration.store.database import Database

Ends = tuple[int, int]

_ENDS = "(SELECT min(seq) FROM feed_item WHERE feed_id = {0}), (SELECT max(seq) FROM feed_item WHERE feed_id = {0})"
_ENDS_ALONE = {mark: f"SELECT {_ENDS.format(mark + '1')}" for mark in "?$"}
#: SQLite joins the texts itself, without a word of Python's. The rows of the subquery come in its order, which its limit needs.
_JOINED = """
    SELECT {ends}, (
        SELECT CAST(group_concat(payload, ',') AS BLOB) FROM (
            SELECT e.payload FROM feed_item AS i JOIN event AS e ON e.seq = i.seq
            WHERE i.feed_id = ?1 ORDER BY i.seq DESC LIMIT ?2
        )
    )""".replace("{ends}", _ENDS.format("?1"))
#: PostgreSQL sends rows in a quarter less time than it takes to join them; the ends stand above them (2^63 - 1 is no event's
#: seq). As an array, the seqs are looked up one by one, however large it guesses that tables and feeds are.
_IN_ROWS = """
    SELECT told FROM (
        SELECT 9223372036854775807 AS place, concat_ws(' ', {ends}) AS told
        UNION ALL
        SELECT seq, payload FROM event
        WHERE seq = ANY (ARRAY(SELECT seq FROM feed_item WHERE feed_id = $1 ORDER BY seq DESC LIMIT $2))
    ) AS newest ORDER BY place DESC""".replace("{ends}", _ENDS.format("$1"))


def ends(database: Database, feed_id: str) -> Ends:
    """The seq of a feed's oldest and newest event; zeros where it is empty."""
    ((oldest, newest),) = database.peek(_ENDS_ALONE["?" if database.is_sqlite else "$"], (feed_id,))
    return oldest or 0, newest or 0


def array(database: Database, feed_id: str, limit: int) -> tuple[Ends, bytes]:
    """(ends, JSON array) of a feed's newest events, as of one moment."""
    if database.is_sqlite:
        ((oldest, newest, texts),) = database.peek(_JOINED, (feed_id, limit))
        return (oldest or 0, newest or 0), b"[%b]" % (texts or b"")
    (above,), *rows = database.peek(_IN_ROWS, (feed_id, limit))
    oldest, newest = map(int, above.split() or (0, 0))
    return (oldest, newest), b"[%b]" % b",".join([row[0] for row in rows])
