"""Upstream calls that were made."""

from __future__ import annotations

from sqlalchemy import Connection, insert

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
    """Keep what became of one call; status 0 means that no answer came. Times are epoch milliseconds."""
    values = {"at": at, "endpoint": endpoint, "status": status, "duration_ms": duration_ms, "rows": rows}
    connection.execute(insert(call).values(**values, error=error, poll_id=poll_id))
