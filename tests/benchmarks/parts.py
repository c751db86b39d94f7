"""The parts of the delivery benchmark: each is one figure, or a few, of one round."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

from celery import Celery
from sqlalchemy import delete, insert, text

from integration.store.database import Database
from tests import servers
from tests.benchmarks import limit, seed, slow, tutorial
from tests.benchmarks.machine import WORKER, Machine, check, peak_mb

Figures = dict[str, float]
#: A receiver's answer takes so long, and so many requests are under way.
LATENCY_MS, CONCURRENT = 50, 1_000
#: Worker processes.
PROCESSES = 2
#: Destinations of which one hangs.
BESIDE_ONE = 100
#: The short queue, and how often it is worked off; as much is taken from the long one.
SHORT, TIMES = 1_000, 20


def ours(
    machine: Machine, fresh: Database, sink: servers.Sink, *, destinations: int = seed.DESTINATIONS, **environment: str
) -> tuple[float, float]:
    """(deliveries a second, MB of the largest worker), by Celery workers over Redis."""
    broker, count = machine.broker(1), machine.sizes.deliveries
    with machine.workers(fresh, broker, **environment) as running:
        machine.drained(fresh, broker, sink, machine.sizes.warm_up, destinations)
        return count / machine.drained(fresh, broker, sink, count, destinations), peak_mb(running)


def compared(machine: Machine, fresh: Database, sink: servers.Sink, count: int, **environment: str) -> float:
    """Deliveries a second by the tutorial design: from the first message to the last outcome."""
    broker = machine.broker(2)
    client = Celery(broker=broker)
    tutorial.Base.metadata.create_all(fresh.engine)
    pending = text("SELECT 1 FROM tutorial_delivery WHERE state = 'pending' LIMIT 1")

    def settled() -> bool:
        with fresh.read() as connection:
            return connection.execute(pending).first() is None

    def run(number: int) -> float:
        rows = [
            {"id": n, "url": f"{sink.url}/hooks/{n % seed.DESTINATIONS}", "body": seed.body(n), "state": "pending"}
            for n in range(1, number + 1)
        ]
        with fresh.write() as connection:
            connection.execute(delete(tutorial.Attempt))
            connection.execute(delete(tutorial.Delivery))
            connection.execute(insert(tutorial.Delivery), rows)
        started = time.perf_counter()
        with client.producer_pool.acquire(block=True) as producer:
            for row in rows:
                client.send_task("tutorial.deliver", (row["id"],), producer=producer)
        machine.until(settled)
        return number / (time.perf_counter() - started)

    environment |= {"TUTORIAL_URL": fresh.url.render_as_string(hide_password=False), "REDIS_URL": broker}
    with machine.process("celery", "-A", "tests.benchmarks.tutorial", "worker", *WORKER, "--concurrency=2", **environment):
        run(min(100, count))
        return run(count)


def bare(machine: Machine, kind: str, sink: servers.Sink) -> float:
    """Deliveries a second at the limit of the machine."""
    urls = [f"{sink.url}/hooks/{number}" for number in range(seed.DESTINATIONS)]
    url = machine.fresh_url(kind)
    if kind == "sqlite":
        return limit.run(limit.Sqlite, url.removeprefix("sqlite:///"), urls, machine.sizes.deliveries, post=True)
    return limit.run(limit.Postgresql, url, urls, machine.sizes.deliveries, post=True)


def throughput(machine: Machine, kind: str) -> Figures:
    """Ours beside the tutorial design and beside the limit; on SQLite also everything in one process."""
    with servers.nginx_sink() as sink, machine.seeded(kind, sink.url) as fresh:
        other = compared(machine, fresh, sink, machine.sizes.compared)
        rate, memory = ours(machine, fresh, sink)
        most = bare(machine, kind, sink)
        found = {"per_second": rate, "ratio": rate / other, "limit_share": rate / most, "worker_mb": memory}
        if kind == "sqlite":
            alone = embedded(machine, fresh, sink)
            found |= {"embedded.per_second": alone, "embedded.ratio": alone / other, "embedded.limit_share": alone / most}
    return found


def embedded(machine: Machine, fresh: Database, sink: servers.Sink) -> float:
    """Deliveries a second by one process with everything in it."""
    with machine.process("tests.benchmarks.embedded", **machine.settings(fresh, "")) as running:
        for count in (machine.sizes.warm_up, machine.sizes.deliveries):
            before = sink.count()
            seed.owe(fresh, count)
            took = machine.ask(running, "go")
            check(fresh, sink, count, before)
    return count / took


def tls(machine: Machine) -> Figures:
    """Ours over TLS with kept connections beside the tutorial design over TLS, on PostgreSQL."""
    with servers.nginx_sink(tls=True) as sink, machine.seeded("postgresql", sink.url) as fresh:
        trusted = str(sink.ca_file)
        other = compared(machine, fresh, sink, max(machine.sizes.compared // 2, 1), REQUESTS_CA_BUNDLE=trusted)
        rate, memory = ours(machine, fresh, sink, BENCH_CA=trusted)
    return {"per_second": rate, "ratio": rate / other, "worker_mb": memory}


def latency(machine: Machine) -> Figures:
    """The rate at receivers that take 50 ms, as a share of what 1,000 requests under way make possible: 500 destinations
    that allow two each, one by each worker."""
    with ExitStack() as stack:
        receiver = stack.enter_context(machine.process("tests.benchmarks.slow", str(LATENCY_MS)))
        assert receiver.stdout
        port = int(receiver.stdout.readline())
        sink = servers.Sink(port, port)
        destinations = CONCURRENT // PROCESSES
        fresh = stack.enter_context(machine.seeded("postgresql", sink.url, destinations=destinations, concurrency=PROCESSES))
        rate, memory = ours(machine, fresh, sink, destinations=destinations)
    return {"per_second": rate, "share": rate / (CONCURRENT / LATENCY_MS * 1000), "worker_mb": memory}


def hanging(machine: Machine) -> Figures:
    """The rate of 99 destinations while the hundredth takes requests and never answers, as a share of their rate without it."""
    rates = []
    with socket.create_server(("127.0.0.1", 0), backlog=1_024) as silent, servers.nginx_sink() as sink:
        for elsewhere in ("", f"http://127.0.0.1:{silent.getsockname()[1]}/"):
            with machine.seeded("postgresql", sink.url, destinations=BESIDE_ONE, elsewhere=elsewhere) as fresh:
                rates.append(_beside(machine, fresh))
    return {"per_second": rates[1], "share": rates[1] / rates[0]}


def _beside(machine: Machine, fresh: Database) -> float:
    """Deliveries a second to all destinations but the first."""
    broker, count = machine.broker(3), machine.sizes.deliveries
    client = Celery(broker=broker)
    with machine.workers(fresh, broker):
        seed.owe(fresh, BESIDE_ONE, BESIDE_ONE)
        with fresh.write() as connection:  # the warm-up leaves nothing with the one that hangs
            connection.execute(text("DELETE FROM delivery WHERE destination_id = 'dst_0'"))
        client.send_task("tasks.drain", queue="gradewire")
        machine.until(lambda: not seed.pending(fresh))
        time.sleep(1)
        seed.owe(fresh, count, BESIDE_ONE)
        started = time.perf_counter()
        client.send_task("tasks.drain", queue="gradewire")
        machine.until(lambda: not seed.pending_elsewhere(fresh))
        took = time.perf_counter() - started
    client.close()
    return count * (BESIDE_ONE - 1) / BESIDE_ONE / took


def idle(machine: Machine) -> Figures:
    """How long it takes from before an event is written until its request has come: one at a time, by the real wake-up."""
    rung, broker = threading.Event(), machine.broker(4)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=slow.serve, args=(listener, 0.0, rung.set), daemon=True).start()
    client, took = Celery(broker=broker), list[float]()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with machine.seeded("postgresql", url) as fresh, machine.workers(fresh, broker), client.producer_pool.acquire(True) as sender:
        for number in range(machine.sizes.samples + 10):
            rung.clear()
            began = time.perf_counter()
            seed.add(fresh, number * seed.FAN_OUT, 1)
            client.send_task("tasks.drain", queue="gradewire", producer=sender)
            if not rung.wait(30):
                raise TimeoutError(machine.errors())
            took.append(time.perf_counter() - began)
            machine.until(lambda: not seed.pending(fresh))
            time.sleep(0.03)
    client.close()
    took = sorted(took[10:])  # the first ones start connections
    return {"p50_ms": 1000 * took[len(took) // 2], "p99_ms": 1000 * took[min(int(len(took) * 0.99), len(took) - 1)]}


def growth(machine: Machine) -> Figures:
    """What a delivery costs with a million due beside what it costs with a thousand: in turns, and over as many deliveries."""
    short, long = list[float](), list[float]()
    with ExitStack() as stack:
        sink = stack.enter_context(servers.nginx_sink())
        few, many = (stack.enter_context(machine.seeded("postgresql", sink.url)) for _ in range(2))
        one, other = (
            stack.enter_context(machine.process("tests.benchmarks.stepwise", **machine.settings(fresh, "")))
            for fresh in (few, many)
        )
        seed.owe(many, machine.sizes.backlog)
        for _ in range(TIMES + 1):
            seed.owe(few, SHORT)
            short.append(machine.ask(one, str(SHORT)))
            long.append(machine.ask(other, str(SHORT)))
    costs = [statistics.median(each[1:]) / SHORT * 1e6 for each in (short, long)]  # the first ones start connections
    return {"short_us": costs[0], "long_us": costs[1], "times": costs[1] / costs[0]}


PARTS: dict[str, Callable[[Machine], Figures]] = {
    "sqlite": lambda machine: throughput(machine, "sqlite"),
    "postgresql": lambda machine: throughput(machine, "postgresql"),
    "tls": tls,
    "latency": latency,
    "hanging": hanging,
    "idle": idle,
    "growth": growth,
}
