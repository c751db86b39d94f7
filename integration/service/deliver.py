"""Deliver what is owed: claim what is due under a lease, send it, write down what became of it, until nothing is due."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

from integration.domain.catalogue import Channel
from integration.domain.message import Mail, Message, Reply, Verdict
from integration.domain.signing import Signer
from integration.service import journal
from integration.service.claiming import BATCH, FULL, Batch, claim
from integration.service.pipeline import InTurn, Pipeline, SideBySide
from integration.service.sending import Sender
from integration.service.settling import Chunk, Counts
from integration.service.ways import Ways, build_ways, ways_of
from integration.store.database import Database
from integration.store.queries import installation
from integration.wire.google import TokenRefused

if TYPE_CHECKING:
    from integration.service.wiring import Gradewire

#: How often writing outcomes is tried: two workers may get in each other's way.
TRIES = 3
#: How often (seconds) a worker says that it delivers, and counts the others.
ROLL_S = 1.0


def drain_all(here: Gradewire, *, seconds: float = 30.0, stop: Callable[[], bool] = lambda: False) -> Counts:
    """What a worker does on a wake-up: deliver until nothing is due; one full claim wakes one more worker.

    In one process one drain at a time is fastest: who comes while one runs leaves it the word to look once more, and the
    counts.
    """
    turn, counts = here.memory.setdefault(_TURN, _Turn()), Counts()
    turn.wanted = True
    while turn.wanted and turn.lock.acquire(blocking=False):
        try:
            turn.wanted = False
            counts += drain(here.database, ways_of(here), now=here.now, seconds=seconds, more=here.wake, stop=stop)
        finally:
            turn.lock.release()
    return counts


_TURN = "drain"


class _Turn:
    """Whose turn it is to drain, and whether somebody wanted to meanwhile."""

    def __init__(self) -> None:
        self.lock, self.wanted = threading.Lock(), False


def drain(
    database: Database,
    ways: Ways,
    *,
    now: Callable[[], int],
    seconds: float = 30.0,
    limit: int | None = None,
    more: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> Counts:
    """Deliver until nothing is due, `seconds` have passed, `limit` rows were claimed, or `stop` says so.

    `more` is called once, when a first full claim shows that there is work for another worker. `stop` gives back what waits
    and finishes what is under way. A failing database ends the drain with its error: what is claimed comes due again when its
    lease ends.
    """
    began, write = time.monotonic(), partial(_write, database)
    pipeline: Pipeline = InTurn(write) if database.is_sqlite else SideBySide(write)
    sender = Sender(ways, now, pipeline.record)
    claims = _Claims(database, ways, now, began + seconds, limit, more, stop)
    try:
        pipeline.run(claims.take, sender, stop)
    finally:
        ways.transport.abandon()
        sender.close()
        claims.close()
        journal.drained(sender.counts, round((time.monotonic() - began) * 1000))
    return sender.counts


@dataclass
class _Claims:
    """A drain's claims, until its time or its limit is up, or it is to stop."""

    database: Database
    ways: Ways
    now: Callable[[], int]
    until: float
    left: int | None
    more: Callable[[], None]
    stop: Callable[[], bool]
    _name: str = field(default_factory=lambda: secrets.token_hex(8))
    _first: bool = True
    _roll: float = 0.0

    def take(self, *, wait: bool = True) -> Batch | None:
        """What is due; None once no more is to be taken. Raises Busy as `Database.write` does."""
        if self.left == 0 or time.monotonic() > self.until or self.stop():
            return None
        if not self._first and time.monotonic() > self._roll:
            self.ways.peers = _present(self.database, self._name, self.now(), wait=wait)
            self._roll = time.monotonic() + ROLL_S
        most = BATCH if self.left is None else min(BATCH, self.left)
        batch = claim(self.database, self.ways, self.now(), most, wait=wait)
        if batch.claimed:
            if self._first and batch.claimed >= FULL:
                self.more()
            self._first = False
            if self.left is not None:
                self.left -= batch.claimed
        return batch

    def close(self) -> None:
        """Delivers no more."""
        self.ways.peers = 1
        if self._roll:
            with self.database.write() as connection:
                installation.leave(connection, self._name)


def _present(database: Database, name: str, now: int, *, wait: bool) -> int:
    """How many workers deliver at the moment: each takes its share of what a destination allows."""
    with database.write(wait=wait) as connection:
        return installation.call_roll(connection, name, now, int(3_000 * ROLL_S))


def _write(database: Database, chunk: Chunk, *, wait: bool = True) -> None:
    for tries in range(1, TRIES + 1):
        try:
            with database.write(wait=wait) as connection:
                chunk.write(connection)
            return
        except OperationalError:
            if tries == TRIES:
                raise


def send_now(here: Gradewire, messages: Sequence[Message], channel: Channel, config: Mapping[str, Any]) -> tuple[Reply, Verdict]:
    """Send messages at once, beside the database and over connections of its own: for trying a destination out."""
    ways = build_ways(here)
    try:
        return send_over(ways, messages, channel, config, here.now())
    finally:
        ways.transport.close()


def send_over(
    ways: Ways, messages: Sequence[Message], channel: Channel, config: Mapping[str, Any], now: int
) -> tuple[Reply, Verdict]:
    """Send messages over given ways, on which nothing else is under way: what came back, and what it means."""
    request = channel.render(messages, config)
    if isinstance(request, Mail):
        reply = ways.mail(request)
    else:
        try:
            signed = Signer(config).headers(messages[0].id, now, request.body) if request.signed else ()
            headers = (*signed, *ways.authorization(config, request))
            reply = ways.transport.send(request, headers)
        except TokenRefused as refused:
            reply = refused.reply
    return reply, channel.verdict(reply)
