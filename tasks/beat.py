"""Beat for many processes: `celery --app tasks.app beat --scheduler tasks.beat:Beat`."""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery.beat import ScheduleEntry

from tasks.steady import SteadyScheduler

log = structlog.get_logger()

#: Messages that may wait in a queue. A tick says only that there may be work: hundreds of them say no more than one, and a
#: broker in which they gather while no worker runs would be full one day.
MOST = 500
#: How often a full queue is told of, in seconds.
TELL_S = 60.0


class Beat(SteadyScheduler):
    """Celery's scheduler, which adds nothing to a queue that nobody empties."""

    _told = -TELL_S
    _channel: Any = None

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send a tick, unless its queue is full."""
        queue = self.app.amqp.router.route(entry.options, entry.task)["queue"]
        waiting = self._waiting(queue)
        if waiting < MOST:
            super().apply_entry(entry, producer=producer)
        elif time.monotonic() - self._told >= TELL_S:
            self._told = time.monotonic()
            log.warning("queue_full", queue=queue.name, waiting=waiting, remedy="start a worker that serves it")

    def _waiting(self, queue: Any) -> int:
        """How many messages wait in a queue; 0 where the broker cannot be asked: sending will say what is wrong."""
        try:
            if self._channel is None:
                self._channel = self.connection.channel()
            return int(queue.bind(self._channel).queue_declare().message_count)
        except Exception:  # each transport has errors of its own
            self._channel = None
            return 0
