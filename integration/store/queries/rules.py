"""Rules, and who wants them: subscriptions and feeds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Select, delete, exists, func, or_, select, text

from integration.store.queries import readings, revisions
from integration.store.queries._dialect import array, insert
from integration.store.tables import event, feed, feed_item, feed_reader, rule, subscription

#: A feed that nobody has read for this long sleeps: it collects nothing until it is asked for again.
FEED_SLEEPS_AFTER = 30 * 86_400_000


class Wish(NamedTuple):
    """Someone wants a rule within a scope: a subscription (with its destination) or a feed.

    What a `shadow` would have been sent is only recorded. `manner` is each, grouped or bundle.
    """

    id: str
    rule_id: str
    scope: str
    destination_id: str = ""
    shadow: bool = False
    manner: str = "each"


def ensure(connection: Connection, identity: str, trigger: str, semantics: int, options: str, now: int) -> None:
    """The rule, made if it is new: later than any reading that is stored, so that what came first can be told."""
    made = max(now, readings.last_moment(connection) + 1)
    values = {"id": identity, "trigger": trigger, "semantics": semantics, "options": options, "created_at": made}
    connection.execute(insert(connection, rule).values(**values).on_conflict_do_nothing())


def load(connection: Connection, identities: Sequence[str]) -> dict[str, Any]:
    """Rules by id."""
    return {row.id: row for row in connection.execute(select(rule).where(rule.c.id.in_(identities)))}


def _awake(now: int) -> Any:
    c = feed_reader.c
    return exists().where(c.feed_id == feed.c.id, or_(c.read_at > now - FEED_SLEEPS_AFTER, c.kept_at.is_not(None)))


def live_rules(connection: Connection, now: int) -> list[Any]:
    """Rules that a subscription (also a paused one) or an awake feed wants: id, trigger, semantics, options."""
    wanted = select(subscription.c.rule_id).where(subscription.c.status != "ended")
    read = select(feed.c.rule_id).where(_awake(now))
    return list(connection.execute(select(rule).where(or_(rule.c.id.in_(wanted), rule.c.id.in_(read))).order_by(rule.c.id)))


#: The (rule id, scope) that are asked for, bound as one value: many times cheaper than a parameter each.
_PAIRS = {
    "sqlite": "(SELECT value ->> 0 AS rule_id, value ->> 1 AS scope FROM json_each(:pairs)) AS asked",
    "postgresql": "unnest(CAST(:rules AS text[]), CAST(:scopes AS text[])) AS asked(rule_id, scope)",
}
_SUBSCRIBED = """
    SELECT s.id, s.rule_id, s.scope, s.destination_id, CASE WHEN s.status = 'shadow' THEN 1 ELSE 0 END, s.manner
    FROM {} JOIN subscription AS s ON s.rule_id = asked.rule_id AND s.scope = asked.scope
    JOIN destination AS d ON d.id = s.destination_id
    WHERE s.status IN ('active', 'shadow')"""
_FED = """
    SELECT f.id, f.rule_id, f.scope FROM {} JOIN feed AS f ON f.rule_id = asked.rule_id AND f.scope = asked.scope
    WHERE EXISTS (SELECT 1 FROM feed_reader AS r WHERE r.feed_id = f.id AND (r.read_at > :since OR r.kept_at IS NOT NULL))"""
_WISHES = {name: (text(_SUBSCRIBED.format(pairs)), text(_FED.format(pairs))) for name, pairs in _PAIRS.items()}


def wishes(connection: Connection, now: int, asked: Sequence[tuple[str, str]]) -> tuple[list[Wish], list[Wish]]:
    """(subscriptions to deliver to, feeds to fill) of each (rule id, scope). Paused subscriptions get no deliveries."""
    if not asked:
        return [], []
    subscribed, fed = _WISHES[connection.dialect.name]
    if connection.dialect.name == "sqlite":
        given = {"pairs": json.dumps(asked)}
    else:
        given = dict(zip(("rules", "scopes"), map(array, zip(*asked, strict=True)), strict=True))
    return (
        sorted(Wish(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in connection.execute(subscribed, given)),
        sorted(Wish(row[0], row[1], row[2]) for row in connection.execute(fed, {**given, "since": now - FEED_SLEEPS_AFTER})),
    )


def wanted_scopes(connection: Connection, now: int) -> list[tuple[str, str]]:
    """Each (rule id, scope) once that a subscription (also a paused one) or an awake feed wants: what polling follows from."""
    subscribed = select(subscription.c.rule_id, subscription.c.scope).where(subscription.c.status != "ended")
    read = select(feed.c.rule_id, feed.c.scope).where(_awake(now))
    return [(row[0], row[1]) for row in connection.execute(subscribed.union(read))]


# -- feeds -----------------------------------------------------------------------------------------------------------


def is_awake(connection: Connection, identity: str, now: int) -> bool:
    """Whether anyone read a feed lately."""
    return connection.scalar(select(feed.c.id).where(feed.c.id == identity, _awake(now))) is not None


def live_feeds(connection: Connection, account_id: str, now: int) -> int:
    """How many feeds an account keeps awake, by reading them or because it asked for that."""
    c = feed_reader.c
    awake = or_(c.read_at > now - FEED_SLEEPS_AFTER, c.kept_at.is_not(None))
    query = select(func.count()).where(c.account_id == account_id, awake)
    return int(connection.scalar(query) or 0)


def reader(connection: Connection, account_id: str, feed_id: str) -> int | None:
    """When an account last read a feed, in ms."""
    c = feed_reader.c
    return connection.scalar(select(c.read_at).where(c.account_id == account_id, c.feed_id == feed_id))


def note_reader(connection: Connection, account_id: str, feed_id: str, now: int) -> None:
    """An account reads a feed."""
    statement = insert(connection, feed_reader).values(account_id=account_id, feed_id=feed_id, read_at=now)
    upsert = statement.on_conflict_do_update(
        index_elements=[feed_reader.c.account_id, feed_reader.c.feed_id], set_={"read_at": statement.excluded.read_at}
    )
    connection.execute(upsert)


def restart_feed(connection: Connection, identity: str, rule_id: str, scope: str, now: int) -> None:
    """A new feed, or one that slept, empty."""
    connection.execute(delete(feed_item).where(feed_item.c.feed_id == identity))
    values = {"id": identity, "rule_id": rule_id, "scope": scope, "created_at": now, "revision": revisions.bump(connection)}
    statement = insert(connection, feed).values(**values)
    anew = {name: statement.excluded[name] for name in ("created_at", "revision")}
    connection.execute(statement.on_conflict_do_update(index_elements=[feed.c.id], set_=anew))


def add_feed_items(connection: Connection, pairs: Sequence[tuple[str, int]]) -> None:
    """Put events into feeds: (feed id, seq)."""
    if pairs:
        rows = [{"feed_id": feed_id, "seq": seq} for feed_id, seq in pairs]
        connection.execute(insert(connection, feed_item).on_conflict_do_nothing(), rows)


def read_feed(
    connection: Connection,
    identity: str,
    *,
    limit: int,
    after: int | None = None,
    before: int | None = None,
    since: int | None = None,
) -> Sequence[Any]:
    """(seq, payload) of a feed's events, newest first; only those known since a time in ms, and before a seq.

    Of those after a seq, the first so many: who goes on from the newest one returned misses none.
    """
    query = select(event.c.seq, event.c.payload)
    rows = connection.execute(_part(query, identity, limit, after, before, since)).all()
    return rows if after is None else rows[::-1]


def feed_items(
    connection: Connection,
    identity: str,
    *,
    limit: int,
    after: int | None = None,
    before: int | None = None,
    since: int | None = None,
) -> Sequence[Any]:
    """(seq, known_at) of a feed's events as `read_feed` finds them: the newest first, but those after a seq oldest first."""
    query = select(event.c.seq, event.c.known_at)
    return connection.execute(_part(query, identity, limit, after, before, since)).all()


def _part(query: Select[Any], identity: str, limit: int, after: int | None, before: int | None, since: int | None) -> Select[Any]:
    item = feed_item.c
    query = query.join(feed_item, item.seq == event.c.seq).where(item.feed_id == identity)
    if after is not None:
        query = query.where(item.seq > after)
    if before is not None:
        query = query.where(item.seq < before)
    if since is not None:
        query = query.where(event.c.known_at >= since)
    return query.order_by(item.seq.desc() if after is None else item.seq.asc()).limit(limit)
