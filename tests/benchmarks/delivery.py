"""Durable deliveries a second, beside the tutorial design in the same run: `python -m tests.benchmarks.delivery --json`.

Real Celery workers, real tables, a real sink (nginx, answering at once), the address check on. Durable means that the
outcome and the attempt are committed; the sink's own count must agree. `sqlite` and `postgresql` are two worker
processes over Redis, `embedded` is SQLite and memory:// in one process; its ratio is to the tutorial design on SQLite.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from celery import Celery
from cryptography.fernet import Fernet
from sqlalchemy import delete, insert, text

from integration.store.database import Database
from tests import servers
from tests.benchmarks import seed, tutorial

ROOT = Path(__file__).parents[2]
PATIENCE_S = 120.0
#: The drain of the warm-up looks once more before it ends; it must not begin on what is measured.
SETTLE_S = 0.5
WORKER = ("--pool=prefork", "--concurrency=2", "--loglevel=ERROR", "--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True)
class Machine:
    """The servers of one run, and how much is measured."""

    sink: servers.Sink
    redis_url: str
    databases: Mapping[str, str]
    folder: Path
    secret_key: str
    deliveries: int
    compared: int

    @property
    def warm_up(self) -> int:
        """Enough to get every process going."""
        return min(4_000, self.deliveries)

    @contextmanager
    def seeded(self, kind: str) -> Iterator[Database]:
        """A database of a kind with subscribers at the sink."""
        with seed.database(self.databases[kind], self.sink.url, self.secret_key) as fresh:
            yield fresh

    def broker(self, number: int) -> str:
        """One of Redis' databases, so that no worker finds another's messages."""
        return self.redis_url.rsplit("/", 1)[0] + f"/{number}"

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


def until(done: Callable[[], bool], machine: Machine) -> None:
    """Wait, asking seldom enough not to take part in the race."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done in {PATIENCE_S} s:\n{(machine.folder / 'stderr').read_text()[-3000:]}")
        time.sleep(0.02)


def ours(machine: Machine, kind: str, fresh: Database) -> float:
    """Deliveries a second by two prefork workers: from the wake-up to the last outcome."""
    broker = machine.broker(1)
    client = Celery(broker=broker)
    environment = seed.settings(machine.folder, machine.databases[kind], broker, machine.secret_key)

    def run(count: int) -> float:
        time.sleep(SETTLE_S)
        before = machine.sink.count()
        seed.owe(fresh, count)
        started = time.perf_counter()
        client.send_task("tasks.drain", queue="gradewire")
        until(lambda: not seed.pending(fresh), machine)
        took = time.perf_counter() - started
        check(machine, fresh, count, before)
        return count / took

    with machine.process("celery", "-A", "tasks.app", "worker", *WORKER, **environment):
        run(machine.warm_up)
        return run(machine.deliveries)


def embedded(machine: Machine, fresh: Database) -> float:
    """Deliveries a second by one process with everything in it."""
    environment = seed.settings(machine.folder, machine.databases["sqlite"], "", machine.secret_key)
    with machine.process("tests.benchmarks.embedded", **environment) as running:
        assert running.stdin
        assert running.stdout
        for count in (machine.warm_up, machine.deliveries):
            before = machine.sink.count()
            seed.owe(fresh, count)
            print("go", file=running.stdin, flush=True)
            answer = running.stdout.readline()
            if not answer:
                raise RuntimeError((machine.folder / "stderr").read_text()[-3000:])
            check(machine, fresh, count, before)
        return count / float(answer)


def check(machine: Machine, fresh: Database, count: int, before: int) -> None:
    """The deliveries, their attempts and the sink must agree on the number, or the figure means nothing."""
    seen = machine.sink.count() - before - 1  # asking is a request, too
    if (*seed.recorded(fresh), seen) != (count, count, count):
        raise AssertionError(f"{count} owed, {seed.recorded(fresh)} recorded, {seen} received")


def compared(machine: Machine, kind: str, fresh: Database) -> float:
    """Deliveries a second by the tutorial design: from the first message to the last outcome."""
    broker = machine.broker(2)
    client = Celery(broker=broker)
    tutorial.Base.metadata.create_all(fresh.engine)
    pending = text("SELECT 1 FROM tutorial_delivery WHERE state = 'pending' LIMIT 1")

    def settled() -> bool:
        with fresh.read() as connection:
            return connection.execute(pending).first() is None

    def run(count: int) -> float:
        hooks = f"{machine.sink.url}/hooks/"
        rows = [{"id": n, "url": f"{hooks}{n % seed.DESTINATIONS}", "body": seed.body(n)} for n in range(1, count + 1)]
        with fresh.write() as connection:
            connection.execute(delete(tutorial.Attempt))
            connection.execute(delete(tutorial.Delivery))
            connection.execute(insert(tutorial.Delivery), [{**row, "state": "pending"} for row in rows])
        started = time.perf_counter()
        with client.producer_pool.acquire(block=True) as producer:
            for row in rows:
                client.send_task("tutorial.deliver", (row["id"],), producer=producer)
        until(settled, machine)
        return count / (time.perf_counter() - started)

    environment = {"TUTORIAL_URL": machine.databases[kind], "REDIS_URL": broker}
    with machine.process("celery", "-A", "tests.benchmarks.tutorial", "worker", *WORKER, **environment):
        run(min(100, machine.compared))
        return run(machine.compared)


def one_round(machine: Machine, kinds: tuple[str, ...]) -> dict[str, tuple[float, float]]:
    """Each design once: (ours, the tutorial's) by mode."""
    figures: dict[str, tuple[float, float]] = {}
    for kind in kinds:
        with machine.seeded(kind) as fresh:
            other = compared(machine, kind, fresh)
            figures[kind] = ours(machine, kind, fresh), other
            if kind == "sqlite":
                figures["embedded"] = embedded(machine, fresh), other
    return figures


def measure(deliveries: int, compare: int, rounds: int, kinds: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """The medians of interleaved rounds; starts and stops the servers it needs."""
    found: dict[str, list[tuple[float, float]]] = {}
    for _ in range(rounds):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
            urls = {"sqlite": f"sqlite:///{folder}/bench.db"}
            if "postgresql" in kinds:
                urls["postgresql"] = stack.enter_context(servers.postgresql(durable=True))
            sink, redis_url = stack.enter_context(servers.nginx_sink()), stack.enter_context(servers.redis_server())
            machine = Machine(sink, redis_url, urls, folder, Fernet.generate_key().decode(), deliveries, compare)
            for mode, pair in one_round(machine, kinds).items():
                found.setdefault(mode, []).append(pair)
                print(f"{mode}: {pair[0]:,.0f} a second, tutorial {pair[1]:,.0f}, ratio {pair[0] / pair[1]:.1f}", flush=True)
    return {
        mode: {
            "per_second": round(statistics.median(mine for mine, _ in pairs)),
            "ratio": round(statistics.median(mine / other for mine, other in pairs), 1),
        }
        for mode, pairs in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--deliveries", type=int, default=60_000)
    parser.add_argument("--compared", type=int, default=1_500, help="deliveries by the tutorial design")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    result = measure(given.deliveries, given.compared, given.rounds, tuple(given.kinds))
    print(json.dumps(result) if given.json else result)


if __name__ == "__main__":
    main()
