"""Upstream calls that were made."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select

from integration.store.queries import polls, tallies
from integration.store.tables import call


def record(
    connection: Connection,
    *,
    at: int,
    endpoint: str,
    status: int,
    duration_ms: int,
    rows: int,
    error: str | None = None,
    poll_id: int | None = None,
) -> None:
    """Keep what became of one call; status 0 means that no answer came. Times are epoch milliseconds. Its poll goes on."""
    values = {"at": at, "endpoint": endpoint, "status": status, "duration_ms": duration_ms, "rows": rows}
    connection.execute(insert(call).values(**values, error=error, poll_id=poll_id))
    if poll_id is not None:
        polls.go_on(connection, poll_id, at + duration_ms)
    tallies.add(connection, "calls", {(endpoint, f"{status // 100}xx" if status else "none"): 1})


def of_poll(connection: Connection, poll_id: int, since: int, until: int) -> list[Any]:
    """The calls that a poll made between two times (ms), both included; calls are found by their time."""
    c = call.c
    query = select(call).where(c.at.between(since, until), c.poll_id == poll_id)
    return list(connection.execute(query.order_by(c.id)))
