"""Polling feeds: a rule seen through a scope, filled once from the past, then growing with each event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from integration.domain import bundle
from integration.domain.catalogue import Source, Trigger
from integration.domain.errors import InvalidInput, NotFound, TooMany
from integration.domain.ids import feed_id
from integration.domain.payload import id_of
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service.asking import ask, scope_of, split
from integration.service.evaluate import AT_ONCE, ActiveRule, Found, Shelf, facts_of, identified, store_events
from integration.service.pricing import check_available
from integration.service.retelling import asked_since, replay
from integration.service.wiring import Gradewire
from integration.store.queries import events, feed_text, readings, rules, subjects

MOST_FEEDS = 200
FILL_DAYS = 30
FILL_EVENTS = 1_000
#: A reader is noted at most this often (ms): a feed sleeps after 30 days.
NOTE_EVERY = 3_600_000
#: What a query means is remembered for so long (ms), of so many queries.
REMEMBERED, MOST_REMEMBERED = 600_000, 10_000
MEMORY = "feeds"
#: For bundles, so many events of a feed are looked at, and so many told at once.
LOOKED_AT, MOST_TOLD = 20_000, 2_000

#: (account, trigger, query string) of a feed as it was asked for.
Asked = tuple[str, str, bytes]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a feed is asked for: newest first, at most `limit`; known since a time in ms; after an event's id, or
    before one. In a `bundle` the events of a poll are one, and so many of these are meant.

    After an id come the first so many events that followed it: who goes on from the newest of them misses none. Before an id
    come the newest so many that it followed: who goes back from the oldest of them sees all.
    """

    limit: int = 100
    after_id: str | None = None
    since: int | None = None
    before_id: str | None = None
    bundle: bool = False

    @property
    def plain(self) -> bool:
        """Whether it is the newest events and no other part."""
        return not (self.after_id or self.before_id or self.bundle or self.since is not None)


class Page(NamedTuple):
    """JSON texts, newest first, and the id of the newest event that they tell of, None where they tell nothing."""

    texts: list[str]
    newest: str | None


def read(
    gradewire: Gradewire, account_id: str, trigger: str, options: Mapping[str, Any], scope: Mapping[str, Any], window: Window
) -> list[str]:
    """The JSON texts of a feed's events. New options register a feed; a GET causes no upstream call.

    Raises InvalidInput for options or scope, NotFound for an unknown `after_id`, TooMany at 200 live feeds an account.
    """
    return page(gradewire, enter(gradewire, account_id, trigger, options, scope), window).texts


def enter(gradewire: Gradewire, account_id: str, trigger: str, options: Mapping[str, Any], scope: Mapping[str, Any]) -> str:
    """The id of a feed that an account reads now; it is made where nobody read it lately. Raises as `read` does."""
    rule = ask(gradewire, trigger, options)
    check_available(gradewire, rule)
    now = gradewire.now()
    with gradewire.database.read() as connection:
        seen = scope_of(gradewire, connection, rule, scope)
        identity = feed_id(rule.id, seen.text)
        read_at = rules.reader(connection, account_id, identity)
    if read_at is None or read_at <= now - NOTE_EVERY:
        with gradewire.database.write() as connection:
            _register(gradewire, connection, account_id, identity, rule, seen, now)
    return identity


def enter_as_written(gradewire: Gradewire, account_id: str, trigger: Trigger, query: Mapping[str, str]) -> str:
    """As `enter`, from options and scope as a query mixes them."""
    return enter(gradewire, account_id, trigger.key, *split(trigger, query))


def remembered(gradewire: Gradewire, asked: Asked, find: Callable[[], T]) -> T:
    """What a query means, found out once in ten minutes."""
    known: dict[Asked, tuple[int, T]] = gradewire.memory.setdefault(MEMORY, {})
    now = gradewire.now()
    entry = known.get(asked)
    if entry and 0 <= now - entry[0] < REMEMBERED:
        return entry[1]
    meaning = find()
    if len(known) >= MOST_REMEMBERED:
        known.clear()
    known[asked] = now, meaning
    return meaning


def ends(gradewire: Gradewire, identity: str) -> tuple[int, int]:
    """The seq of a feed's oldest and newest event: while these stay, so does what it tells. Zeros where it is empty."""
    return feed_text.ends(gradewire.database, identity)


def array(gradewire: Gradewire, identity: str, limit: int) -> tuple[tuple[int, int], bytes]:
    """(ends, JSON array) of the newest events of a feed, in one go: it is what is asked for most."""
    return feed_text.array(gradewire.database, identity, limit)


def page(gradewire: Gradewire, identity: str, window: Window) -> Page:
    """A part of a feed. Raises NotFound for an id that is not there."""
    with gradewire.database.read() as connection:
        after, before = _seq(connection, window.after_id, "after_id"), _seq(connection, window.before_id, "before_id")
        if window.bundle:
            return _bundles(connection, identity, window, after, before)
        rows = rules.read_feed(connection, identity, limit=window.limit, after=after, before=before, since=window.since)
    return Page([row[1] for row in rows], id_of(rows[0][1]) if rows else None)


def _seq(connection: Connection, identity: str | None, field: str) -> int | None:
    if identity is None:
        return None
    seq = events.known(connection, [identity]).get(identity)
    if seq is None:
        if identity.startswith("bnd_"):
            text = f"{field}: A bundle's id is no cursor. Send X-Next-Cursor (next_cursor), or before_id of its first event."
            raise InvalidInput(text, field=field)
        raise NotFound(f"There is no event {identity[:40]!r} (any more); leave {field} out to start anew.", field=field)
    return seq


def _bundles(connection: Connection, identity: str, window: Window, after: int | None, before: int | None) -> Page:
    """Whole polls: the newest so many, or the first so many after a cursor, as far as they tell MOST_TOLD events in all."""
    items = [
        bundle.Item(*row)
        for row in rules.feed_items(connection, identity, limit=LOOKED_AT, after=after, before=before, since=window.since)
    ]
    polls = list(bundle.bundled(items, whole=len(items) < LOOKED_AT))
    polls.sort(reverse=after is None)
    kept: list[list[bundle.Item]] = []
    for poll in polls[: window.limit]:
        if kept and sum(map(len, kept)) + len(poll) > MOST_TOLD:
            break
        kept.append(poll)
    seqs = [item.seq for poll in kept for item in poll]
    texts = events.texts(connection, seqs)
    made = [bundle.compose([texts[item.seq] for item in poll if item.seq in texts])[1] for poll in sorted(kept, reverse=True)]
    return Page(made, id_of(texts[max(seqs)]) if seqs else None)


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
