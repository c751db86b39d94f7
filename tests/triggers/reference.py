"""The rules of crossings once more, slowly and plainly: one look back for each time, folded from its oldest reading.

Nothing here is shared with the code under test. Times are milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from math import isfinite
from typing import Any, NamedTuple

HOUR = 3_600_000
DAY = 24 * HOUR
YEAR = 360 * DAY
MONTH = 30 * DAY

Observation = tuple[int, float]


class Turn(NamedTuple):
    at: int
    start: int
    before: int
    side: int
    previous: int


def observations(readings: Sequence[tuple[int, Any]]) -> list[Observation]:
    """What is there: null and infinite values are missing."""
    return [(time, float(value)) for time, value in readings if value is not None and isfinite(value)]


def decimal(number: float) -> Fraction:
    """The number people wrote."""
    return Fraction(repr(number))


def side_above(level: float, band: float) -> Callable[[float], int]:
    """Enter at x ≥ T, leave at x ≤ T - h."""

    @cache
    def side(x: float) -> int:
        if decimal(x) >= decimal(level):
            return 1
        return -1 if decimal(x) <= decimal(level) - decimal(band) else 0

    return side


def side_below(level: float, band: float) -> Callable[[float], int]:
    """The mirror image: the same question asked of everything times minus one."""
    mirrored = side_above(-level, band)
    return lambda x: -mirrored(-x)


def look_back(seen: Sequence[Observation], at: int, cadence: int) -> int:
    """The first observation that still speaks to the one at `at`: no long silence between, no more than a year."""
    first = at
    while first and seen[first][0] - seen[first - 1][0] <= max(48 * HOUR, 3 * cadence):
        if seen[at][0] - seen[first - 1][0] > YEAR:
            break
        first -= 1
    return first


def turn_at(
    seen: Sequence[Observation],
    at: int,
    cadence: int,
    confirm: int,
    side_of: Callable[[float], int],
    unsure: int | None = None,
    lasting: int = 0,
) -> Turn | None:
    """Live through the look back of `at`; the change of side that comes to count at its very end, if any.

    It counts once `confirm` observations in a row agree and the first of them is `lasting` ms old.
    `unsure` is the side that counts at first where the look back begins within the band; None = the first one taken.
    """
    oldest = look_back(seen, at, cadence)
    counting = None if side_of(seen[oldest][1]) else unsure
    run: list[int] = []  # observations in a row on one side
    turn = None
    for position in range(oldest, at + 1):
        time, x = seen[position]
        side, turn = side_of(x), None
        if run and (time - seen[run[-1]][0] > 2.5 * cadence or side != side_of(seen[run[-1]][1])):
            run = []
        if side == 0:
            continue
        run.append(position)
        if counting is None:
            counting = side
        elif side != counting and len(run) >= confirm and time - seen[run[0]][0] >= lasting:
            before = max(p for p in range(run[0]) if side_of(seen[p][1]) != side)
            turn = Turn(position, run[0], before, side, counting)
            counting = side
    return turn


def told(
    seen: Sequence[Observation], happenings: Sequence[int], cooldown: int, wanted: Callable[[int], bool]
) -> list[tuple[int, int]]:
    """(position, suppressed count) of what is told: nothing happened less than `cooldown` before it, told or not."""
    notices: list[tuple[int, int]] = []
    for at in happenings:
        since = [p for p in happenings if p < at and (not notices or p > notices[-1][0])]
        silent = [p for p in since if quiet(seen, happenings, p, cooldown)]
        if wanted(at) and not quiet(seen, happenings, at, cooldown):
            notices.append((at, sum(seen[at][0] - seen[p][0] <= MONTH for p in silent)))
    return notices


def quiet(seen: Sequence[Observation], happenings: Sequence[int], at: int, cooldown: int) -> bool:
    return any(p < at and seen[at][0] - seen[p][0] < cooldown for p in happenings)
