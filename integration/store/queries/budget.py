"""Calls of the plan: taken before they are made, never more than a window allows."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from integration.store.queries._dialect import insert
from integration.store.tables import budget


def take(connection: Connection, kind: str, window_start: int, allowed: int) -> bool:
    """Take one call of a window (epoch ms) that allows so many; False when it is spent.

    One statement tests and takes, so that no two connections can take the last one. A new window ends those before it,
    but for months, which are the record of what the plan was used for.
    """
    if allowed < 1:
        return False
    statement = insert(connection, budget).values(kind=kind, window_start=window_start, used=1, allowed=allowed)
    taken = statement.on_conflict_do_update(
        index_elements=[budget.c.kind, budget.c.window_start],
        set_={"used": budget.c.used + 1, "allowed": allowed},
        where=budget.c.used < allowed,
    ).returning(budget.c.used)
    used = connection.execute(taken).scalar_one_or_none()
    if used == 1 and kind != "month":
        connection.execute(delete(budget).where(budget.c.kind == kind, budget.c.window_start < window_start))
    return used is not None


def used(connection: Connection, kind: str, window_start: int) -> int:
    """Calls taken of one window."""
    found = select(budget.c.used).where(budget.c.kind == kind, budget.c.window_start == window_start)
    return connection.execute(found).scalar_one_or_none() or 0
