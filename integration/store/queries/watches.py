"""Watches: feeds that an account keeps, whether anybody reads them or not."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, delete, select, update

from integration.store.tables import feed, feed_reader, rule


def _watches(account_id: str) -> Select[Any]:
    r, f = feed_reader.c, feed.c
    query = select(f.id, f.scope, rule.c.trigger, rule.c.options, r.kept_at).join(feed, f.id == r.feed_id)
    return query.join(rule, rule.c.id == f.rule_id).where(r.account_id == account_id, r.kept_at.is_not(None))


def kept(connection: Connection, account_id: str) -> list[Any]:
    """An account's watches (id, scope, trigger, options, kept_at), newest first."""
    return list(connection.execute(_watches(account_id).order_by(feed_reader.c.kept_at.desc(), feed.c.id)))


def one(connection: Connection, account_id: str, feed_id: str) -> Any | None:
    """One of an account's watches."""
    return connection.execute(_watches(account_id).where(feed.c.id == feed_id)).first()


def keep(connection: Connection, account_id: str, feed_id: str, now: int) -> bool:
    """Keep a feed that the account reads; whether it was not kept before."""
    c = feed_reader.c
    mine = update(feed_reader).where(c.account_id == account_id, c.feed_id == feed_id, c.kept_at.is_(None))
    return connection.execute(mine.values(kept_at=now)).rowcount > 0


def forget(connection: Connection, account_id: str, feed_id: str) -> None:
    """Neither keep a feed for an account nor count it as read by it; where it was not kept, all stays as it was."""
    c = feed_reader.c
    mine = (c.account_id == account_id, c.feed_id == feed_id, c.kept_at.is_not(None))
    connection.execute(delete(feed_reader).where(*mine))
