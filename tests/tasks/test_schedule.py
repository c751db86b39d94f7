from __future__ import annotations

from pathlib import Path

from integration import sources
from integration.config import load
from tasks.app import app, configure, schedule


def test_every_source_is_looked_at_and_the_sweep_runs() -> None:
    entries = schedule(load({}))
    assert {entry["args"][0] for entry in entries.values() if entry["task"] == "tasks.observe"} == {
        key for key, source in sources.load().items() if source.derivation is None
    }
    assert [entry["task"] for entry in entries.values()].count("tasks.sweep") == 1


def test_a_look_comes_often_within_a_cadence_and_at_most_once_a_minute_in_real_time() -> None:
    looks = [entry["schedule"] for entry in schedule(load({})).values() if entry["task"] == "tasks.observe"]
    assert max(looks) <= 60
    fast = schedule(load({"GRADEWIRE_SPEED": str(86_400 / 5)}))
    assert all(entry["schedule"] < 5 for entry in fast.values() if entry["task"] == "tasks.observe")


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
