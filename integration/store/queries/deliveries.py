"""Deliveries: owed with the event, looked at by their owner, tried again by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, func, literal_column, or_, select, text, update

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


def deliveries(
    connection: Connection,
    account_id: str,
    *,
    limit: int,
    before: int | None = None,
    state: int | None = None,
    subscription_id: str | None = None,
) -> list[Any]:
    """An account's deliveries with event and destination, newest first; `before` is the last id of the page before."""
    query = (
        select(delivery, event.c.id.label("event_id"), event.c.trigger, event.c.subject, event.c.payload)
        .add_columns(destination.c.channel, destination.c.label, destination.c.hint)
        .join(subscription, subscription.c.id == delivery.c.subscription_id)
        .join(event, event.c.seq == delivery.c.event_seq)
        .join(destination, destination.c.id == delivery.c.destination_id)
        .where(subscription.c.account_id == account_id)
    )
    if before is not None:
        query = query.where(delivery.c.id < before)
    if state is not None:
        query = query.where(delivery.c.state == state)
    if subscription_id is not None:
        query = query.where(delivery.c.subscription_id == subscription_id)
    return list(connection.execute(query.order_by(delivery.c.id.desc()).limit(limit)))


def attempts(connection: Connection, account_id: str, delivery_id: int) -> list[Any]:
    """Every attempt at one of an account's deliveries, oldest first."""
    mine = select(subscription.c.id).where(subscription.c.account_id == account_id)
    query = (
        select(attempt)
        .join(delivery, delivery.c.id == attempt.c.delivery_id)
        .where(attempt.c.delivery_id == delivery_id, delivery.c.subscription_id.in_(mine))
    )
    return list(connection.execute(query.order_by(attempt.c.id)))


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
