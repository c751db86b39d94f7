"""Beat's scheduler."""

from __future__ import annotations

import time
from typing import Any

from celery.beat import Scheduler

#: Clocks are put right by less than this all the time, in seconds.
SLACK_S = 1.0


class SteadyScheduler(Scheduler):
    """Celery's scheduler, but a clock that is put back does not silence it: it would wait until the clock had caught up."""

    _offset = float("-inf")

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due; the seconds until the next look."""
        offset = time.time() - time.monotonic()
        if offset < self._offset - SLACK_S:
            now = self.app.now()
            for entry in self.schedule.values():
                entry.last_run_at = min(entry.last_run_at, now)
            self._heap = None  # it holds times of the clock that was
        self._offset = offset
        return float(super().tick(*args, **options))
