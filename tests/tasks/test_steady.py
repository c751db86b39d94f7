from __future__ import annotations

import time

import pytest
import time_machine
from celery import Celery
from celery.beat import Scheduler

from tasks.app import app as product
from tasks.steady import SteadyScheduler


def beat(kind: type[Scheduler]) -> tuple[Scheduler, list[str]]:
    """A scheduler that wants to sweep once a second, and what it has sent."""
    app = Celery("steady", broker="memory://", set_as_current=False)
    app.conf.update(beat_schedule={"sweep": {"task": "tasks.sweep", "schedule": 1.0}}, enable_utc=True)
    scheduler, sent = kind(app), list[str]()
    scheduler.apply_entry = lambda entry, producer=None: sent.append(entry.name)
    return scheduler, sent


@pytest.mark.parametrize(("kind", "swept"), [(SteadyScheduler, True), (Scheduler, False)])
def test_a_clock_that_is_put_back_does_not_silence_beat_as_it_does_celerys_own(kind: type[Scheduler], swept: bool) -> None:
    with time_machine.travel(time.time()) as clock:
        scheduler, sent = beat(kind)
        scheduler.tick()
        clock.shift(1.5)
        scheduler.tick()
        assert sent == ["sweep"]
        clock.shift(-3_600)
        scheduler.tick()
        clock.shift(1.5)
        wait = scheduler.tick()
        assert (sent == ["sweep", "sweep"]) == swept
        assert (wait <= 1) == swept


def test_beat_sweeps_no_oftener_than_it_should() -> None:
    with time_machine.travel(time.time()) as clock:
        scheduler, sent = beat(SteadyScheduler)
        for _ in range(40):
            scheduler.tick()
            clock.shift(0.25)
    assert 8 <= len(sent) <= 10


def test_it_is_the_products_scheduler() -> None:
    assert product.conf.beat_scheduler == f"{SteadyScheduler.__module__}:{SteadyScheduler.__name__}"
