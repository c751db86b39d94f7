"""The tasks: a few lines each that call a use case. None carries work; each may be lost or come twice."""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from celery import Task, signals
from celery.worker import state
from kombu.exceptions import KombuError
from kombu.exceptions import OperationalError as Unreachable
from sqlalchemy.exc import OperationalError

from integration.config import load
from integration.domain.errors import GradewireError
from integration.service import deliver, errands, keeping, replaying, retention, scheduling, timekeeping, wishing
from integration.service.wiring import Gradewire, build
from tasks.app import app

#: What the world does to a task, rather than a mistake of ours: told in one line, as the next tick tries again anyway.
WORLD = (GradewireError, OperationalError)
#: What publishing raises where the broker is not there, or has forgotten its queues.
BrokerAway = (Unreachable, KombuError, OSError)
log = structlog.get_logger()


@signals.task_failure.connect
def _failed(sender: Task, exception: BaseException, **_more: Any) -> None:
    """Celery tells of our own mistakes only, with where they happened."""
    if isinstance(exception, WORLD):
        log.warning("task_failed", task=sender.name, error=f"{type(exception).__name__}: {exception}".splitlines()[0])


_given: list[Gradewire] = []


def use(gradewire: Gradewire) -> None:
    """Work with this Gradewire instead of one built from the environment: for everything in one process."""
    timekeeping.tell(gradewire)
    _given[:] = [gradewire]


@cache
def _built() -> Gradewire:
    made = build(load(), wake=wake)
    timekeeping.tell(made)  # before anything is claimed by this clock
    return made


def wake() -> None:
    """Tell one worker that there is something to deliver. Where the broker is away the sweep finds it, so nothing breaks."""
    try:
        drain.apply_async(retry_policy={"max_retries": 1, "interval_start": 0})
    except BrokerAway as error:
        log.warning("wake_lost", error=str(error))


def gradewire() -> Gradewire:
    """This process's Gradewire, made at its first task: after the fork, so that no connection is shared."""
    return _given[0] if _given else _built()


@app.task(name="tasks.observe", throws=WORLD)
def observe() -> None:
    """Poll whatever is due."""
    here = gradewire()
    here.beat("poller")
    scheduling.run(here)


@app.task(name="tasks.fetch", throws=WORLD)
def fetch() -> None:
    """Fetch of the past what is needed or wished for."""
    wishing.run(gradewire())


@app.task(name="tasks.drain", throws=WORLD)
def drain() -> None:
    """Make every delivery that is due."""
    deliver.drain_all(gradewire())


@app.task(name="tasks.sweep", throws=WORLD)
def sweep() -> None:
    """Find what a lost wake-up left."""
    here = gradewire()
    timekeeping.tell(here)
    here.beat("worker")
    deliver.drain_all(here)


@app.task(name="tasks.errands", throws=WORLD)
def run_errands() -> None:
    """Write to owners, and take leave of hooks that ended."""
    errands.run(gradewire())


@app.task(name="tasks.replay", throws=WORLD)
def replay() -> None:
    """Go on with what is to be sent again."""
    replaying.work_off(gradewire())


@app.task(name="tasks.prune", throws=WORLD)
def prune() -> None:
    """Let go of readings that nothing looks back to any more."""
    keeping.prune(gradewire())


@app.task(name="tasks.tidy", throws=WORLD)
def tidy() -> None:
    """Let go of what is older than the settings say; ends early where the worker is to stop."""
    retention.tidy(gradewire(), stop=_stopping)


def _stopping() -> bool:
    return state.should_stop is not None and state.should_stop is not False  # 0 is how a worker ends well
