"""From rows that are due to messages ready to send: who is paused, ended or paced is sorted out while claiming."""

from __future__ import annotations

import json
import math
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from integration.domain import bundle
from integration.domain.digest import MOST, compose
from integration.domain.message import Message
from integration.domain.retry import DAY, MINUTE, SECOND
from integration.service.ways import WIDTH, Target, Ways
from integration.store.database import Database
from integration.store.queries import digests, outbox
from integration.store.queries.deliveries import DEAD, EXPIRED, HELD, PENDING
from integration.store.queries.outbox import Due, Outcome, Place, Story, Turn
from integration.wire.http import TOTAL_MS

BATCH = 625
#: A claim of so many rows shows that there is more.
FULL = 500
#: Longer than an attempt can take twice over, so that nobody else finds due what is still under way.
LEASE_MS = 2 * TOTAL_MS + 10 * SECOND
#: How often something that waits for its owner is looked at again; resuming makes it due at once.
HOLD_MS = 5 * MINUTE
KEPT_TARGETS = 20_000
#: A destination whose requests start this far apart (ms) or farther is paced by the database, exactly, however many workers
#: there are; a faster one by each worker's share of its rate.
EXACT_MS = 50
#: So much of a paced destination's time is taken at once.
AHEAD_MS = 1_000
#: For so long a single request is waited for, to see whether a destination works again.
PROBE_MS = TOTAL_MS + 5 * SECOND
#: What is older than this is not sent any more (ms).
EXPIRES_AFTER = 14 * DAY


@dataclass(slots=True)
class Owed:
    """A claimed delivery, ready to be sent until `until` (ms). `leads`: its message is a digest, which others share. `poll_id`
    is the poll that found its event, of a digest the first of its events."""

    id: int
    lease: str
    until: int
    attempts: int
    ambiguous: bool
    message: Message
    leads: bool = False
    poll_id: int | None = None

    def becomes(self, state: int, at: int, *, attempts: int, ambiguous: bool = False, reason: str | None = None) -> Outcome:
        """Its outcome: `at` is when it was settled, or when it is due again."""
        done = None if state == PENDING else at
        return Outcome(state, attempts, int(ambiguous), at, done, reason, self.id, self.lease)

    def waits(self, at: int, reason: str | None = None) -> Outcome:
        """Due again at `at` (ms), no attempt spent."""
        return self.becomes(PENDING, at, attempts=self.attempts, ambiguous=self.ambiguous, reason=reason)


@dataclass(slots=True)
class Batch:
    """What one claim brought: ready messages by destination, none to be started before a time (ms). `claimed` counts every
    row, also those put back; `at` is when they were claimed."""

    claimed: int
    ready: list[tuple[Target, list[Owed], int]]
    at: int = 0
    ended: int = 0
    held: int = 0


Told = tuple[Story, bytes, Mapping[str, Any], str | None]


class _Event(Mapping[str, Any]):
    """An event decoded only when a channel asks for a field: webhooks send its text as it is."""

    __slots__ = ("_body", "_fields")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._fields: dict[str, Any] | None = None

    def _decoded(self) -> dict[str, Any]:
        if self._fields is None:
            self._fields = json.loads(self._body)
        return self._fields

    def __getitem__(self, key: str) -> Any:
        return self._decoded()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())


def claim(database: Database, ways: Ways, now: int, most: int = BATCH, *, wait: bool = True) -> Batch:
    """Take what is due. What cannot go now is given back in the same transaction: paused, disabled or out of turn.

    Raises Busy as `Database.write` does.
    """
    lease, until = secrets.token_hex(8), now + LEASE_MS
    with database.write(wait=wait) as connection:
        due = outbox.claim(connection, lease=lease, now=now, until=until, most=most)
        if not due:
            return Batch(0, [])
        silent = outbox.silent_subscriptions(connection, list({row.subscription_id for row in due}))
        places = {row.destination_id for row in due}
        news = outbox.news(connection, _known(ways, places), now)
        _targets(ways, news, lambda ids: outbox.configs(connection, ids))
        _fare(ways, places, news)
        sort = _Sorting(ways, lease, now)
        kept, starts = sort.pace(sort.sort(due, silent, news), lambda turns: outbox.take_turns(connection, turns, now))
        kept = _gathered(connection, kept, lease, now)
        outbox.settle(connection, sort.outcomes)
        if sort.leads:
            digests.follow(connection, sort.leads)
        rows = [row for _, part in kept for row in part]
        stories = outbox.stories(connection, list({row.event_seq for row in rows}))
        leads = [row.id for row in rows if row.lead_id is not None]
        told_as_one = digests.members(connection, leads) if leads else {}
        whose = list({row.subscription_id for row in rows if row.lead_id is not None})
        bundled = outbox.bundled(connection, whose) if whose else set()
    ended = sum(outcome.state in (DEAD, EXPIRED) for outcome in sort.outcomes)
    told = {seq: _told(ways, story) for seq, story in stories.items()}
    ready = [
        (target, _messages(ways, target, part, told, (told_as_one, bundled), lease, until, now), starts.get(target.id, now))
        for target, part in kept
    ]
    return Batch(len(due), ready, now, ended, len(sort.outcomes) - ended)


def _gathered(
    connection: Connection, kept: Sequence[tuple[Target, list[Due]]], lease: str, now: int
) -> list[tuple[Target, list[Due]]]:
    """Notices that are too old to be told one by one, made digests: one for each subscription (rule 14)."""
    found = []
    for target, part in kept:
        before = 0 if (after := target.channel.stale_after) is None else now - after
        old = [row for row in part if row.created_at < before and _is_notice(row)]
        if old:
            part = _one_each(connection, part, old, lease, before, now)
        found.append((target, part))
    return found


def _is_notice(row: Due) -> bool:
    """Whether this is a notice by itself, that nobody asked for again and that did not perhaps arrive already."""
    return row.lead_id is None and not row.ambiguous and not row.wished


def _one_each(connection: Connection, part: Sequence[Due], old: Sequence[Due], lease: str, before: int, now: int) -> list[Due]:
    alone = outbox.by_themselves(connection, list({row.subscription_id for row in old}))
    leads: dict[str, Due] = {}
    for row in old:
        if row.subscription_id not in alone:
            leads.setdefault(row.subscription_id, row)
    for subscription, row in leads.items():
        digests.gather(connection, subscription, row.id, lease=lease, before=before, now=now, most=MOST)
    gone = digests.grouped(connection, [row.id for row in old])
    first = {row.id for row in leads.values()}
    return [replace(row, lead_id=row.id) if row.id in first else row for row in part if row.id not in gone]


def _messages(
    ways: Ways,
    target: Target,
    rows: Sequence[Due],
    told: Mapping[int, Told],
    as_one: tuple[Mapping[int, list[str]], set[str]],
    lease: str,
    until: int,
    now: int,
) -> list[Owed]:
    owed = []
    told_as_one, bundled = as_one
    for row in rows:
        story, body, event, url = told[row.event_seq]
        if row.lead_id is None:
            message = Message(story.id, row.subscription_id, story.created_at, body, event, url, ways.sender)
        else:
            message = _digest(ways, target, row, told_as_one[row.id], now, bundled=row.subscription_id in bundled)
        more = (row.lead_id is not None, story.poll_id)
        owed.append(Owed(row.id, lease, until, row.attempts, bool(row.ambiguous), message, *more))
    return owed


def _digest(ways: Ways, target: Target, row: Due, payloads: Sequence[str], now: int, *, bundled: bool) -> Message:
    after = target.channel.stale_after
    if bundled:
        identity, text = bundle.compose(payloads)
        body = text.encode()
    else:
        identity, body = compose(payloads, delayed=after is not None and row.created_at < now - after)
    url = f"{ways.public_url}/deliveries/{row.id}" if ways.public_url else None
    return Message(identity, row.subscription_id, row.created_at, body, _Event(body), url, ways.sender)


def _told(ways: Ways, story: Story) -> Told:
    """What all messages of an event have in common."""
    body = story.payload.encode()
    return story, body, _Event(body), f"{ways.public_url}/events/{story.id}" if ways.public_url else None


def _known(ways: Ways, ids: set[str]) -> dict[str, int]:
    """When these destinations had changed last, as far as this worker knows; -1 for those it does not know."""
    if len(ways.targets) > KEPT_TARGETS:
        ways.targets.clear()
    known = ways.targets.get
    return {identity: target.changed_at if (target := known(identity)) else -1 for identity in ids}


def _targets(ways: Ways, news: Mapping[str, Place], sealed: Callable[[list[str]], Mapping[str, bytes]]) -> None:
    """Make targets of active destinations that are new or changed. One that cannot be opened is no target."""
    known = ways.targets
    active = [place for place in news.values() if place.status == "active"]
    changed = [place for place in active if place.id not in known or known[place.id].changed_at != place.changed_at]
    configs = sealed([place.id for place in changed]) if changed else {}
    for place in changed:
        known.pop(place.id, None)
        channel = ways.channels.get(place.channel)
        if channel is not None:
            # Whatever goes wrong with one, it must not stop its neighbours; `sort` says what is wrong.
            with suppress(Exception):
                opened = ways.open_config(configs[place.id])
                target = Target(place.id, channel, opened, place.changed_at, bool(place.prepared))
                target.step = 1000 / min(place.rate or ways.rate, channel.limits.per_second or math.inf)
                target.width = place.concurrency or WIDTH
                known[place.id] = target


def _fare(ways: Ways, ids: set[str], news: Mapping[str, Place]) -> None:
    """Take in how the destinations fare, as all workers know it."""
    for identity in ids:
        target, place = ways.targets.get(identity), news.get(identity)
        if target is not None:
            target.failing_since = place.failing_since if place else None
            target.opened = place.opened if place else 0
            target.warned = place is not None and place.warned_at is not None


class _Sorting:
    """Decides which claimed rows can go now; what cannot becomes an outcome."""

    def __init__(self, ways: Ways, lease: str, now: int) -> None:
        self._ways, self._lease, self._now = ways, lease, now
        self.outcomes: list[Outcome] = []
        self.leads: list[int] = []

    def _settle(self, row: Due, state: int, at: int, reason: str | None = None) -> None:
        if row.lead_id is not None and state != PENDING:
            self.leads.append(row.id)
        done = at if state in (DEAD, EXPIRED) else None
        self.outcomes.append(Outcome(state, row.attempts, row.ambiguous, at, done, reason, row.id, self._lease))

    def sort(
        self, due: Sequence[Due], silent: Mapping[str, tuple[str, str | None]], news: Mapping[str, Place]
    ) -> list[tuple[Target, list[Due]]]:
        """Rows whose subscription and destination are active, by destination in the order of their ids."""
        parts: dict[str, list[Due]] = defaultdict(list)
        oldest = self._now - EXPIRES_AFTER
        for row in due:
            if row.created_at < oldest and not row.wished:
                self._settle(row, EXPIRED, self._now, f"not sent within {EXPIRES_AFTER // DAY} days")
                continue
            if row.subscription_id not in silent:
                parts[row.destination_id].append(row)
                continue
            status, reason = silent[row.subscription_id]
            if status == "ended":
                self._settle(row, DEAD, self._now, reason or "the subscription has ended")
            else:
                self._settle(row, PENDING, self._now + HOLD_MS)
        kept = []
        for identity, part in parts.items():
            place, target = news.get(identity), self._ways.targets.get(identity)
            if target and (place is None or (place.status == "active" and place.next_send_at <= self._now + _ahead(target))):
                kept.append((target, part))
            elif place:
                self._not_now(place, target, part)
        return kept

    def _not_now(self, place: Place, target: Target | None, part: Sequence[Due]) -> None:
        """Say why nothing can be sent to a destination, and put back what is owed to it."""
        if place.status == "removed":
            for one in part:
                self._settle(one, DEAD, self._now, "the destination was removed")
        elif place.status == "disabled":
            for one in part:
                self._settle(one, HELD, self._now, place.reason)
        elif place.status != "active":
            self._hold(part, self._now + HOLD_MS, None, place.reason)
        elif place.channel not in self._ways.channels:
            self._hold(part, self._now + HOLD_MS, None, f"this version has no channel named {place.channel}")
        elif target is None:
            reason = "the destination's settings could not be decrypted: check the secret key"
            self._hold(part, self._now + HOLD_MS, None, reason)
        else:
            self._hold(part, place.next_send_at, target)

    def _hold(self, part: Sequence[Due], at: int, target: Target | None, reason: str | None = None) -> None:
        """Put rows back: from `at` on, as fast as the destination's rate allows."""
        step, batch = (target.step, target.channel.limits.batch) if target and target.step >= EXACT_MS else (0, 1)
        for place, row in enumerate(part):
            self._settle(row, PENDING, at + int(place // batch * step), reason)

    def pace(
        self, kept: Sequence[tuple[Target, list[Due]]], take_turns: Callable[[list[Turn]], Mapping[str, int]]
    ) -> tuple[list[tuple[Target, list[Due]]], Mapping[str, int]]:
        """Of a paced destination's rows, those of the time it is given, and when (ms) that begins; the rest come due later.

        Of one whose breaker was open, a single request goes, as a probe, and the rest wait for what becomes of it.
        """
        turns = {target.id: turn for target, part in kept if (turn := self._turn(target, part)) is not None}
        starts = take_turns(list(turns.values())) if turns else {}
        ready = []
        for target, part in kept:
            turn = turns.get(target.id)
            if turn is not None:
                start, batch = starts.get(target.id), target.channel.limits.batch
                number = 0 if start is None else batch if target.opened else round(turn.cost / target.step) * batch
                after = self._now + target.step if start is None else start + turn.cost
                self._hold(part[number:], int(after), target)
                part = part[:number]
            if part:
                ready.append((target, part))
        return ready, starts

    def _turn(self, target: Target, part: Sequence[Due]) -> Turn | None:
        """The time that these rows of a destination are to have; None where it is not for the database to give."""
        if target.opened:
            return Turn(target.id, PROBE_MS, self._now)
        if target.step < EXACT_MS:
            return None
        requests = min(-(-len(part) // target.channel.limits.batch), max(1, int(AHEAD_MS / target.step)))
        cost = requests * target.step
        return Turn(target.id, cost, self._now + max(0, int(AHEAD_MS - cost)))


def _ahead(target: Target) -> int:
    """How far ahead (ms) a destination's time may begin for its rows to go now: the worker waits for it."""
    return AHEAD_MS if EXACT_MS <= target.step < AHEAD_MS and not target.opened else 0
