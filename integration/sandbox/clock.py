"""The market's clock: UTC epoch milliseconds that can run fast, pause, step and jump.

THE RULE OF DATES: the row with DATE = D appears the moment the market date becomes D (market time D 00:00Z) and
is computed from all closes up to and including D. So the close of DATE D is the price at D 00:00Z, and during D
the price walks from close D to close D + 1.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime

DAY_MS = 86_400_000


def date_ms(day: date) -> int:
    """UTC epoch milliseconds of a date's 00:00Z."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def ms_date(ms: int) -> date:
    """UTC date of an epoch time in milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).date()


class Clock:
    """market_now = base + (wall - wall base) * 86400 / day_seconds, held within [earliest, latest] 00:00Z."""

    def __init__(
        self,
        start: date,
        day_seconds: float,
        *,
        paused: bool = False,
        earliest: date | None = None,
        latest: date | None = None,
        wall: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._lock = threading.Lock()
        self._low = date_ms(earliest) if earliest else 0
        self._high = date_ms(latest) if latest else None
        self._base_ms = float(date_ms(start))
        self._base_wall = wall()
        self._day_seconds = day_seconds
        self._paused = paused

    @property
    def day_seconds(self) -> float:
        """Wall seconds per market day."""
        return self._day_seconds

    @property
    def paused(self) -> bool:
        """Whether market time stands still."""
        return self._paused

    def now(self) -> int:
        """Market time in UTC epoch milliseconds."""
        with self._lock:
            return int(self._now())

    def today(self) -> date:
        """The market date."""
        return ms_date(self.now())

    def step(self, days: float) -> None:
        """Move market time by a number of days (negative: back)."""
        self._rebase(shift_ms=days * DAY_MS)

    def jump(self, day: date) -> None:
        """Set market time to 00:00Z of a date."""
        with self._lock:
            self._base_ms, self._base_wall = self._held(float(date_ms(day))), self._wall()

    def pause(self) -> None:
        """Stop market time."""
        self._rebase(paused=True)

    def resume(self) -> None:
        """Let market time run on from where it stands."""
        self._rebase(paused=False)

    def set_speed(self, day_seconds: float) -> None:
        """Set wall seconds per market day; ValueError unless positive."""
        if not 0 < day_seconds < float("inf"):
            raise ValueError("day_seconds must be a positive number of wall seconds, such as 5")
        self._rebase(day_seconds=day_seconds)

    def seconds_until(self, ms: float) -> float | None:
        """Wall seconds until market time ``ms``; None while paused."""
        return None if self._paused else max(0.0, (ms - self.now()) / DAY_MS * self._day_seconds)

    def _rebase(self, *, shift_ms: float = 0.0, paused: bool | None = None, day_seconds: float | None = None) -> None:
        with self._lock:
            self._base_ms, self._base_wall = self._held(self._now() + shift_ms), self._wall()
            self._paused = self._paused if paused is None else paused
            self._day_seconds = self._day_seconds if day_seconds is None else day_seconds

    def _now(self) -> float:
        if self._paused:
            return self._base_ms
        return self._held(self._base_ms + (self._wall() - self._base_wall) * DAY_MS / self._day_seconds)

    def _held(self, ms: float) -> float:
        ms = max(ms, self._low)
        return ms if self._high is None else min(ms, self._high)
