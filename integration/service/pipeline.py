"""How claiming, sending and recording go together: side by side where the database is a server, in turn where it is a file."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from integration.service.claiming import Batch
from integration.service.sending import Sender
from integration.service.settling import Chunk
from integration.store.turns import Busy

#: Batches that may wait between claiming, sending and recording.
DEPTH = 2
#: How often (seconds) it is looked for new work while a worker waits for slow answers: they must not keep it waiting.
LOOK_S = 0.1
#: How long (seconds) one step of sending waits for something to happen.
STEP_S = 0.05
#: The same while others write.
BUSY_S = 0.001


class Claims(Protocol):
    """Takes what is due."""

    def __call__(self, *, wait: bool = True) -> Batch | None:
        """None once no more is to be taken. Raises Busy where others write and it is not to wait."""


class Write(Protocol):
    """Writes down what became of deliveries."""

    def __call__(self, chunk: Chunk, *, wait: bool = True) -> None:
        """Raises Busy as claims do."""


Stop = Callable[[], bool]


class Pipeline(Protocol):
    """Brings what is claimed to a sender, and what became of it to the database."""

    def record(self, chunk: Chunk) -> None:
        """Write down what became of deliveries; for the sender."""

    def run(self, claims: Claims, sender: Sender, stop: Stop) -> None:
        """Until nothing is due and all is settled. An error of the database ends it."""


class InTurn:
    """In one thread. What SQLite does, this process does: threads beside each other would only take turns at Python's lock,
    and each turn costs as much as half a delivery. Receivers answer while it writes, and while another process writes, sending
    goes on."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._chunks: deque[Chunk] = deque()

    def record(self, chunk: Chunk) -> None:
        """Keep a chunk until nobody else writes, or too many wait."""
        self._chunks.append(chunk)

    def run(self, claims: Claims, sender: Sender, stop: Stop) -> None:
        """Claim whenever the sender has room."""
        claiming, look = True, 0.0
        while claiming or self._chunks or not sender.idle:
            pause = STEP_S
            if self._chunks:
                sender.begin()
            try:
                wait = sender.idle or len(self._chunks) > DEPTH
                while self._chunks:
                    self._write(self._chunks[0], wait=wait)
                    self._chunks.popleft()
                if claiming and sender.hungry and (sender.idle or time.monotonic() >= look):
                    batch = claims(wait=sender.idle)
                    if batch is None or (batch.claimed == 0 and sender.idle):
                        claiming = False
                    elif batch.claimed:
                        sender.take(batch)
                    else:
                        look = time.monotonic() + LOOK_S
                elif stop():
                    sender.give_back()
            except Busy:
                pause = BUSY_S
            sender.step(pause)


_END = object()


class SideBySide:
    """In three threads, with queues between them: two wait for the server while one sends. An error of one stops them all."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._broken = False
        self._free = threading.Event()
        self._free.set()
        self._errors: list[BaseException] = []
        self._batches: queue.Queue[object] = queue.Queue(DEPTH)
        self._chunks: queue.Queue[Chunk | None] = queue.Queue(DEPTH)

    def record(self, chunk: Chunk) -> None:
        """Hand a chunk to the thread that writes; waits for room."""
        self._chunks.put(chunk)

    def run(self, claims: Claims, sender: Sender, stop: Stop) -> None:
        """Send here, beside the other two."""
        with self._running(claims):
            claiming = True
            while not self._broken:
                self._tell(busy=not sender.idle)
                if claiming and sender.hungry:
                    batch = self._next(wait=sender.idle)
                    if isinstance(batch, Batch):
                        sender.take(batch)
                    claiming = batch is not _END
                elif stop():
                    sender.give_back()
                if sender.idle and not claiming:
                    break
                sender.step(STEP_S)
            sender.flush()

    def _tell(self, *, busy: bool) -> None:
        """The sender has something to do, or nothing."""
        if busy is self._free.is_set():
            (self._free.clear if busy else self._free.set)()

    def _next(self, *, wait: bool) -> object:
        """The next claim, None if there is none yet, _END after the last."""
        try:
            found = self._batches.get(timeout=0.2) if wait else self._batches.get_nowait()
        except queue.Empty:
            return None
        self._tell(busy=True)
        return found

    def _offer(self, batch: object) -> None:
        """Hand a claim to the sender; waits for room."""
        while not self._broken:
            try:
                self._batches.put(batch, timeout=0.2)
                return
            except queue.Full:
                continue

    @contextmanager
    def _running(self, claims: Claims) -> Iterator[None]:
        """Claim and record in threads; at the end, wait for both and raise the first error of either."""
        threads = [
            threading.Thread(target=self._claiming, args=(claims,), name="gradewire-claim"),
            threading.Thread(target=self._recording, name="gradewire-record"),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        except BaseException:
            self._broken = True
            raise
        finally:
            self._chunks.put(None)
            for thread in threads:
                thread.join()
        if self._errors:
            raise self._errors[0]

    def _claiming(self, claims: Claims) -> None:
        try:
            while not self._broken and (batch := claims()) is not None:
                if batch.claimed:
                    self._offer(batch)
                elif self._free.is_set() and self._batches.empty():
                    break
                else:
                    self._free.wait(LOOK_S)
        except BaseException as error:
            self._fail(error)
        self._offer(_END)

    def _recording(self) -> None:
        fine = True
        for chunk in iter(self._chunks.get, None):
            try:
                if fine:
                    self._write(chunk)
            except BaseException as error:
                fine = False  # what comes after is dropped, so that the sender never waits for room in vain
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        self._broken = True
