"""Accounts and the keys they ask with."""

from __future__ import annotations

import re
from typing import Any

from integration.domain.errors import InvalidInput, NotFound, Unauthenticated
from integration.domain.payload import iso
from integration.service.hooks import end_hooks_of
from integration.service.wiring import Gradewire
from integration.store.queries import accounts, feed_links
from integration.store.secrets import key_hash, key_prefix, new_api_key, new_id

#: Who a key belongs to is remembered for so long (ms): one that another process revokes ends here within that.
REMEMBERED, MOST_REMEMBERED = 1_000, 10_000
MEMORY = "owners"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|[^@\s]+@localhost")


def create_key(gradewire: Gradewire, email: str, label: str = "") -> str:
    """A new API key for an account, which is made if it is new. The key is returned once; only its hash is kept."""
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address) or len(address) > 254:
        raise InvalidInput(f"{email[:60]!r} is not an e-mail address.", field="account")
    key, now = new_api_key(), gradewire.now()
    with gradewire.database.write() as connection:
        accounts.add_key(
            connection,
            id=new_id("key_"),
            account_id=accounts.ensure(connection, new_id("acc_"), address, now),
            prefix=key_prefix(key),
            sha256=key_hash(key),
            label=label,
            created_at=now,
        )
    return key


def authenticate(gradewire: Gradewire, key: str | None) -> Any:
    """Who a key belongs to (account_id, email, prefix …); Unauthenticated where it is missing, unknown or revoked."""
    if not key:
        raise Unauthenticated
    return recognise(gradewire, key_hash(key))


def recognise(gradewire: Gradewire, sha256: bytes) -> Any:
    """Who the key with this hash belongs to, as `authenticate`: for sessions, which do not hold the key itself."""
    now = gradewire.now()
    known: dict[bytes, tuple[int, Any]] = gradewire.memory.setdefault(MEMORY, {})
    then, owner = known.get(sha256, (0, None))
    if not 0 <= now - then < REMEMBERED:
        with gradewire.database.read() as connection:
            owner = accounts.owner(connection, sha256)
        if owner is None:
            known.pop(sha256, None)
            raise Unauthenticated
        if len(known) >= MOST_REMEMBERED:
            known.clear()
        known[sha256] = now, owner
        if owner.last_used_at is None or owner.last_used_at < now - accounts.TOUCH_EVERY:
            with gradewire.database.write() as connection:
                accounts.touch(connection, owner.key_id, now)
    return owner


def forget_owners(gradewire: Gradewire) -> None:
    """Look at the database again for every key: some may have been revoked."""
    gradewire.memory.pop(MEMORY, None)


def list_keys(gradewire: Gradewire, email: str | None = None) -> list[dict[str, Any]]:
    """Keys without their secret: id, prefix, account, label, created, last used, active."""
    with gradewire.database.read() as connection:
        rows = accounts.keys(connection, email)
    return [
        {
            "id": row.id,
            "prefix": row.prefix,
            "account": row.email,
            "label": row.label,
            "created_at": iso(row.created_at),
            "last_used_at": iso(row.last_used_at) if row.last_used_at else None,
            "active": row.revoked_at is None,
        }
        for row in rows
    ]


def revoke_key(gradewire: Gradewire, which: str) -> list[str]:
    """Revoke a key by id or shown prefix; NotFound where no live key matches.

    The REST hooks that it asked for end, and their receivers are told so; the links to feeds that it made end too. What else
    it subscribed to goes on: it belongs to the account.
    """
    with gradewire.database.write() as connection:
        revoked = accounts.revoke(connection, which, gradewire.now())
        end_hooks_of(gradewire, connection, revoked)
        feed_links.revoke_of(connection, revoked, gradewire.now())
    forget_owners(gradewire)
    if not revoked:
        raise NotFound(f"There is no active key {which[:40]!r}; `gradewire keys list` shows them.")
    gradewire.wake()
    return revoked


def account_id(gradewire: Gradewire, email: str) -> str:
    """The id of an account; NotFound where it was never made."""
    with gradewire.database.read() as connection:
        known = accounts.find(connection, email.strip().lower())
    if known is None:
        raise NotFound(f"There is no account {email[:60]!r}; `gradewire keys create --account {email[:60]}` makes it.")
    return str(known.id)
