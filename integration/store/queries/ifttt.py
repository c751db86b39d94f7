"""Feeds as IFTTT reads them, and which of them it is to be told of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update

from integration.store.queries._dialect import insert
from integration.store.tables import feed_item, ifttt_identity

_I = ifttt_identity.c


def remember(connection: Connection, account_id: str, identity: str, feed_id: str, seen: int, now: int) -> None:
    """IFTTT reads a feed under a name, and has seen its events up to a seq. Nothing is written where that is known."""
    values = {"account_id": account_id, "identity": identity, "feed_id": feed_id, "told_seq": seen, "created_at": now}
    statement = insert(connection, ifttt_identity).values(**values)
    anew = {"feed_id": feed_id, "told_seq": seen, "attempts": 0, "next_attempt_at": 0}
    changed = or_(_I.feed_id != feed_id, _I.told_seq < seen)
    connection.execute(statement.on_conflict_do_update(index_elements=[_I.account_id, _I.identity], set_=anew, where=changed))


def seen(connection: Connection, account_id: str, identity: str) -> Any | None:
    """What is remembered under a name: (feed_id, told_seq)."""
    mine = (_I.account_id == account_id, _I.identity == identity)
    return connection.execute(select(_I.feed_id, _I.told_seq).where(*mine)).first()


def forget(connection: Connection, account_id: str, identity: str) -> None:
    """IFTTT reads nothing any more under a name."""
    connection.execute(delete(ifttt_identity).where(_I.account_id == account_id, _I.identity == identity))


def claim(connection: Connection, now: int, until: int, limit: int) -> list[Any]:
    """(account_id, identity, attempts, newest) of feeds with more than IFTTT knows, taken until then (ms): who dies meanwhile
    gives them back by doing nothing."""
    item = feed_item.c
    newest = select(func.max(item.seq)).where(item.feed_id == _I.feed_id).correlate(ifttt_identity).scalar_subquery()
    query = select(_I.account_id, _I.identity, _I.attempts, newest.label("newest"))
    query = query.where(_I.next_attempt_at <= now, newest > _I.told_seq).order_by(_I.next_attempt_at).limit(limit)
    rows = list(connection.execute(query.with_for_update(skip_locked=True, of=ifttt_identity)))
    for row in rows:
        mine = update(ifttt_identity).where(_I.account_id == row.account_id, _I.identity == row.identity)
        connection.execute(mine.values(next_attempt_at=until, attempts=_I.attempts + 1))
    return rows


def settle(connection: Connection, rows: Sequence[Any], again_at: int | None) -> None:
    """What became of telling of these: told, or given up, where there is no next time (ms)."""
    for row in rows:
        mine = update(ifttt_identity).where(_I.account_id == row.account_id, _I.identity == row.identity)
        told = {"told_seq": row.newest, "attempts": 0, "next_attempt_at": 0}
        connection.execute(mine.values(**(told if again_at is None else {"next_attempt_at": again_at})))
