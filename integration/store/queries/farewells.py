"""Receivers of REST hooks that are to be told that their subscription has ended."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from integration.store.tables import farewell


def add(connection: Connection, subscription_id: str, target: bytes, now: int) -> None:
    """Owe a farewell to the sealed address of an ended subscription, due now (ms)."""
    connection.execute(
        farewell.insert().values(subscription_id=subscription_id, target=target, created_at=now, next_attempt_at=now)
    )


def claim(connection: Connection, now: int, until: int, limit: int) -> list[Any]:
    """Farewells that are due, taken until then (ms): a worker that dies gives them back by doing nothing."""
    c = farewell.c
    query = select(farewell).where(c.next_attempt_at <= now).order_by(c.next_attempt_at).limit(limit)
    rows = list(connection.execute(query.with_for_update(skip_locked=True)))
    if rows:
        taken = update(farewell).where(c.id.in_([row.id for row in rows]))
        connection.execute(taken.values(next_attempt_at=until, attempts=c.attempts + 1))
    return rows


def settle(connection: Connection, identity: int, *, status: int, error: str | None, again_at: int | None) -> None:
    """What became of a farewell; it is over where there is no next time (ms)."""
    values = {"status": status, "error": error, "next_attempt_at": again_at}
    connection.execute(update(farewell).where(farewell.c.id == identity).values(**values))
