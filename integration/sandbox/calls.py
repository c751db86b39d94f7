"""Counting calls per key, against the plan's limits: a wall minute and a month of 30 market days."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from integration.sandbox.clock import DAY_MS, Clock
from integration.sandbox.plans import Plan

MONTH_MS = 30 * DAY_MS
_PAUSED_RETRY = 3600


class Calls:
    """What was asked, what was answered, and what is left of the plan."""

    def __init__(self, plan: Plan, clock: Clock, wall: Callable[[], float] = time.monotonic) -> None:
        self._plan, self._clock, self._wall = plan, clock, wall
        self._lock = threading.Lock()
        self._born = clock.now()
        self._minute: dict[str, tuple[float, int]] = {}
        self._month: dict[str, tuple[int, int]] = {}
        self._endpoints: Counter[str] = Counter()
        self._statuses: Counter[str] = Counter()

    def spend(self, key: str) -> int | None:
        """Take one call from the key's allowance; None, or whole seconds to wait when there is none left."""
        with self._lock:
            began, used = self._this_minute(key)
            month, spent = self._this_month(key)
            if used >= self._plan.calls_per_minute:
                return max(1, math.ceil(began + 60 - self._wall()))
            if spent >= self._plan.calls_per_month:
                wait = self._clock.seconds_until(self._born + (month + 1) * MONTH_MS)
                return _PAUSED_RETRY if wait is None else max(1, math.ceil(wait))
            self._minute[key] = (began, used + 1)
            self._month[key] = (month, spent + 1)
            return None

    def record(self, endpoint: str, status: int) -> None:
        """Count one answer, refused ones included."""
        with self._lock:
            self._endpoints[endpoint] += 1
            self._statuses[str(status)] += 1

    def report(self, key: str) -> dict[str, Any]:
        """Counters for the control endpoint."""
        with self._lock:
            return {
                "total": sum(self._endpoints.values()),
                "endpoints": dict(self._endpoints),
                "statuses": dict(self._statuses),
                "minute": {"used": self._this_minute(key)[1], "limit": self._plan.calls_per_minute},
                "month": {"used": self._this_month(key)[1], "limit": self._plan.calls_per_month},
            }

    def _this_minute(self, key: str) -> tuple[float, int]:
        now = self._wall()
        began, used = self._minute.get(key, (now, 0))
        return (began, used) if now < began + 60 else (now, 0)

    def _this_month(self, key: str) -> tuple[int, int]:
        current = (self._clock.now() - self._born) // MONTH_MS
        month, spent = self._month.get(key, (current, 0))
        return (month, spent) if month == current else (current, 0)
