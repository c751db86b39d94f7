"""Wake-ups over real brokers: whichever it is, whatever it forgets, what is owed arrives; several workers never send twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from celery import Celery
from cryptography.fernet import Fernet
from sqlalchemy import select

from integration import logs
from integration.config import load
from integration.service.readiness import broker
from integration.service.wiring import Gradewire, build
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.tables import attempt
from tasks import beat as beats
from tasks import work
from tasks.app import configure
from tests import servers
from tests.conftest import absent
from tests.receiver import Receiver
from tests.tasks.running import beat, hooked, lines, owe, ready, wait, worker


@pytest.fixture(params=["redis", "rabbitmq"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def environment(database: Database, url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": database.url.render_as_string(hide_password=False),
        "GRADEWIRE_BROKER_URL": url,
        "GRADEWIRE_DATA": str(tmp_path / "data"),
        "GRADEWIRE_SECRET_KEY": Fernet.generate_key().decode(),
        "GRADEWIRE_ALLOW_PRIVATE": "1",
    }


def states(gradewire: Gradewire) -> dict[str, int]:
    with gradewire.database.read() as connection:
        return {name: n for name, n in deliveries.counts(connection).items() if n}


def test_worker_and_beat_deliver_over_either_broker(
    sqlite_database: Database, broker_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    told = environment(sqlite_database, broker_url, tmp_path)
    here = build(load(told))
    assert broker(here.settings).level == "good"
    to = hooked(here, receiver.url("/hook"))
    with ExitStack() as stack:
        worker(stack, told, tmp_path / "worker.log")
        beat(stack, told, tmp_path / "beat.log")
        owe(here, to, 5)
        receiver.wait_for(5, 60)
        wait(lambda: states(here) == {"delivered": 5}, 10, "not written down")
    here.close()
    secrets = [told["GRADEWIRE_SECRET_KEY"], *(request.headers["webhook-signature"] for request in receiver.requests)]
    assert not [each for each in secrets if each in (tmp_path / "worker.log").read_text()]


def test_a_broker_that_comes_back_empty_or_is_emptied_costs_nothing(
    sqlite_database: Database, receiver: Receiver, tmp_path: Path
) -> None:
    """Redis is restarted with all keys lost, then flushed while it runs: queues, bindings and ticks are gone each time."""
    try:
        servers.program("redis-server")
    except servers.Missing as missing:
        absent(str(missing))
    port = servers.free_port()
    told = environment(sqlite_database, f"redis://127.0.0.1:{port}/0", tmp_path)
    here = build(load(told))
    to = hooked(here, receiver.url("/hook"))
    with ExitStack() as stack:
        with servers.redis_server(port):
            worker(stack, told, tmp_path / "worker.log")
            beat(stack, told, tmp_path / "beat.log")
            owe(here, to, 1)
            receiver.wait_for(1, 60)
        owe(here, to, 1)
        time.sleep(0.5)
        with servers.redis_server(port) as url:
            receiver.wait_for(2, 30)
            for count in (3, 4):
                with redis.Redis.from_url(url) as client:
                    client.flushall()
                owe(here, to, 1)
                receiver.wait_for(count, 30)
            wait(lambda: states(here) == {"delivered": 4}, 10, "not written down")
            stack.close()
    here.close()
    assert len(receiver.requests) == 4


def test_a_wake_up_that_cannot_be_sent_breaks_nothing(gradewire_away: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(load({}), default="warning")
    began = time.monotonic()
    work.wake()
    assert time.monotonic() - began < 5
    assert "wake_lost" in capsys.readouterr().err


@pytest.fixture
def gradewire_away() -> Iterator[Celery]:
    """Celery's app of this process, with a broker that nobody serves."""
    configure(work.app, load({"REDIS_URL": f"redis://127.0.0.1:{servers.free_port()}/0"}))
    yield work.app
    configure(work.app, load({}))


def test_ticks_do_not_gather_where_no_worker_runs(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beats, "MOST", 5)
    app = configure(Celery("idle", include=["tasks.work"]), load({"GRADEWIRE_BROKER_URL": broker_url}))
    app.conf.task_queues = {"idle-sweeps": {}, "idle-polls": {}}
    app.conf.task_routes = {"tasks.observe": {"queue": "idle-polls"}, "tasks.sweep": {"queue": "idle-sweeps"}}
    beat_ = beats.Beat(app=app, lazy=False)
    for _ in range(12):
        for entry in ("sweep", "observe"):
            beat_.apply_entry(beat_.schedule[entry], producer=beat_.producer)
    with app.connection_for_write() as connection, connection.channel() as channel:
        waiting = [channel.queue_declare(queue=name, passive=True).message_count for name in ("idle-sweeps", "idle-polls")]
        for name in ("idle-sweeps", "idle-polls"):
            channel.queue_delete(name)
    beat_.connection.close()
    assert waiting == [5, 5]


# -- several workers on one database


def test_four_workers_share_the_load_and_send_each_delivery_once(
    postgresql_database: Database, redis_url: str, receiver: Receiver, tmp_path: Path
) -> None:
    told = {**environment(postgresql_database, redis_url, tmp_path), "GRADEWIRE_DESTINATION_RATE": "100000"}
    here = build(load(told))
    to = hooked(here, *(receiver.url(f"/{number}") for number in range(20)))
    logs = [tmp_path / f"worker{number}.log" for number in range(4)]
    with ExitStack() as stack:
        for log in logs:
            worker(stack, told, log)
        for log in logs:
            ready(log)
        beat(stack, told, tmp_path / "beat.log")
        ids = owe(here, to, 150)
        client = configure(Celery("client"), load(told))
        for _ in logs:
            client.send_task("tasks.drain", queue="gradewire")
        receiver.wait_for(3_000, 150)
        wait(lambda: states(here) == {"delivered": 3_000}, 30, "not written down")
        time.sleep(0.5)
        shares = [sum(line["delivered"] for line in lines(log) if line["event"] == "drain") for log in logs]
    came = Counter((request.path, request.headers["webhook-id"]) for request in receiver.requests)
    assert came == {(f"/{number}", identity): 1 for number in range(20) for identity in ids}
    with here.database.read() as connection:
        made = list(connection.scalars(select(attempt.c.delivery_id).where(attempt.c.outcome == "delivered")))
    here.close()
    assert sum(shares) == len(made) == len(set(made)) == 3_000
    assert sum(share > 0 for share in shares) >= 2, shares
