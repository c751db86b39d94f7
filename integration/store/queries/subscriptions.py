"""Destinations and subscriptions of accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, case, delete, or_, select, update

from integration.store.queries import revisions
from integration.store.tables import account, delivery, destination, rule, subscription

#: How the origin of a companion begins; the subscription's id follows.
_COMPANION = "corrections:"
#: The origin of what carries test events to a destination. Its owner does not see it among the subscriptions.
TEST = "test"


def add_destination(connection: Connection, **values: Any) -> None:
    """A new destination."""
    connection.execute(destination.insert().values(**values))


def _destinations(account_id: str | None) -> Select[Any]:
    query = select(destination, account.c.email.label("account_email")).join(account, account.c.id == destination.c.account_id)
    return query if account_id is None else query.where(destination.c.account_id == account_id)


def destinations(connection: Connection, account_id: str | None, limit: int | None = None) -> list[Any]:
    """The destinations of an account (None: of all), newest first, each with its account's address."""
    query = _destinations(account_id).order_by(destination.c.created_at.desc(), destination.c.id)
    return list(connection.execute(query.limit(limit)))


def destination_of(connection: Connection, account_id: str | None, identity: str) -> Any | None:
    """One of the destinations of an account (None: of all), with its account's address."""
    return connection.execute(_destinations(account_id).where(destination.c.id == identity)).first()


def change_destination(connection: Connection, identity: str, now: int, **values: Any) -> None:
    """Change a destination's columns at `now` (ms). Its `changed_at` always grows: by it workers see that it is another."""
    c = destination.c
    changed_at = case((c.changed_at >= now, c.changed_at + 1), else_=now)
    connection.execute(update(destination).where(c.id == identity).values(**values, changed_at=changed_at))


def drop_destination(connection: Connection, identity: str) -> None:
    """Remove a destination with its subscriptions and what they are owed."""
    mine = select(subscription.c.id).where(subscription.c.destination_id == identity)
    connection.execute(delete(delivery).where(delivery.c.subscription_id.in_(mine)))
    connection.execute(delete(subscription).where(subscription.c.destination_id == identity))
    connection.execute(delete(destination).where(destination.c.id == identity))


def add(connection: Connection, **values: Any) -> None:
    """A new subscription."""
    connection.execute(subscription.insert().values(**values, revision=revisions.bump(connection)))


def _with_rule() -> Select[Any]:
    return (
        select(subscription, rule.c.trigger, rule.c.options)
        .add_columns(destination.c.channel, destination.c.label, destination.c.hint, destination.c.config)
        .add_columns(destination.c.status.label("destination_status"), destination.c.reason.label("destination_reason"))
        .join(rule, rule.c.id == subscription.c.rule_id)
        .join(destination, destination.c.id == subscription.c.destination_id)
    )


def subscriptions(connection: Connection, account_id: str, *, origin: str | None = None, trigger: str | None = None) -> list[Any]:
    """An account's subscriptions with rule and destination, newest first; ended ones and hidden ones left out."""
    query = _with_rule().where(subscription.c.account_id == account_id, subscription.c.status != "ended")
    query = query.where(~subscription.c.origin.startswith(_COMPANION), subscription.c.origin != TEST)
    if origin:
        query = query.where(subscription.c.origin == origin)
    if trigger:
        query = query.where(rule.c.trigger == trigger)
    return list(connection.execute(query.order_by(subscription.c.created_at.desc(), subscription.c.id)))


def subscription_of(connection: Connection, account_id: str, identity: str) -> Any | None:
    """One of an account's subscriptions, ended or not."""
    query = _with_rule().where(subscription.c.account_id == account_id, subscription.c.id == identity)
    return connection.execute(query).first()


def accounts(connection: Connection, identities: Sequence[str]) -> list[str]:
    """Whose subscriptions these are, each account once."""
    c = subscription.c
    return sorted(connection.scalars(select(c.account_id).distinct().where(c.id.in_(identities))))


def hooks_of(connection: Connection, key_ids: Sequence[str]) -> list[Any]:
    """The REST hooks that these keys asked for, with rule and destination; ended ones left out."""
    c = subscription.c
    return list(connection.execute(_with_rule().where(c.key_id.in_(key_ids), c.origin == "hook", c.status != "ended")))


def claim(connection: Connection, identity: str, key_id: str) -> None:
    """Let a subscription, and its companion, belong to a key. It wants what it did, so nobody need look again."""
    c = subscription.c
    own = or_(c.id == identity, c.origin == companion_of(identity))
    connection.execute(update(subscription).where(own, c.key_id.is_distinct_from(key_id)).values(key_id=key_id))


def companion_of(identity: str) -> str:
    """The origin of the companion that tells of corrections to a subscription's events; it shares its fate."""
    return _COMPANION + identity


def companion(connection: Connection, identity: str) -> str | None:
    """The companion of a subscription, unless it has ended."""
    c = subscription.c
    found: str | None = connection.scalar(select(c.id).where(c.origin == companion_of(identity), c.status != "ended"))
    return found


def change(connection: Connection, identity: str, **values: Any) -> None:
    """Change columns of a subscription, and of its companion."""
    changed = {**values, "revision": revisions.bump(connection)}
    own = or_(subscription.c.id == identity, subscription.c.origin == companion_of(identity))
    connection.execute(update(subscription).where(own).values(**changed))


def point_elsewhere(connection: Connection, identity: str, rule_id: str, scope: str, now: int) -> None:
    """Let a subscription want another rule or scope from now on, without its companion, which wanted the old one."""
    c, bumped = subscription.c, revisions.bump(connection)
    end = {"status": "ended", "reason": "changed", "changed_at": now, "revision": bumped}
    connection.execute(update(subscription).where(c.origin == companion_of(identity), c.status != "ended").values(**end))
    fresh = {"rule_id": rule_id, "scope": scope, "corrections": 0, "changed_at": now, "revision": bumped}
    connection.execute(update(subscription).where(c.id == identity).values(**fresh))


def pending_dropped(connection: Connection, subscription_id: str) -> None:
    """Forget what is still owed to an ended subscription, and to its companion: pending, or grouped with what is."""
    c = subscription.c
    own = select(c.id).where(or_(c.id == subscription_id, c.origin == companion_of(subscription_id)))
    connection.execute(delete(delivery).where(delivery.c.subscription_id.in_(own), delivery.c.state.in_((0, 4))))


def same(connection: Connection, destination_id: str, rule_id: str, scope: str) -> str | None:
    """The subscription at a destination that wants just this, if there is one."""
    c = subscription.c
    query = select(c.id).where(c.destination_id == destination_id, c.rule_id == rule_id, c.scope == scope, c.status != "ended")
    identity: str | None = connection.scalar(query.limit(1))
    return identity


def others(connection: Connection, destination_id: str) -> bool:
    """Whether a destination still has subscriptions."""
    c = subscription.c
    query = select(c.id).where(c.destination_id == destination_id, c.status != "ended", c.origin != TEST)
    return connection.scalar(query.limit(1)) is not None
