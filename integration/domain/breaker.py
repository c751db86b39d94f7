"""When a destination that keeps failing is left alone: a circuit breaker, one for each."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from integration.domain.retry import DAY, MINUTE, SECOND

#: It opens at so many failures, and such a share, of the last attempts within a time (delivery reference, 7.3).
FAILURES, SHARE, LAST, WITHIN = 5, 0.7, 20, 5 * MINUTE
#: How long it stays open: the first time, and at most; each time in a row twice as long as before.
FIRST_MS, MOST_MS = 30 * SECOND, 10 * MINUTE
#: A destination that fails for so long is disabled; at half time its owner is warned.
DISABLED_AFTER = 5 * DAY
WARNED_AFTER = DISABLED_AFTER // 2
#: Of one attempt that fails nothing follows for good: a delivery must have failed so often.
TRIES = 4


@dataclass(slots=True)
class Breaker:
    """The last attempts at a destination, as this worker saw them."""

    last: deque[tuple[int, bool]] = field(default_factory=lambda: deque(maxlen=LAST))

    def note(self, at: int, *, fine: bool) -> bool:
        """Take in how an attempt ended at a time (ms). True where the breaker has to open: what it knew is then forgotten."""
        self.last.append((at, fine))
        if fine:
            return False
        recent = [good for when, good in self.last if at - when < WITHIN]
        failures = recent.count(False)
        opens = failures >= FAILURES and failures >= SHARE * len(recent)
        if opens:
            self.last.clear()
        return opens


def open_for(opened: int) -> int:
    """How long (ms) a breaker stays open that has opened so often in a row before.

    >>> [open_for(n) // SECOND for n in (0, 1, 5)]
    [30, 60, 600]
    """
    return int(min(FIRST_MS * 2 ** min(opened, 20), MOST_MS))
