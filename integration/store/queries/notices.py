"""What the operator is told, one text a key."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from integration.store.queries._dialect import insert
from integration.store.tables import notice


def put(connection: Connection, key: str, kind: str, at: int, text: str) -> None:
    """Tell; a key that was told of before gets the new text and time (ms)."""
    statement = insert(connection, notice).values(key=key, kind=kind, at=at, text=text)
    changed = {"at": statement.excluded.at, "text": statement.excluded.text}
    connection.execute(statement.on_conflict_do_update(index_elements=[notice.c.key], set_=changed))


def drop(connection: Connection, key: str) -> None:
    """Take back what no longer holds."""
    connection.execute(delete(notice).where(notice.c.key == key))


def of_kinds(connection: Connection, *kinds: str) -> dict[str, str]:
    """The texts of some kinds, by key."""
    query = select(notice.c.key, notice.c.text).where(notice.c.kind.in_(kinds))
    return {row.key: row.text for row in connection.execute(query)}


def newest(connection: Connection, *, since: int, limit: int) -> list[Any]:
    """Notices (key, kind, at, text) told since a time in ms, the newest first."""
    query = select(notice).where(notice.c.at >= since).order_by(notice.c.at.desc(), notice.c.key)
    return list(connection.execute(query.limit(limit)))


def prune(connection: Connection, before: int) -> None:
    """Forget what was told before a time in ms."""
    connection.execute(delete(notice).where(notice.c.at < before))
