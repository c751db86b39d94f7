"""How often one key may ask: a sliding window for each."""

from __future__ import annotations

import math
import threading
from collections import deque

from integration.domain.errors import TooMany


class SlidingWindow:
    """At most so many requests in any stretch of `window_ms`. It counts what this process answers."""

    def __init__(self, most: int, window_ms: int = 60_000) -> None:
        self.most, self.window_ms = most, window_ms
        self._times: dict[str, deque[int]] = {}
        self._lock = threading.Lock()

    def check(self, who: str, now: int) -> None:
        """Count a request at a time (ms). Raises TooMany, with the wait, where the window is full."""
        with self._lock:
            times = self._times.setdefault(who, deque(maxlen=self.most))
            if len(times) == self.most and times[0] > now - self.window_ms:
                wait = math.ceil((times[0] + self.window_ms - now) / 1000)
                raise TooMany(f"More than {self.most} requests a minute with this key; wait {wait} s.", retry_after=wait)
            times.append(now)
            if len(self._times) > 10_000:
                self._times = {key: kept for key, kept in self._times.items() if kept[-1] > now - self.window_ms}
