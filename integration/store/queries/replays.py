"""Replays: wishes to send again what failed, what is held or what is missing, and the deliveries they make due."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, or_, select, update

from integration.store.queries.deliveries import DEAD, EXPIRED, HELD, IS_PENDING, PENDING
from integration.store.queries.subscriptions import companion_of
from integration.store.tables import delivery, event, replay, subscription

WAITING, RUNNING, DONE, CANCELLED, FAILED = "waiting", "running", "done", "cancelled", "failed"
_OPEN = replay.c.status.in_((WAITING, RUNNING))
#: The states of deliveries that each kind of replay makes due again.
UNDONE = {"failed": (DEAD, EXPIRED), "held": (HELD,)}
MISSING = "missing"
#: Spelled as the partial index spells it: with parameters, PostgreSQL would not use that index.
_IS_UNDONE = delivery.c.state.in_([literal_column("2"), literal_column("5"), literal_column("6")])


class Span(NamedTuple):
    """What a replay is about: a destination or one of its subscriptions, since ≤ time < until (ms), after a position."""

    kind: str
    destination_id: str
    subscription_id: str | None
    since: int
    until: int
    position: int = 0


# -- the wishes ------------------------------------------------------------------------------------------------------


def add(connection: Connection, **values: Any) -> None:
    """A new replay."""
    connection.execute(replay.insert().values(**values, status=WAITING))


def one(connection: Connection, account_id: str | None, identity: str) -> Any | None:
    """One of an account's replays, or of all for the operator (None)."""
    query = select(replay).where(replay.c.id == identity)
    return connection.execute(query if account_id is None else query.where(replay.c.account_id == account_id)).first()


def newest(connection: Connection, account_id: str | None, *, limit: int, destination_id: str | None = None) -> list[Any]:
    """An account's replays, or all for the operator (None), newest first; of one destination."""
    query = select(replay) if account_id is None else select(replay).where(replay.c.account_id == account_id)
    if destination_id is not None:
        query = query.where(replay.c.destination_id == destination_id)
    return list(connection.execute(query.order_by(replay.c.created_at.desc(), replay.c.id).limit(limit)))


def open_at(connection: Connection, destination_id: str) -> str | None:
    """The replay at a destination that is not over yet."""
    c = replay.c
    found: str | None = connection.scalar(select(c.id).where(c.destination_id == destination_id, _OPEN).limit(1))
    return found


def any_open(connection: Connection, except_for: Collection[str] = ()) -> bool:
    """Whether there is anything to work off; a read, so that looking costs nothing."""
    query = select(replay.c.id).where(_OPEN, replay.c.id.not_in(list(except_for)))
    return connection.scalar(query.limit(1)) is not None


def claim(connection: Connection, now: int, lease: int, except_for: Collection[str]) -> Any | None:
    """Take the replay that was left alone longest; None where none waits.

    Whoever has one renews `changed_at` with each step. One that was not renewed for `lease` ms was left by a worker that
    died, and so was one renewed in the future: there the clock was set back.
    """
    c = replay.c
    left = and_(c.status == RUNNING, or_(c.changed_at < now - lease, c.changed_at > now + lease))
    ready = select(c.id).where(or_(c.status == WAITING, left), c.id.not_in(list(except_for))).order_by(c.changed_at, c.id)
    ready = ready.limit(1).with_for_update(skip_locked=True)
    taken = update(replay).where(c.id == ready.scalar_subquery()).values(status=RUNNING, changed_at=now)
    return connection.execute(taken.returning(replay)).first()


def step(connection: Connection, job: Any, now: int, *, status: str = RUNNING, **values: Any) -> Any | None:
    """Note how far a claimed replay is; None where it was cancelled or went to another worker meanwhile.

    Each step has a `changed_at` of its own, so that of two workers who think they hold the replay only one goes on.
    """
    c = replay.c
    mine = (c.id == job.id, c.status == RUNNING, c.changed_at == job.changed_at)
    at = {"changed_at": max(now, job.changed_at + 1), "ended_at": None if status in (WAITING, RUNNING) else now}
    return connection.execute(update(replay).where(*mine).values(status=status, **at, **values).returning(replay)).first()


def cancel(connection: Connection, identity: str, now: int) -> None:
    """End a replay that is not over yet; what it made due stays due."""
    query = update(replay).where(replay.c.id == identity, _OPEN)
    connection.execute(query.values(status=CANCELLED, changed_at=now, ended_at=now))


# -- what failed, and what is held -----------------------------------------------------------------------------------


def _own(destination_id: str, subscription_id: str | None) -> ColumnElement[bool]:
    """Deliveries of a destination's subscriptions that still want events, or of one of them and its companion."""
    s = subscription.c
    wanting = select(s.id).where(s.destination_id == destination_id, s.status != "ended")
    if subscription_id is not None:
        wanting = wanting.where(or_(s.id == subscription_id, s.origin == companion_of(subscription_id)))
    return and_(delivery.c.destination_id == destination_id, delivery.c.subscription_id.in_(wanting))


def _undone(job: Any) -> tuple[ColumnElement[bool], ...]:
    c = delivery.c
    at = func.coalesce(c.done_at, c.created_at)
    states = c.state.in_(UNDONE[job.kind])
    return _IS_UNDONE, states, _own(job.destination_id, job.subscription_id), at >= job.since, at < job.until


def count_undone(connection: Connection, job: Any) -> int:
    """How many deliveries failed, or are held, in the period of a replay."""
    return int(connection.scalar(select(func.count()).where(*_undone(job))) or 0)


def next_undone(connection: Connection, job: Any, most: int) -> tuple[list[int], int | None]:
    """Of the next so many that are undone at a replay's destination, those that it is about, by id; and the last looked at,
    None where there are no more. It walks along the index, so that a step costs the same however many there are."""
    c = delivery.c
    mine = (_IS_UNDONE, c.destination_id == job.destination_id, c.id > job.position)
    ahead = list(connection.scalars(select(c.id).where(*mine).order_by(c.id).limit(most)))
    if not ahead:
        return [], None
    among = select(c.id).where(*_undone(job), c.id >= ahead[0], c.id <= ahead[-1]).order_by(c.id)
    return list(connection.scalars(among)), ahead[-1]


def set_back(connection: Connection, job: Any, ids: Sequence[int], now: int) -> int:
    """Make deliveries due now as if never tried, each by itself, unless their state changed meanwhile; how many there were.

    Whether one arrived in spite of it all stays in doubt where it was.
    """
    values = {"state": PENDING, "attempts": 0, "next_attempt_at": now, "lease": None, "lead_id": None, "wished": 1}
    query = update(delivery).where(delivery.c.id.in_(ids), delivery.c.state.in_(UNDONE[job.kind]))
    return connection.execute(query.values(**values, done_at=None, reason=None)).rowcount


def is_untried(connection: Connection, job: Any) -> bool:
    """Whether the last of what a replay made due still waits for its first attempt."""
    c = delivery.c
    last = c.event_seq if job.kind == MISSING else c.id
    query = select(c.id).where(last == job.position, c.destination_id == job.destination_id, IS_PENDING, c.attempts == 0)
    return connection.scalar(query.limit(1)) is not None


# -- what is missing -------------------------------------------------------------------------------------------------


def wanting(connection: Connection, destination_id: str, subscription_id: str | None) -> list[Any]:
    """The subscriptions at a destination that are told of events, or one of them and its companion."""
    s = subscription.c
    query = select(subscription).where(s.destination_id == destination_id, s.status.in_(("active", "paused")))
    if subscription_id is not None:
        query = query.where(or_(s.id == subscription_id, s.origin == companion_of(subscription_id)))
    return list(connection.execute(query.order_by(s.id)))


def events_of(connection: Connection, rules: Collection[str], span: Any, most: int) -> list[Any]:
    """Events (seq, id, rule_id, subject, known_at) of rules known in a span, after its position, in their order.

    What was known when it was true is history from before a subject's first live reading: nobody is owed that.
    """
    c = event.c
    query = select(c.seq, c.id, c.rule_id, c.subject, c.known_at).where(c.rule_id.in_(list(rules)), c.seq > span.position)
    query = query.where(c.known_at >= span.since, c.known_at < span.until, c.known_at != c.as_of)
    return list(connection.execute(query.order_by(c.seq).limit(most)))


def owed(connection: Connection, subscriptions: Collection[str], first: int, last: int) -> set[tuple[str, int]]:
    """(subscription id, event seq) of what subscriptions are owed of events between two seq, both included."""
    c = delivery.c
    query = select(c.subscription_id, c.event_seq).where(c.subscription_id.in_(list(subscriptions)))
    return {(row[0], row[1]) for row in connection.execute(query.where(c.event_seq.between(first, last)))}
