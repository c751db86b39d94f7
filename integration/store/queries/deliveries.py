"""Deliveries: owed with the event, looked at by their owner, tried again by hand."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, literal_column, or_, select, text, update

from integration.store.queries._dialect import array, insert
from integration.store.queries.subscriptions import companion_of
from integration.store.tables import attempt, delivery, destination, event, subscription

PENDING, DELIVERED, DEAD, SHADOW, GROUPED, EXPIRED, HELD = range(7)
#: Spelled as the partial index spells it: with a parameter, PostgreSQL would not use that index.
IS_PENDING = delivery.c.state == literal_column("0")
#: Dead, expired or held, spelled likewise.
UNDONE: ColumnElement[bool] = literal_column("state IN (2, 5, 6)")
STATES = {
    PENDING: "pending",
    DELIVERED: "delivered",
    DEAD: "dead",
    SHADOW: "shadow",
    GROUPED: "grouped",
    EXPIRED: "expired",
    HELD: "held",
}

_OWE_SQLITE = """
    INSERT INTO delivery (event_seq, subscription_id, destination_id, next_attempt_at, created_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (subscription_id, event_seq) DO NOTHING"""
_OWE_POSTGRESQL = text("""
    INSERT INTO delivery (event_seq, subscription_id, destination_id, next_attempt_at, created_at)
    SELECT *, CAST(:now AS bigint), CAST(:now AS bigint)
    FROM unnest(CAST(:events AS bigint[]), CAST(:subscriptions AS text[]), CAST(:destinations AS text[]))
    ON CONFLICT (subscription_id, event_seq) DO NOTHING""")


def insert_deliveries(connection: Connection, owed: Sequence[tuple[int, str, str]], now: int) -> None:
    """Owe events to subscriptions: (event seq, subscription id, destination id) each, due at `now` (ms).

    What is owed already stays as it is.
    """
    if not owed:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_OWE_SQLITE, [(*one, now, now) for one in owed])
    else:
        events, subscriptions, destinations = map(array, zip(*owed, strict=True))
        given = {"now": now, "events": events, "subscriptions": subscriptions, "destinations": destinations}
        connection.execute(_OWE_POSTGRESQL, given)


def record_shadows(connection: Connection, recorded: Sequence[tuple[int, str, str]], now: int) -> None:
    """Note what shadow subscriptions would have been sent: (event seq, subscription id, destination id) each; never sent."""
    rows = [
        {"event_seq": seq, "subscription_id": subscription_id, "destination_id": destination_id, "state": SHADOW}
        for seq, subscription_id, destination_id in recorded
    ]
    when = {"next_attempt_at": now, "created_at": now, "done_at": now, "reason": "shadow"}
    if rows:
        connection.execute(insert(connection, delivery).on_conflict_do_nothing(), [{**row, **when} for row in rows])


def retry_one(connection: Connection, account_id: str, delivery_id: int, now: int) -> bool:
    """Make one of an account's deliveries due now, with all attempts before it again; False if it is not theirs.

    One that was delivered is sent again under the same id; one that is being sent right now is left to it. What a shadow
    recorded stays a record. What was told within a digest is sent by itself, the lead of one as the digest it was.
    """
    mine = select(subscription.c.id).where(subscription.c.account_id == account_id)
    query = update(delivery).where(delivery.c.id == delivery_id, delivery.c.subscription_id.in_(mine))
    fresh: dict[str, Any] = {"state": PENDING, "attempts": 0, "next_attempt_at": now, "done_at": None, "reason": None}
    fresh |= {"wished": 1, "lead_id": case((delivery.c.lead_id == delivery.c.id, delivery.c.lead_id))}
    known = select(delivery.c.id).where(delivery.c.id == delivery_id, delivery.c.subscription_id.in_(mine))
    free = (delivery.c.lease.is_(None), delivery.c.state.not_in((SHADOW, GROUPED)))
    changed = connection.execute(query.where(*free).values(fresh)).rowcount
    return changed == 1 or connection.execute(known).first() is not None


def expire_held(connection: Connection, *, before: int, now: int, most: int) -> int:
    """Let deliveries go that are held since before a time (ms), a few; how many did."""
    c = delivery.c
    old = select(c.id).where(UNDONE, c.state == HELD, c.created_at < before).limit(most)
    query = update(delivery).where(c.id.in_(old))
    values = {"state": EXPIRED, "done_at": now, "reason": "held for 14 days, and not asked for"}
    return connection.execute(query.values(**values)).rowcount


def hold_pending(connection: Connection, destination_id: str, reason: str | None) -> int:
    """Hold all that waits for a destination: it was disabled. How much that is, with what was held before."""
    c = delivery.c
    mine = c.destination_id == destination_id
    waiting = update(delivery).where(mine, IS_PENDING, c.lease.is_(None))
    connection.execute(waiting.values(state=HELD, reason=reason))
    return int(connection.scalar(select(func.count()).where(mine, UNDONE, c.state == HELD)) or 0)


def wake_destination(connection: Connection, destination_id: str, now: int) -> None:
    """Make all that waits for a destination due now: it was resumed or mended."""
    _wake(connection, delivery.c.destination_id == destination_id, now)


def wake_subscription(connection: Connection, subscription_id: str, now: int) -> None:
    """Make all that waits for a subscription, and for its companion, due now: it was resumed."""
    c = subscription.c
    own = select(c.id).where(or_(c.id == subscription_id, c.origin == companion_of(subscription_id)))
    _wake(connection, delivery.c.subscription_id.in_(own), now)


def _wake(connection: Connection, which: ColumnElement[bool], now: int) -> None:
    # What has a lease is being sent, or was by a worker that died: then it comes due by itself.
    query = update(delivery).where(which, IS_PENDING, delivery.c.lease.is_(None))
    connection.execute(query.values(next_attempt_at=now))


def _owned(account_id: str | None) -> Select[Any]:
    query = (
        select(delivery, event.c.id.label("event_id"), event.c.trigger, event.c.subject, event.c.payload)
        .add_columns(destination.c.channel, destination.c.label, destination.c.hint, destination.c.config)
        .add_columns(destination.c.status.label("destination_status"), subscription.c.status.label("subscription_status"))
        .add_columns(subscription.c.account_id)
        .join(subscription, subscription.c.id == delivery.c.subscription_id)
        .join(event, event.c.seq == delivery.c.event_seq)
        .join(destination, destination.c.id == delivery.c.destination_id)
    )
    return query if account_id is None else query.where(subscription.c.account_id == account_id)


def deliveries(
    connection: Connection,
    account_id: str | None,
    *,
    limit: int,
    before: int | None = None,
    state: int | None = None,
    destination_id: str | None = None,
    subscription_id: str | None = None,
    event_id: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> list[Any]:
    """Deliveries with event, subscription and destination, newest first: an account's, or all for the operator (None).

    `before` is the last id of the page before; `since` and `until` (ms, excluded) are about when they came to be owed.
    """
    wanted = (
        (delivery.c.id, operator.lt, before),
        (delivery.c.state, operator.eq, state),
        (delivery.c.destination_id, operator.eq, destination_id),
        (delivery.c.subscription_id, operator.eq, subscription_id),
        (event.c.id, operator.eq, event_id),
        (delivery.c.created_at, operator.ge, since),
        (delivery.c.created_at, operator.lt, until),
    )
    query = _owned(account_id).where(*(compare(column, value) for column, compare, value in wanted if value is not None))
    return list(connection.execute(query.order_by(delivery.c.id.desc()).limit(limit)))


def one(connection: Connection, account_id: str | None, delivery_id: int) -> Any | None:
    """One of an account's deliveries, or of all for the operator (None), with event, subscription and destination."""
    return connection.execute(_owned(account_id).where(delivery.c.id == delivery_id)).first()


def of_event(connection: Connection, subscription_id: str, seq: int) -> int | None:
    """The id of what a subscription is owed of an event."""
    mine = (delivery.c.subscription_id == subscription_id, delivery.c.event_seq == seq)
    found: int | None = connection.scalar(select(delivery.c.id).where(*mine))
    return found


def attempts(connection: Connection, delivery_id: int) -> list[Any]:
    """Every attempt at a delivery, oldest first; whose it is was asked before."""
    return list(connection.execute(select(attempt).where(attempt.c.delivery_id == delivery_id).order_by(attempt.c.id)))


def attempts_at(connection: Connection, ids: Sequence[int]) -> list[Any]:
    """Every attempt at some deliveries, oldest first: for the operator."""
    return list(connection.execute(select(attempt).where(attempt.c.delivery_id.in_(ids)).order_by(attempt.c.id)))


def counts(connection: Connection, account_id: str | None = None) -> dict[str, int]:
    """How many deliveries are in each state, of one account or of all."""
    query = select(delivery.c.state, func.count()).group_by(delivery.c.state)
    if account_id is not None:
        query = query.join(subscription, subscription.c.id == delivery.c.subscription_id)
        query = query.where(subscription.c.account_id == account_id)
    found = dict.fromkeys(STATES.values(), 0)
    return found | {STATES[state]: int(number) for state, number in connection.execute(query)}


def oldest_due(connection: Connection, now: int) -> int | None:
    """When the delivery that has waited longest became due (ms), None when nothing is due: where a standing worker shows."""
    c = delivery.c
    none: ColumnElement[int] = literal_column("0")
    found = [
        connection.scalar(select(func.min(c.next_attempt_at)).where(IS_PENDING, which, c.next_attempt_at <= now))
        for which in (c.attempts == none, c.attempts > none)  # each as its index spells it
    ]
    return min((at for at in found if at is not None), default=None)
