"""When to try again: a pure decision from the number of attempts made and the receiver's wish."""

from __future__ import annotations

import random
from collections.abc import Sequence

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: Waits after the first, second, … failed attempt, in milliseconds: the example schedule of Standard Webhooks 1.0.0.
SCHEDULE: tuple[int, ...] = (
    5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
)  # fmt: skip
JITTER = 0.2
MAX_WISH = 24 * HOUR


def next_wait(
    attempts: int, wish_s: float | None, *, schedule: Sequence[int] = SCHEDULE, jitter: float | None = None
) -> int | None:
    """Milliseconds to wait after `attempts` failed attempts, or None when the schedule is exhausted.

    The receiver's wish (Retry-After, seconds) can only lengthen the wait, to 24 h at most. Jitter of 0 to 20 % only
    lengthens too, so that no attempt ever comes earlier than the schedule says.
    """
    if attempts > len(schedule):
        return None
    base = schedule[attempts - 1]
    wished = min(max(wish_s, 0.0) * SECOND, MAX_WISH) if wish_s is not None else 0.0
    share = random.random() if jitter is None else jitter
    return int(max(base, wished) * (1 + JITTER * share))
