"""How often the plan's calls let one look at each source until they are reset. A pure decision."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush


@dataclass(frozen=True, slots=True)
class Need:
    """Something to poll: `rungs` are (interval, calls it takes until the plan's reset), the shortest interval first.

    Where calls are short, what has less weight is stretched and dropped earlier; `always` is dropped last of all.
    """

    key: Hashable
    rungs: tuple[tuple[int, int], ...]
    weight: float = 1.0
    always: bool = False

    @property
    def least(self) -> int:
        """The calls that it takes at its cheapest."""
        return min(calls for _, calls in self.rungs)


@dataclass(frozen=True, slots=True)
class Ration:
    """The interval of each need that is polled, those that are not, the calls this takes, and those it would take freely."""

    intervals: Mapping[Hashable, int]
    dropped: tuple[Hashable, ...]
    calls: int
    wished: int


def ration(needs: Sequence[Need], allowed: int) -> Ration:
    """The intervals at which the calls last until the reset: never more than `allowed`.

    What takes most calls for its weight is stretched first, step by step: so more calls never mean a longer interval for
    anything, as long as the same is polled. Only where not all fit at their cheapest is anything dropped, the least
    important first and of equals the dearest.
    """
    kept, dropped, room = list[Need](), list[Hashable](), allowed
    for need in sorted(needs, key=lambda need: (not need.always, -need.weight, need.least, str(need.key))):
        if need.least <= room:
            kept.append(need)
            room -= need.least
        else:
            dropped.append(need.key)
    chosen = _stretched(kept, allowed)
    calls = sum(need.rungs[at][1] for need, at in zip(kept, chosen, strict=True))
    intervals = {need.key: need.rungs[at][0] for need, at in zip(kept, chosen, strict=True)}
    return Ration(intervals, tuple(dropped), calls, sum(need.rungs[0][1] for need in needs))


def _stretched(needs: Sequence[Need], allowed: int) -> list[int]:
    """Which rung of each need; at their cheapest they fit."""
    chosen = [0] * len(needs)
    total = sum(need.rungs[0][1] for need in needs)
    queue = [(-need.rungs[0][1] / need.weight, str(need.key), at) for at, need in enumerate(needs)]
    heapify(queue)
    while total > allowed:
        _, key, at = heappop(queue)
        rungs, now = needs[at].rungs, chosen[at]
        cheaper = next((to for to in range(now + 1, len(rungs)) if rungs[to][1] < rungs[now][1]), None)
        if cheaper is None:
            continue
        total -= rungs[now][1] - rungs[cheaper][1]
        chosen[at] = cheaper
        heappush(queue, (-rungs[cheaper][1] / needs[at].weight, key, at))
    return chosen
