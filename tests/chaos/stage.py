"""One case: its database, clock and processes, and what is done to them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from celery import Celery
from sqlalchemy import func, select, union
from sqlalchemy.exc import OperationalError

from integration.store.database import Database
from integration.store.tables import delivery, destination, event, poll
from tests.chaos.clock import SharedClock
from tests.chaos.points import SENDING, SOURCE
from tests.chaos.scene import Pair, Scene
from tests.servers import free_port

ROOT = Path(__file__).parents[2]
#: Nothing has moved for so long: then only leases are being waited for, and the clock may go on to their end. Those that were
#: held when the fault struck belong to nobody any more; others may be a worker's that the machine has no time for.
STILL_S, LONG_STILL_S = 0.8, 5.0
#: What would wait for longer than a lease (ms) may be found by a sweep first, in so many seconds on a busy machine.
LONG_MS, SWEPT_S = 60_000, 15.0
CELERY = ("-m", "celery", "--app", "tests.chaos.app")
QUIET = ("--loglevel", "WARNING")
COMMANDS: dict[str, tuple[str, ...]] = {
    "worker": (*CELERY, "worker", "--queues", "gradewire,poll", "--pool", "prefork", "--concurrency", "3", "--without-gossip", "--without-mingle", *QUIET),  # noqa: E501
    "beat": (*CELERY, "beat", *QUIET),
    "web": ("-m", "gunicorn", "--worker-class", "gthread", "--threads", "4", "integration.web.production:app()"),
    "up": ("-m", "tests.chaos.up"),
}  # fmt: skip

_LEASES = union(
    select(delivery.c.lease).where(delivery.c.state == 0, delivery.c.lease.is_not(None)),
    select(poll.c.lease).where(poll.c.status == "running"),
)


class Stage:
    """The processes of a case by name, and the clock that they share."""

    def __init__(self, scene: Scene, kind: str, url: str, folder: Path, patience_s: float) -> None:
        self.scene, self.kind, self.url, self.folder, self.patience_s = scene, kind, url, folder, patience_s
        self.database = Database(url)
        self.clock = SharedClock(folder)
        self.port = free_port()
        self.orphans: set[Pair] = set()
        self.visitor: Any = None
        self._old_leases: set[str] = set()
        self.waited_ms: Counter[str] = Counter()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._broker = Celery(broker=scene.redis_url)

    # -- processes ---------------------------------------------------------------------------------------------------

    def start(self, name: str, point: str = "", after: int = 1) -> None:
        """Start a process of the case, to stop at a point."""
        redis_url = "" if name == "up" else self.scene.redis_url
        environment = {**os.environ, **self.scene.settings(self.url, self.folder, redis_url), "PORT": str(self.port)}
        environment |= {"CHAOS_FOLDER": str(self.folder), "CHAOS_POINT": point, "CHAOS_AFTER": str(after)}
        more = ("--bind", f"127.0.0.1:{self.port}") if name == "web" else ()
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, *COMMANDS[name], *more],
                cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """kill -9, with all of its children."""
        process = self._running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def alive(self, name: str) -> bool:
        """Whether a process runs."""
        return name in self._running and self._running[name].poll() is None

    def members(self) -> list[int]:
        """The process ids of the processes and their children."""
        groups = {process.pid for process in self._running.values()}
        found = subprocess.run(["ps", "-e", "-o", "pid=,pgid="], capture_output=True, text=True, check=True)
        pairs = (line.split() for line in found.stdout.splitlines())
        return [int(pid) for pid, pgid in pairs if int(pgid) in groups]

    def wake(self) -> None:
        """Tell the workers that there may be something to poll and to deliver, without waiting for beat's first tick."""
        for task, queue in (("tasks.drain", "gradewire"), ("tasks.observe", "poll")):
            self._broker.send_task(task, queue=queue)

    def close(self) -> None:
        """End everything."""
        (self.folder / "go").touch()
        self.scene.recorder.release()
        for name in list(self._running):
            self.kill(name)
        self._broker.close()
        self.database.close()

    # -- the point ---------------------------------------------------------------------------------------------------

    def reach(self, point: str) -> None:
        """Until a process stands at the point, and all that is under way beside it has come to a stand."""
        holding = self.scene.recorder
        stands = (lambda: holding.holding) if point == SENDING else (lambda: any(self.folder.glob("reached-*")))
        self.until(stands, f"nobody came to the point {point!r}")
        self._still(0.3, lambda: None)

    def go(self) -> None:
        """Let whoever stands at the point go on, and the receiver answer."""
        (self.folder / "go").touch()
        self.scene.recorder.release()

    def note_leased(self) -> None:
        """Remember what is in flight now: a lease that nobody will settle is the only reason to send anything twice."""
        query = select(destination.c.label, event.c.id).select_from(delivery)
        query = query.join(event, event.c.seq == delivery.c.event_seq)
        query = query.join(destination, destination.c.id == delivery.c.destination_id)
        with contextlib.suppress(OperationalError), self.database.read() as connection:
            rows = connection.execute(query.where(delivery.c.state == 0, delivery.c.lease.is_not(None)))
            self.orphans |= {(row[0], row[1]) for row in rows}
            self._old_leases |= set(connection.scalars(_LEASES))

    # -- to the end --------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Until all that is owed has come and is written down. Where only leases are waited for, the clock goes on."""
        until = time.monotonic() + self.patience_s
        while not self._done():
            if time.monotonic() > until:
                raise TimeoutError(f"not settled in {self.patience_s} s: {self._state()}\n{self.logs()}")
            if self._stands() and not self._done():
                wait, what = self._next()
                if wait > LONG_MS and not self._still(SWEPT_S, self._done):
                    continue
                if wait > 0:
                    self.note_leased()
                    self.waited_ms[what] += wait
                    self.clock.jump(wait)
                    self.note_leased()  # with what was claimed since by the clock that was

    def _stands(self) -> bool:
        """Whether all who wait wait for time to pass."""
        if not self._still(STILL_S, self._done):
            return False
        return self._state()[-1] <= self._old_leases or self._still(LONG_STILL_S, self._done)

    def _done(self) -> bool:
        came, pending, made, _ = self._state()
        return min(came, made) >= len(self.scene.expected) and pending == 0

    def _state(self) -> tuple[int, int, int, frozenset[str]]:
        """(requests that came, deliveries pending, deliveries made, leases held); -1 where the database does not answer."""
        came, c = len(self.scene.recorder.came), delivery.c
        try:
            with self.database.read() as connection:
                pending = connection.scalar(select(func.count()).where(c.state == 0))
                made = connection.scalar(select(func.count()).where(c.state == 1))
                return came, int(pending or 0), int(made or 0), frozenset(connection.scalars(_LEASES))
        except OperationalError:
            return came, -1, -1, frozenset()

    def _next(self) -> tuple[int, str]:
        """How long (ms) until something comes due, and what it is: a delivery or a poll. 0 where something is due now.

        Where nothing waits, a poll does by a clock that was put back: until that has caught up.
        """
        now, owed, polled = self.clock.now(), delivery.c, poll.c
        with self.database.read() as connection:
            due = connection.scalar(select(func.min(owed.next_attempt_at)).where(owed.state == 0))
            mine = (polled.source == SOURCE, polled.status.in_(("running", "failed", "partial")))
            look = connection.scalar(select(func.min(polled.lease_until)).where(*mine))
        times = [(at, what) for at, what in ((due, "deliveries"), (look, "polls")) if at is not None]
        at, what = min(times, default=(now - 1 - min(self.clock.ahead_ms, 0), "polls"))
        return max(at + 1 - now, 0), what

    def _still(self, seconds: float, over: Callable[[], bool | None]) -> bool:
        """Whether nothing has moved for so long; False as soon as it is over."""
        before, since, end = self._state(), time.monotonic(), time.monotonic() + self.patience_s
        while time.monotonic() - since < seconds and time.monotonic() < end:
            time.sleep(0.1)
            if over():
                return False
            if (now := self._state()) != before:
                before, since = now, time.monotonic()
        return True

    def until(self, done: Callable[[], bool], otherwise: str) -> None:
        """Wait for something; TimeoutError says what is so otherwise."""
        end = time.monotonic() + self.patience_s
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"{otherwise}: {self._state()}\n{self.logs()}")
            time.sleep(0.02)

    def logs(self) -> str:
        """The last words of the processes."""
        return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-1500:]}" for file in self.folder.glob("*.log"))
