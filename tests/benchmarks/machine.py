"""The servers and processes of a benchmark's round, and what is looked at while they run."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from celery import Celery
from cryptography.fernet import Fernet

from integration.store.database import Database
from tests import servers
from tests.benchmarks import seed

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240.0
#: The drain of the warm-up looks once more before it ends; it must not begin on what is measured.
SETTLE_S = 0.5
WORKER = ("--pool=prefork", "--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Sizes:
    """How much is measured: deliveries of ours and by the tutorial design, due rows in the long queue, lone events."""

    deliveries: int
    compared: int
    backlog: int
    samples: int

    @property
    def warm_up(self) -> int:
        """Enough to get every process going."""
        return min(4_000, self.deliveries)


@dataclass
class Machine:
    """The servers of one round."""

    sizes: Sizes
    folder: Path
    redis_url: str
    postgresql_url: str
    secret_key: str = field(default_factory=lambda: Fernet.generate_key().decode())
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def fresh_url(self, kind: str) -> str:
        """An empty database of a kind."""
        number = next(self._numbers)
        if kind == "sqlite":
            return f"sqlite:///{self.folder}/bench{number}.db"
        with psycopg.connect(self.postgresql_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE bench{number}")  # type: ignore[call-overload, unused-ignore]
        return self.postgresql_url.rpartition("/")[0] + f"/bench{number}"

    @contextmanager
    def seeded(self, kind: str, sink_url: str, **options: Any) -> Iterator[Database]:
        """A database of a kind with subscribers at the sink."""
        with seed.database(self.fresh_url(kind), sink_url, self.secret_key, **options) as fresh:
            yield fresh

    def broker(self, number: int) -> str:
        """One of Redis' databases, so that no worker finds another's messages."""
        return self.redis_url.rsplit("/", 1)[0] + f"/{number}"

    def settings(self, fresh: Database, broker: str) -> dict[str, str]:
        """The environment of ours."""
        return seed.settings(self.folder, fresh.url.render_as_string(hide_password=False), broker, self.secret_key)

    @contextmanager
    def process(self, *command: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """A Python process of this checkout, ended at the end; what it has to say on stderr is kept in a file."""
        env, pipe = {**os.environ, **environment}, subprocess.PIPE
        with (self.folder / "stderr").open("w") as errors:
            command = (sys.executable, "-m", *command)
            running = subprocess.Popen(command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=errors, text=True)
            try:
                yield running
            finally:
                running.terminate()
                running.communicate()

    @contextmanager
    def workers(self, fresh: Database, broker: str, number: int = 2, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """The product's Celery worker with so many processes."""
        command = ("celery", "-A", "tests.benchmarks.worker", "worker", *WORKER, f"--concurrency={number}")
        with self.process(*command, **self.settings(fresh, broker), **environment) as running:
            yield running

    def ask(self, running: subprocess.Popen[str], line: str) -> float:
        """Tell a process to do something, and wait for the seconds that it answers."""
        assert running.stdin
        assert running.stdout
        print(line, file=running.stdin, flush=True)
        answer = running.stdout.readline()
        if not answer:
            raise RuntimeError(self.errors())
        return float(answer)

    def until(self, done: Callable[[], bool]) -> None:
        """Wait, asking seldom enough not to take part in the race."""
        end = time.monotonic() + PATIENCE_S
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"not done in {PATIENCE_S} s:\n{self.errors()}")
            time.sleep(0.02)

    def errors(self) -> str:
        """The last words of the newest process."""
        return (self.folder / "stderr").read_text()[-3000:]

    def drained(
        self, fresh: Database, broker: str, sink: servers.Sink, count: int, destinations: int = seed.DESTINATIONS
    ) -> float:
        """Owe so many deliveries and wake the workers: seconds until the last outcome is written."""
        client = Celery(broker=broker)
        time.sleep(SETTLE_S)
        before = sink.count()
        seed.owe(fresh, count, destinations)
        started = time.perf_counter()
        client.send_task("tasks.drain", queue="gradewire")
        self.until(lambda: not seed.pending(fresh))
        took = time.perf_counter() - started
        client.close()
        check(fresh, sink, count, before)
        return took


@contextmanager
def machine(sizes: Sizes, *, postgresql: bool) -> Iterator[Machine]:
    """A round's servers, from their start to their end."""
    with ExitStack() as stack:
        folder = stack.enter_context(servers.short_folder())
        url = stack.enter_context(servers.postgresql(durable=True)) if postgresql else ""
        yield Machine(sizes, folder, stack.enter_context(servers.redis_server()), url)


def check(fresh: Database, sink: servers.Sink, count: int, before: int) -> None:
    """The deliveries, their attempts and the sink must agree on the number, or the figure means nothing."""
    seen = sink.count() - before - 1  # asking is a request, too
    if (*seed.recorded(fresh), seen) != (count, count, count):
        raise AssertionError(f"{count} owed, {seed.recorded(fresh)} recorded, {seen} received")


def peak_mb(running: subprocess.Popen[str]) -> float:
    """The most memory that a process or a child of it has had, in MB."""
    family = [running.pid, *map(int, Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split())]
    return max(_peak_kb(Path(f"/proc/{pid}/status").read_text()) for pid in family) / 1024


def _peak_kb(status: str) -> int:
    fields: Mapping[str, str] = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields["VmHWM"].split()[0])
