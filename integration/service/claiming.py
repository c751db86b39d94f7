"""From rows that are due to messages ready to send: who is paused, ended or paced is sorted out while claiming."""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from integration.domain.catalogue import Channel
from integration.domain.message import Message
from integration.domain.retry import MINUTE, SECOND
from integration.service.ways import Target, Ways
from integration.store.database import Database
from integration.store.queries import outbox
from integration.store.queries.deliveries import DEAD, PENDING
from integration.store.queries.outbox import Due, Outcome, Place, Story
from integration.wire.http import TOTAL_MS

BATCH = 625
#: A claim of so many rows shows that there is more.
FULL = 500
#: Longer than an attempt can take twice over, so that nobody else finds due what is still under way.
LEASE_MS = 2 * TOTAL_MS + 10 * SECOND
#: How often something that waits for its owner is looked at again; resuming makes it due at once.
HOLD_MS = 5 * MINUTE
KEPT_TARGETS = 20_000


@dataclass(slots=True)
class Owed:
    """A claimed delivery, ready to be sent until `until` (ms). `poll_id` is the poll that found its event."""

    id: int
    lease: str
    until: int
    attempts: int
    ambiguous: bool
    message: Message
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
    """What one claim brought: ready messages by destination. `claimed` counts every row, also those put back."""

    claimed: int
    ready: list[tuple[Target, list[Owed]]]
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


def claim(database: Database, ways: Ways, now: int, most: int = BATCH) -> Batch:
    """Take what is due. What cannot go now is given back in the same transaction: paused, disabled or out of turn."""
    lease, until = secrets.token_hex(8), now + LEASE_MS
    with database.write() as connection:
        due = outbox.claim(connection, lease=lease, now=now, until=until, most=most)
        if not due:
            return Batch(0, [])
        silent = outbox.silent_subscriptions(connection, list({row.subscription_id for row in due}))
        news = outbox.news(connection, _known(ways, {row.destination_id for row in due}), now)
        _targets(ways, news, lambda ids: outbox.configs(connection, ids))
        sort = _Sorting(ways, lease, now)
        kept = sort.sort(due, silent, news)
        kept = sort.pace(kept, lambda target, next_at: outbox.take_turn(connection, target.id, now, next_at))
        outbox.settle(connection, sort.outcomes)
        stories = outbox.stories(connection, list({row.event_seq for _, part in kept for row in part}))
    ended = sum(outcome.state == DEAD for outcome in sort.outcomes)
    told = {seq: _told(ways, story) for seq, story in stories.items()}
    ready = [(target, _messages(ways, part, told, lease, until)) for target, part in kept]
    return Batch(len(due), ready, ended, len(sort.outcomes) - ended)


def _messages(ways: Ways, rows: Sequence[Due], told: Mapping[int, Told], lease: str, until: int) -> list[Owed]:
    owed = []
    for row in rows:
        story, body, event, url = told[row.event_seq]
        message = Message(story.id, row.subscription_id, story.created_at, body, event, url, ways.sender)
        owed.append(Owed(row.id, lease, until, row.attempts, bool(row.ambiguous), message, story.poll_id))
    return owed


def _told(ways: Ways, story: Story) -> Told:
    """What all messages of an event have in common."""
    body = story.payload.encode()
    return story, body, _Event(body), f"{ways.public_url}/events/{story.id}" if ways.public_url else None


def _known(ways: Ways, ids: set[str]) -> dict[str, int]:
    """When these destinations had changed last, as far as this worker knows; -1 for those it does not know."""
    if len(ways.targets) > KEPT_TARGETS:
        ways.targets.clear()
    known = ways.targets
    return {identity: known[identity].changed_at if identity in known else -1 for identity in ids}


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
                known[place.id] = Target(place.id, channel, opened, place.changed_at, bool(place.prepared))


class _Sorting:
    """Decides which claimed rows can go now; what cannot becomes an outcome."""

    def __init__(self, ways: Ways, lease: str, now: int) -> None:
        self._ways, self._lease, self._now = ways, lease, now
        self.outcomes: list[Outcome] = []

    def _settle(self, row: Due, state: int, at: int, reason: str | None = None) -> None:
        done = at if state == DEAD else None
        self.outcomes.append(Outcome(state, row.attempts, row.ambiguous, at, done, reason, row.id, self._lease))

    def sort(
        self, due: Sequence[Due], silent: Mapping[str, tuple[str, str | None]], news: Mapping[str, Place]
    ) -> list[tuple[Target, list[Due]]]:
        """Rows whose subscription and destination are active, by destination in the order of their ids."""
        parts: dict[str, list[Due]] = defaultdict(list)
        for row in due:
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
            if target and (place is None or (place.status == "active" and place.next_send_at <= self._now)):
                kept.append((target, part))
            elif place:
                self._not_now(place, target, part)
        return kept

    def _not_now(self, place: Place, target: Target | None, part: Sequence[Due]) -> None:
        """Say why nothing can be sent to a destination, and put back what is owed to it."""
        if place.status == "removed":
            for one in part:
                self._settle(one, DEAD, self._now, "the destination was removed")
        elif place.status != "active":
            self._hold(part, self._now + HOLD_MS, None, place.reason)
        elif place.channel not in self._ways.channels:
            self._hold(part, self._now + HOLD_MS, None, f"this version has no channel named {place.channel}")
        elif target is None:
            reason = "the destination's settings could not be decrypted: check the secret key"
            self._hold(part, self._now + HOLD_MS, None, reason)
        else:
            self._hold(part, place.next_send_at, target.channel)

    def _hold(self, part: Sequence[Due], at: int, channel: Channel | None, reason: str | None = None) -> None:
        """Put rows back: from `at` on, as fast as the channel's rate allows."""
        step, batch = (_interval(channel), channel.limits.batch) if channel else (0, 1)
        for place, row in enumerate(part):
            self._settle(row, PENDING, at + place // batch * step, reason)

    def pace(
        self, kept: Sequence[tuple[Target, list[Due]]], take_turn: Callable[[Target, int], bool]
    ) -> list[tuple[Target, list[Due]]]:
        """Of a paced destination's rows, those of its next request; the rest come due at the channel's rate."""
        ready = []
        for target, part in kept:
            step = _interval(target.channel)
            if step:
                first = target.channel.limits.batch if take_turn(target, self._now + step) else 0
                self._hold(part[first:], self._now + step, target.channel)
                part = part[:first]
            if part:
                ready.append((target, part))
        return ready


def _interval(channel: Channel) -> int:
    """Milliseconds between two requests to one destination, 0 where no rate is published."""
    return int(1000 / channel.limits.per_second) if channel.limits.per_second else 0
