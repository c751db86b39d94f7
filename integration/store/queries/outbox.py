"""What is due, taken under a lease, and what became of it: the two ends of every delivery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, TextClause, select, text, update

from integration.store.queries._dialect import array
from integration.store.queries.deliveries import DEAD, GROUPED, PENDING
from integration.store.tables import delivery, destination, subscription

Rows = Sequence[Sequence[Any]]


@dataclass(slots=True)
class Due:
    """A claimed delivery. (Its fields are read many times: of a tuple, that takes twice as long.)"""

    id: int
    event_seq: int
    subscription_id: str
    destination_id: str
    attempts: int
    ambiguous: int
    lead_id: int | None
    created_at: int
    wished: int


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


class Place(NamedTuple):
    """A destination without its settings."""

    id: str
    channel: str
    status: str
    reason: str | None
    changed_at: int
    next_send_at: int
    prepared: int
    rate: float | None
    concurrency: int | None
    opened: int
    failing_since: int | None
    warned_at: int | None


class Story(NamedTuple):
    """An event as a message tells it, and the poll that found it."""

    id: str
    created_at: int
    payload: str
    poll_id: int | None


# On SQLite a statement is one step wherever it can be, for Python gives up its global lock at each step of a cursor and
# has to win it back: with a row a step, that costs a busy process more than the rows themselves.

#: First attempts and repeated ones are due apart, each by an index of its own.
_FRESH, _RETRY = "attempts = 0", "attempts > 0"
_DUE_SQLITE = """
    SELECT json_group_array(json_array(
        id, event_seq, subscription_id, destination_id, attempts, ambiguous, lead_id, created_at, wished))
    FROM (
        SELECT * FROM delivery WHERE state = 0 AND {which} AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT ?
    )"""
_LEASE_SQLITE = "UPDATE delivery SET next_attempt_at = ?, lease = ? WHERE id IN (SELECT value FROM json_each(?))"
_CLAIM_POSTGRESQL = """
    UPDATE delivery SET next_attempt_at = :until, lease = :lease WHERE id = ANY(ARRAY(
        SELECT id FROM delivery WHERE state = 0 AND {which} AND next_attempt_at <= :now ORDER BY next_attempt_at LIMIT :most
        FOR UPDATE SKIP LOCKED
    )) RETURNING id, event_seq, subscription_id, destination_id, attempts, ambiguous, lead_id, created_at, wished"""
_CLAIMS = {which: (_DUE_SQLITE.format(which=which), text(_CLAIM_POSTGRESQL.format(which=which))) for which in (_FRESH, _RETRY)}
#: Of a claim, this share is kept for attempts that are repeated, and the rest for first ones: neither starves the other.
RETRY_SHARE = 0.2


def claim(connection: Connection, *, lease: str, now: int, until: int, most: int) -> list[Due]:
    """Take up to `most` deliveries that are due, for as long as the lease lasts: until then nobody else finds them due.

    A worker that dies gives them back by doing nothing. On SQLite the transaction has begun as a writer, so nobody can
    come between looking and taking.
    """
    due: list[Sequence[Any]] = []
    for which, kept in ((_FRESH, int(most * RETRY_SHARE)), (_RETRY, 0)):
        (sqlite, postgresql), number = _CLAIMS[which], most - kept - len(due)
        if connection.dialect.name == "sqlite":
            due += _json(connection, sqlite, (now, number))
        else:
            due += _rows(connection, postgresql, {"until": until, "lease": lease, "now": now, "most": number})
    if due and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_LEASE_SQLITE, (until, lease, str([row[0] for row in due])))
    return [Due(*row) for row in sorted(due, key=itemgetter(0))]


_STORIES_SQLITE = """
    SELECT json_group_array(json_array(seq, id, created_at, payload, poll_id))
    FROM event WHERE seq IN (SELECT value FROM json_each(?))"""
_STORIES_POSTGRESQL = text("SELECT seq, id, created_at, payload, poll_id FROM event WHERE seq = ANY(CAST(:seqs AS bigint[]))")


def stories(connection: Connection, seqs: Sequence[int]) -> dict[int, Story]:
    """Events by seq."""
    if connection.dialect.name == "sqlite":
        found = _json(connection, _STORIES_SQLITE, (str(list(seqs)),))
    else:
        found = _rows(connection, _STORIES_POSTGRESQL, {"seqs": array(seqs)})
    return {row[0]: Story(*row[1:]) for row in found}


_PLACES_SQLITE = """
    SELECT json_group_array(json_array(
        k.key, d.channel, d.status, d.reason, d.changed_at, d.next_send_at, d.prepared, d.rate, d.concurrency, d.opened,
        d.failing_since, d.warned_at))
    FROM json_each(?) k LEFT JOIN destination d ON d.id = k.key
    WHERE d.id IS NULL OR d.status <> 'active' OR d.changed_at <> k.value OR d.next_send_at > ? OR d.failing_since IS NOT NULL"""
_PLACES_POSTGRESQL = text("""
    SELECT k.id, d.channel, d.status, d.reason, d.changed_at, d.next_send_at, d.prepared, d.rate, d.concurrency, d.opened,
        d.failing_since, d.warned_at
    FROM unnest(CAST(:ids AS text[]), CAST(:changes AS bigint[])) AS k (id, changed_at)
    LEFT JOIN destination d ON d.id = k.id
    WHERE d.id IS NULL OR d.status <> 'active' OR d.changed_at <> k.changed_at OR d.next_send_at > :now
        OR d.failing_since IS NOT NULL""")


def news(connection: Connection, known: Mapping[str, int], now: int) -> dict[str, Place]:
    """Of destinations known as they were at a time (their `changed_at`), those of which there is more to say than that
    they are as before, active, well, and free to be sent to at `now`. A removed one has the status "removed"."""
    if connection.dialect.name == "sqlite":
        found = _json(connection, _PLACES_SQLITE, (orjson.dumps(known).decode(), now))
    else:
        given = {"ids": array(known), "changes": array(known.values()), "now": now}
        found = _rows(connection, _PLACES_POSTGRESQL, given)
    gone = ("", "removed", None, 0, 0, 0, None, None, 0, None, None)
    return {row[0]: Place._make(row) if row[2] is not None else Place(row[0], *gone) for row in found}


def configs(connection: Connection, ids: Sequence[str]) -> dict[str, bytes]:
    """The sealed settings of destinations."""
    query = select(destination.c.id, destination.c.config).where(destination.c.id.in_(ids))
    return {identity: config for identity, config in connection.execute(query)}  # noqa: C416 (dict() of rows has no type)


_SILENT_SQLITE = """
    SELECT json_group_array(json_array(id, status, reason))
    FROM subscription WHERE id IN (SELECT value FROM json_each(?)) AND status <> 'active'"""
_SILENT_POSTGRESQL = text("""
    SELECT id, status, reason FROM subscription WHERE id = ANY(CAST(:ids AS text[])) AND status <> 'active'""")


def silent_subscriptions(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[str, str | None]]:
    """Those of these subscriptions that are not active: (status, reason)."""
    if connection.dialect.name == "sqlite":
        found = _json(connection, _SILENT_SQLITE, (orjson.dumps(ids).decode(),))
    else:
        found = _rows(connection, _SILENT_POSTGRESQL, {"ids": array(ids)})
    return {row[0]: (row[1], row[2]) for row in found}


def by_themselves(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these subscriptions whose receiver takes nothing but single events: REST hooks."""
    c = subscription.c
    return set(connection.scalars(select(c.id).where(c.id.in_(ids), c.origin == "hook")))


def bundled(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these subscriptions that are told what a poll brings as one bundle."""
    c = subscription.c
    return set(connection.scalars(select(c.id).where(c.id.in_(ids), c.manner == "bundle")))


def _json(connection: Connection, sql: str, parameters: tuple[Any, ...]) -> Rows:
    rows: Rows = orjson.loads(connection.exec_driver_sql(sql, parameters).scalar_one())
    return rows


def _rows(connection: Connection, statement: TextClause, parameters: Mapping[str, Any]) -> Rows:
    return connection.execute(statement, parameters).all()


_SETTLE_SQLITE = """
    UPDATE delivery SET state = o.column1, attempts = o.column2, ambiguous = o.column3, next_attempt_at = o.column4,
        done_at = o.column5, reason = o.column6, lease = NULL
    FROM (VALUES {rows}) AS o WHERE delivery.id = o.column7 AND delivery.lease = o.column8"""
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


_ATTEMPT_SQLITE = "INSERT INTO attempt (delivery_id, at, duration_ms, status, outcome, error, head) VALUES {rows}"
_ATTEMPT_POSTGRESQL = text("""
    INSERT INTO attempt (delivery_id, at, duration_ms, status, outcome, error, head)
    SELECT * FROM unnest(
        CAST(:delivery_id AS bigint[]), CAST(:at AS bigint[]), CAST(:duration_ms AS integer[]), CAST(:status AS smallint[]),
        CAST(:outcome AS text[]), CAST(:error AS text[]), CAST(:head AS bytea[])
    )""")


def tried(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Write attempts down: also those of a worker whose lease ran out, for they were made."""
    _many(connection, _ATTEMPT_SQLITE, _ATTEMPT_POSTGRESQL, attempts)


#: Rows in one statement on SQLite: of few sizes, so that statements stay prepared, and that few statements are enough. Each lets
#: go of Python's global lock, and has to win it back from the thread that sends.
_ROWS = (500, 100, 20, 5, 1)


def _many(connection: Connection, sqlite: str, postgresql: TextClause, rows: Sequence[Outcome] | Sequence[Attempt]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        row = f"({', '.join('?' * len(rows[0]))})"
        start = 0
        for count in _ROWS:
            while len(rows) - start >= count:
                values = tuple(chain.from_iterable(rows[start : start + count]))
                connection.exec_driver_sql(sqlite.format(rows=", ".join([row] * count)), values)
                start += count
    else:
        columns = map(array, zip(*rows, strict=True))
        connection.execute(postgresql, dict(zip(rows[0]._fields, columns, strict=True)))


class Turn(NamedTuple):
    """A wish to send to a destination now: it costs so many ms of its time, which must not begin later than `latest` (ms)."""

    id: str
    cost: float
    latest: int


_TURN_SQLITE = """
    UPDATE destination SET next_send_at = max(next_send_at, ?) + ? WHERE id = ? AND next_send_at <= ? RETURNING next_send_at"""
_TURNS_POSTGRESQL = text("""
    WITH turn AS (
        SELECT * FROM unnest(CAST(:ids AS text[]), CAST(:costs AS bigint[]), CAST(:latest AS bigint[])) AS t (id, cost, latest)
    ), mine AS (
        SELECT d.id FROM destination d JOIN turn ON turn.id = d.id ORDER BY d.id FOR UPDATE OF d
    )
    UPDATE destination d SET next_send_at = greatest(d.next_send_at, CAST(:now AS bigint)) + turn.cost FROM turn, mine
    WHERE d.id = turn.id AND mine.id = d.id AND d.next_send_at <= turn.latest RETURNING d.id, d.next_send_at""")


def take_turns(connection: Connection, turns: Sequence[Turn], now: int) -> dict[str, int]:
    """Ask for time of paced destinations: when (ms) each begins that was given. What is given to one worker, no other gets."""
    costs = {turn.id: round(turn.cost) for turn in turns}
    if connection.dialect.name == "sqlite":
        found = [
            (turn.id, connection.exec_driver_sql(_TURN_SQLITE, (now, costs[turn.id], turn.id, turn.latest)).scalar())
            for turn in turns
        ]
    else:
        given = {"ids": array(costs), "costs": array(costs.values()), "latest": array(turn.latest for turn in turns)}
        found = [tuple(row) for row in _rows(connection, _TURNS_POSTGRESQL, {**given, "now": now})] if turns else []
    return {identity: until - costs[identity] for identity, until in found if until is not None}


def back_off(connection: Connection, destination_id: str, until: int) -> None:
    """Leave a destination alone until then (ms)."""
    c = destination.c
    connection.execute(update(destination).where(c.id == destination_id, c.next_send_at < until).values(next_send_at=until))


def prepared(connection: Connection, destination_id: str) -> None:
    """A destination had its preparation."""
    connection.execute(update(destination).where(destination.c.id == destination_id).values(prepared=1))


def end_subscription(connection: Connection, subscription_id: str, reason: str, now: int) -> None:
    """End a subscription whose receiver is gone, and all that is owed to it."""
    c = subscription.c
    query = update(subscription).where(c.id == subscription_id, c.status != "ended")
    connection.execute(query.values(status="ended", reason=reason, changed_at=now))
    pending = update(delivery).where(delivery.c.subscription_id == subscription_id, delivery.c.state.in_((PENDING, GROUPED)))
    connection.execute(pending.values(state=DEAD, reason=reason, done_at=now, lease=None))
