"""A destination's turn in a drain, and one request on its way there."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from integration.service.claiming import Owed
from integration.service.ways import Target


@dataclass(slots=True)
class Lane:
    """A destination's turn in this drain. `pace_ms` is how long its answers take, smoothed."""

    target: Target
    waiting: deque[Owed] = field(default_factory=deque)
    in_flight: int = 0
    queued: bool = False
    pace_ms: float = 0.0

    def width(self, peers: int) -> int:
        """How many requests may be under way: one where order matters (batches, a preparation still to come), else this
        worker's share of what the destination allows; `peers` workers deliver at the moment."""
        channel = self.target.channel
        alone = channel.limits.batch > 1 or (channel.prepare is not None and not self.target.prepared)
        return 1 if alone else -(-self.target.width // peers)


@dataclass(slots=True)
class Job:
    """One request for some of a lane's messages; `retry`: any of them was tried before."""

    lane: Lane
    owed: list[Owed]
    retry: bool
    stage: Literal["prepare", "probe", "send"] = "send"
    tokened: bool = False
