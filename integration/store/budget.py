"""The plan's limits, shared by every process that opens the same database."""

from __future__ import annotations

from dataclasses import dataclass

from integration.domain.errors import BudgetSpent
from integration.domain.retry import DAY, MINUTE
from integration.store.database import Database
from integration.store.queries import budget


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls taken and allowed in this month and this minute, and when each ends (epoch ms)."""

    month: int
    per_month: int
    month_ends: int
    minute: int
    per_minute: int
    minute_ends: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Calls a month and a minute. Windows are fixed: they begin at whole multiples of their length (ms) since 1970.

    A month is 30 days, or as long as a sped-up upstream takes for them.
    """

    database: Database
    per_month: int
    per_minute: int
    month_ms: int = 30 * DAY
    minute_ms: int = MINUTE

    def take(self, now: int) -> None:
        """Take one call at an epoch millisecond, from both windows or from neither; BudgetSpent says when to come back."""
        with self.database.write() as connection:
            for kind, length, allowed in self._windows():
                start = now - now % length
                if not budget.take(connection, kind, start, allowed):
                    text = f"The plan's {allowed} calls a {kind} are spent."
                    raise BudgetSpent(text, retry_at=start + length)

    def used(self, now: int) -> Usage:
        """What is taken at an epoch millisecond."""
        with self.database.read() as connection:
            month, minute = (budget.used(connection, kind, now - now % length) for kind, length, _ in self._windows())
        month_ends, minute_ends = (now - now % length + length for _, length, _ in self._windows())
        return Usage(month, self.per_month, month_ends, minute, self.per_minute, minute_ends)

    def _windows(self) -> tuple[tuple[str, int, int], ...]:
        # the month first, always: its row is the lock that the others wait at
        return (("month", self.month_ms, self.per_month), ("minute", self.minute_ms, self.per_minute))
