"""Events in the order they were stored, for readers that go on from a cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from integration.store.queries.deliveries import SHADOW
from integration.store.queries.events import SHORTENED
from integration.store.tables import delivery, event, subscription


class View(NamedTuple):
    """Which events a reader sees: those owed to an account's subscriptions (or to one of them), or `everything` there is.

    `tests` adds the account's own test events. Of these only some triggers', a subject's, or those known since a time (ms).
    """

    account_id: str
    subscription_id: str | None = None
    everything: bool = False
    tests: bool = False
    triggers: tuple[str, ...] = ()
    subject: str | None = None
    since: int | None = None


def ends(connection: Connection) -> tuple[int, int]:
    """(oldest, newest) seq; zeros where there are no events."""
    # apart: asked for both at once, SQLite would look at every event
    return int(connection.scalar(select(func.min(event.c.seq))) or 0), newest(connection)


def newest(connection: Connection) -> int:
    """The newest seq; 0 where there is none."""
    return int(connection.scalar(select(func.max(event.c.seq))) or 0)


def id_at(connection: Connection, seq: int) -> str | None:
    """The id of the event with a number."""
    found: str | None = connection.scalar(select(event.c.id).where(event.c.seq == seq))
    return found


def first_stored(connection: Connection, since: int) -> int:
    """The seq from which on events were stored since a time (ms), by halves: they are numbered as they are stored.

    Where the clock was set back in between, it may be one of several such places.
    """
    c = event.c
    low, high = ends(connection)
    high += 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(select(c.seq, c.created_at).where(c.seq >= middle).order_by(c.seq).limit(1)).first()
        if row is None or row.created_at >= since:
            high = middle
        else:
            low = row.seq + 1
    return low


def page(connection: Connection, view: View, *, after: int, upto: int, limit: int) -> Sequence[Any]:
    """The first so many events (seq, id, trigger, payload) of a view after one seq and up to another, oldest first.

    Those that are no longer kept whole are left out.
    """
    c = event.c
    query = select(c.seq, c.id, c.trigger, c.payload).where(c.seq > after, c.seq <= upto, _seen(view, after, upto))
    if view.triggers:
        query = query.where(c.trigger.in_(view.triggers))
    if view.subject is not None:
        query = query.where(c.subject == view.subject)
    if view.since is not None:
        query = query.where(c.known_at >= view.since)
    whole = ~c.payload.startswith(SHORTENED, autoescape=True)
    return connection.execute(query.where(whole).order_by(c.seq).limit(limit)).all()


def _seen(view: View, after: int, upto: int) -> ColumnElement[bool]:
    c = event.c
    seen = c.account_id.is_(None) if view.everything else c.seq.in_(_owed(view, after, upto))
    return or_(seen, c.account_id == view.account_id) if view.tests else seen


def _owed(view: View, after: int, upto: int) -> Any:
    """The numbers, in a stretch, of what subscriptions are owed: of each, the stretch of an index."""
    d, mine = delivery.c, select(subscription.c.id).where(subscription.c.account_id == view.account_id)
    if view.subscription_id is not None:
        mine = mine.where(subscription.c.id == view.subscription_id)
    return select(d.event_seq).where(
        and_(d.subscription_id.in_(mine), d.event_seq > after, d.event_seq <= upto, d.state != SHADOW)
    )
