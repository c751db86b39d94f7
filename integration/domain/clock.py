"""Market time: what the upstream's calendar says. The real market runs with the wall clock; a sandbox may run faster."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarketClock:
    """Market time is `market` at wall time `wall` (both ms) and runs `speed` times as fast from there."""

    speed: float = 1.0
    wall: int = 0
    market: int = 0

    def at(self, wall: int) -> int:
        """Market time in milliseconds at a wall time in milliseconds."""
        return self.market + round((wall - self.wall) * self.speed)

    def slot(self, wall: int, cadence: int) -> int:
        """The start of the interval that market time is in: rounded down to the cadence."""
        now = self.at(wall)
        return now - now % cadence

    def wall_length(self, market_ms: int) -> float:
        """How long a stretch of market time takes, in wall milliseconds."""
        return market_ms / self.speed
