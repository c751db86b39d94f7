"""Receivers of REST hooks that are to be told that their subscription has ended."""

from __future__ import annotations

from sqlalchemy import Connection

from integration.store.tables import farewell


def add(connection: Connection, subscription_id: str, target: bytes, now: int) -> None:
    """Owe a receiver its farewell, from `now` (ms) on. `target` is its address, sealed as {"url": …}."""
    when = {"created_at": now, "next_attempt_at": now}
    connection.execute(farewell.insert().values(subscription_id=subscription_id, target=target, **when))
