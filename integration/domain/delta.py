"""When something changed: crossings with hysteresis, minimum duration, cooldown; and moves over a window.

Each result at a time depends on that time's look back only, never on an evaluation made before: there is no state to
lose, and a shorter history that still holds the look back gives the same answer.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from integration.domain.history import Floats, Ints

DAY = 86_400_000

#: A side older than this is forgotten: a year of quiet inside the band counts as a new beginning.
MEMORY = 360 * DAY
#: Suppressed crossings are counted this far back.
COUNTED = 30 * DAY
#: The longest cooldown that may be asked for.
MAX_COOLDOWN = 30 * DAY

Sides = NDArray[np.int8]


class Run(NamedTuple):
    """Consecutive observations on one side, from position `start`; it counts from position `confirmed`, if ever."""

    side: int
    start: int
    end: int
    confirmed: int | None


@dataclass(frozen=True, slots=True)
class Crossing:
    """A change of side that came to count at position `at`; its run began at position `start`.

    `before` is the position of the last observation that was not on the new side.
    """

    at: int
    start: int
    before: int
    side: int
    previous: int


def observed(as_of: Ints, values: Floats) -> tuple[Ints, Floats]:
    """The observations alone: what is missing (NaN) is no observation."""
    known = ~np.isnan(values)
    return (as_of, values) if known.all() else (as_of[known], values[known])


def level_sides(values: Floats, level: float, hysteresis: float, *, below: bool = False) -> Sides:
    """1 or -1 on the two sides of a level, 0 in the band between.

    Above is entered at x ≥ level and left at x ≤ level - hysteresis; for `below`, below is entered at x ≤ level and left
    at x ≥ level + hysteresis. Equality belongs to the side that is entered.
    """
    upper, lower = thresholds(level, hysteresis, below=below)
    return (values >= upper).view(np.int8) - (values <= lower).view(np.int8)


def thresholds(level: float, hysteresis: float, *, below: bool = False) -> tuple[float, float]:
    """The values at which the upper and the lower side of a level are entered; without a band they are neighbours."""
    # in decimals: 0.3 - 0.1 leaves at 0.2, not a hair below it
    band = Decimal(repr(hysteresis))
    if below:
        return max(float(Decimal(repr(level)) + band), math.nextafter(level, math.inf)), level
    return level, min(float(Decimal(repr(level)) - band), math.nextafter(level, -math.inf))


def _runs(as_of: Ints, sides: Sides, cadence: int, observations: int, duration: int) -> list[Run]:
    """Runs of equal sides. One missing observation inside a run is forgiven, two end it; so does a value in the band."""
    if not len(sides):
        return []
    # rounded, more than two intervals lie between
    ends_run = (sides[1:] != sides[:-1]) | (2 * (as_of[1:] - as_of[:-1]) > 5 * cadence)
    starts: list[int] = [0, *(ends_run.nonzero()[0] + 1).tolist()]
    ends = [start - 1 for start in starts[1:]] + [len(sides) - 1]
    enough = [start + observations - 1 for start in starts]
    if duration:
        held: list[int] = np.searchsorted(as_of, as_of[starts] + duration).tolist()
        enough = [max(pair) for pair in zip(enough, held, strict=True)]
    return [
        Run(side, start, end, at if at <= end else None)
        for side, start, end, at in zip(sides[starts].tolist(), starts, ends, enough, strict=True)
        if side
    ]


def _firsts(as_of: Ints, max_gap: int) -> Callable[[int], int] | None:
    """The first position that still speaks to each: since the last long silence, and within MEMORY; None where all do."""
    silent = as_of[1:] - as_of[:-1] > max_gap
    if not silent.any() and (not len(as_of) or as_of[-1] - as_of[0] <= MEMORY):
        return None
    breaks, times = [0, *(silent.nonzero()[0] + 1).tolist()], as_of.tolist()
    return lambda at: max(breaks[bisect_right(breaks, at) - 1], bisect_left(times, times[at] - MEMORY))


def crossings(
    as_of: Ints,
    sides: Sides,
    *,
    cadence: int,
    max_gap: int,
    observations: int = 1,
    duration: int = 0,
    assumed: int | None = None,
) -> list[Crossing]:
    """Changes of side among observations, in order. Sides are any numbers, as of classes; 0 is none.

    The first side seen within MEMORY, or after a silence longer than `max_gap`, only sets the side, without confirmation.
    `assumed` is the side of a subject whose first observation lies in the band; None = the first side seen sets it.
    """
    each: list[int] = sides.tolist()
    if assumed is None and len({*each} - {0}) < 2:
        return []  # it was never on two sides: as most are, most of the time
    runs = _runs(as_of, sides, cadence, observations, duration)
    first_of = _firsts(as_of, max_gap)
    found: list[Crossing] = []
    for number, run in enumerate(runs):
        if run.confirmed is None:
            continue
        at = run.confirmed
        first = first_of(at) if first_of else 0
        previous = _side_before(runs, number, first, assumed if each[first] == 0 else None)
        if previous is not None and previous != run.side:
            before = next(p for p in range(run.start - 1, -1, -1) if each[p] != run.side)
            found.append(Crossing(at, run.start, before, run.side, previous))
    return found


def _side_before(runs: Sequence[Run], number: int, first: int, initial: int | None) -> int | None:
    """The side that counted last since position `first`: of the newest confirmed run, else the initial or first one seen."""
    seen: int | None = None
    for earlier in range(number - 1, -1, -1):
        run = runs[earlier]
        if run.end < first:
            break
        if run.confirmed is not None:
            return run.side
        seen = run.side
    return seen if initial is None else initial


def standing(as_of: Ints, sides: Sides, *, cadence: int, max_gap: int, observations: int = 1, duration: int = 0) -> Sides:
    """The side that counts at each observation, 0 while none does: what `crossings` are changes of."""
    counted = np.zeros(len(sides), dtype=np.int8)
    runs = _runs(as_of, sides, cadence, observations, duration)
    first_of = _firsts(as_of, max_gap)
    starts = [run.start for run in runs]
    for position in range(len(sides)):
        number = bisect_right(starts, position) - 1
        if number < 0:
            continue
        run = runs[number]
        if run.confirmed is not None and run.confirmed <= position <= run.end:
            counted[position] = run.side
            continue
        first = first_of(position) if first_of else 0
        inside = position <= run.end
        before = _side_before(runs, number if inside else number + 1, first, None)
        counted[position] = (run.side if inside else 0) if before is None else before
    return counted


@dataclass(frozen=True, slots=True)
class Notice:
    """A happening at position `at` that is told, and how many before it were kept silent."""

    at: int
    suppressed: int


def cool_down(as_of: Ints, happenings: Sequence[int], cooldown: int, told: Callable[[int], bool]) -> list[Notice]:
    """Leading-edge debounce over the rising positions `happenings`.

    One is kept silent if another, told or silent itself, happened less than `cooldown` ms before it; exactly `cooldown`
    apart, it is told. `told(k)` says whether happening k is of a kind that the rule tells at all.
    """
    times: list[int] = as_of.tolist()
    notices: list[Notice] = []
    silent: list[int] = []
    for k, position in enumerate(happenings):
        now = times[position]
        if k and now - times[happenings[k - 1]] < cooldown:
            silent.append(position)
        elif told(k):
            notices.append(Notice(position, sum(now - times[p] <= COUNTED for p in silent)))
            silent = []
    return notices


def moves(values: Floats, as_of: Ints, window: int, max_gap: int) -> Floats:
    """x[t] - x[t - window observations]; NaN where there is none, or where a silence longer than `max_gap` lies between.

    Missing values are no observations: leave them out first (`observed`). The result has the length of `values`.
    """
    change = np.full(len(values), np.nan)
    if len(values) <= window:
        return change
    stretch = np.concatenate(([0], np.cumsum(np.diff(as_of) > max_gap)))
    same = stretch[window:] == stretch[:-window]
    with np.errstate(over="ignore"):
        change[window:][same] = (values[window:] - values[:-window])[same]
    return change
