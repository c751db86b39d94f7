"""Accounts and their API keys. A key is found by its hash; the key itself is never stored."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, or_, select, update

from integration.store.queries._dialect import insert
from integration.store.tables import account, api_key

#: `last_used_at` is written at most this often, so that reading does not become writing.
TOUCH_EVERY = 60_000


def find(connection: Connection, email: str) -> Any | None:
    """The account with an e-mail address."""
    return connection.execute(select(account).where(account.c.email == email)).first()


def email_of(connection: Connection, identity: str) -> str:
    """The address of an account."""
    return str(connection.scalar(select(account.c.email).where(account.c.id == identity)))


def newest(connection: Connection, limit: int) -> list[Any]:
    """The newest accounts."""
    return list(connection.execute(select(account).order_by(account.c.created_at.desc(), account.c.id).limit(limit)))


def ensure(connection: Connection, identity: str, email: str, now: int) -> str:
    """The id of the account with an e-mail address, made with that id if it is new."""
    fresh = insert(connection, account).values(id=identity, email=email, created_at=now)
    connection.execute(fresh.on_conflict_do_nothing(index_elements=[account.c.email]))
    return str(connection.scalar(select(account.c.id).where(account.c.email == email)))


def lock(connection: Connection, identity: str) -> None:
    """Wait until no other transaction holds this account, to its end; where there is one writer anyway, this is free."""
    connection.execute(select(account.c.id).where(account.c.id == identity).with_for_update())


def add_key(connection: Connection, **values: Any) -> None:
    """A new key: id, account_id, prefix, sha256, label, created_at."""
    connection.execute(api_key.insert().values(**values))


def owner(connection: Connection, sha256: bytes) -> Any | None:
    """The live key with a hash, with its account: key_id, account_id, email, prefix, last_used_at; None if revoked."""
    query = (
        select(api_key.c.id.label("key_id"), account.c.id.label("account_id"), account.c.email)
        .add_columns(api_key.c.prefix, api_key.c.last_used_at, api_key.c.created_at)
        .join(account, account.c.id == api_key.c.account_id)
        .where(api_key.c.sha256 == sha256, api_key.c.revoked_at.is_(None))
    )
    return connection.execute(query).first()


def touch(connection: Connection, key_id: str, now: int) -> None:
    """Note that a key was used."""
    stale = or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < now - TOUCH_EVERY)
    connection.execute(update(api_key).where(api_key.c.id == key_id, stale).values(last_used_at=now))


def keys(connection: Connection, email: str | None = None) -> list[Any]:
    """Keys with their account's address, newest first; of one account or of all."""
    query = select(api_key, account.c.email).join(account).order_by(api_key.c.created_at.desc(), api_key.c.id)
    if email:
        query = query.where(account.c.email == email)
    return list(connection.execute(query))


def is_live(connection: Connection, key_id: str) -> bool:
    """Whether a key is there and not revoked."""
    query = select(api_key.c.id).where(api_key.c.id == key_id, api_key.c.revoked_at.is_(None))
    return connection.execute(query).first() is not None


def revoke(connection: Connection, which: str, now: int) -> list[str]:
    """Revoke the live keys with this id or prefix; the ids of those revoked. Their accounts are locked."""
    match = or_(api_key.c.id == which, api_key.c.prefix == which, api_key.c.prefix == which + "…")
    live = match, api_key.c.revoked_at.is_(None)
    for account_id in sorted(set(connection.scalars(select(api_key.c.account_id).where(*live)))):
        lock(connection, account_id)
    return list(connection.scalars(update(api_key).where(*live).values(revoked_at=now).returning(api_key.c.id)))
