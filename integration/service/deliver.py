"""Deliver what is owed: claim what is due under a lease, send it, write down what became of it, until nothing is due."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import OperationalError

from integration.domain.catalogue import Channel
from integration.domain.message import Mail, Message, Reply, Verdict
from integration.service import journal
from integration.service.claiming import BATCH, FULL, Batch, claim
from integration.service.sending import Sender
from integration.service.settling import Chunk, Counts
from integration.service.ways import Ways, build_ways, signature, ways_of
from integration.store.database import Database
from integration.store.queries import installation
from integration.wire.google import TokenRefused

if TYPE_CHECKING:
    from integration.service.wiring import Gradewire

#: Batches that may wait between claiming, sending and recording.
DEPTH = 2
#: How often writing outcomes is tried: two workers may get in each other's way.
TRIES = 3
#: How often (seconds) it is looked for new work while a worker waits for slow answers.
LOOK_S = 0.1
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

    Claiming and recording have threads of their own beside the sending. `more` is called once, when a first full claim
    shows that there is work for another worker. `stop` gives back what waits and finishes what is under way. A failing
    database ends the drain with its error: what is claimed comes due again when its lease ends.
    """
    flow, began = _Flow(), time.monotonic()
    sender = Sender(ways, now, flow.record)

    name, present = secrets.token_hex(8), False

    def claim_all() -> None:
        nonlocal present
        until, left, first, roll = time.monotonic() + seconds, limit, True, 0.0
        while left != 0 and time.monotonic() < until and not flow.broken and not stop():
            if not first and time.monotonic() > roll:
                roll, present = time.monotonic() + ROLL_S, True
                ways.peers = _present(database, name, now())
            most = BATCH if left is None else min(BATCH, left)
            batch = claim(database, ways, now(), most)
            if batch.claimed == 0:
                if flow.quiet:
                    return
                flow.until_quiet(LOOK_S)  # a receiver that takes its time must not keep others' new messages waiting
                continue
            if first and batch.claimed >= FULL:
                more()
            first = False
            left = None if left is None else left - batch.claimed
            flow.offer(batch)

    try:
        with flow.running(claim_all, partial(_write, database)):
            _send_all(sender, flow, stop)
    finally:
        ways.transport.abandon()
        sender.close()
        ways.peers = 1
        if present:
            with database.write() as connection:
                installation.leave(connection, name)
        journal.drained(sender.counts, round((time.monotonic() - began) * 1000))
    return sender.counts


def _present(database: Database, name: str, now: int) -> int:
    """How many workers deliver at the moment: each takes its share of what a destination allows."""
    with database.write() as connection:
        return installation.call_roll(connection, name, now, int(3_000 * ROLL_S))


def _send_all(sender: Sender, flow: _Flow, stop: Callable[[], bool]) -> None:
    claiming = True
    while not flow.broken:
        flow.tell(busy=not sender.idle)
        if claiming and sender.hungry:
            batch = flow.next(wait=sender.idle)
            if isinstance(batch, Batch):
                sender.take(batch)
            claiming = batch is not _END
        elif stop():
            sender.give_back()
        if sender.idle and not claiming:
            break
        sender.step(0.05)
    sender.flush()


def _write(database: Database, chunk: Chunk) -> None:
    for tries in range(1, TRIES + 1):
        try:
            with database.write() as connection:
                chunk.write(connection)
            return
        except OperationalError:
            if tries == TRIES:
                raise


_END = object()


class _Flow:
    """The queues between claiming, sending and recording. An error at one end stops them all."""

    def __init__(self) -> None:
        self.broken = False
        self._free = threading.Event()
        self._free.set()
        self._errors: list[BaseException] = []
        self._batches: queue.Queue[object] = queue.Queue(DEPTH)
        self._chunks: queue.Queue[Chunk | None] = queue.Queue(DEPTH)

    @property
    def quiet(self) -> bool:
        """Whether the sender has nothing to do, and nothing waits for it."""
        return self._free.is_set() and self._batches.empty()

    def until_quiet(self, seconds: float) -> None:
        """Wait so long at most, until the sender has nothing to do."""
        self._free.wait(seconds)

    def tell(self, *, busy: bool) -> None:
        """The sender has something to do, or nothing."""
        if busy is self._free.is_set():
            (self._free.clear if busy else self._free.set)()

    def offer(self, batch: object) -> None:
        """Hand a claim to the sender; waits for room."""
        while not self.broken:
            try:
                self._batches.put(batch, timeout=0.2)
                return
            except queue.Full:
                continue

    def next(self, *, wait: bool) -> object:
        """The next claim, None if there is none yet, _END after the last."""
        try:
            found = self._batches.get(timeout=0.2) if wait else self._batches.get_nowait()
        except queue.Empty:
            return None
        self.tell(busy=True)
        return found

    def record(self, chunk: Chunk) -> None:
        """Hand a chunk to the recorder; waits for room."""
        self._chunks.put(chunk)

    @contextmanager
    def running(self, claim_all: Callable[[], None], write: Callable[[Chunk], None]) -> Iterator[None]:
        """Claim and record in threads; at the end, wait for both and raise the first error of either."""
        threads = [
            threading.Thread(target=self._claiming, args=(claim_all,), name="gradewire-claim"),
            threading.Thread(target=self._recording, args=(write,), name="gradewire-record"),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        except BaseException:
            self.broken = True
            raise
        finally:
            self._chunks.put(None)
            for thread in threads:
                thread.join()
        if self._errors:
            raise self._errors[0]

    def _claiming(self, claim_all: Callable[[], None]) -> None:
        try:
            claim_all()
        except BaseException as error:
            self._fail(error)
        self.offer(_END)

    def _recording(self, write: Callable[[Chunk], None]) -> None:
        fine = True
        for chunk in iter(self._chunks.get, None):
            try:
                if fine:
                    write(chunk)
            except BaseException as error:
                fine = False  # what comes after is dropped, so that the sender never waits for room in vain
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self.broken = True


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
            headers = (*signature(config, request, messages[0].id, now), *ways.authorization(config, request))
            reply = ways.transport.send(request, headers)
        except TokenRefused as refused:
            reply = refused.reply
    return reply, channel.verdict(reply)
