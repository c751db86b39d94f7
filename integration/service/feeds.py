"""Polling feeds: a rule seen through a scope, filled once from the past, then growing with each event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from integration.domain.catalogue import Source
from integration.domain.errors import NotFound, TooMany
from integration.domain.ids import feed_id
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service.asking import ask, scope_of
from integration.service.evaluate import AT_ONCE, ActiveRule, Found, Shelf, facts_of, identified, store_events
from integration.service.pricing import check_available
from integration.service.retelling import asked_since, replay
from integration.service.wiring import Gradewire
from integration.store.queries import events, readings, rules, subjects

MOST_FEEDS = 200
FILL_DAYS = 30
FILL_EVENTS = 1_000
#: A reader is noted at most this often.
NOTE_EVERY = 60_000


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a feed is asked for: newest first, at most `limit`; known since a time in ms; after an event's id.

    After an id come the first so many events that followed it: who goes on from the newest of them misses none.
    """

    limit: int = 100
    after_id: str | None = None
    since: int | None = None


def read(
    gradewire: Gradewire, account_id: str, trigger: str, options: Mapping[str, Any], scope: Mapping[str, Any], window: Window
) -> list[str]:
    """The JSON texts of a feed's events. New options register a feed; a GET causes no upstream call.

    Raises InvalidInput for options or scope, NotFound for an unknown `after_id`, TooMany at 200 live feeds an account.
    """
    rule = ask(gradewire, trigger, options)
    check_available(gradewire, rule)
    now = gradewire.now()
    with gradewire.database.read() as connection:
        seen = scope_of(gradewire, connection, rule, scope)
        identity = feed_id(rule.id, seen.text)
        after = _after(connection, window.after_id)
        read_at = rules.reader(connection, account_id, identity)
        if read_at is not None and read_at > now - NOTE_EVERY:
            return [
                payload
                for _, payload in rules.read_feed(connection, identity, limit=window.limit, after=after, since=window.since)
            ]
    with gradewire.database.write() as connection:
        _register(gradewire, connection, account_id, identity, rule, seen, now)
        return [
            payload for _, payload in rules.read_feed(connection, identity, limit=window.limit, after=after, since=window.since)
        ]


def _after(connection: Connection, identity: str | None) -> int | None:
    if identity is None:
        return None
    seq = events.known(connection, [identity]).get(identity)
    if seq is None:
        raise NotFound(f"There is no event {identity[:40]!r} (any more); leave after_id out to start anew.", field="after_id")
    return seq


def _register(
    gradewire: Gradewire, connection: Connection, account_id: str, identity: str, rule: ActiveRule, scope: Scope, now: int
) -> None:
    events.lock(connection)
    awake = rules.is_awake(connection, identity, now)
    mine = rules.reader(connection, account_id, identity)
    if (mine is None or mine <= now - rules.FEED_SLEEPS_AFTER) and rules.live_feeds(connection, account_id, now) >= MOST_FEEDS:
        raise TooMany(
            f"You read {MOST_FEEDS} feeds, the most an account may. One sleeps after 30 days unread; use fewer.",
            retry_after=3_600,
        )
    rules.ensure(connection, rule.id, rule.trigger.key, rule.semantics, rule.canonical, now)
    if not awake:
        rules.restart_feed(connection, identity, rule.id, scope.text, now)
        fill(gradewire, connection, identity, rule, scope, now)
    rules.note_reader(connection, account_id, identity, now)


def fill(gradewire: Gradewire, connection: Connection, identity: str, rule: ActiveRule, scope: Scope, now: int) -> None:
    """Put the past into a new feed: firings of the last 30 days of stored readings, at most the newest 1,000 events.

    The ids are those that live evaluation gave or would have given. Nobody else is told of them. The caller holds the
    event lock.
    """
    catalogue = gradewire.catalogue
    source = rule.source(catalogue)
    oldest = gradewire.clock.at(now) - FILL_DAYS * DAY
    since = oldest - rule.lookback(source)
    asked, names = asked_since(connection, rule), _within(connection, source, scope)
    found: list[Found] = []
    for start in range(0, len(names), AT_ONCE):
        shelf = Shelf(connection, catalogue.sources, names[start : start + AT_ONCE], since)
        for log in shelf.logs(rule.inputs):
            told, late = replay(rule, shelf, log, asked)
            found += [(rule, log.subject, t) for t in told if t.firing.as_of >= oldest and t.firing.as_of not in late]
    newest = identified(sorted(found, key=lambda f: f[2].firing.as_of)[-FILL_EVENTS:])
    store_events(connection, catalogue, newest, now=now, since=asked)
    rules.add_feed_items(connection, [(identity, seq) for seq in events.known(connection, list(newest)).values()])


def _within(connection: Connection, source: Source, scope: Scope) -> list[str]:
    """The subjects of a scope, as they are now."""
    if scope.kind == "any":
        return sorted(readings.known_subjects(connection, source.key))
    if scope.kind in ("tokens", "indices"):
        return [f"{source.subject}:{number}" for number in scope.ids]
    known = subjects.load(connection, kind=source.subject)
    return sorted(name for name, row in known.items() if scope.holds(facts_of(row)))
