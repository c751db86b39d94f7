"""What belongs to an account, taken away in parts: nothing is left of it but the events and rules, which are nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, or_, select, update

from integration.store.queries import revisions
from integration.store.tables import (
    account,
    api_key,
    attempt,
    delivery,
    destination,
    event,
    farewell,
    feed_link,
    feed_reader,
    ifttt_identity,
    inbox_mail,
    owner_notice,
    past_wish,
    replay,
    subscription,
)

#: Whose a test event is once its account is gone: no account's, and yet no fact of the market.
NOBODY = ""
#: What hangs on an account alone, and is never much.
_FEW = (feed_link, ifttt_identity, feed_reader, past_wish, replay, owner_notice, api_key, destination)


class Taken(NamedTuple):
    """What one step took of a subscription: rows, where the next step begins (None: at its end), whether some had to stay."""

    deliveries: int
    attempts: int
    position: int | None
    left: bool


def size(connection: Connection, account_id: str) -> dict[str, int]:
    """How many keys, destinations, subscriptions and deliveries an account has."""
    mine = select(subscription.c.id).where(subscription.c.account_id == account_id)
    tables = {"keys": api_key, "destinations": destination, "subscriptions": subscription}
    counts = {
        name: select(func.count()).select_from(table).where(table.c.account_id == account_id) for name, table in tables.items()
    }
    counts["deliveries"] = select(func.count()).where(delivery.c.subscription_id.in_(mine))
    return {name: int(connection.scalar(query) or 0) for name, query in counts.items()}


def shut(connection: Connection, account_id: str, now: int) -> None:
    """Nobody can ask for an account any more, and nothing is sent to its destinations."""
    live = (api_key.c.account_id == account_id, api_key.c.revoked_at.is_(None))
    connection.execute(update(api_key).where(*live).values(revoked_at=now))
    links = (feed_link.c.account_id == account_id, feed_link.c.revoked_at.is_(None))
    connection.execute(update(feed_link).where(*links).values(revoked_at=now))
    wishes = (replay.c.account_id == account_id, replay.c.status.in_(("waiting", "running")))
    connection.execute(update(replay).where(*wishes).values(status="cancelled", changed_at=now, ended_at=now))
    ended = {"status": "ended", "reason": "the account was deleted", "changed_at": now}
    connection.execute(update(destination).where(destination.c.account_id == account_id).values(**ended))


def hooks(connection: Connection, account_id: str, after: str, most: int) -> list[Any]:
    """(id, sealed settings of the destination) of the next of an account's REST hooks after an id; ended ones left out."""
    c = subscription.c
    query = select(c.id, destination.c.config).join(destination, destination.c.id == c.destination_id)
    live = (c.account_id == account_id, c.origin == "hook", c.status != "ended", c.id > after)
    return list(connection.execute(query.where(*live).order_by(c.id).limit(most)))


def end_subscriptions(connection: Connection, account_id: str, now: int, most: int) -> int:
    """End at most so many of an account's subscriptions: no event is owed to them any more; how many."""
    c = subscription.c
    live = select(c.id).where(c.account_id == account_id, c.status != "ended").limit(most)
    ended = {"status": "ended", "reason": "the account was deleted", "changed_at": now}
    query = update(subscription).where(c.id.in_(live))
    return connection.execute(query.values(**ended, revision=revisions.bump(connection))).rowcount


def subscriptions(connection: Connection, account_id: str, after: str, most: int) -> list[str]:
    """The ids of the next of an account's subscriptions after an id."""
    c = subscription.c
    return list(connection.scalars(select(c.id).where(c.account_id == account_id, c.id > after).order_by(c.id).limit(most)))


def take(connection: Connection, subscription_id: str, after: int, now: int, most: int) -> Taken:
    """Delete the next so many deliveries of a subscription, in the order of their events, with their attempts.

    One that is being sent stays until that is written down: else its attempt would be left behind.
    """
    c = delivery.c
    mine = select(c.id, c.event_seq).where(c.subscription_id == subscription_id, c.event_seq > after)
    rows = connection.execute(mine.order_by(c.event_seq).limit(most)).all()
    free = or_(c.lease.is_(None), c.next_attempt_at <= now)
    gone = list(connection.scalars(delete(delivery).where(c.id.in_([row.id for row in rows]), free).returning(c.id)))
    tried = connection.execute(delete(attempt).where(attempt.c.delivery_id.in_(gone))).rowcount
    return Taken(len(gone), tried, rows[-1].event_seq if len(rows) == most else None, len(gone) < len(rows))


def drop_subscriptions(connection: Connection, ids: Sequence[str]) -> int:
    """Delete subscriptions that nothing is owed to, and what was said to their receivers at an end; how many."""
    over = farewell.c.next_attempt_at.is_(None)
    connection.execute(delete(farewell).where(farewell.c.subscription_id.in_(ids), over))
    return connection.execute(delete(subscription).where(subscription.c.id.in_(ids))).rowcount


def drop(connection: Connection, account_id: str) -> None:
    """Delete the account with all that is left of it. Its test events stay where they are numbered, and are nobody's."""
    connection.execute(update(event).where(event.c.account_id == account_id).values(account_id=NOBODY))
    email = select(account.c.email).where(account.c.id == account_id).scalar_subquery()
    connection.execute(delete(inbox_mail).where(inbox_mail.c.recipient == email))
    for table in _FEW:
        connection.execute(delete(table).where(table.c.account_id == account_id))
    connection.execute(delete(account).where(account.c.id == account_id))
