"""kill -9 at every step of a delivery: nothing is lost, and nothing but what was in flight is sent twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import select, text

from integration.service.claiming import BATCH, LEASE_MS
from integration.service.sending import HORIZON_MS
from integration.service.ways import WIDTH
from integration.store.database import Database
from integration.store.tables import delivery
from integration.wire.http import Transport
from tests.receiver import Answer, Receiver
from tests.service.given import NOW, Given

NAMES = [str(n) for n in range(10)]
EVENTS = 120


@contextmanager
def doomed(database: Database, point: str) -> Iterator[subprocess.Popen[str]]:
    """A worker in a process of its own; killed at the end, if it has not been before."""
    url = database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.service.doomed", url, point]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield worker
    finally:
        worker.kill()
        worker.communicate()


def bury(given: Given) -> None:
    """Until the database knows that the worker is dead: a statement of its last moment may still run."""
    if not given.database.is_sqlite:
        others = text("""
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'""")
        while given.query(lambda connection: connection.scalar(others)):
            time.sleep(0.02)


@pytest.fixture
def given(database: Database, receiver: Receiver) -> Iterator[Given]:
    """1,200 deliveries owed to ten receivers."""
    patient = Transport[Any](allow_private=True)  # a busy machine must not look like a receiver that fails
    with closing(Given(database, transport=patient)) as ready:
        for name in NAMES:
            ready.receives(name, receiver.url(f"/{name}"))
        ready.owes(*NAMES, events=EVENTS)
        yield ready


def unsettled(given: Given) -> set[tuple[str, int]]:
    """What a worker has claimed and nobody has settled."""
    query = select(delivery.c.destination_id, delivery.c.event_seq).where(delivery.c.state == 0, delivery.c.lease.is_not(None))
    return {(row[0], row[1]) for row in given.query(lambda connection: connection.execute(query).all())}


def finish(given: Given) -> None:
    """Work off what is owed: what a slow receiver's pace put back, too."""
    given.drain()
    while given.query(lambda connection: connection.execute(select(delivery.c.id).where(delivery.c.state == 0)).first()):
        given.clock.ms += HORIZON_MS
        given.drain()


def check(given: Given, receiver: Receiver, in_flight: set[tuple[str, int]]) -> None:
    """All of it came, each under its one id; only what was in flight came twice; the books say the same."""
    came = Counter((f"dst_{r.path[1:]}", int(r.headers["webhook-id"].removeprefix("evt_"))) for r in receiver.requests)
    owed = {(f"dst_{name}", seq) for name in NAMES for seq in range(1, EVENTS + 1)}
    assert set(came) == owed
    assert {pair for pair, times in came.items() if times > 1} <= in_flight
    assert max(came.values()) <= 2
    assert given.state() == {"delivered": len(owed)}
    assert {row.attempts for row in given.rows()} == {1}
    assert len(given.attempts()) == len(owed)


@pytest.mark.parametrize("point", ["after the claim", "before recording", "amid recording", "after recording"])
def test_a_worker_killed_at_any_step_loses_nothing(given: Given, receiver: Receiver, point: str) -> None:
    with doomed(given.database, point) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == "here\n"
        worker.kill()
        worker.wait()
        bury(given)
    in_flight = unsettled(given)
    assert in_flight
    done = given.state().get("delivered", 0)
    assert len(in_flight) + done <= 6 * BATCH
    assert (done > 0) == (point == "after recording")
    before = len(receiver.requests)
    assert (before == 0) == (point == "after the claim")

    given.drain()  # what nobody had claimed goes at once, the rest when the lease ends
    assert unsettled(given) == in_flight
    given.clock.ms = NOW + LEASE_MS
    finish(given)
    check(given, receiver, in_flight)


def test_a_worker_killed_while_it_sends_loses_nothing(given: Given, receiver: Receiver) -> None:
    for name in NAMES:
        receiver.on(f"/{name}", *[Answer()] * 8, Answer(held=True))
    with doomed(given.database, "while sending") as worker:
        receiver.wait_for(10 * (8 + WIDTH))
        worker.kill()
        worker.wait()
        bury(given)
    in_flight = unsettled(given)
    assert in_flight
    receiver.release()
    given.clock.ms = NOW + LEASE_MS
    finish(given)
    check(given, receiver, in_flight)


def test_a_worker_killed_over_and_over_gets_there(given: Given, receiver: Receiver) -> None:
    """Each life gets a little further; what one was doing when it died waits for the lease, the rest goes on."""
    seen: set[tuple[str, int]] = set()
    free = select(delivery.c.id).where(delivery.c.state == 0, delivery.c.lease.is_(None))
    while given.query(lambda connection: connection.execute(free).first()):
        with doomed(given.database, "after recording") as worker:
            assert worker.stdout
            worker.stdout.readline()
            worker.kill()
            worker.wait()
            bury(given)
        seen |= unsettled(given)
    assert given.state()["delivered"] > 0
    given.clock.ms = NOW + LEASE_MS
    finish(given)
    check(given, receiver, seen)
