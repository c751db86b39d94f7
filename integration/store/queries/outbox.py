"""What is due, taken under a lease, and what became of it: the two ends of every delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select, text, update

from integration.store.queries.deliveries import DEAD, IS_PENDING
from integration.store.tables import delivery, destination, subscription


class Due(NamedTuple):
    """A claimed delivery."""

    id: int
    event_seq: int
    subscription_id: str
    destination_id: str
    attempts: int
    ambiguous: int


class Outcome(NamedTuple):
    """What a claimed delivery is to become; it counts only where the delivery still has this lease."""

    state: int
    attempts: int
    ambiguous: int
    next_attempt_at: int
    done_at: int | None
    reason: str | None
    id: int
    lease: str


class Attempt(NamedTuple):
    """One try: `outcome` is delivered, retry or dead."""

    delivery_id: int
    at: int
    duration_ms: int
    status: int
    outcome: str
    error: str | None
    head: bytes | None


class Story(NamedTuple):
    """An event as a message tells it."""

    id: str
    created_at: int
    payload: str


_CLAIM_SQLITE = """
    UPDATE delivery SET next_attempt_at = ?, lease = ? WHERE id IN (
        SELECT id FROM delivery WHERE state = 0 AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?
    ) RETURNING id, event_seq, subscription_id, destination_id, attempts, ambiguous"""
_CLAIM_POSTGRESQL = text("""
    UPDATE delivery SET next_attempt_at = :until, lease = :lease WHERE id = ANY(ARRAY(
        SELECT id FROM delivery WHERE state = 0 AND next_attempt_at <= :now ORDER BY next_attempt_at LIMIT :most
        FOR UPDATE SKIP LOCKED
    )) RETURNING id, event_seq, subscription_id, destination_id, attempts, ambiguous""")


def claim(connection: Connection, *, lease: str, now: int, until: int, most: int) -> list[Due]:
    """Take up to `most` deliveries that are due, for as long as the lease lasts: until then nobody else finds them due.

    A worker that dies gives them back by doing nothing.
    """
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(_CLAIM_SQLITE, (until, lease, now, most))
    else:
        rows = connection.execute(_CLAIM_POSTGRESQL, {"until": until, "lease": lease, "now": now, "most": most})
    return sorted(map(Due._make, rows))


_STORIES_SQLITE = "SELECT seq, id, created_at, payload FROM event WHERE seq IN (SELECT value FROM json_each(?))"
_STORIES_POSTGRESQL = text("SELECT seq, id, created_at, payload FROM event WHERE seq = ANY(CAST(:seqs AS bigint[]))")


def stories(connection: Connection, seqs: Sequence[int]) -> dict[int, Story]:
    """Events by seq."""
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(_STORIES_SQLITE, (str(list(seqs)),))
    else:
        rows = connection.execute(_STORIES_POSTGRESQL, {"seqs": list(seqs)})
    return {row[0]: Story(*row[1:]) for row in rows}


def destinations(connection: Connection, ids: Sequence[str]) -> dict[str, Any]:
    """Destinations by id, without their settings."""
    c = destination.c
    query = select(c.id, c.channel, c.status, c.reason, c.changed_at, c.next_send_at, c.prepared).where(c.id.in_(ids))
    return {row.id: row for row in connection.execute(query)}


def configs(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    """The sealed settings of destinations."""
    query = select(destination.c.id, destination.c.config).where(destination.c.id.in_(ids))
    return {row.id: row.config for row in connection.execute(query)}


def silent_subscriptions(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Those of these subscriptions that are not active: (status, reason)."""
    c = subscription.c
    query = select(c.id, c.status, c.reason).where(c.id.in_(ids), c.status != "active")
    return {row.id: (row.status, row.reason) for row in connection.execute(query)}


_SETTLE_SQLITE = """
    UPDATE delivery SET state = ?, attempts = ?, ambiguous = ?, next_attempt_at = ?, done_at = ?, reason = ?, lease = NULL
    WHERE id = ? AND lease = ?"""
_SETTLE_POSTGRESQL = text("""
    UPDATE delivery d SET state = o.state, attempts = o.attempts, ambiguous = o.ambiguous,
        next_attempt_at = o.next_attempt_at, done_at = o.done_at, reason = o.reason, lease = NULL
    FROM unnest(
        CAST(:state AS smallint[]), CAST(:attempts AS smallint[]), CAST(:ambiguous AS smallint[]),
        CAST(:next_attempt_at AS bigint[]), CAST(:done_at AS bigint[]), CAST(:reason AS text[]),
        CAST(:id AS bigint[]), CAST(:lease AS text[])
    ) AS o (state, attempts, ambiguous, next_attempt_at, done_at, reason, id, lease)
    WHERE d.id = o.id AND d.lease = o.lease""")


def settle(connection: Connection, outcomes: Sequence[Outcome]) -> None:
    """Write what became of claimed deliveries; where the lease went to another in the meantime, nothing changes."""
    _many(connection, _SETTLE_SQLITE, _SETTLE_POSTGRESQL, outcomes)


_ATTEMPT_SQLITE = """
    INSERT INTO attempt (delivery_id, at, duration_ms, status, outcome, error, head) VALUES (?, ?, ?, ?, ?, ?, ?)"""
_ATTEMPT_POSTGRESQL = text("""
    INSERT INTO attempt (delivery_id, at, duration_ms, status, outcome, error, head)
    SELECT * FROM unnest(
        CAST(:delivery_id AS bigint[]), CAST(:at AS bigint[]), CAST(:duration_ms AS integer[]), CAST(:status AS smallint[]),
        CAST(:outcome AS text[]), CAST(:error AS text[]), CAST(:head AS bytea[])
    )""")


def tried(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Write attempts down: also those of a worker whose lease ran out, for they were made."""
    _many(connection, _ATTEMPT_SQLITE, _ATTEMPT_POSTGRESQL, attempts)


def _many(connection: Connection, sqlite: str, postgresql: Any, rows: Sequence[Outcome] | Sequence[Attempt]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(sqlite, list(rows))
    else:
        columns: Mapping[str, list[Any]] = dict(zip(rows[0]._fields, map(list, zip(*rows, strict=True)), strict=True))
        connection.execute(postgresql, columns)


def take_turn(connection: Connection, destination_id: str, now: int, next_at: int) -> bool:
    """Ask for the right to send to a paced destination now; the next right is given at `next_at` (ms)."""
    c = destination.c
    query = update(destination).where(c.id == destination_id, c.next_send_at <= now).values(next_send_at=next_at)
    return connection.execute(query).rowcount == 1


def back_off(connection: Connection, destination_id: str, until: int) -> None:
    """Leave a destination alone until then (ms)."""
    c = destination.c
    connection.execute(update(destination).where(c.id == destination_id, c.next_send_at < until).values(next_send_at=until))


def prepared(connection: Connection, destination_id: str) -> None:
    """A destination had its preparation."""
    connection.execute(update(destination).where(destination.c.id == destination_id).values(prepared=1))


def disable_destination(connection: Connection, destination_id: str, reason: str, now: int) -> None:
    """Stop sending to a destination until its owner mends it; what is owed to it waits."""
    c = destination.c
    query = update(destination).where(c.id == destination_id, c.status == "active")
    connection.execute(query.values(status="disabled", reason=reason, changed_at=now))


def end_subscription(connection: Connection, subscription_id: str, reason: str, now: int) -> None:
    """End a subscription whose receiver is gone, and all that is owed to it."""
    c = subscription.c
    query = update(subscription).where(c.id == subscription_id, c.status != "ended")
    connection.execute(query.values(status="ended", reason=reason, changed_at=now))
    pending = update(delivery).where(delivery.c.subscription_id == subscription_id, IS_PENDING)
    connection.execute(pending.values(state=DEAD, reason=reason, done_at=now, lease=None))
