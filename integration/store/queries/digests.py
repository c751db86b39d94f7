"""Deliveries that are told together: one leads, the others are grouped with it and share its fate."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, select, text, update

from integration.store.queries._dialect import array
from integration.store.queries.deliveries import GROUPED, IS_PENDING, PENDING, SHADOW
from integration.store.tables import delivery, event


class Group(NamedTuple):
    """Deliveries of a subscription to group: those of its events from `lead` to `last` (seq), told from `due` (ms) on."""

    subscription_id: str
    lead: int
    last: int
    due: int


_RECENT_SQLITE = """
    SELECT k.value, n.created_at FROM json_each(?) AS k JOIN delivery AS n ON n.id IN (
        SELECT id FROM delivery WHERE subscription_id = k.value AND state NOT IN (3, 4) ORDER BY event_seq DESC LIMIT ?
    ) WHERE n.created_at > ?"""
_RECENT_POSTGRESQL = text("""
    SELECT k.id, n.created_at FROM unnest(CAST(:ids AS text[])) AS k(id) CROSS JOIN LATERAL (
        SELECT created_at FROM delivery WHERE subscription_id = k.id AND state NOT IN (3, 4) ORDER BY event_seq DESC LIMIT :most
    ) AS n WHERE n.created_at > :since""")


def recent(connection: Connection, subscriptions: Sequence[str], since: int, most: int) -> dict[str, list[int]]:
    """When the newest notices of subscriptions were made (ms), newest first: at most so many each, since a time."""
    if connection.dialect.name == "sqlite":
        rows: Sequence[Any] = connection.exec_driver_sql(_RECENT_SQLITE, (json.dumps(list(subscriptions)), most, since)).all()
    else:
        given = {"ids": array(subscriptions), "most": most, "since": since}
        rows = connection.execute(_RECENT_POSTGRESQL, given).all()
    found = defaultdict[str, list[int]](list)
    for identity, at in sorted(rows, key=lambda row: -row[1]):
        found[identity].append(at)
    return found


def waiting(connection: Connection, subscription_id: str, now: int) -> tuple[int, int] | None:
    """(delivery that leads it, deliveries in it) of a subscription's digest that waits for its time and that nobody tried yet."""
    c = delivery.c
    mine = c.subscription_id == subscription_id
    query = select(c.id).where(mine, IS_PENDING, c.lead_id == c.id, c.attempts == 0, c.lease.is_(None), c.next_attempt_at > now)
    lead = connection.scalar(query.order_by(c.event_seq.desc()).limit(1).with_for_update(skip_locked=True))
    return None if lead is None else (lead, len(connection.execute(select(c.id).where(c.lead_id == lead)).all()))


def group(connection: Connection, groups: Sequence[Group]) -> None:
    """Let the deliveries of each group be told as one, in this transaction that made them."""
    if not groups:
        return
    c, lead = delivery.c, delivery.alias()
    mine, first = c.subscription_id == bindparam("whose"), c.event_seq == bindparam("first")
    of_lead = select(lead.c.id).where(lead.c.subscription_id == bindparam("whose"), lead.c.event_seq == bindparam("first"))
    leading = update(delivery).where(mine, first, IS_PENDING).values(lead_id=c.id, next_attempt_at=bindparam("due_at"))
    others = update(delivery).where(mine, IS_PENDING, c.event_seq > bindparam("first"), c.event_seq <= bindparam("until"))
    rows = [{"whose": g.subscription_id, "first": g.lead, "until": g.last, "due_at": g.due} for g in groups]
    connection.execute(leading, rows)
    connection.execute(others.values(state=GROUPED, lead_id=of_lead.scalar_subquery()), rows)


def join(connection: Connection, subscription_id: str, lead: int, first: int, last: int) -> None:
    """Add deliveries of a subscription's events (seq, both included) to a digest that waits."""
    c = delivery.c
    which = (c.subscription_id == subscription_id, IS_PENDING, c.event_seq >= first, c.event_seq <= last)
    connection.execute(update(delivery).where(*which).values(state=GROUPED, lead_id=lead))


def gather(connection: Connection, subscription_id: str, lead: int, *, lease: str, before: int, now: int, most: int) -> None:
    """Make one claimed delivery the lead of all that its subscription is owed from before a time (ms) and that is due, but for
    what another worker holds, what may have arrived already, and what its owner asked for."""
    c = delivery.c
    old = (c.created_at < before, c.ambiguous == 0, c.wished == 0, c.lead_id.is_(None), c.id != lead)
    due = (c.lease == lease) | (c.lease.is_(None) & (c.next_attempt_at <= now))
    query = select(c.id).where(c.subscription_id == subscription_id, IS_PENDING, *old, due)
    chosen = query.order_by(c.event_seq).limit(most - 1).with_for_update(skip_locked=True)
    ids = list(connection.scalars(chosen))
    values = {"state": GROUPED, "lead_id": lead, "lease": None}
    if ids:
        connection.execute(update(delivery).where(c.id == bindparam("one")).values(values), [{"one": each} for each in ids])
    connection.execute(update(delivery).where(c.id == lead).values(lead_id=lead))


def grouped(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of these deliveries that are told with another."""
    c = delivery.c
    return set(connection.scalars(select(c.id).where(c.id.in_(ids), c.state == GROUPED)))


def members(connection: Connection, leads: Sequence[int]) -> dict[int, list[str]]:
    """The events' JSON that digests tell, in the events' order, by the delivery that leads each."""
    query = select(delivery.c.lead_id, event.c.payload).join(event, event.c.seq == delivery.c.event_seq)
    found = defaultdict[int, list[str]](list)
    for lead, payload in connection.execute(query.where(delivery.c.lead_id.in_(leads)).order_by(event.c.seq)):
        found[lead].append(payload)
    return found


def follow(connection: Connection, leads: Sequence[int]) -> None:
    """Let what is grouped share what became of its lead."""
    c, lead = delivery.c, delivery.alias()
    over = select(lead.c.id).where(lead.c.id.in_(leads), lead.c.state != PENDING, lead.c.state != SHADOW)
    fate = {
        name: select(lead.c[name]).where(lead.c.id == c.lead_id).scalar_subquery()
        for name in ("state", "attempts", "next_attempt_at", "done_at", "reason")
    }
    connection.execute(update(delivery).where(c.lead_id.in_(over), c.state == GROUPED).values(**fate))
