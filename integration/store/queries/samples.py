"""Test events: stored among the events, so that they are delivered as one, but an account's own and of no rule of anybody's."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from integration.store.queries import rules, subscriptions
from integration.store.tables import destination, event, subscription

#: The rule that test events belong to. No trigger has that key, so it is never evaluated.
RULE = "rul_sample"


class Sample(NamedTuple):
    """A test event to store; `at` is when it was made (ms)."""

    id: str
    account_id: str
    trigger: str
    subject: str
    at: int
    payload: str


def add(connection: Connection, sample: Sample) -> int:
    """Store a test event; its seq. The caller holds the event lock."""
    c = event.c
    rules.ensure(connection, RULE, "sample", 0, "{}", sample.at)
    before = connection.scalar(select(func.max(c.as_of)).where(c.rule_id == RULE, c.subject == sample.subject))
    as_of = sample.at if before is None else max(sample.at, before + 1)  # one rule has one event for a subject and as_of
    seq = int(connection.scalar(select(func.max(c.seq))) or 0) + 1
    values = sample._asdict()
    at = values.pop("at")
    connection.execute(event.insert().values(seq=seq, rule_id=RULE, as_of=as_of, known_at=at, created_at=at, **values))
    return seq


def owner(connection: Connection, destination_id: str | None, subscription_id: str | None) -> str | None:
    """The account that a destination or a subscription belongs to."""
    found: str | None = connection.scalar(
        select(destination.c.account_id).where(destination.c.id == destination_id)
        if destination_id
        else select(subscription.c.account_id).where(subscription.c.id == subscription_id)
    )
    return found


def subscription_at(connection: Connection, place: Any, fresh_id: str, now: int) -> str:
    """The subscription that carries test events to a destination, made with that id where there is none."""
    s = subscription.c
    query = select(s.id).where(s.destination_id == place.id, s.origin == subscriptions.TEST, s.status == "active")
    found: str | None = connection.scalar(query.limit(1))
    if found is not None:
        return found
    rules.ensure(connection, RULE, "sample", 0, "{}", now)
    subscriptions.add(
        connection,
        id=fresh_id,
        account_id=place.account_id,
        rule_id=RULE,
        scope='{"kind":"any"}',
        destination_id=place.id,
        origin=subscriptions.TEST,
        status="active",
        created_at=now,
        changed_at=now,
    )
    return fresh_id
