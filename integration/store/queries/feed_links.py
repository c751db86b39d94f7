"""Links to feeds. One is found by the hash of its token; the token itself is never stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select, update

from integration.store.tables import account, feed_link, rule

#: `last_used_at` is written at most this often.
TOUCH_EVERY = 60_000


def add(connection: Connection, **values: Any) -> None:
    """A new link: id, account_id, rule_id, scope, prefix, sha256, label, key_id, created_at."""
    connection.execute(feed_link.insert().values(**values))


def _links() -> Select[Any]:
    query = select(feed_link, rule.c.trigger, rule.c.options, account.c.email.label("account_email"))
    return query.join(rule, rule.c.id == feed_link.c.rule_id).join(account, account.c.id == feed_link.c.account_id)


def live(connection: Connection, account_id: str | None, limit: int) -> list[Any]:
    """The links of an account (None: of all) that are not revoked, newest first, with rule and address."""
    query = _links().where(feed_link.c.revoked_at.is_(None))
    if account_id is not None:
        query = query.where(feed_link.c.account_id == account_id)
    return list(connection.execute(query.order_by(feed_link.c.created_at.desc(), feed_link.c.id).limit(limit)))


def count(connection: Connection, account_id: str) -> int:
    """How many live links an account has."""
    c = feed_link.c
    return int(connection.scalar(select(func.count()).where(c.account_id == account_id, c.revoked_at.is_(None))) or 0)


def one(connection: Connection, account_id: str | None, identity: str) -> Any | None:
    """One of the live links of an account (None: of all)."""
    query = _links().where(feed_link.c.id == identity, feed_link.c.revoked_at.is_(None))
    return connection.execute(query if account_id is None else query.where(feed_link.c.account_id == account_id)).first()


def by_token(connection: Connection, sha256: bytes) -> Any | None:
    """The live link whose token has a hash."""
    return connection.execute(_links().where(feed_link.c.sha256 == sha256, feed_link.c.revoked_at.is_(None))).first()


def revoke(connection: Connection, account_id: str | None, identity: str, now: int) -> None:
    """End one of the links of an account (None: of all), if it is live."""
    c = feed_link.c
    mine = update(feed_link).where(c.id == identity, c.revoked_at.is_(None))
    connection.execute((mine if account_id is None else mine.where(c.account_id == account_id)).values(revoked_at=now))


def revoke_of(connection: Connection, key_ids: Sequence[str], now: int) -> None:
    """End the live links that these keys asked for."""
    c = feed_link.c
    connection.execute(update(feed_link).where(c.key_id.in_(key_ids), c.revoked_at.is_(None)).values(revoked_at=now))


def touch(connection: Connection, identity: str, now: int) -> None:
    """Note that a link was used."""
    c = feed_link.c
    stale = or_(c.last_used_at.is_(None), c.last_used_at < now - TOUCH_EVERY)
    connection.execute(update(feed_link).where(c.id == identity, stale).values(last_used_at=now))
