"""How fast feeds are read: `python -m tests.benchmarks.feed --json`.

gunicorn as in the Procfile serves the application over a database that holds a million events, each of a real size. The last
line of output is one JSON object, of SQLite and PostgreSQL the worse figure each:

- `slowdown`: the time that a feed with a million events takes to answer `limit=100`, of the time that one with a thousand takes
  (medians of requests in turn, one at a time);
- `share_of_hello`: requests a second over 200 different feeds, 100 events each, of those of a bare route on the same server;
- `share_of_hello_304`: the same of feeds that have not changed, asked for with their ETag.

Nothing is cached between requests but what the product itself remembers. The load comes from libcurl in a process of its own,
over connections that are kept for 50 requests or so; the routes take turns, and the median of the rounds counts.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import psycopg
import pycurl
from apiflask import APIFlask
from cryptography.fernet import Fernet
from sqlalchemy import text

from integration import config, triggers
from integration.domain.payload import iso
from integration.service import accounts, feeds
from integration.service.wiring import build, wall_clock
from integration.store.database import Database
from integration.web import create_app
from tests import servers

ROOT = Path(__file__).parents[2]
TRIGGER, FEEDS, LIMIT = "grade_changed", 200, 100
WORKERS, THREADS, CONNECTIONS = 2, 8, 16
#: Clients come and go. Of connections that stay, one process may hold all while the other sleeps.
REQUESTS_A_CONNECTION = 50
#: The rule of the one feed that holds every event, and of the two hundred, by the points that they ask for.
WHOLE, FIRST_POINTS = 99.0, 0.5
SEED = """
    INSERT INTO event (seq, id, rule_id, "trigger", subject, as_of, known_at, created_at, payload)
    SELECT n, {identity}, :rule, :trigger, 'token:3375', n, n, n, replace(:payload, '@', {identity}) FROM {numbers}"""
KINDS = {
    "sqlite": {
        "identity": "'evt_' || substr('00000000000000000000000000' || n, -26)",
        "numbers": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < :events) SELECT n FROM c)",
    },
    "postgresql": {
        "identity": "'evt_' || lpad(CAST(n AS text), 26, '0')",
        "numbers": "generate_series(1, :events) AS s(n)",
    },
}


def app() -> APIFlask:
    """The product's application, and a bare route beside it; whoever measures asks more often than a minute allows."""
    made = create_app(build(config.load()), requests_a_minute=10**9)

    @made.get("/hello")
    def hello() -> str:
        return "hello"

    return made


# -- the database ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stored:
    """A filled database, and the paths of its feeds: that of all events, and the two hundred; each with the key of its reader."""

    settings: Mapping[str, str]
    keys: Sequence[str]
    whole: str
    several: Sequence[str]


def payload() -> str:
    """An event as it is stored, with @ for its id."""
    event = {**triggers.load()[TRIGGER].sample, "id": "@", "is_sample": False, "known_at": iso(wall_clock())}
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))


def stored(url: str, folder: Path, events: int) -> Stored:
    """Fill a database: a feed of all events, and two hundred that each hold every two-hundredth (or all, where there are few)."""
    settings = {
        "DATABASE_URL": url, "GRADEWIRE_DATA": str(folder), "GRADEWIRE_SECRET_KEY": Fernet.generate_key().decode(),
    }  # fmt: skip
    gradewire = build(config.load(settings))
    keys = [accounts.create_key(gradewire, f"{name}@example.com") for name in ("whole", "several")]
    owners = [accounts.authenticate(gradewire, key).account_id for key in keys]
    points = [WHOLE, *(FIRST_POINTS + number / 4 for number in range(FEEDS))]
    names = [feeds.enter(gradewire, owners[each != WHOLE], TRIGGER, {"points": each}, {}) for each in points]
    fill(gradewire.database, names, events)
    gradewire.close()
    paths = [f"/v1/triggers/{TRIGGER}?points={each:g}&limit={LIMIT}" for each in points]
    return Stored(settings, keys, paths[0], paths[1:])


def fill(database: Database, names: Sequence[str], events: int) -> None:
    """So many events; all in the first feed, and in each of the others every so-manieth."""
    kind = KINDS["sqlite" if database.is_sqlite else "postgresql"]
    with database.write() as connection:
        rule = connection.scalar(text("SELECT min(id) FROM rule"))
        given = {"rule": rule, "trigger": TRIGGER, "payload": payload(), "events": events}
        connection.execute(text(SEED.format(**kind)), given)
        every = max(1, events // (10 * LIMIT))
        for place, name in enumerate(names):
            step = 1 if place == 0 else min(FEEDS, every)
            items = text("INSERT INTO feed_item (feed_id, seq) SELECT :feed, seq FROM event WHERE seq % :step = :rest")
            connection.execute(items, {"feed": name, "step": step, "rest": place % step})
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


# -- the server --------------------------------------------------------------------------------------------------------


@contextmanager
def served(what: Stored) -> Iterator[str]:
    """The application on gunicorn, as the Procfile starts it; its address."""
    port = servers.free_port()
    command = [
        sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--workers", str(WORKERS), "--threads", str(THREADS),
        "--bind", f"127.0.0.1:{port}", "--log-level", "error", "tests.benchmarks.feed:app()",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **what.settings}) as running:
        try:
            url = f"http://127.0.0.1:{port}"
            _until_ready(f"{url}/hello")
            yield url
        finally:
            running.terminate()


def _until_ready(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


# -- the load ----------------------------------------------------------------------------------------------------------


def load(urls: Sequence[str], headers: Sequence[Sequence[str]], seconds: float, status: int) -> float:
    """Requests a second over these addresses in turn, with kept connections; each must answer with a status."""
    multi, done, number = pycurl.CurlMulti(), 0, 0
    handles = [pycurl.Curl() for _ in range(CONNECTIONS)]

    def start(curl: Any) -> None:
        nonlocal number
        curl.setopt(pycurl.URL, urls[number % len(urls)])
        curl.setopt(pycurl.HTTPHEADER, list(headers[number % len(urls)]))
        curl.setopt(pycurl.FORBID_REUSE, number % REQUESTS_A_CONNECTION == 0)
        number += 1
        multi.add_handle(curl)

    for curl in handles:
        curl.setopt(pycurl.WRITEFUNCTION, len)
        curl.setopt(pycurl.BUFFERSIZE, 512 * 1024)
        start(curl)
    began = time.perf_counter()
    while (now := time.perf_counter()) - began < seconds:
        multi.perform()
        _, over, failed = multi.info_read()
        if failed:
            raise RuntimeError(f"no answer: {failed[0][2]}")
        for curl in over:
            if curl.getinfo(pycurl.RESPONSE_CODE) != status:
                raise RuntimeError(f"answered {curl.getinfo(pycurl.RESPONSE_CODE)}, not {status}")
            done += 1
            multi.remove_handle(curl)
            start(curl)
        if not over:
            multi.select(0.1)
    return done / (now - began)


def _loaded(urls: Sequence[str], headers: Sequence[Sequence[str]], seconds: float, status: int) -> float:
    """The same from a process of its own."""
    asked = json.dumps([list(urls), [list(each) for each in headers], seconds, status])
    command = [sys.executable, "-m", "tests.benchmarks.feed", "--load"]
    done = subprocess.run(command, cwd=ROOT, input=asked, capture_output=True, text=True, check=True)
    return float(done.stdout)


def _tags(base: str, what: Stored) -> list[str]:
    tags = []
    for path in what.several:
        with urlopen(Request(base + path, headers={"X-Api-Key": what.keys[1]}), timeout=30) as answer:
            events = json.loads(answer.read())
            if len(events) != LIMIT or len({event["id"] for event in events}) != LIMIT:
                raise AssertionError(f"{path} holds {len(events)} events")
            tags.append(answer.headers["ETag"])
    return tags


def shares(what: Stored, rounds: int, seconds: float) -> dict[str, float]:
    """Requests a second over two hundred feeds, and of unchanged ones, of those of the bare route."""
    found: dict[str, list[float]] = {"share_of_hello": [], "share_of_hello_304": []}
    with served(what) as base:
        key, feeds_ = f"X-Api-Key: {what.keys[1]}", [base + path for path in what.several]
        tags = _tags(base, what)
        _loaded(feeds_, [[key]] * len(feeds_), seconds, 200)  # every process has read every feed once
        for _ in range(rounds):
            hello = _loaded([f"{base}/hello"], [[]], seconds, 200)
            read = _loaded(feeds_, [[key]] * len(feeds_), seconds, 200)
            unchanged = _loaded(feeds_, [[key, f"If-None-Match: {tag}"] for tag in tags], seconds, 304)
            again = _loaded([f"{base}/hello"], [[]], seconds, 200)
            bare = (hello + again) / 2
            print(f"hello {bare:.0f}/s, feeds {read:.0f}/s, unchanged {unchanged:.0f}/s", file=sys.stderr, flush=True)
            found["share_of_hello"].append(read / bare)
            found["share_of_hello_304"].append(unchanged / bare)
    return {name: round(statistics.median(values), 3) for name, values in found.items()}


def slowdown(small: Stored, large: Stored, requests: int) -> float:
    """The median time of a request over many events, of that over few; they take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    with served(small) as few, served(large) as many:
        curls = [_one(few + small.whole, small.keys[0]), _one(many + large.whole, large.keys[0])]
        for number in range(requests + 20):
            for curl, taken in zip(curls, times, strict=True):
                curl.perform()
                if curl.getinfo(pycurl.RESPONSE_CODE) != 200:
                    raise RuntimeError(f"answered {curl.getinfo(pycurl.RESPONSE_CODE)}")
                if number >= 20:
                    taken.append(curl.getinfo(pycurl.TOTAL_TIME))
    middle = [statistics.median(each) for each in times]
    print(f"1 request: {middle[0] * 1000:.2f} ms of few, {middle[1] * 1000:.2f} ms of many", file=sys.stderr, flush=True)
    return round(middle[1] / middle[0], 3)


def _one(url: str, key: str) -> Any:
    curl = pycurl.Curl()
    curl.setopt(pycurl.URL, url)
    curl.setopt(pycurl.HTTPHEADER, [f"X-Api-Key: {key}"])
    curl.setopt(pycurl.WRITEFUNCTION, len)
    return curl


# -- the whole ---------------------------------------------------------------------------------------------------------


def measure(kind: str, events: int, few: int, rounds: int, seconds: float) -> dict[str, float]:
    """The figures on a kind of database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if kind == "sqlite":
            urls = [f"sqlite:///{folder}/{size}.db" for size in (few, events)]
        else:
            server = stack.enter_context(servers.postgresql())
            urls = [_database(server, f"bench_{size}") for size in (few, events)]
        print(f"{events:,} events on {kind} …", file=sys.stderr, flush=True)
        small, large = (stored(url, folder, size) for url, size in zip(urls, (few, events), strict=True))
        return {"slowdown": slowdown(small, large, 100 * rounds), **shares(large, rounds, seconds)}


def worst(each: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each figure the worse one: a slowdown should be small, a share large."""
    return {name: (max if name == "slowdown" else min)(figures[name] for figures in each) for name in each[0]}


def _database(server: str, name: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload, unused-ignore]
    return server.rpartition("/")[0] + f"/{name}"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the figures alone, as one JSON object")
    parser.add_argument("--database", choices=list(KINDS), help="what holds the events; both, where it is not said")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--few", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each load lasts")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        print(load(*json.load(sys.stdin)))
        return
    each = {}
    for kind in [given.database] if given.database else KINDS:
        each[kind] = measure(kind, given.events, given.few, given.rounds, given.seconds)
        print(f"{kind}: {each[kind]}", file=sys.stderr, flush=True)
    figures = worst(list(each.values()))
    print(json.dumps(figures) if given.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
