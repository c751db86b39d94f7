"""Wishes that the past of a source be fetched. `ended_at` of one that waits or is being fetched says until when to leave it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, or_, select, update

from integration.store.tables import past_wish

WAITING, FETCHING, DONE, FAILED = "waiting", "fetching", "done", "failed"
_OPEN = past_wish.c.status.in_((WAITING, FETCHING))


def add(connection: Connection, **values: Any) -> None:
    """A new wish."""
    connection.execute(past_wish.insert().values(**values, status=WAITING))


def same(connection: Connection, what: Mapping[str, Any], ended_after: int) -> Any | None:
    """The newest wish for just this (account_id, source, subjects, since, until) that is open, or ended after a time (ms)."""
    c = past_wish.c
    alike = [c[name] == value for name, value in what.items()]
    query = select(past_wish).where(*alike, or_(_OPEN, c.ended_at > ended_after)).order_by(c.asked_at.desc(), c.id)
    return connection.execute(query.limit(1)).first()


def open_ones(connection: Connection, account_id: str) -> int:
    """How many wishes of an account are still to be worked off."""
    return int(connection.scalar(select(func.count()).where(past_wish.c.account_id == account_id, _OPEN)) or 0)


def claim(connection: Connection, now: int, until: int) -> Any | None:
    """Take the oldest wish that may be worked off now, for as long as the claim lasts; None where there is none.

    A worker that dies gives it back by doing nothing.
    """
    c = past_wish.c
    ready = select(c.id).where(_OPEN, or_(c.ended_at.is_(None), c.ended_at <= now)).order_by(c.asked_at, c.id).limit(1)
    ready = ready.with_for_update(skip_locked=True)
    query = update(past_wish).where(c.id == ready.scalar_subquery()).values(status=FETCHING, ended_at=until)
    return connection.execute(query.returning(past_wish)).first()


def settle(connection: Connection, identity: str, status: str, ended_at: int, *, made: int = 0, error: str | None = None) -> None:
    """What became of a claimed wish; `made` calls are added to those it took before. One that waits is left until `ended_at`."""
    query = update(past_wish).where(past_wish.c.id == identity)
    connection.execute(query.values(status=status, ended_at=ended_at, made=past_wish.c.made + made, error=error))
