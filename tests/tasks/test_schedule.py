from __future__ import annotations

from pathlib import Path

from integration import sources
from integration.config import load
from integration.domain.pacing import ladder
from integration.service.agenda import CLOSEST
from tasks.app import app, configure, schedule


def test_one_task_looks_for_polls_that_are_due_and_one_for_deliveries() -> None:
    tasks = [entry["task"] for entry in schedule(load({})).values()]
    assert tasks.count("tasks.observe") == tasks.count("tasks.sweep") == 1
    assert not any(entry.get("args") for entry in schedule(load({})).values())


def test_a_look_comes_several_times_in_the_finest_interval_of_any_source_however_fast_the_market() -> None:
    for day in (86_400, 60, 5, 1):
        speed = 86_400 / day
        wait = schedule(load({"GRADEWIRE_SPEED": str(speed)}))["observe"]["schedule"]
        floor = CLOSEST * speed
        finest = min(ladder(each.cadence, dated=each.dated, floor=int(floor))[0] for each in sources.load().values())
        assert 0.5 <= wait <= finest / speed / 1_000 / 2


def test_a_tick_that_nobody_took_in_time_is_dropped() -> None:
    assert all(entry["options"]["expires"] > 0 for entry in schedule(load({})).values())


def test_redis_is_the_broker_where_it_is_set() -> None:
    kept = app.conf.broker_url
    try:
        configure(app, load({"REDIS_URL": "redis://127.0.0.1:6399/0"}))
        assert app.conf.broker_url == "redis://127.0.0.1:6399/0"
        assert app.conf.broker_transport_options["max_connections"] >= 100
    finally:
        configure(app, load({}))
    assert kept == app.conf.broker_url == "memory://localhost//"


def test_polls_go_by_a_queue_of_their_own_that_a_plain_worker_serves_too() -> None:
    assert app.amqp.router.route({}, "tasks.observe")["queue"].name == "poll"
    assert app.amqp.router.route({}, "tasks.drain")["queue"].name == "gradewire"
    assert set(app.amqp.queues.consume_from) == {"poll", "gradewire"}


def test_the_procfile_serves_every_queue() -> None:
    lines = (Path(__file__).parents[2] / "Procfile").read_text(encoding="utf-8")
    assert {queue for queue in ("poll", "gradewire") if f"--queues {queue} " in lines} == set(app.amqp.queues.consume_from)
