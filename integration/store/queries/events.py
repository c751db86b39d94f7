"""Events: numbered under one lock, so that nothing commits behind a reader's cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, func, select

from integration.store.queries._dialect import lock_sequence
from integration.store.tables import event

#: How the payload of an event begins that is kept in part only.
SHORTENED = '{"pruned":true,'
#: Who asks for the newest events of a kind looks no further back than so many.
REACH = 100_000


class NewEvent(NamedTuple):
    """An event to store. `poll_id` is the poll that found it, None for one found by looking at the past."""

    id: str
    rule_id: str
    trigger: str
    subject: str
    as_of: int
    known_at: int
    created_at: int
    payload: str
    poll_id: int | None = None


def lock(connection: Connection) -> None:
    """Take the lock under which events are numbered; held to the commit. Take it before reading what decides them."""
    lock_sequence(connection)


def add(connection: Connection, events: Sequence[NewEvent]) -> dict[str, int]:
    """Store events that are not there yet, in order; their seq by id. The caller holds the lock."""
    there = known(connection, [e.id for e in events])
    first = int(connection.scalar(select(func.max(event.c.seq))) or 0) + 1
    fresh = list({e.id: e for e in events if e.id not in there}.values())
    if not fresh:
        return {}
    rows = [{"seq": seq, **new._asdict()} for seq, new in enumerate(fresh, first)]
    connection.execute(event.insert(), rows)
    return {row["id"]: row["seq"] for row in rows}


def known(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The seq of those ids that are stored."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        part = list(ids[start : start + 500])
        found |= {row[0]: row[1] for row in connection.execute(select(event.c.id, event.c.seq).where(event.c.id.in_(part)))}
    return found


def payloads(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The JSON texts of those ids that are stored whole."""
    found: dict[str, str] = {}
    for start in range(0, len(ids), 500):
        query = select(event.c.id, event.c.payload).where(event.c.id.in_(ids[start : start + 500]))
        found |= {row[0]: row[1] for row in connection.execute(query) if not row[1].startswith(SHORTENED)}
    return found


def texts(connection: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """The JSON texts of events by seq."""
    found: dict[int, str] = {}
    for start in range(0, len(seqs), 500):
        query = select(event.c.seq, event.c.payload).where(event.c.seq.in_(seqs[start : start + 500]))
        found |= {row[0]: row[1] for row in connection.execute(query)}
    return found


def one(connection: Connection, identity: str) -> Any | None:
    """An event by id."""
    return connection.execute(select(event).where(event.c.id == identity)).first()


def newest(connection: Connection, *, limit: int, trigger: str | None = None) -> list[Any]:
    """The newest events of all rules, newest first; tests of accounts left out."""
    query = select(event).where(event.c.account_id.is_(None)).order_by(event.c.seq.desc()).limit(limit)
    return list(connection.execute(query if trigger is None else query.where(event.c.trigger == trigger)))


def newest_texts(connection: Connection, *, limit: int, trigger: str | None, subject: str | None) -> list[str]:
    """The payloads of the newest events that are kept whole, newest first, of the last 100,000; tests left out."""
    c = event.c
    newest_ = int(connection.scalar(select(func.max(c.seq))) or 0)
    whole = ~c.payload.startswith(SHORTENED, autoescape=True)
    query = select(c.payload).where(c.account_id.is_(None), c.seq > newest_ - REACH, whole)
    if trigger is not None:
        query = query.where(c.trigger == trigger)
    if subject is not None:
        query = query.where(c.subject == subject)
    return list(connection.scalars(query.order_by(c.seq.desc()).limit(limit)))


def whole(payload: str) -> Any | None:
    """An event's JSON decoded; None of one that is kept in part only."""
    return None if payload.startswith(SHORTENED) else orjson.loads(payload)
