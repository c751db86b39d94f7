"""Upstream answers that could not be read, kept aside for inspection: the newest of them, each its start, compressed."""

from __future__ import annotations

import zlib
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from integration.store.tables import spoilt_answer

#: Answers that are kept, and how many bytes of each.
MOST, START = 200, 64 * 1024


def keep(connection: Connection, *, at: int, endpoint: str, error: str, body: bytes, poll_id: int | None) -> None:
    """Keep an answer; the oldest make room. `at` is epoch milliseconds."""
    c = spoilt_answer.c
    values = {"at": at, "endpoint": endpoint, "error": error, "poll_id": poll_id, "size": len(body)}
    connection.execute(insert(spoilt_answer).values(**values, body=zlib.compress(body[:START])))
    newest = select(c.id).order_by(c.id.desc()).limit(MOST)
    connection.execute(delete(spoilt_answer).where(c.id.not_in(newest)))


def count(connection: Connection) -> int:
    """How many are kept."""
    return int(connection.scalar(select(func.count()).select_from(spoilt_answer)) or 0)


def newest(connection: Connection, limit: int = MOST) -> list[Any]:
    """What is kept without the bodies (id, at, endpoint, error, poll_id, size), the newest first."""
    c = spoilt_answer.c
    query = select(c.id, c.at, c.endpoint, c.error, c.poll_id, c.size).order_by(c.id.desc()).limit(limit)
    return list(connection.execute(query))


def body(connection: Connection, identity: int) -> bytes | None:
    """The start of an answer; None where it is not kept."""
    found = connection.scalar(select(spoilt_answer.c.body).where(spoilt_answer.c.id == identity))
    return None if found is None else zlib.decompress(bytes(found))
