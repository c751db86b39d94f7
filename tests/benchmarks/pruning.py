"""Deliveries a second while a million old attempts are let go of, beside without: `python -m tests.benchmarks.pruning --json`.

One process drains to nginx, another runs `gradewire tidy`, as a worker and a poller do. `share` is the rate beside the pruning
÷ the rate without, as the median of interleaved rounds; `pruned_per_second` is how fast the old rows went meanwhile.
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
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import delete, func, select, text

from integration.config import load
from integration.service import deliver
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.secrets import Vault
from integration.store.tables import attempt, delivery, event
from tests import servers
from tests.benchmarks import seed

ROOT = Path(__file__).parents[2]
#: When the old attempts were made: more than 30 days before any day on which this may run.
OLD = seed.NOW - 100 * 86_400_000
_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT i FROM n",
    "postgresql": "SELECT i FROM generate_series(1, CAST(:count AS integer)) AS n(i)",
}
_FILL = """
    INSERT INTO attempt (id, delivery_id, at, duration_ms, status, outcome)
    SELECT i, i, :old + i / 1000, 12, 200, 'delivered' FROM ({}) AS numbers"""


def fill(fresh: Database, count: int) -> None:
    """So many old attempts, and no other; new ones get higher ids."""
    with fresh.write() as connection:
        connection.execute(delete(attempt))
        kind = connection.dialect.name
        connection.execute(text(_FILL.format(_NUMBERS[kind])), {"count": count, "old": OLD})
        if kind == "postgresql":
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence('attempt', 'id'), CAST(:count AS bigint))"), {"count": count}
            )
    if not fresh.is_sqlite:
        with fresh.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE attempt"))


def old(fresh: Database) -> int:
    """How many old attempts there are."""
    with fresh.read() as connection:
        return int(connection.scalar(select(func.count()).where(attempt.c.at < seed.NOW)) or 0)


@contextmanager
def pruning(folder: Path, url: str, key: str) -> Iterator[None]:
    """`gradewire tidy` in a process of its own, from when it has begun."""
    environment = {**os.environ, **seed.settings(folder, url, "", key)}
    command = [sys.executable, "-m", "integration.cli", "tidy"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as running:
        time.sleep(4)  # to import, to open the database
        try:
            yield
        finally:
            assert running.poll() is None, "the pruning was over before the drain"
            running.terminate()


def rate(here: Gradewire, count: int) -> float:
    """Deliveries a second of one drain."""
    seed.owe(here.database, count, forget=(delivery, event))
    began = time.perf_counter()
    delivered = deliver.drain_all(here, seconds=600).delivered
    assert delivered == count, delivered
    return count / (time.perf_counter() - began)


def one_round(here: Gradewire, folder: Path, url: str, key: str, count: int, attempts: int) -> tuple[float, float, float]:
    """(rate without, rate beside, rows pruned a second)."""
    fill(here.database, attempts)
    alone = rate(here, count)
    with pruning(folder, url, key):
        before, began = old(here.database), time.perf_counter()
        beside = rate(here, count)
        gone = before - old(here.database)
        took = time.perf_counter() - began
    assert gone > 0, "nothing was pruned meanwhile"
    return alone, beside, gone / took


def measure(kind: str, count: int, attempts: int, rounds: int) -> dict[str, float]:
    """The medians of one database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        url = f"sqlite:///{folder}/bench.db" if kind == "sqlite" else stack.enter_context(servers.postgresql(durable=True))
        sink, key = stack.enter_context(servers.nginx_sink()), Fernet.generate_key().decode()
        fresh = stack.enter_context(seed.database(url, sink.url, key))
        here = Gradewire(load({"GRADEWIRE_ALLOW_PRIVATE": "1"}), fresh, Vault([key]))
        rate(here, min(count, 4_000))
        found = [one_round(here, folder, url, key, count, attempts) for _ in range(rounds)]
    for alone, beside, pruned in found:
        print(f"{kind}: {alone:,.0f} a second alone, {beside:,.0f} beside, {pruned:,.0f} rows pruned a second", flush=True)
    return {
        "alone_per_second": round(statistics.median(alone for alone, _, _ in found)),
        "share": round(statistics.median(beside / alone for alone, beside, _ in found), 2),
        "pruned_per_second": round(statistics.median(pruned for *_, pruned in found)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--deliveries", type=int, default=60_000)
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kinds", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    result = {kind: measure(kind, given.deliveries, given.attempts, given.rounds) for kind in given.kinds}
    print(json.dumps(result) if given.json else result)


if __name__ == "__main__":
    main()
