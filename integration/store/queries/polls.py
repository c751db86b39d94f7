"""Polls: one row a (source, selection, slot), claimed by lease, so that each is done once whoever tries."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, or_, select, update

from integration.store.queries import tallies
from integration.store.queries._dialect import insert, lock_sequence
from integration.store.tables import poll

#: For so long (ms) a poll is its worker's after its last sign of life: longer than a call may take with all of its tries.
LEASE = 300_000


def claim(connection: Connection, source: str, selection: str, slot: int, *, lease: str, now: int, until: int) -> int | None:
    """Take a poll, new or left by a worker whose lease ran out or whose try failed and may be repeated; its id or None.

    None also while another slot of the same is being read: finished later, the older would come as late data.
    """
    lock_sequence(connection)
    same = and_(poll.c.source == source, poll.c.selection == selection, poll.c.slot != slot)
    busy = select(poll.c.id).where(same, poll.c.status == "running", poll.c.lease_until >= now).limit(1)
    if connection.scalar(busy) is not None:
        return None
    fresh = {"source": source, "selection": selection, "slot": slot}
    values = {"status": "running", "lease": lease, "lease_until": until, "started_at": now, "error": None}
    row = insert(connection, poll).values(**fresh, **values).on_conflict_do_nothing().returning(poll.c.id)
    identity = connection.scalar(row)
    if identity is not None:
        return int(identity)
    again = (
        update(poll)
        .where(*(poll.c[name] == value for name, value in fresh.items()))
        .where(poll.c.status.in_(("running", "failed", "partial")), poll.c.lease_until < now)
        .values(**values)
        .returning(poll.c.id)
    )
    identity = connection.scalar(again)
    return None if identity is None else int(identity)


def go_on(connection: Connection, poll_id: int, now: int) -> None:
    """Renew the lease of a poll that runs: each call shows that whoever makes it is alive."""
    connection.execute(update(poll).where(poll.c.id == poll_id, poll.c.status == "running").values(lease_until=now + LEASE))


def let_go(connection: Connection) -> None:
    """End the leases of all polls that run: for who knows that those who held them are gone."""
    connection.execute(update(poll).where(poll.c.status == "running").values(lease_until=0))


def is_mine(connection: Connection, poll_id: int, lease: str) -> bool:
    """Whether the lease still holds; locks the row to the commit where the database locks rows."""
    query = select(poll.c.id).where(poll.c.id == poll_id, poll.c.lease == lease, poll.c.status == "running").with_for_update()
    return connection.scalar(query) is not None


def settle(connection: Connection, poll_id: int, lease: str, status: str, *, now: int, **values: Any) -> None:
    """Record how a poll ended: done, failed (may be repeated once lease_until has passed) or partial."""
    query = update(poll).where(poll.c.id == poll_id, poll.c.lease == lease)
    source = connection.scalar(query.values(status=status, finished_at=now, **values).returning(poll.c.source))
    if source is not None:
        tallies.add(connection, "polls", {(source, status): 1})
        tallies.add(connection, "late", {(source,): int(values.get("late", 0))})


def recent(connection: Connection, source: str, selection: str, *, limit: int) -> list[tuple[str, int]]:
    """(status, rows) of the newest ended polls, newest first; failed ones, which saw nothing whole, left out."""
    query = (
        select(poll.c.status, poll.c.rows)
        .where(poll.c.source == source, poll.c.selection == selection, poll.c.status.in_(("done", "partial")))
        .order_by(poll.c.slot.desc())
        .limit(limit)
    )
    return [(row.status, row.rows) for row in connection.execute(query)]


class Tried(NamedTuple):
    """A poll that ended: `slot` and `newest` are market time, `started_at` is wall time, all in ms."""

    selection: str
    slot: int
    started_at: int
    status: str
    newest: int | None


def tried(connection: Connection, source: str, since: int) -> list[Tried]:
    """The polls of a source that ended, of slots since a time, the oldest first."""
    c = poll.c
    query = select(c.selection, c.slot, c.started_at, c.status, c.newest)
    mine = (c.source == source, c.slot >= since, c.status != "running")
    return [Tried(*row) for row in connection.execute(query.where(*mine).order_by(c.slot))]


def last_rows(connection: Connection, source: str, selection: str) -> int | None:
    """How many rows the newest whole answer had; None before the first."""
    c = poll.c
    mine = (c.source == source, c.selection == selection, c.status == "done")
    rows: int | None = connection.scalar(select(c.rows).where(*mine).order_by(c.slot.desc()).limit(1))
    return rows


def state(connection: Connection, source: str, selection: str, slot: int, now: int) -> str | None:
    """Why a poll cannot be claimed now: done, or waiting (running elsewhere, or to be repeated later); None = it can."""
    row = connection.execute(
        select(poll.c.status, poll.c.lease_until).where(
            and_(poll.c.source == source, poll.c.selection == selection, poll.c.slot == slot)
        )
    ).first()
    if row is None or (row.status != "done" and row.lease_until < now):
        return None
    return "done" if row.status == "done" else "waiting"


def one(connection: Connection, poll_id: int) -> Any | None:
    """A poll by id."""
    return connection.execute(select(poll).where(poll.c.id == poll_id)).first()


def newest(connection: Connection, *, limit: int) -> list[Any]:
    """The newest polls, for people."""
    return list(connection.execute(select(poll).order_by(poll.c.started_at.desc(), poll.c.id.desc()).limit(limit)))


def troubled(connection: Connection, since: int) -> list[Any]:
    """Polls since a time that did not end well."""
    query = select(poll).where(poll.c.started_at >= since, or_(poll.c.status == "failed", poll.c.status == "partial"))
    return list(connection.execute(query.order_by(poll.c.started_at.desc()).limit(50)))


def prune(connection: Connection, before: int, *, most: int) -> int:
    """Delete at most `most` polls of slots before a time (ms); how many were deleted."""
    old = select(poll.c.id).where(poll.c.slot < before).order_by(poll.c.slot).limit(most)
    return connection.execute(delete(poll).where(poll.c.id.in_(old))).rowcount
