"""When a destination that keeps failing is left alone: a circuit breaker, one for each."""

from __future__ import annotations

from array import array

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


class Breaker:
    """The last attempts at a destination, as this worker saw them: in few bytes, for there are many destinations."""

    __slots__ = ("_count", "_last")

    def __init__(self) -> None:
        # A ring of times (ms), each doubled, and one more where the attempt was fine.
        self._last, self._count = array("q", bytes(8 * LAST)), 0

    def note(self, at: int, *, fine: bool) -> bool:
        """Take in how an attempt ended at a time (ms). True where the breaker has to open: what it knew is then forgotten."""
        self._last[self._count % LAST] = 2 * at + fine
        self._count += 1
        if fine:
            return False
        recent = [each & 1 for each in self._last[: self._count] if at - (each >> 1) < WITHIN]
        failures = recent.count(0)
        opens = failures >= FAILURES and failures >= SHARE * len(recent)
        if opens:
            self._count = 0
        return opens


def open_for(opened: int) -> int:
    """How long (ms) a breaker stays open that has opened so often in a row before.

    >>> [open_for(n) // SECOND for n in (0, 1, 5)]
    [30, 60, 600]
    """
    return int(min(FIRST_MS * 2 ** min(opened, 20), MOST_MS))
