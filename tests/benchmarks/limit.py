"""What this machine can do at most: the barest client and SQL that make durable deliveries. Frozen, so that figures compare.

`python -m tests.benchmarks.limit --json`. No address check, no retries, no leases that anyone would take over, no
threads: two processes that claim 500 rows, sign and POST them with libcurl, and write outcomes and attempts.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pycurl

from tests import servers

BATCH = 500
WINDOW = 64
KEY = b"k" * 32
BODY = json.dumps({"summary": "x" * 1000})
TABLES = (
    "CREATE TABLE owed (id {serial}, url text NOT NULL, body text NOT NULL, state smallint NOT NULL DEFAULT 0,"
    " attempts smallint NOT NULL DEFAULT 0, next_at bigint NOT NULL DEFAULT 0, done_at bigint)",
    "CREATE INDEX owed_due ON owed (next_at) WHERE state = 0",
    "CREATE TABLE tried (id {serial}, owed_id bigint NOT NULL, at bigint NOT NULL, status smallint NOT NULL)",
)
SETTLE = "UPDATE owed SET state = 1, attempts = attempts + 1, done_at = {0} WHERE id = {0}"
TRIED = "INSERT INTO tried (owed_id, at, status) VALUES ({0}, {0}, {0})"
Row = tuple[int, str, str]


class Sqlite:
    """The barest SQL on SQLite."""

    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(url, isolation_level=None, timeout=60)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            self.connection.execute(f"PRAGMA {pragma}")

    def create(self, count: int, urls: list[str]) -> None:
        for statement in TABLES:
            self.connection.execute(statement.format(serial="INTEGER PRIMARY KEY"))
        self.connection.execute("BEGIN IMMEDIATE")
        rows = ((urls[number % len(urls)], BODY) for number in range(count))
        self.connection.executemany("INSERT INTO owed (url, body) VALUES (?, ?)", rows)
        self.connection.execute("COMMIT")

    def claim(self, now: int) -> list[Row]:
        due = "SELECT id FROM owed WHERE state = 0 AND next_at <= ? ORDER BY next_at LIMIT ?"
        self.connection.execute("BEGIN IMMEDIATE")
        taken = self.connection.execute(
            f"UPDATE owed SET next_at = ? WHERE id IN ({due}) RETURNING id, url, body", (now + 60_000, now, BATCH)
        ).fetchall()
        self.connection.execute("COMMIT")
        return taken

    def record(self, now: int, done: list[tuple[int, int]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany(SETTLE.format("?"), [(now, identity) for identity, _ in done])
        self.connection.executemany(TRIED.format("?"), [(identity, now, status) for identity, status in done])
        self.connection.execute("COMMIT")


class Postgresql:
    """The barest SQL on PostgreSQL."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def create(self, count: int, urls: list[str]) -> None:
        for statement in TABLES:
            self.connection.execute(statement.format(serial="bigserial PRIMARY KEY").encode())
        with self.connection.cursor().copy("COPY owed (url, body) FROM STDIN") as copy:
            for number in range(count):
                copy.write_row((urls[number % len(urls)], BODY))
        self.connection.execute("VACUUM ANALYZE owed")

    def claim(self, now: int) -> list[Row]:
        due = "SELECT id FROM owed WHERE state = 0 AND next_at <= %s ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED"
        statement = f"UPDATE owed SET next_at = %s WHERE id = ANY(ARRAY({due})) RETURNING id, url, body"
        return self.connection.execute(statement.encode(), (now + 60_000, now, BATCH)).fetchall()

    def record(self, now: int, done: list[tuple[int, int]]) -> None:
        ids, statuses = [identity for identity, _ in done], [status for _, status in done]
        settle = b"UPDATE owed SET state = 1, attempts = attempts + 1, done_at = %s WHERE id = ANY(%s)"
        with self.connection.transaction():
            self.connection.execute(settle, (now, ids))
            tried = b"SELECT o, %s, s FROM unnest(%s::bigint[], %s::smallint[]) AS u (o, s)"
            self.connection.execute(b"INSERT INTO tried (owed_id, at, status) " + tried, (now, ids, statuses))


def handle() -> pycurl.Curl:
    curl = pycurl.Curl()
    for option, value in ((pycurl.POST, 1), (pycurl.NOSIGNAL, 1), (pycurl.TIMEOUT_MS, 15_000), (pycurl.PROXY, "")):
        curl.setopt(option, value)
    return curl


class Client:
    """The barest client: POSTs rows, WINDOW at a time, over kept connections."""

    def __init__(self) -> None:
        self.multi = pycurl.CurlMulti()
        self.idle = [handle() for _ in range(WINDOW)]
        self.key = hmac.new(KEY, digestmod=hashlib.sha256)

    def send(self, rows: list[Row]) -> list[tuple[int, int]]:
        """(id, status) of each."""
        done: list[tuple[int, int]] = []
        waiting, second = list(rows), int(time.time())
        while len(done) < len(rows):
            while self.idle and waiting:
                identity, url, text = waiting.pop()
                body, mac = text.encode(), self.key.copy()
                mac.update(b"evt_%d.%d." % (identity, second) + body)
                signature = base64.b64encode(mac.digest()).decode()
                curl = self.idle.pop()
                curl.setopt(pycurl.URL, url)
                curl.setopt(pycurl.POSTFIELDS, body)
                head = ["Content-Type: application/json", f"webhook-id: evt_{identity}", f"webhook-timestamp: {second}"]
                curl.setopt(pycurl.HTTPHEADER, [*head, f"webhook-signature: v1,{signature}"])
                curl.identity = identity
                self.multi.add_handle(curl)
            self.multi.perform()
            _, good, bad = self.multi.info_read(WINDOW)
            if bad:
                raise RuntimeError(bad)
            for curl in good:
                done.append((curl.identity, curl.getinfo(pycurl.RESPONSE_CODE)))
                self.multi.remove_handle(curl)
                self.idle.append(curl)
            if not good:
                self.multi.select(1.0)
        return done


def work(kind: Callable[[str], Any], url: str, start: Any, post: bool) -> None:
    """Deliver until nothing is owed; without `post`, as if every receiver had answered at once."""
    store, client = kind(url), Client()
    start.wait()
    while rows := store.claim(int(time.time() * 1000)):
        store.record(int(time.time() * 1000), client.send(rows) if post else [(row[0], 204) for row in rows])


def run(kind: Callable[[str], Any], url: str, urls: list[str], count: int, *, post: bool, processes: int = 2) -> float:
    """Deliveries a second."""
    store = kind(url)
    store.create(count, urls)
    fork = multiprocessing.get_context("spawn")
    start = fork.Barrier(processes + 1)
    workers = [fork.Process(target=work, args=(kind, url, start, post)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    start.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - started
    (made,) = store.connection.execute("SELECT count(*) FROM tried").fetchone()
    store.connection.close()
    if made != count or any(worker.exitcode for worker in workers):
        raise AssertionError(f"{made} of {count}")
    return count / took


def measure(count: int) -> dict[str, dict[str, int]]:
    """For each database: durable deliveries a second, and the same without a POST."""
    found: dict[str, dict[str, int]] = {}
    for kind in (Sqlite, Postgresql):
        found[kind.__name__.lower()] = figures = {}
        for name, post in (("deliveries", True), ("database", False)):
            with ExitStack() as stack:
                sink = stack.enter_context(servers.nginx_sink())
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-limit-")))
                url = str(folder / "limit.db") if kind is Sqlite else stack.enter_context(servers.postgresql(durable=True))
                urls = [f"{sink.url}/hooks/{number}" for number in range(1_000)]
                figures[name] = round(run(kind, url, urls, count, post=post))
            print(f"{kind.__name__}, {name}: {figures[name]:,} a second", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--deliveries", type=int, default=60_000)
    given = parser.parse_args()
    found = measure(given.deliveries)
    print(json.dumps(found) if given.json else found)


if __name__ == "__main__":
    main()
