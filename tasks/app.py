"""The Celery app, and its beat schedule."""

from __future__ import annotations

import gc
from typing import Any

from celery import Celery, signals
from kombu.transport import redis

from integration import logs
from integration.config import Settings, load
from integration.domain.clock import MarketClock
from integration.domain.retry import DAY, MINUTE

#: Deliveries and polls go by queues of their own, so that a poll that waits for its next call holds up no delivery where
#: each has its own workers. A worker that is not told which serves both.
DELIVERING, POLLING = "gradewire", "poll"
APART = ("tasks.observe", "tasks.fetch", "tasks.prune", "tasks.tidy", "tasks.errands", "tasks.replay")
#: How often the sweep looks for deliveries that no wake-up told of, in seconds.
SWEEP_S = 1.0
#: How often polls that are due are looked for: in market time (ms), and within these seconds.
LOOK_MS = 10 * MINUTE
LOOK_S = (0.5, 5.0)
#: How often it is looked for past that is needed or wished for, in seconds.
FETCH_S = 2.0
#: How often it is looked for mails to owners and farewells that are due.
ERRANDS_S = 5.0
#: How often it is gone on with what is to be sent again, in seconds.
REPLAY_S = 1.0
#: How often old readings are looked for, in market time (ms) and so many seconds apart at least and at most: beat counts from
#: its own start, and may be started anew each day.
PRUNE_MS, PRUNE_S = DAY, (60.0, 6 * 3600.0)
#: How often it is looked for all else that is old, in seconds.
TIDY_S = 900.0


def schedule(settings: Settings) -> dict[str, Any]:
    """Beat's entries: one look for polls that are due, one for deliveries that are, one for what need not be kept."""
    clock = MarketClock(settings["speed"])
    entries: dict[str, Any] = {"sweep": {"task": "tasks.sweep", "schedule": SWEEP_S, "options": {"expires": SWEEP_S}}}
    pruning = min(max(clock.wall_length(PRUNE_MS) / 1000, PRUNE_S[0]), PRUNE_S[1])
    entries["prune"] = {"task": "tasks.prune", "schedule": pruning, "options": {"expires": pruning}}
    entries["tidy"] = {"task": "tasks.tidy", "schedule": TIDY_S, "options": {"expires": TIDY_S}}
    wait = min(max(clock.wall_length(LOOK_MS) / 1000, LOOK_S[0]), LOOK_S[1])
    entries["observe"] = {"task": "tasks.observe", "schedule": wait, "options": {"expires": max(wait, 1.0)}}
    entries["errands"] = {"task": "tasks.errands", "schedule": ERRANDS_S, "options": {"expires": ERRANDS_S}}
    entries["fetch"] = {"task": "tasks.fetch", "schedule": FETCH_S, "options": {"expires": FETCH_S}}
    entries["replay"] = {"task": "tasks.replay", "schedule": REPLAY_S, "options": {"expires": REPLAY_S}}
    return entries


def transport_options(url: str) -> dict[str, Any]:
    """What each kind of broker needs to be told. Redis' own defaults would lose wake-ups under load: ten connections, which
    are not enough to acknowledge with, and sockets that wait forever for a server that is gone."""
    if url.startswith("memory"):
        return {"polling_interval": 0.01}
    if url.startswith("redis"):
        waits = {"socket_connect_timeout": 5, "socket_timeout": 30, "socket_keepalive": True, "health_check_interval": 25}
        return {"max_connections": 300, "visibility_timeout": 3_600, "retry_on_timeout": True, "ack_emulation": False, **waits}
    return {"confirm_publish": True}


def configure(app: Celery, settings: Settings) -> Celery:
    """Broker and schedule from the settings: Redis or RabbitMQ where it is set, else messages stay in this process."""
    url = settings.broker or "memory://localhost//"
    redis.Channel.do_restore = False
    app.conf.update(
        broker_url=url,
        broker_transport_options=transport_options(url),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # for ever: a broker that is away comes back
        task_ignore_result=True,
        task_acks_late=False,
        task_default_queue=DELIVERING,
        task_default_delivery_mode="transient",  # what a broker forgets, the sweep finds
        task_queues={DELIVERING: {}, POLLING: {}},
        task_routes={name: {"queue": POLLING} for name in APART},
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        beat_schedule=schedule(settings),
        beat_scheduler="tasks.steady:SteadyScheduler",
        timezone="UTC",
    )
    return app


@signals.worker_init.connect
@signals.worker_process_init.connect
def _collect_seldom(**_given: Any) -> None:
    """What is loaded by now stays for good, and what a delivery makes refers to itself nowhere: by default, looking for rings
    among all of that takes a worker an eighth of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@signals.setup_logging.connect
def _log(**_given: Any) -> None:
    """Instead of Celery's own logging; a process that was told how to log stays with that."""
    if not logs.configured():
        logs.configure(load())


app = configure(Celery("gradewire", include=["tasks.work"]), load())
