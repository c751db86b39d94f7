"""Numbers for whoever watches: each by an index or over few rows, but for those that say that they count every row."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, func, select, text

from integration.store.tables import destination, event, notice, reading

_DUE = "SELECT count(*) FROM delivery WHERE state = 0 AND {} AND next_attempt_at <= :now"
_DUE_EACH = tuple(text(_DUE.format(which)) for which in ("attempts = 0", "attempts > 0"))
_SIZE = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text("SELECT pg_database_size(current_database())"),
}


def due(connection: Connection, now: int) -> int:
    """How many deliveries are due, first attempts and repeated ones; counts them by their index."""
    return sum(int(connection.scalar(query, {"now": now}) or 0) for query in _DUE_EACH)


def destinations(connection: Connection, now: int) -> tuple[dict[str, int], int]:
    """(destinations by status, how many of the active ones are left alone because their breaker is open). Counts every row."""
    c = destination.c
    by_status = connection.execute(select(c.status, func.count()).group_by(c.status))
    resting = select(func.count()).where(c.status == "active", c.opened > 0, c.next_send_at > now)
    return {status: int(number) for status, number in by_status}, int(connection.scalar(resting) or 0)


def size(connection: Connection) -> int:
    """Bytes that the database takes on disk, of SQLite without its log."""
    return int(connection.scalar(_SIZE[connection.dialect.name]) or 0)


def events(connection: Connection) -> int:
    """How many events were ever found: they are numbered without gaps."""
    return int(connection.scalar(select(func.max(event.c.seq))) or 0)


def notices(connection: Connection, since: int) -> dict[str, int]:
    """How many notices of each kind the operator was told since a time (ms)."""
    query = select(notice.c.kind, func.count()).where(notice.c.at >= since).group_by(notice.c.kind)
    return {kind: int(number) for kind, number in connection.execute(query)}


def newest_readings(connection: Connection, sources: Iterable[str]) -> dict[str, int]:
    """The newest as_of (ms) of those sources that have readings."""
    newest = {key: connection.scalar(select(func.max(reading.c.as_of)).where(reading.c.source == key)) for key in sources}
    return {key: int(as_of) for key, as_of in newest.items() if as_of is not None}
