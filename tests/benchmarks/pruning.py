"""Deliveries a second while a million old attempts are let go of, beside without: `python -m tests.benchmarks.pruning --json`.

One process drains to nginx, another lets go of what is old, as a worker and a poller do. In turn the other works or rests, for
some thousand deliveries each, so that whatever else the machine does falls on both alike. `share` is the rate beside the
pruning ÷ the rate without it, as the median of these pairs; `pruned_per_second` is how fast the old rows went meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from sqlalchemy import delete, func, select, text

from integration.config import load
from integration.domain.retry import DAY
from integration.service.deliver import drain
from integration.service.retention import tidy
from integration.service.ways import build_ways
from integration.service.wiring import Gradewire, build, wall_clock
from integration.store.database import Database
from integration.store.secrets import Vault
from integration.store.tables import attempt, delivery, event
from tests import servers
from tests.benchmarks import seed

ROOT = Path(__file__).parents[2]
#: When the old attempts were made, and what is older than they can be: both beyond the 30 days that attempts are kept.
OLD, LIMIT = wall_clock() - 100 * DAY, wall_clock() - 50 * DAY
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
            connection.execute(text("SELECT setval(pg_get_serial_sequence('attempt', 'id'), max(id)) FROM attempt"))
    if not fresh.is_sqlite:
        with fresh.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE attempt"))


def old(fresh: Database) -> int:
    """How many old attempts there are."""
    with fresh.read() as connection:
        return int(connection.scalar(select(func.count()).where(attempt.c.at < LIMIT)) or 0)


def prune() -> None:
    """What the other process does: lets go of old rows from one line on its stdin to the next, and says how many went."""
    here, rest = build(load()), threading.Event()
    print("ready", flush=True)
    for _line in sys.stdin:
        rest.clear()
        gone = list[int]()
        work = threading.Thread(target=lambda gone=gone: gone.append(tidy(here, seconds=600, stop=rest.is_set)["attempts"]))
        work.start()
        print("begun", flush=True)
        sys.stdin.readline()
        rest.set()
        work.join()
        print(gone[0], flush=True)


class Pruner:
    """The other process, as the first one sees it."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running
        assert self._said() == "ready"

    def _said(self) -> str:
        assert self._running.stdout
        return self._running.stdout.readline().strip()

    def turn(self) -> str:
        """Let it begin, or rest; what it says."""
        assert self._running.stdin
        print("turn", file=self._running.stdin, flush=True)
        return self._said()


@contextmanager
def pruner(folder: Path, url: str, key: str) -> Iterator[Pruner]:
    """The other process, from when it is ready; it rests."""
    environment, pipe = {**os.environ, **seed.settings(folder, url, "", key)}, subprocess.PIPE
    command = [sys.executable, "-m", "tests.benchmarks.pruning", "--prune"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True) as running:
        try:
            yield Pruner(running)
        finally:
            running.terminate()


def measure(kind: str, pairs: int, count: int, attempts: int) -> dict[str, float]:
    """The medians of one database: `pairs` times `count` deliveries beside the pruning and as many without."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        url = f"sqlite:///{folder}/bench.db" if kind == "sqlite" else stack.enter_context(servers.postgresql(durable=True))
        sink, key = stack.enter_context(servers.nginx_sink()), Fernet.generate_key().decode()
        fresh = stack.enter_context(seed.database(url, sink.url, key))
        here = Gradewire(load({"GRADEWIRE_ALLOW_PRIVATE": "1", "GRADEWIRE_DESTINATION_RATE": "1000"}), fresh, Vault([key]))
        ways = build_ways(here)
        stack.callback(ways.transport.close)
        fill(fresh, attempts)
        seed.owe(fresh, (2 * pairs + 1) * count, forget=(delivery, event))

        def seconds() -> float:
            began = time.perf_counter()
            assert drain(fresh, ways, now=here.now, seconds=600, limit=count).delivered == count
            return time.perf_counter() - began

        seconds()  # to open connections
        shares, alone, beside, gone = list[float](), list[float](), list[float](), 0
        other = stack.enter_context(pruner(folder, url, key))
        for pair in range(pairs):
            if pair % 2:  # each goes first as often as the other
                alone.append(seconds())
            assert other.turn() == "begun"
            beside.append(seconds())
            gone += int(other.turn())
            if not pair % 2:
                alone.append(seconds())
            shares.append(alone[-1] / beside[-1])
        assert old(fresh) == attempts - gone > 0, "there was not enough to prune"
    return {
        "alone_per_second": round(count / statistics.median(alone)),
        "share": round(statistics.median(shares), 2),
        "pruned_per_second": round(gone / sum(beside)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--prune", action="store_true", help="be the other process")
    parser.add_argument("--deliveries", type=int, default=5_000, help="in each turn")
    parser.add_argument("--attempts", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", default=["sqlite", "postgresql"], choices=["sqlite", "postgresql"])
    given = parser.parse_args()
    if given.prune:
        prune()
        return
    result = {kind: measure(kind, given.pairs, given.deliveries, given.attempts) for kind in given.kinds}
    print(json.dumps(result) if given.json else result)


if __name__ == "__main__":
    main()
