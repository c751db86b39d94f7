"""What an answer makes of a delivery, and what has to be written for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, dataclass, field, replace
from functools import partial
from operator import attrgetter

from sqlalchemy import Connection

from integration.domain.masking import masked, masked_text
from integration.domain.message import Dead, Delivered, Reply, Retry, Verdict
from integration.domain.retry import SCHEDULE, next_wait
from integration.service import faring
from integration.service.claiming import HOLD_MS, Owed
from integration.service.journal import Attempts, failure
from integration.service.ways import Target
from integration.store.queries import digests, health, outbox, tallies
from integration.store.queries.deliveries import DEAD, DELIVERED, PENDING
from integration.store.queries.outbox import Attempt, Outcome

#: No answer, "too many" and "unavailable" speak of the destination, not of the message.
_UNWELL = (0, 429, 503)
REASON_LENGTH = 500
#: How much of an answer is kept with an attempt.
HEAD_LIMIT = 4 * 1024

_KIND = attrgetter("outcome", "status", "error")


@dataclass(slots=True)
class Chunk:
    """What is written in one transaction."""

    outcomes: list[Outcome] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    changes: list[Callable[[Connection], None]] = field(default_factory=list)
    leads: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.attempts or self.changes)

    def write(self, connection: Connection) -> None:
        """Write all of it: first what became of deliveries, for ending a subscription settles what is left."""
        outbox.settle(connection, self.outcomes)
        if self.leads:
            digests.follow(connection, self.leads)
        outbox.tried(connection, self.attempts)
        for change in self.changes:
            change(connection)
        # Last, for all workers count in the same rows: none holds them longer than its commit takes.
        tallies.add(connection, "attempts", self._kinds())

    def _kinds(self) -> Counter[tuple[str, ...]]:
        """How many attempts there are of each outcome and failure."""
        kinds: Counter[tuple[str, ...]] = Counter()
        for (outcome, status, error), number in Counter(map(_KIND, self.attempts)).items():
            kinds[outcome, failure(status, error)] += number
        return kinds


@dataclass(slots=True)
class Counts:
    """What became of deliveries: `retried` will be tried again, `held` were put back without an attempt."""

    delivered: int = 0
    retried: int = 0
    dead: int = 0
    held: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(mine + more for mine, more in zip(astuple(self), astuple(other), strict=True)))


class Ledger:
    """Collects what becomes of deliveries until it is taken to be written.

    `closed` are destinations that nothing more is sent to until what was written of them has been read again.
    """

    def __init__(self) -> None:
        self.counts = Counts()
        self.closed: set[str] = set()
        self.chunk = Chunk()
        self.attempts = Attempts()

    def take(self) -> Chunk:
        """All that is not written yet."""
        chunk, self.chunk = self.chunk, Chunk()
        return chunk

    def settle(self, target: Target, one: Owed, reply: Reply, verdict: Verdict, now: int) -> int:
        """Note an attempt and what it means. Returns until when (ms) the destination is to be left alone, 0 for not."""
        number = one.attempts + 1
        if isinstance(verdict, Delivered):
            self.counts.delivered += 1
            outcome, name, alone = one.becomes(DELIVERED, now, attempts=number), "delivered", 0
            if (change := faring.fine(target, now)) is not None:
                self.change(change)
        else:
            verdict = replace(verdict, reason=masked_text(verdict.reason, target.secrets))
            outcome, name, alone = self._not_delivered(target, one, reply, verdict, now)
            self.chunk.changes += faring.failed(target, reply, verdict, number, now)
            alone = max(alone, target.open_until if target.open_until > now else 0)
        self._note(one, outcome)
        error = _text(f"{reply.error}: {masked_text(reply.detail, target.secrets)}".rstrip(": ")) if reply.error else None
        head = (masked(reply.head[:HEAD_LIMIT], target.secrets) or None) if reply.head else None
        self.chunk.attempts.append(Attempt(one.id, now, reply.duration_ms, reply.status, name, error, head))
        self.attempts.made(target, one, reply, name)
        return alone

    def _not_delivered(
        self, target: Target, one: Owed, reply: Reply, verdict: Retry | Dead, now: int
    ) -> tuple[Outcome, str, int]:
        if isinstance(verdict, Retry):
            return self._later(target, one, reply, verdict, now)
        if verdict.scope != "message":
            self.closed.add(target.id)
        if verdict.scope == "destination":
            # Once its owner has mended it, it gets all of this: so nothing is spent meanwhile.
            self.counts.held += 1
            reason = _text(verdict.reason)
            self.change(partial(health.disable, destination_id=target.id, reason=reason, now=now))
            return one.waits(now + HOLD_MS, reason), "retry", now + HOLD_MS
        return self._never(target, one, verdict, now), "dead", now + SCHEDULE[0] if verdict.scope == "gone" else 0

    def _later(self, target: Target, one: Owed, reply: Reply, verdict: Retry, now: int) -> tuple[Outcome, str, int]:
        attempts = one.attempts + 1
        wait = next_wait(attempts, verdict.after)
        alone = 0
        if reply.status in _UNWELL:
            wish = next_wait(1, verdict.after, jitter=0) or SCHEDULE[0]
            alone = now + min(wish, wait or wish)
            self.change(partial(outbox.back_off, destination_id=target.id, until=alone))
        if wait is None:
            self.counts.dead += 1
            reason = _text(f"exhausted: {verdict.reason}")
            return one.becomes(DEAD, now, attempts=attempts, reason=reason), "dead", alone
        self.counts.retried += 1
        reason = _text(verdict.reason)
        return one.becomes(PENDING, now + wait, attempts=attempts, ambiguous=one.ambiguous, reason=reason), "retry", alone

    def _never(self, target: Target, one: Owed, verdict: Dead, now: int) -> Outcome:
        self.counts.dead += 1
        reason = _text(verdict.reason)
        if verdict.scope == "gone":
            subscription = one.message.subscription_id
            self.change(partial(health.gone, subscription_id=subscription, destination_id=target.id, reason=reason, now=now))
        return one.becomes(DEAD, now, attempts=one.attempts + 1, reason=reason)

    def unrendered(self, target: Target, one: Owed, error: Exception, now: int) -> None:
        """A channel cannot put this message into its form: no attempt will ever help."""
        self.counts.dead += 1
        reason = _text(masked_text(f"could not be rendered: {type(error).__name__}: {error}", target.secrets))
        self._note(one, one.becomes(DEAD, now, attempts=one.attempts, reason=reason))

    def _note(self, one: Owed, outcome: Outcome) -> None:
        self.chunk.outcomes.append(outcome)
        if one.leads and outcome.state != PENDING:
            self.chunk.leads.append(one.id)

    def hold(self, one: Owed, at: int) -> None:
        """Put a delivery back until then (ms), no attempt spent."""
        self.counts.held += 1
        self.chunk.outcomes.append(one.waits(at))

    def change(self, change: Callable[[Connection], None]) -> None:
        """Note a change of a destination or a subscription."""
        self.chunk.changes.append(change)


def _text(text: str) -> str:
    """Words that any database can store: other people's may hold NUL or half a character."""
    return text[:REASON_LENGTH].replace("\0", "").encode("utf-8", "replace").decode()
